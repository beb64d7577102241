import type { AccessEntryRecord } from "../domain/access-entry.js";
import type { AddonRecord } from "../domain/addon.js";
import type { CapabilityRecord } from "../domain/capability.js";
import type { CertificateAuthorityRecord } from "../domain/certificate-authority.js";
import type { FargateProfileRecord } from "../domain/fargate.js";
import type {
  AccessKeyRecord,
  FormerIdentityRecord,
  GroupRecord,
  InstanceProfileRecord,
  ManagedPolicyRecord,
  OidcProviderRecord,
  RoleRecord,
  SessionRecord,
  UserRecord,
} from "../domain/iam.js";
import type { IdentityProviderConfigRecord } from "../domain/identity-provider-config.js";
import type { InsightRecord, InsightsCheckRecord } from "../domain/insights.js";
import type {
  ClusterRecord,
  EventRecord,
  FaultRecord,
  InstanceRecord,
  MemberRecord,
  NodegroupRecord,
  Scope,
  UpdateRecord,
} from "../domain/model.js";
import type { PodIdentityAssociationRecord } from "../domain/pod-identity-association.js";
import type { RegistrationRecord } from "../domain/registration.js";
import type { SubscriptionRecord } from "../domain/subscription.js";
import type { ZonalShiftRecord } from "../domain/zonal-shift.js";

export interface ClusterKey extends Scope {
  name: string;
}

/** `after` = exclusive start key of the page; pages are in the order named with each list. */
export interface Page {
  after?: string;
  limit: number;
}

/** Every repository works inside the current transaction when there is one. All calls are synchronous. Writes replace whole rows. */
export interface ClusterRepository {
  get(key: ClusterKey): ClusterRecord | undefined;
  byId(id: string): ClusterRecord | undefined;
  /** As `byId`, without parsing the record anew while it stays as it is: for those who ask at every request, and change nothing. */
  seen(id: string): Readonly<ClusterRecord> | undefined;
  put(cluster: ClusterRecord): void;
  remove(key: ClusterKey): void;
  /** Names in alphabetical order. */
  names(scope: Scope, page: Page): string[];
  count(scope: Scope): number;
  /** Over all accounts and regions: for reconcilers and start-up only. */
  all(): ClusterRecord[];
}

export interface MemberRepository {
  list(clusterId: string): MemberRecord[];
  put(member: MemberRecord): void;
  remove(clusterId: string, id: string): void;
}

export interface NodegroupRepository {
  get(key: ClusterKey, nodegroupName: string): NodegroupRecord | undefined;
  put(nodegroup: NodegroupRecord): void;
  remove(key: ClusterKey, nodegroupName: string): void;
  /** Names in alphabetical order. */
  names(key: ClusterKey, page: Page): string[];
  list(clusterId: string): NodegroupRecord[];
}

/** A family of resources of a cluster that is looked up by name (or id) alone. */
export interface ClusterResourceRepository<T> {
  /** Grows with every write of the family: what was read while it stood still is still so. */
  version(): number;
  get(clusterId: string, name: string): T | undefined;
  put(record: T): void;
  remove(clusterId: string, name: string): void;
  /** Names in alphabetical order. */
  names(clusterId: string, page: Page): string[];
  /** In order of name. */
  list(clusterId: string): T[];
  count(clusterId: string): number;
  removeOfCluster(clusterId: string): void;
}

/** A family of resources of an account in a region that is looked up by name (or id) alone. */
export interface AccountResourceRepository<T> {
  get(scope: Scope, name: string): T | undefined;
  put(record: T): void;
  remove(scope: Scope, name: string): void;
  /** In order of name. */
  list(scope: Scope): T[];
  /** Over all accounts and regions: for reconcilers only. */
  all(): T[];
}

export interface InstanceRepository {
  get(instanceId: string): InstanceRecord | undefined;
  put(instance: InstanceRecord): void;
  remove(instanceId: string): void;
  /** In order of launch. Terminated ones are left out unless asked for. */
  ofNodegroup(clusterId: string, nodegroupName: string, options?: { terminated?: boolean }): InstanceRecord[];
  ofCluster(clusterId: string, options?: { terminated?: boolean }): InstanceRecord[];
  byDnsName(clusterId: string, privateDnsName: string): InstanceRecord | undefined;
}

export interface UpdateRepository {
  get(clusterId: string, id: string): UpdateRecord | undefined;
  put(update: UpdateRecord): void;
  /** Ids, oldest first; the filter's absent members mean cluster-level updates only. */
  ids(
    clusterId: string,
    filter: { nodegroupName?: string; addonName?: string; capabilityName?: string },
    page: Page,
  ): string[];
  /** The update in progress of the cluster itself, or of one node group. */
  inProgress(clusterId: string, nodegroupName?: string): UpdateRecord | undefined;
  removeOfCluster(clusterId: string): void;
}

export interface EventLog {
  /** Fills in the sequence. */
  append(event: Omit<EventRecord, "sequence">): EventRecord;
  /** Oldest first. */
  read(filter: Partial<Scope> & { clusterName?: string; afterSequence?: number; limit?: number }): EventRecord[];
  /** Called after the transaction that appended has committed. */
  subscribe(listener: (event: EventRecord) => void): () => void;
}

