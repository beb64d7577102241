/** What every reconciler works with. */
import type { ClusterBackend } from "../backends/backend.js";
import type { Clock } from "../clock/clock.js";
import { joiningFails, nodegroupIssues, zoneHasCapacity, zoneHasPower } from "../domain/faults/index.js";
import type {
  ClusterRecord,
  EventRecord,
  HealthIssue,
  InstanceRecord,
  NodegroupRecord,
  Scope,
} from "../domain/model.js";
import type { Profile } from "../domain/profile.js";
import type { State } from "../state/state.js";

/** Families of work, one reconciler each. Keys: cluster id; cluster id; `<cluster id>/<node group>`; instance id; cluster id. */
export type WorkKind =
  | "cluster"
  | "members"
  | "nodegroup"
  | "addon"
  | "instance"
  | "patching"
  | "autopool"
  | "registration"
  | "subscription"
  | "insights"
  | "authorities"
  | "fargate-profile"
  | "zonal-shift"
  | "capability";

export interface ReconcileLog {
  debug(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface ReconcileContext {
  state: State;
  clock: Clock;
  profile: Profile;
  log: ReconcileLog;
  /** IAM's unique id of a principal, as far as it is known. */
  principalIdOf?: ((arn: string) => string | undefined) | undefined;
  /** Throws when the cluster's backend is not part of this run. */
  backendOf(cluster: ClusterRecord): ClusterBackend;
  /** Whether this process has the cluster in hand: created or adopted by it, and watched. */
  isAttached(clusterId: string): boolean;
  /** Creates or adopts the cluster in the backend and watches it from then on. */
  attach(cluster: ClusterRecord, how: "create" | "adopt"): Promise<void>;
  detach(clusterId: string): void;
  /** Called when a machine or a master has been added to a cluster: what its zone suffers from, it suffers from too. */
  onNewcomer?: ((clusterId: string, name: string) => Promise<void>) | undefined;
  /** Owes a look at the key at `dueMs` (epoch), or now. */
  schedule(kind: WorkKind, key: string, dueMs?: number): void;
}

export const nodegroupKey = (clusterId: string, nodegroupName: string): string => `${clusterId}/${nodegroupName}`;

/** Key of what an account has in a region, and not in a cluster. */
export function scopedKey(key: string): { scope: Scope; name: string } {
  const [accountId = "", region = "", name = ""] = key.split("/");
  return { scope: { accountId, region }, name };
}

/** Appends an event about something of a cluster. */
export function emit(
  { state, clock }: Pick<ReconcileContext, "state" | "clock">,
  cluster: Pick<ClusterRecord, "accountId" | "region" | "name">,
  event: Pick<EventRecord, "source" | "type" | "subject" | "message"> & Partial<Pick<EventRecord, "zone" | "detail">>,
): void {
  const { accountId, region, name } = cluster;
  state.events.append({ atMs: clock.now(), accountId, region, clusterName: name, ...event });
}

/** Whether machines have power in a zone for this cluster, by the faults that are on. */
export function powerOf({ state }: Pick<ReconcileContext, "state">, cluster: ClusterRecord): (zone: string) => boolean {
  const faults = state.faults.active({ accountId: cluster.accountId, region: cluster.region });
  return (zone) => zoneHasPower(faults, zone, cluster.name);
}

/** Which of the instance types, in their order, EC2 can launch in a zone for this cluster, by the faults that are on. */
export function capacityOf(
  { state }: Pick<ReconcileContext, "state">,
  cluster: ClusterRecord,
): (zone: string, instanceTypes: readonly string[]) => string[] {
  const faults = state.faults.active({ accountId: cluster.accountId, region: cluster.region });
  return (zone, types) => types.filter((type) => zoneHasCapacity(faults, zone, type, cluster.name));
}

/** Whether the kubelet of a new instance cannot join its cluster, by the faults that are on. */
export const cannotJoin = (
  { state }: Pick<ReconcileContext, "state">,
  { accountId, region, clusterName, nodegroupName }: InstanceRecord,
): boolean => joiningFails(state.faults.active({ accountId, region }), clusterName, nodegroupName);

/** What EKS's checks find wrong with a node group besides its own instances, by the faults that are on. */
export const issuesFound = (
  { state }: Pick<ReconcileContext, "state">,
  { accountId, region, clusterName, name }: NodegroupRecord,
): HealthIssue[] => nodegroupIssues(state.faults.active({ accountId, region }), clusterName, name);
