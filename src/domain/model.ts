/**
 * The records eksim keeps, one interface a resource. Times are epoch milliseconds; AWS spellings are kept for everything the API shows.
 * Records are values: a changed record is a new object.
 */
import type { FaultTarget, ResolvedTargets } from "./faults/target.js";

export interface Scope {
  accountId: string;
  region: string;
}

export type ClusterStatus = "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "FAILED" | "PENDING";
export type AuthenticationMode = "CONFIG_MAP" | "API_AND_CONFIG_MAP" | "API";

export interface ClusterRecord extends Scope {
  name: string;
  arn: string;
  /** 32 upper-case hex digits: in the endpoint's host name, the OIDC issuer and the backend's names. Unique over accounts and regions. */
  id: string;
  createdAtMs: number;
  status: ClusterStatus;
  version: string;
  platformVersion: string;
  roleArn: string;
  /** ARN of the principal that created the cluster. */
  creatorArn: string;
  vpcConfig: {
    subnetIds: string[];
    securityGroupIds: string[];
    clusterSecurityGroupId: string;
    vpcId: string;
    endpointPublicAccess: boolean;
    endpointPrivateAccess: boolean;
    publicAccessCidrs: string[];
    controlPlaneEgressMode?: string;
  };
  networkConfig: {
    serviceIpv4Cidr?: string;
    serviceIpv6Cidr?: string;
    ipFamily: "ipv4" | "ipv6";
    elasticLoadBalancing?: { enabled: boolean; gatewayApi?: { crds?: { managed?: boolean } } };
  };
  /** Enabled control-plane log types. */
  loggingEnabled: string[];
  accessConfig: { authenticationMode: AuthenticationMode; bootstrapClusterCreatorAdminPermissions: boolean };
  upgradePolicy: { supportType: "STANDARD" | "EXTENDED" };
  deletionProtection: boolean;
  bootstrapSelfManagedAddons: boolean;
  encryptionConfig?: unknown[];
  zonalShiftConfig?: { enabled: boolean };
  computeConfig?: { enabled?: boolean; nodePools?: string[]; nodeRoleArn?: string };
  storageConfig?: { blockStorage?: { enabled?: boolean } };
  remoteNetworkConfig?: unknown;
  controlPlaneScalingConfig?: { tier: string };
  /** What the data plane serves, once it does: the local URL that clients reach, and the CA in PEM. */
  endpoint?: string;
  certificateAuthorityPem?: string;
  /** The one of its certificate authorities that signs. */
  activeCertificateAuthority?: { id: string; activatedBy: "CUSTOMER" | "EKS" };
  /** Local port of the Kubernetes endpoint; kept over restarts. 0 until first bound. */
  port: number;
  healthIssues: HealthIssue[];
  tags: Record<string, string>;
  clientRequestToken?: string;
  /** Name of the backend: `embedded` or `kind`. */
  backend: string;
  /** When the deletion was begun. */
  deletingSinceMs?: number;
}

export interface HealthIssue {
  code: string;
  message: string;
  resourceIds: string[];
}

/** A master: one of three, one a zone. */
export interface MemberRecord {
  clusterId: string;
  id: string;
  zone: string;
  status: "CREATING" | "READY" | "FAILED" | "REPLACING";
  version: string;
  /** Since when it has been FAILED. */
  failedSinceMs?: number;
  /** Over which the cluster's VPC reaches it. Absent for masters of older state files. */
  networkInterface?: NetworkInterface;
}

/** A network interface of a master in one of the cluster's subnets. */
export interface NetworkInterface {
  /** `eni-` and 17 hex digits. */
  id: string;
  subnetId: string;
  /** Of the subnet: not always the master's own. */
  zone: string;
  privateIp: string;
}

export type NodegroupStatus =
  | "CREATING"
  | "ACTIVE"
  | "UPDATING"
  | "DELETING"
  | "CREATE_FAILED"
  | "DELETE_FAILED"
  | "DEGRADED";

export interface ScalingConfig {
  minSize: number;
  maxSize: number;
  desiredSize: number;
}

/** API spelling: NO_SCHEDULE, NO_EXECUTE, PREFER_NO_SCHEDULE. */
export interface NodegroupTaint {
  key: string;
  value?: string;
  effect: string;
}

