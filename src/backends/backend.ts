/**
 * Where Kubernetes comes from. Everything above is written against this contract; one suite of tests (test/backends/contract.ts) runs against every
 * backend. Methods are idempotent: asked again for what is already so, they leave it so. They reject with BackendError carrying the tool's own last
 * words when the world refuses.
 */
import type { Socket } from "node:net";
import type { Impairments } from "../domain/impairments.js";
import type { ZoneCounts } from "../domain/kubernetes-objects.js";

export interface ClusterBackend {
  readonly name: string;
  /** Does in advance what the first cluster would have to wait for. Changes nothing that anybody can see. */
  prepare?(): Promise<void>;
  /** Leaves a cluster whose API server answers at `endpoint`, with one running master a zone. Safe to call again after a crash in the middle. */
  createCluster(spec: ClusterSpec): Promise<ClusterEndpoint>;
  /** Re-attaches to a cluster made by an earlier process; reports what is no longer there. Rejects with `code: "missing"` when nothing is. */
  adoptCluster(spec: ClusterSpec, nodes: readonly NodeSpec[]): Promise<ClusterEndpoint & { missingNodes: string[] }>;
  /** Leaves nothing of the cluster: no process, file, container or object. */
  deleteCluster(clusterId: string): Promise<void>;
  /** Leaves a kubelet joining under `node.name`. Resolves when it has started; its readiness is reported by `observe`. */
  addNode(clusterId: string, node: NodeSpec): Promise<void>;
  /** The machine is terminated. graceful: after an orderly shutdown. The Node object goes as on EKS: by the cloud controller. */
  removeNode(clusterId: string, nodeName: string, options: { graceful: boolean }): Promise<void>;
  /** Cordons the node and evicts its pods through the eviction API, respecting disruption budgets. Returns what is still there;
   * `hopeless`: budgets forbid all of it, and no other node could take what would satisfy them; `refusals`: by pod, what the eviction API said of budgets. */
  drainNode(
    clusterId: string,
    nodeName: string,
  ): Promise<{ remainingPods: string[]; hopeless?: boolean; refusals?: Readonly<Record<string, string>> }>;
  /** Changes labels, taints or schedulability of a live node. */
  patchNode(clusterId: string, nodeName: string, patch: NodePatch): Promise<void>;
  /**
   * Writes what `change` makes of a ConfigMap's data, as EKS's own components do, and makes the ConfigMap when it is not there; undefined leaves it as it is.
   */
  changeConfigMap?(
    clusterId: string,
    key: { namespace: string; name: string },
    change: (data: ConfigMapData | undefined) => ConfigMapData | undefined,
  ): Promise<void>;
  /** The data of the ConfigMap aws-auth as it is now. Absent: the backend cannot tell. */
  awsAuth?(clusterId: string): ConfigMapData | undefined;
  /** Who may do what in the cluster as it is now. Absent: the backend cannot tell. */
  accessJudge?(clusterId: string): AccessJudge;
  setNodePower(clusterId: string, nodeName: string, power: NodePower): Promise<void>;
  setMember(clusterId: string, memberId: string, state: "up" | "down"): Promise<void>;
  /** Brings a replaced master in (maybe in another zone); the lost one has left the quorum properly. */
  replaceMember(clusterId: string, lostId: string, member: MemberSpec): Promise<void>;
  /** Masters have other addresses from now on, by id; those not named keep theirs. */
  setMemberAddresses?(clusterId: string, addresses: Readonly<Record<string, string>>): Promise<void>;
  /** The cluster as a whole has the new server version; its masters have been replaced by ones of it, one after the other. */
  upgradeControlPlane(clusterId: string, version: string): Promise<void>;
  /** From now on only those reach the endpoint; connections of others end. */
  setEndpointAccess?(clusterId: string, access: EndpointAccess): Promise<void>;
  /**
   * Serves a connection of a caller inside the cluster's VPC, such as a proxy that stands there: by the private endpoint where that is on, else, like
   * everybody in the VPC, by the public one. The connection is the backend's from here on.
   */
  acceptFromVpc?(clusterId: string, socket: Socket): void;
  /** What nodes and masters look like now, and then every change, until the signal aborts. */
  observe(clusterId: string, listener: (observation: Observation) => void): () => void;
  /**
   * Which new pods run on Fargate from now on; replaces what was said before. Pods of profiles that are no longer named are deleted with their nodes;
   * returns what is still there of them. A backend without it has no Fargate.
   */
  setFargate?(clusterId: string, fargate: FargateSpec): Promise<{ remainingPods: string[] }>;
  /** Power of what AWS itself runs for the cluster in a zone, which no instance stands for: Fargate's machines. */
  setZonePower?(clusterId: string, zone: string, power: "running" | "off"): Promise<void>;
  /**
   * From now on exactly this is wrong with the cluster, whatever was before; asked again it changes nothing. Rejects with code `unsupported`, and changes
   * nothing, when there is something among it that this backend, or this machine, cannot bring about.
   */
  impair?(clusterId: string, impairments: Impairments): Promise<void>;
  /**
   * From now on exactly these zones are shifted away from: endpoints of pods there are left out of the cluster's EndpointSlices, however ready they are;
   * nodes and pods stay. Absent: the backend cannot.
   */
  setShiftedZones?(clusterId: string, zones: readonly string[]): Promise<void>;
  /** Nodes as the API server has them now, whoever made them. Absent: only those that stand for instances are known. */
  nodes?(clusterId: string): Promise<NodeFacts[]>;
  /**
   * The machine restarts, with its pods; its node stays. One that is off, frozen, silent or cut off comes back as it was: power is setNodePower's affair
   * alone. Absent: the backend cannot.
   */
  rebootNode?(clusterId: string, nodeName: string): Promise<void>;
  /** Pods as they are now, those that ended included. */
  pods?(clusterId: string): Promise<PodFacts[]>;
  /**
   * Tells of every pod as it is now, and then of every change in the moment it happens, until stopped; `gone`: it is not there any more. Absent: `pods` has
   * to be asked again and again.
   */
  watchPods?(clusterId: string, listener: (change: { pod: PodFacts; gone: boolean }) => void): () => void;
  /**
   * Ends pods that are there. `delete`: with their grace period; `kill`: at once and without the object; `crash`: the containers exit with 1, `oom`: they are
   * killed for the memory they take (137, OOMKilled), and the kubelet restarts them.
   */
  endPods?(clusterId: string, pods: readonly PodName[], how: "delete" | "kill" | "crash" | "oom"): Promise<void>;
  /**
   * Why the backend, or this machine, could not do what somebody is going to ask for, in a sentence; undefined when it can. Changes nothing. Absent: what its
   * methods are there for it can do.
   */
  whyNot?(intention: Intention): Promise<string | undefined>;
  /** Counts for status pages: nodes and pods a zone. */
  summary(clusterId: string): Promise<ClusterSummary>;
  /**
   * Leaves the cluster trusting exactly these certificate authorities, making those that are new, with an endpoint whose certificate is `signing`'s. The
   * authority that a cluster was made with is the one that signs when this is first called. Absent: the backend cannot change them.
   */
  setAuthorities?(clusterId: string, wanted: AuthorityChoice): Promise<TrustedAuthorities>;
  /** Public keys of the cluster's service account tokens, as its JWKS has them; the first one is made when there is none yet. */
  issuerKeys?(clusterId: string): Promise<readonly IssuerKey[]>;
  /** What pods ask of the cloud, for whoever launches nodes for them. From the first call on, `observe` tells whenever it may have changed. */
  nodeDemand?(clusterId: string): Promise<NodeDemand>;
  /** What runs on the nodes that there are, and what room they have left, for whoever gives up nodes that are not needed. */
  nodeLoads?(clusterId: string): Promise<NodeLoad[]>;
  /** What decides whether the cluster is ready for another version. Absent: the backend cannot tell. */
  upgradeFacts?(clusterId: string): Promise<UpgradeFacts>;
  /** What EKS itself keeps in the cluster. Absent: the backend cannot. */
  readonly objects?: ClusterObjects;
  /** Ids of clusters that this backend holds, whether or not anyone knows them. */
  inventory(): Promise<string[]>;
  /**
   * Finds what outlives the process and stands for nothing that is known; `remove`: it is gone when this resolves. `known` is asked after the world has been
   * looked at. Absent: nothing outlives the process.
   */
  collectGarbage?(known: () => readonly KnownCluster[], options: { remove: boolean }): Promise<Orphan[]>;
  close(): Promise<void>;
}

