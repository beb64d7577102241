/** What a cluster is made of, as whoever makes one says it. */
import type { Impairments } from "../../domain/impairments.js";

/** Something that a plan of many steps is going to ask for, known before there is a cluster. */
export type Intention =
  | { kind: "impair"; impairments: Impairments }
  | { kind: "end-pods"; how: "delete" | "kill" | "crash" | "oom" }
  /** Masters and nodes of a minor version such as `1.36`. */
  | { kind: "run-version"; version: string }
  /** Pods of an add-on of EKS, with EKS's own images. */
  | { kind: "run-addon"; name: string };

export interface MemberSpec {
  id: string;
  zone: string;
  /** Minor version of its API server, where that is not the cluster's: it is one of those that a version update swaps. */
  version?: string;
  /** Where it is reached from inside the cluster: the address of its network interface. Absent: the backend chooses one. */
  address?: string;
}

export interface ClusterSpec {
  /** Unique over accounts and regions. */
  clusterId: string;
  name: string;
  accountId: string;
  region: string;
  /** EKS minor version such as `1.36`. */
  version: string;
  serviceCidr: string;
  /** Preferred port of the endpoint on the host; 0 = any. */
  port: number;
  members: readonly MemberSpec[];
  oidcIssuer: string;
  bootstrapSelfManagedAddons: boolean;
  /** Who may reach the endpoint; everyone when absent. */
  endpointAccess?: EndpointAccess;
  /** As by setFargate, from the first moment on. */
  fargate?: FargateSpec;
}

export interface FargateSpec {
  profiles: readonly FargateProfileSpec[];
  /** From the creation of a pod until its machine is there, in milliseconds. */
  launchMs: number;
}

export interface FargateProfileSpec {
  name: string;
  /** As whom the machines' kubelets join the cluster. */
  podExecutionRoleArn: string;
  /** Wildcards `*` and `?` in namespace, label keys and label values. */
  selectors: readonly { namespace: string; labels?: Readonly<Record<string, string>> }[];
  /** Zones of the profile's subnets in which machines can be launched now. */
  zones: readonly string[];
}

/** Callers with private addresses stand for machines in the VPC, all others for the world outside it. */
export interface EndpointAccess {
  endpointPublicAccess: boolean;
  endpointPrivateAccess: boolean;
  publicAccessCidrs: readonly string[];
}

export interface ClusterEndpoint {
  /** `https://127.0.0.1:<port>` as clients on this machine reach it. */
  endpoint: string;
  port: number;
  /** PEM of all that is trusted. */
  certificateAuthority: string;
}

/** A public RSA key in the form of RFC 7517. */
export interface IssuerKey {
  kty: string;
  kid: string;
  use: string;
  alg: string;
  n: string;
  e: string;
}

/** Ids of certificate authorities. */
export interface AuthorityChoice {
  trusted: readonly string[];
  signing: string;
}

export interface TrustedAuthorities {
  /** All that clients should trust, PEM. */
  bundle: string;
  /** PEM by id. */
  certificates: Readonly<Record<string, string>>;
}