export interface NodegroupRecord extends Scope {
  clusterName: string;
  clusterId: string;
  name: string;
  arn: string;
  /** The uuid at the end of the ARN; also in the names of its Auto Scaling group and launch template. */
  uuid: string;
  createdAtMs: number;
  modifiedAtMs: number;
  status: NodegroupStatus;
  version: string;
  releaseVersion: string;
  capacityType: string;
  scalingConfig: ScalingConfig;
  instanceTypes: string[];
  subnets: string[];
  amiType: string;
  nodeRole: string;
  diskSize?: number;
  labels: Record<string, string>;
  taints: NodegroupTaint[];
  remoteAccess?: { ec2SshKey?: string; sourceSecurityGroups?: string[] };
  launchTemplate?: { id?: string; name?: string; version?: string };
  updateConfig: { maxUnavailable?: number; maxUnavailablePercentage?: number; updateStrategy?: string };
  nodeRepairConfig?: Record<string, unknown>;
  warmPoolConfig?: Record<string, unknown>;
  healthIssues: HealthIssue[];
  tags: Record<string, string>;
  clientRequestToken?: string;
  /** When the deletion was begun. */
  deletingSinceMs?: number;
  /** EC2 could launch nothing for the group, so often in a row: it is not asked again before then. */
  launchBackoff?: { failures: number; untilMs: number };
  /** Why node auto repair begins nothing now, although nodes are due. */
  repairHeld?: string;
}

/**
 * EC2's states, seen from the Auto Scaling group: Pending (launched, not yet joined), InService, Terminating (being drained), Terminated (gone; the row
 * is kept an hour as EC2 does); Warmed (in the warm pool, stopped or running, and no node).
 */
export type InstanceLifecycle = "Pending" | "InService" | "Terminating" | "Terminated" | "Warmed";

export interface InstanceRecord extends Scope {
  /** `i-` and 17 hex digits. */
  instanceId: string;
  clusterName: string;
  clusterId: string;
  nodegroupName: string;
  zone: string;
  subnetId: string;
  instanceType: string;
  privateIp: string;
  privateDnsName: string;
  amiId: string;
  version: string;
  releaseVersion: string;
  lifecycle: InstanceLifecycle;
  /** EC2 instance state. */
  state: "pending" | "running" | "stopping" | "stopped" | "shutting-down" | "terminated";
  /** Status checks of EC2; `impaired` makes the Auto Scaling group replace it. */
  statusCheck: "initializing" | "ok" | "impaired";
  /** Since when statusCheck has been impaired, or the state other than running. */
  unhealthySinceMs?: number;
  launchedAtMs: number;
  /** It comes out of the warm pool, where it waited like this: its first boot is behind it. */
  prepared?: "stopped" | "running";
  terminatedAtMs?: number;
  /** Whether the node was last observed Ready, and since when. */
  nodeReady: boolean;
  /** Conditions of node health that are not True: what node auto repair looks at. */
  unhealthyConditions?: { type: string; reason: string; sinceMs: number }[];
  /** The node pool of EKS Auto Mode that it was launched for, with what its node is like. Then it has no node group, and its node is named by its id. */
  nodePool?: {
    name: string;
    amiType: string;
    labels: Readonly<Record<string, string>>;
    taints: readonly { key: string; value?: string; effect: string }[];
    /** uids of the pods that it was launched for. */
    pods: readonly string[];
    /** How long its pods may take to leave, in milliseconds; a day unless told. */
    terminationGracePeriodMs?: number;
    /** Instances in whose place it was launched: they go once it serves. */
    replaces?: readonly string[];
    /** Why those go. */
    replacesBecause?: "underutilized" | "drift";
  };
  inServiceSinceMs?: number;
  /** Since when its node has had no pods but those of DaemonSets; noted for node pools alone. */
  emptySinceMs?: number;
  /** How many pods keep its node from being empty, and since when it has been so many; noted for node pools alone. */
  podCount?: { pods: number; sinceMs: number };
  /** The instance that is to take over its pods: when that one serves, this one goes. */
  replacementId?: string;
  /** When EC2 said that this Spot instance is likely to be interrupted, and when it takes it away. */
  rebalanceRecommendedAtMs?: number;
  interruptionAtMs?: number;
  /** It runs, but its kubelet has not joined the cluster and does not try. */
  unjoined?: true;
  /** Why it is being terminated: a TerminationReason of domain/auto-scaling, or `killed`. */
  terminationReason?: string;
  /** Drains that began before termination end here at the latest. */
  drainDeadlineMs?: number;
  /** Since when its node is being rebooted by node auto repair. */
  rebootedAtMs?: number;
}