/**
 * How a machine is. `stopped`: by EC2, which says so, and so does the cloud controller in a taint. `off`: without power, as when its zone has lost it; to EC2
 * the instance is running still (its status checks fail), and there is no such taint. Of either the pods are dead. `frozen`: it stands still, with its kubelet
 * and its containers, and goes on where it was. `silent`: the kubelet is stopped; containers run on and serve, and nobody probes or restarts them. `isolated`:
 * all of it goes on, but nothing gets through to it or from it.
 */
export type NodePower = "running" | "stopped" | "off" | "frozen" | "silent" | "isolated";

export interface KnownCluster {
  clusterId: string;
  instanceIds: readonly string[];
  memberIds: readonly string[];
}

export interface Orphan {
  /** `foreign`: something like it that this backend has not made, which it only tells of. */
  kind: "cluster" | "machine" | "foreign";
  name: string;
  /** Name of the EKS cluster that a machine is in. */
  cluster?: string;
  why: string;
  removed: boolean;
}

/** Something that a plan of many steps is going to ask for, known before there is a cluster. */
export type Intention =
  | { kind: "impair"; impairments: Impairments }
  | { kind: "end-pods"; how: "delete" | "kill" | "crash" | "oom" }
  /** Masters and nodes of a minor version such as `1.36`. */
  | { kind: "run-version"; version: string };

