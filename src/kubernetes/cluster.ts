import type { Socket } from "node:net";
import type { Clock } from "../clock/clock.js";
import type { AdmissionPlugin } from "./admission/plugin.js";
import type { WebhookTrouble } from "./admission/webhooks/outage.js";
import type { KubeApi } from "./api.js";
import type { DeprecatedRequests, RemovedApi } from "./deprecated-apis.js";
import type { ImageBehaviour } from "./image-behaviour.js";
import type { LinkTrouble } from "./network/links.js";
import type { ObjectKey } from "./object.js";
import type { Persistence } from "./persistence.js";
import type { LoadBalancerIngress, Service } from "./schema/generated/types.js";
import type { AccessAttributes, Authorizer, TokenAuthenticator } from "./security.js";
import type { ApiServerTrouble } from "./server/api-troubles.js";
import type { Breakdown, NodeReports, NodeTrouble, PodTrouble } from "./trouble.js";

/** Certificate material of a cluster; PEM texts. */
export interface ClusterTls {
  /** One or more certificates: all that is trusted. */
  caCert: string;
  caKey: string;
  serverCert: string;
  serverKey: string;
}

export interface ClusterOptions {
  name: string;
  clock: Clock;
  /** e.g. `v1.36.1-eks-0247562`, what /version answers as gitVersion. */
  gitVersion: string;
  /** e.g. `10.100.0.0/16`. The first address is the `kubernetes` Service. */
  serviceCidr: string;
  tls: ClusterTls;
  /** PEM of the RSA key (PKCS#8) that signs service account tokens, made off the request path: awaited on first use only. */
  serviceAccountKey: () => Promise<string>;
  serviceAccountIssuer: string;
  /** Names that key in tokens and JWKS, by its public part (SPKI, DER); kube-apiserver's way unless given. */
  serviceAccountKeyName?: (publicKey: Buffer) => string;
  /** Control-plane members, one a zone. Those without an address are given one: it shows in the endpoints of the `kubernetes` Service. */
  members: readonly { id: string; zone: string; address?: string }[];
  tokenAuthenticators?: readonly TokenAuthenticator[];
  authorizers?: readonly Authorizer[];
  /** Names of certificate signers beside Kubernetes' own: they certify any server, under the cluster's CA, once a request is approved. */
  servingSigners?: readonly string[];
  /** Admission from outside, as a provider's webhooks do it; runs before the built-in plugins, so that they judge and complete what it made. */
  admission?: readonly AdmissionPlugin[];
  /** As `admission`, at the place of mutating webhooks: after the built-in plugins, which have completed what comes here, and before users' own webhooks. */
  webhooks?: readonly AdmissionPlugin[];
  persistence?: Persistence;
  /** Whether a caller at this address may reach the endpoint at all; everyone unless given. Asked at each new connection. */
  allowClient?: (remoteAddress: string) => boolean;
  /** Knows which machines exist: the side of the cloud that the cloud controller manager asks. */
  cloud?: CloudInstances;
  /** Gives load balancers to Services. Without it those of type LoadBalancer stay pending, as in a cluster without a cloud. */
  loadBalancers?: LoadBalancers;
  /** How the containers of images behave, by image name; `*` in a name stands for anything. Pods' own annotations and ConfigMaps go before it. */
  images?: Readonly<Record<string, ImageBehaviour>>;
  /**
   * What is outside of the cluster, for the programs of containers: asked for the host names and addresses that nothing inside has. Undefined: it is taken to
   * be there, and to say nothing.
   */
  outside?: (request: OutsideRequest) => Promise<OutsideAnswer> | "refused" | "unreachable" | undefined;
  log?: ClusterLog;
}