/** What the reconcilers owe, and when: survives a restart. One item a (kind, key); scheduling again keeps the earlier time unless `replace`. */
export interface WorkQueue {
  schedule(kind: string, key: string, dueMs: number, options?: { replace?: boolean }): void;
  /** Takes nothing away: an item stays until `done` is told, so that a crash repeats it. */
  due(nowMs: number, limit: number): { kind: string; key: string; dueMs: number }[];
  nextDueMs(): number | undefined;
  /** Removes the item unless it was scheduled anew since it was read with this dueMs. */
  done(kind: string, key: string, dueMs: number): void;
}

export interface FaultRepository {
  put(fault: FaultRecord): void;
  get(id: string): FaultRecord | undefined;
  remove(id: string): void;
  /** Those that act, or are about to, oldest first. */
  active(scope?: Partial<Scope>): FaultRecord[];
  /** Those whose time has not come, oldest first. */
  scheduled(scope?: Partial<Scope>): FaultRecord[];
  /** Those that have ended, and not everything that they did has been undone yet. */
  unfinished(scope?: Partial<Scope>): FaultRecord[];
  all(scope?: Partial<Scope>): FaultRecord[];
}

/** Answers of calls with a clientRequestToken, by account, region, operation and token. */
export interface IdempotencyRepository {
  get(scope: Scope, operation: string, token: string): { fingerprint: string; response: unknown } | undefined;
  put(
    scope: Scope,
    operation: string,
    token: string,
    entry: { fingerprint: string; response: unknown; atMs: number },
  ): void;
}

/** Secrets of a cluster (CA key, service account key): files' content by name, kept apart from its record. */
export interface ClusterSecrets {
  get(clusterId: string, name: string): string | undefined;
  put(clusterId: string, name: string, value: string): void;
  removeOfCluster(clusterId: string): void;
}

/** Small values about the emulator itself: schema version, simulated time at the last stop. */
export interface Settings {
  get(name: string): string | undefined;
  put(name: string, value: string): void;
}

/** IAM's and STS's own. The scopes of their records are those of `iamScope`; names are in lower case (`iamKey`). */
export interface IamState {
  users: AccountResourceRepository<UserRecord>;
  groups: AccountResourceRepository<GroupRecord>;
  roles: AccountResourceRepository<RoleRecord>;
  policies: AccountResourceRepository<ManagedPolicyRecord>;
  instanceProfiles: AccountResourceRepository<InstanceProfileRecord>;
  /** By URL without `https://`. */
  oidcProviders: AccountResourceRepository<OidcProviderRecord>;
  /** By access key id. */
  accessKeys: AccountResourceRepository<AccessKeyRecord>;
  /** By access key id. */
  sessions: AccountResourceRepository<SessionRecord>;
  former: AccountResourceRepository<FormerIdentityRecord>;
}

export interface State {
  iam: IamState;
  clusters: ClusterRepository;
  members: MemberRepository;
  nodegroups: NodegroupRepository;
  /** By name. */
  registrations: AccountResourceRepository<RegistrationRecord>;
  /** By id. */
  subscriptions: AccountResourceRepository<SubscriptionRecord>;
  /** By `principalKey` of domain/eks/principals. */
  accessEntries: ClusterResourceRepository<AccessEntryRecord>;
  /** By id. */
  podIdentityAssociations: ClusterResourceRepository<PodIdentityAssociationRecord>;
  /** By name. */
  identityProviderConfigs: ClusterResourceRepository<IdentityProviderConfigRecord>;
  /** By name. */
  fargateProfiles: ClusterResourceRepository<FargateProfileRecord>;
  /** By name. */
  capabilities: ClusterResourceRepository<CapabilityRecord>;
  /** By id. */
  insights: ClusterResourceRepository<InsightRecord>;
  /** By id. */
  certificateAuthorities: ClusterResourceRepository<CertificateAuthorityRecord>;
  /** One a cluster, by the cluster's id. */
  insightsChecks: ClusterResourceRepository<InsightsCheckRecord>;
  /** By id. */
  zonalShifts: ClusterResourceRepository<ZonalShiftRecord>;
  /** By name. */
  addons: ClusterResourceRepository<AddonRecord>;
  /** Of every ClusterResourceRepository, when the cluster goes. */
  removeResourcesOfCluster(clusterId: string): void;
  instances: InstanceRepository;
  updates: UpdateRepository;
  events: EventLog;
  work: WorkQueue;
  faults: FaultRepository;
  idempotency: IdempotencyRepository;
  secrets: ClusterSecrets;
  settings: Settings;
  /** Runs `work` in one SQLite transaction; nested calls join the outer one. Rolls back when it throws. Returns after the commit. */
  transaction<T>(work: () => T): T;
  /** A number that grows with every write: what was read while it stood still is still so. Absent when the state cannot tell. */
  changes?(): number;
  /** Store of one cluster's Kubernetes objects, in the same file (shape of kubernetes/persistence.ts). */
  objects(clusterId: string): {
    load(): { revision: number; records: Iterable<{ revision: number; resource: string; key: string; json?: string }> };
    piecemeal(): {
      revision: number;
      counts: ReadonlyMap<string, number>;
      keysOf(resource: string): readonly string[];
      read(resource: string, key: string): string | undefined;
    };
    commit(records: readonly { revision: number; resource: string; key: string; json?: string }[]): void;
    removeAll(): void;
  };
  close(): void;
}