export interface PodName {
  namespace: string;
  name: string;
}

export interface PodFacts extends PodName {
  uid: string;
  labels: Readonly<Record<string, string>>;
  /** Absent: it has no node yet. */
  nodeName?: string;
  zone?: string;
  /** Whether its node is there and Ready; absent: it has no node yet. */
  nodeReady?: boolean;
  phase: string;
  ready: boolean;
  /** Being deleted. */
  terminating: boolean;
  /** The workload at the top of its owners, such as the Deployment of its ReplicaSet. */
  workload?: { kind: string; name: string };
}

export interface NodeFacts {
  name: string;
  zone?: string;
  unschedulable: boolean;
  labels: Readonly<Record<string, string>>;
}

/** Amounts: CPU in thousandths of a core, memory in bytes, extended resources by name. */
export interface ResourceAmounts {
  milliCpu: number;
  memory: number;
  scalars?: Readonly<Record<string, number>>;
}

/** As in node affinity. */
export interface NodeRequirement {
  key: string;
  operator: string;
  values?: readonly string[];
}

export interface NodeDemand {
  /** Pods that no present node takes; those of DaemonSets never ask for one. */
  pods: readonly {
    uid: string;
    requests: ResourceAmounts;
    requirements: readonly NodeRequirement[];
    tolerations: readonly { key?: string; operator?: string; value?: string; effect?: string }[];
    /** It must be spread over zones: how many pods of its group each zone has. */
    spread?: { group: string; zones: Readonly<Record<string, number>> };
    /** Pods of one such group must not share a node. */
    apart?: string;
  }[];
  /** How many pods keep each node from being empty; nodes without any are not named. */
  busy: Readonly<Record<string, number>>;
  /** What DaemonSets take of every node. */
  overhead: ResourceAmounts;
  /** Karpenter's NodePools. Durations as they are written there, such as `336h`. */
  pools: readonly {
    name: string;
    weight: number;
    requirements: readonly NodeRequirement[];
    labels: Readonly<Record<string, string>>;
    taints: readonly { key: string; value?: string; effect: string }[];
    limits?: { milliCpu?: number; memory?: number };
    expireAfter?: string;
    consolidateAfter?: string;
    /** `WhenEmpty` or `WhenEmptyOrUnderutilized`. */
    consolidationPolicy?: string;
    terminationGracePeriod?: string;
    /** Disruption budgets that are active now, by their schedules; absent when the pool names none at all. */
    budgets?: readonly { nodes: string; reasons?: readonly string[] }[];
  }[];
  /** When the schedule of a disruption budget next begins or ends, epoch ms. */
  budgetsChangeAtMs?: number;
}

/** A node as whoever packs pods sees it. */
export interface NodeLoad {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly { key: string; value?: string; effect: string }[];
  /** It is Ready and takes pods. */
  open: boolean;
  /** What of it is not asked for yet. */
  free: ResourceAmounts & { pods: number };
  /** What runs on it, without pods of DaemonSets. */
  pods: NodeDemand["pods"];
  /** Why what runs on it must not be moved: a pod that says so, or a disruption budget. */
  blockedBy?: string;
}

export type ConfigMapData = Readonly<Record<string, string>>;

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

