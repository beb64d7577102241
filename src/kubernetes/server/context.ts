import type { IncomingMessage, ServerResponse } from "node:http";
import type { AggregatedApis } from "../aggregation/aggregated-apis.js";
import type { Aggregator } from "../aggregation/proxy.js";
import type { UserInfo } from "../api.js";
import type { CertificateAuthenticator } from "../auth/client-certificates.js";
import type { ClusterLog } from "../cluster.js";
import type { DeprecatedRequestLog } from "../deprecated-apis.js";
import type { KubeObject } from "../object.js";
import type { PodStreams } from "../pod-streams.js";
import type { ResourceEntry } from "../registry/catalogue.js";
import type { Registry } from "../registry/registry.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import type { Authorizer, TokenAuthenticator } from "../security.js";
import type { Upgrade } from "../streams/upgrade.js";
import type { ApiTroubles } from "./api-troubles.js";
import type { RequestInfo, ResourceTarget } from "./request-info.js";

/** What the server needs from the rest of the cluster. */
export interface ServerDependencies {
  registry: Registry;
  /** What /version answers, e.g. `v1.36.1-eks-0247562`. */
  gitVersion(): string;
  tokenAuthenticators: readonly TokenAuthenticator[];
  /** Judges client certificates; without it none is accepted. */
  certificateAuthenticator?: CertificateAuthenticator;
  authorizers: readonly Authorizer[];
  log?: ClusterLog;
  /** What is wrong with this server. */
  troubles?: ApiTroubles;
  /** Told of every request for a resource that was authenticated. */
  deprecated?: Pick<DeprecatedRequestLog, "note">;
  /** Whether a caller at this address may reach the endpoint at all; everyone unless given. */
  allowClient?(remoteAddress: string): boolean;
  /** Whether any machine stands behind the endpoint; one does unless given. */
  answers?(): boolean;
  /** Answers for groups and versions that other API servers are registered for. */
  aggregator?: Aggregator;
  /** What those serve, for discovery. */
  aggregated?: Pick<AggregatedApis, "infos" | "generation">;
  /** Answers access and token reviews and the like: kinds that are asked and never stored. */
  review?(kind: string, object: KubeObject, user: UserInfo): object | Promise<object>;
  /** Issues a token for a service account. */
  createToken?(serviceAccount: KubeObject, request: KubeObject, user: UserInfo): Promise<KubeObject>;
  /** A container's output; undefined when no node has the pod. Throws StatusError for a question that has no answer. */
  podLog?(podKey: string, options: PodLogOptions): string | undefined;
  /** Commands in containers, their logs as they come, and connections to their ports. */
  podStreams?: PodStreams;
  /** The OpenAPI schema of a custom resource. */
  customSchema?(info: ResourceInfo): Record<string, unknown> | undefined;
  /** The documents at /.well-known/openid-configuration and /openid/v1/jwks. */
  openidConfiguration?(): Promise<object> | object;
  jwks?(): Promise<object> | object;
}

export interface PodLogOptions {
  container?: string;
  previous?: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  /** Only lines written at or after this time, epoch ms. */
  sinceTimeMs?: number;
  timestamps?: boolean;
  limitBytes?: number;
}

/** One request on its way through the server. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  info: RequestInfo;
  user: UserInfo;
  /** It comes from inside of this process, and is part of what happens there: nothing in it may wait for time to go by. */
  inside?: true;
  /** The connection itself, for a request that asks to change its protocol. */
  upgrade?: Upgrade;
}

/** A request for a resource that exists. */
export interface ResourceExchange extends Exchange {
  target: ResourceTarget;
  entry: ResourceEntry;
  /** True where an update may create what is not there: the caller may, and the kind is one that is made so. */
  mayCreate?: boolean;
}
