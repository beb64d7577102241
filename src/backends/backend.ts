/**
 * Where Kubernetes comes from. Everything above is written against this contract; one suite of tests (test/backends/contract.ts) runs against every
 * backend. Methods are idempotent: asked again for what is already so, they leave it so. They reject with BackendError carrying the tool's own last
 * words when the world refuses.
 */
import type { Socket } from "node:net";
import type { Impairments } from "../domain/impairments.js";
import type {
  AuthorityChoice,
  ClusterEndpoint,
  ClusterSpec,
  EndpointAccess,
  FargateSpec,
  Intention,
  IssuerKey,
  MemberSpec,
  TrustedAuthorities,
} from "./contract/clusters.js";
import type { NodeDemand, NodeLoad } from "./contract/demand.js";
import type { KnownCluster, Orphan } from "./contract/garbage.js";
import type { DrainedNode, NodeFacts, NodePatch, NodePower, NodeSpec } from "./contract/nodes.js";
import type { AccessJudge, ClusterObjects, ConfigMapData } from "./contract/objects.js";
import type { ClusterSummary, Observation, PodFacts, PodName, UpgradeFacts } from "./contract/observations.js";

export type * from "./contract/clusters.js";
export type * from "./contract/demand.js";
export { BackendError } from "./contract/errors.js";
export type * from "./contract/garbage.js";
export type * from "./contract/nodes.js";
export type * from "./contract/objects.js";
export type * from "./contract/observations.js";

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
  /** Cordons the node and evicts its pods through the eviction API, respecting disruption budgets. Returns what is still there. */
  drainNode(clusterId: string, nodeName: string): Promise<DrainedNode>;
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
  /** The process is about to end: long work that is under way is given up, and rejects with `unavailable`. The next process begins it again. */
  callOff?(): void;
  close(): Promise<void>;
}