export interface NodeSpec {
  instanceId: string;
  /** Node name: EC2's private DNS name. */
  name: string;
  zone: string;
  zoneId: string;
  region: string;
  privateIp: string;
  instanceType: string;
  /** kubelet's minor version such as `1.36`. */
  version: string;
  /** AMI release such as `1.36.2-20260714`: decides the patch version. */
  releaseVersion: string;
  amiType: string;
  amiId: string;
  diskSizeGiB: number;
  labels: Readonly<Record<string, string>>;
  /** Kubernetes spelling: NoSchedule, ... */
  taints: readonly { key: string; value?: string; effect: string }[];
}

export interface NodePatch {
  labels?: Readonly<Record<string, string | null>>;
  /** Taints to add or change. */
  addTaints?: readonly { key: string; value?: string; effect: string }[];
  /** Taints to take away, by key and effect. */
  removeTaints?: readonly { key: string; effect: string }[];
  unschedulable?: boolean;
}

export type Observation =
  | {
      kind: "node";
      nodeName: string;
      ready: boolean;
      present: boolean;
      reason?: string;
      /** Conditions of node health that are not True. */
      unhealthy?: readonly { type: string; reason: string }[];
    }
  /** A Deployment that EKS manages: whether all the replicas it wants are available. */
  | { kind: "deployment"; namespace: string; name: string; ready: boolean }
  | { kind: "member"; memberId: string; state: "up" | "down" }
  /** A node's machine has gone off, or come back, without the backend having been told to. */
  | { kind: "machine"; nodeName: string; state: "on" | "off" }
  | { kind: "demand" };

export interface ClusterSummary {
  /** By zone name. */
  zones: Record<string, ZoneCounts>;
  /** Pods without a node. */
  pendingPods: number;
  apiAvailable: boolean;
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

export interface UpgradeFacts {
  nodes: readonly { name: string; kubeletVersion: string }[];
  /** Version in the image of the kube-proxy DaemonSet; absent when there is none. */
  kubeProxyVersion?: string;
  /** APIs that coming versions do not serve any more; versions such as `1.32`. */
  removedApis: readonly { usage: string; removedIn: string; replacedWith?: string; replacedSince?: string }[];
  /** Who has asked for such APIs since the API server was started, at `sinceMs`. */
  deprecatedUses: readonly { usage: string; userAgent: string; count: number; lastMs: number }[];
  sinceMs: number;
}

/** Objects that are written under the name of a field manager, in the manner of server-side apply. */
export interface ClusterObjects {
  /**
   * Applies the objects in order. Returns the fields in conflict: those that another manager has with another value. In mode `refuse` nothing at all is
   * changed when there are any; `take` takes them over; `leave` applies everything but them.
   */
  apply(
    clusterId: string,
    objects: readonly ClusterObject[],
    options: { manager: string; mode: ApplyMode },
  ): Promise<FieldConflict[]>;
  /** Deletes those that the manager has applied anything of, in order, with what belongs to them. */
  remove(clusterId: string, names: readonly ObjectName[], options: { manager: string }): Promise<void>;
  /** Of the Deployments among them: names of those that are not there, and of those with fewer available replicas than they want. */
  replicas(
    clusterId: string,
    names: readonly ObjectName[],
    options: { manager: string },
  ): Promise<{ missing: string[]; lacking: string[] }>;
}

/** Answers for a cluster's API server whether it would let somebody do something. */
export interface AccessJudge {
  /** `by` = the authorizer that allowed it: `RBAC`, `eks-access-policies`, ... */
  judge(question: {
    user: { username: string; groups: readonly string[]; extra?: Readonly<Record<string, readonly string[]>> };
    verb: string;
    resource?: { group: string; resource: string; subresource?: string; namespace?: string; name?: string };
    path?: string;
  }): { allowed: boolean; reason: string; by?: string };
  /** The resource that goes by a name as kubectl takes it: `deploy`, `deployments.apps`. */
  resourceNamed(name: string): { group: string; resource: string; namespaced: boolean } | undefined;
}

export type ApplyMode = "refuse" | "take" | "leave";

export interface ObjectName {
  /** e.g. `deployments.apps`. */
  resource: string;
  namespace?: string;
  name: string;
}

export interface ClusterObject {
  resource: string;
  object: {
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace?: string };
    [field: string]: unknown;
  };
}

export interface FieldConflict {
  kind: string;
  /** API group; empty for the core one. */
  group: string;
  name: string;
  /** Path such as `.spec.replicas`. */
  field: string;
}

/** An expected failure of a backend: never a bug of ours. */
export class BackendError extends Error {
  constructor(
    readonly code: "missing" | "unavailable" | "failed" | "timeout" | "unsupported",
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "BackendError";
  }
}