/** An HTTP request that leaves the cluster. */
export interface OutsideRequest {
  pod: { namespace: string; name: string; nodeName: string; address: string };
  /** As the program named it. */
  host: string;
  port: number;
  method: string;
  /** With the query. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

export interface OutsideAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

export interface ClusterLog {
  debug(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** The cloud controller manager's view of the cloud. */
export interface CloudInstances {
  /** `providerId` as in Node.spec.providerID. `missing` = terminated or never existed. */
  state(providerId: string): "running" | "stopped" | "missing";
}

/** The cloud's load balancers, as the service controller asks for them. */
export interface LoadBalancers {
  /** Whether this cloud makes a load balancer for the Service; its class and annotations may name somebody else. */
  serves(service: Service): boolean;
  /** Where the Service's load balancer is reached: the same at every call. */
  ingressOf(service: Service): readonly LoadBalancerIngress[];
}

/** A node to join: what the kubelet registers with. */
export interface NodeSpec {
  name: string;
  providerId: string;
  /** Zone for faults; also expected among the labels. */
  zone: string;
  labels: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  taints?: readonly { key: string; value?: string; effect: string }[];
  addresses: readonly { type: string; address: string }[];
  /** Quantities by resource name: cpu, memory, pods, ephemeral-storage, ... */
  capacity: Readonly<Record<string, string>>;
  allocatable: Readonly<Record<string, string>>;
  /** architecture, kernelVersion, osImage, containerRuntimeVersion, kubeletVersion, operatingSystem, machineID, systemUUID, bootID */
  nodeInfo: Readonly<Record<string, string>>;
  /** Addresses handed to pods on this node: `10.0.1.0/24` style prefix owned by this node alone. */
  podCidr: string;
}

/**
 * running: normal. stopped, off: the machine does not run, pods dead; which of them it is only the cloud can tell, see `cloud.state`. frozen: the machine stands
 * still, with its kubelet and containers, and will go on where it was. silent: the kubelet is stopped, containers run on and serve. isolated: all of it goes on,
 * but nothing gets through to it or from it.
 */
export type NodePower = "running" | "stopped" | "off" | "frozen" | "silent" | "isolated";

export interface SimulatedCluster {
  readonly api: KubeApi;
  /** Starts controllers, scheduler and kubelets; brings back every node that persistence knows (given again by addNode). */
  start(): Promise<void>;
  /** Serves HTTPS; port 0 picks a free one. Resolves with the port really bound. */
  listen(address: { host: string; port: number }): Promise<number>;
  /**
   * Serves a connection that somebody else accepted, such as a proxy that stands in the cluster's network: from here on it is as if a caller at
   * `remoteAddress` had connected by itself. Closes it where nothing listens.
   */
  accept(socket: Socket, remoteAddress: string): void;
  /** Registers a node, or re-attaches the kubelet of one that the store already has. Resolves when the kubelet has started, not when Ready. */
  addNode(spec: NodeSpec): Promise<void>;
  /**
   * The machine is gone. `graceful` = it was shut down in order: the kubelet ends its pods and reports NotReady first. The Node object is removed by
   * the cloud controller once `cloud.state` says missing.
   */
  removeNode(name: string, options: { graceful: boolean }): Promise<void>;
  setNodePower(name: string, power: NodePower): void;
  /** By node name, there or not yet: what is wrong with machines from now on; those that are not named are well. */
  setNodeTroubles(troubles: Readonly<Record<string, NodeTrouble>>): void;
  /** Conditions of a node that other programs than its kubelet answer for, in place of what was said before. Kept for a node that is not there yet. */
  setNodeReports(name: string, reports: NodeReports): void;
  /** By `namespace/name`: what is wrong with whatever pod has the name; those that are not named are well. */
  setPodTroubles(troubles: Readonly<Record<string, PodTrouble>>): void;
  /** The running containers of a pod end by themselves, and are restarted as its policy says. Nothing happens when there is no such pod. */
  breakDown(pod: ObjectKey, how: Breakdown): void;
  /** Keeps endpoints in exactly these zones out of EndpointSlices from now on; none at first. Pods and nodes there are not touched. */
  setWithdrawnZones(zones: readonly string[]): void;
  /** A control-plane member up or down. With fewer than a majority up, the API fails as etcd without a leader does. */
  setMember(id: string, state: "up" | "down"): void;
  /** `serving`: it is up and belongs to the majority. */
  members(): readonly { id: string; zone: string; state: "up" | "down"; serving: boolean }[];
  /** Adds or replaces members (a master re-created, maybe in another zone). */
  replaceMembers(members: readonly { id: string; zone: string; address?: string }[]): void;
  /**
   * From now on exactly this is wrong with the network between zones. Masters that reach no majority do not count; nodes that reach no master that counts
   * fall silent, and join when they do; pods, and whoever asks them for something, reach each other as well as the links let them.
   */
  setLinks(links: readonly LinkTrouble[]): void;
  /** In exactly these zones nobody answers questions for names from now on. */
  setZonesWithoutDns(zones: readonly string[]): void;
  /** What is wrong with the API server from now on; undefined: nothing. */
  setApiServerTrouble(trouble: ApiServerTrouble | undefined): void;
  /** Admission webhooks that nobody reaches from now on; undefined: all are as reachable as what is behind them. */
  setWebhookTrouble(trouble: WebhookTrouble | undefined): void;
  /** What is wrong with a webhook that goes by these names: for those that are plugins here and no objects, which a bare `*` does not mean. */
  webhookTroubleOf(...names: readonly string[]): WebhookTrouble["mode"] | undefined;
  /** Other certificates from now on: for new connections, and as the root CA that pods and clients are given. */
  setTls(tls: ClusterTls): Promise<void>;
  /** What the authorizers say to a question, and the name of the one that allows it. */
  judge(attributes: AccessAttributes): { allowed: boolean; reason: string; by?: string };
  /** The resource that goes by a name as kubectl takes it: plural, singular or short, maybe with its group (`deploy`, `deployments.apps`). */
  resourceNamed(name: string): { group: string; resource: string; namespaced: boolean } | undefined;
  /** APIs that later versions do not serve any more, and who has asked for them since the cluster was started, at `sinceMs`. */
  deprecations(): { removedApis: RemovedApi[]; requests: DeprecatedRequests[]; sinceMs: number };
  /** New server version after an upgrade. */
  setVersion(gitVersion: string): void;
  /** Asks `allowClient` again about every connection there is, and ends those that it no longer lets in. */
  recheckClients(): void;
  /** Ends servers, controllers and timers; everything written is durable afterwards. */
  close(): Promise<void>;
}