export interface UpdateRecord extends Scope {
  id: string;
  clusterName: string;
  clusterId: string;
  /** Set when it is a node group's (or add-on's, or capability's) update; cluster-level updates have none. */
  nodegroupName?: string;
  addonName?: string;
  capabilityName?: string;
  status: "InProgress" | "Successful" | "Failed" | "Cancelled";
  type: string;
  params: { type: string; value: string }[];
  createdAtMs: number;
  finishedAtMs?: number;
  errors: { errorCode: string; errorMessage: string; resourceIds: string[] }[];
  /** Set once it was asked to be cancelled. */
  cancellation?: { status: "InProgress" | "Failed" | "Successful"; reason?: string };
  /** What the reconciler needs to carry the update out: the new values, and how far it has come. */
  plan: Record<string, unknown>;
}

/** One line of the append-only log that CloudTrail look-ups, timelines, drill reports and the event stream read. */
export interface EventRecord {
  /** Ascending from 1, no gaps. */
  sequence: number;
  atMs: number;
  accountId: string;
  region: string;
  clusterName?: string;
  /** `api` for calls, else who acted: `cluster`, `nodegroup`, `instance`, `node`, `master`, `zone`, `fault`, `update`. */
  source: string;
  /** PascalCase, e.g. `CreateCluster`, `ClusterActive`, `InstanceLaunched`, `NodeReady`, `ZoneFailed`. */
  type: string;
  /** The thing it happened to: a name or an id. */
  subject: string;
  zone?: string;
  /** One sentence for people. */
  message: string;
  detail?: Record<string, unknown>;
}

/**
 * `scheduled`: its time has not come; `starting`: written down and about to act, nobody has been told yet; `active`; `ended`: what it broke is mended, or being
 * mended (see `undo`).
 */
export type FaultPhase = "scheduled" | "starting" | "active" | "ended";

/** A fault with its undo, written before it acts. */
export interface FaultRecord extends Scope {
  id: string;
  /** Name in the catalogue of domain/faults. */
  kind: string;
  phase: FaultPhase;
  /** Zone name such as us-east-1a, when it is about one. */
  zone?: string;
  /** Restricts the fault to one cluster; absent = all of the account's in the region. */
  clusterName?: string;
  /** The selector, with names in place of ids. */
  target: FaultTarget;
  /** What the selector meant when it began. */
  targets: ResolvedTargets;
  requestedAtMs: number;
  /** When it began, or will. */
  startedAtMs: number;
  /** When it ends by itself. */
  endsAtMs?: number;
  endedAtMs?: number;
  /** Why it ended, when neither by its time nor by request. */
  reason?: string;
  /** All that its catalogue entry names, defaults included. Durations in milliseconds. */
  parameters: Record<string, unknown>;
  /** Of its own random choices. */
  seed: number;
  emptyTargets?: "fail" | "skip";
  undo: FaultUndo;
}

/** What has to be put back when a fault ends, whether or not the program that does it knows the fault. */
export interface FaultUndo {
  /** Its end is written down, but not everything has been put back yet. */
  pending?: true;
  /** By id of the cluster: what the fault may have changed there. */
  clusters: Readonly<Record<string, ClusterUndo>>;
}

export interface ClusterUndo {
  /** Machines by node name, with what was done to them. */
  machines?: Readonly<Record<string, string>>;
  zonesWithoutPower?: readonly string[];
  mastersDown?: readonly string[];
  /** Something is wrong with nodes, network, API server, webhooks or pods. */
  impaired?: true;
  /** Health issues put on the cluster. */
  issues?: readonly HealthIssue[];
  /** Ids of instances that were told of an interruption. */
  notices?: readonly string[];
}
