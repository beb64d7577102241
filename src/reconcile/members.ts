/** Masters: one lost for good is made anew, in its own zone or, while that is down, in another. */
import type { ClusterRecord, MemberRecord } from "../domain/model.js";
import { LIMITS } from "../domain/profile.js";
import { decideMemberRepair } from "../domain/repair.js";
import { clusterZones } from "../domain/zones.js";
import { emit, powerOf, type ReconcileContext } from "./context.js";
import { interfaceFor } from "./master-interfaces.js";
import { memberSpec } from "./specs.js";

const REPAIRED: readonly string[] = ["ACTIVE", "UPDATING"];

export async function reconcileMembers(context: ReconcileContext, clusterId: string): Promise<void> {
  const { state, clock } = context;
  const cluster = state.clusters.byId(clusterId);
  if (!cluster || !REPAIRED.includes(cluster.status) || !context.isAttached(clusterId)) return;
  const members = state.members.list(clusterId);
  const decision = decideMemberRepair({
    members,
    homeZones: clusterZones(cluster.region).map((zone) => zone.name),
    hasPower: powerOf(context, cluster),
    nowMs: clock.now(),
    lossMs: LIMITS.memberLossMs,
  });
  if (decision.nextCheckMs !== undefined) context.schedule("members", clusterId, decision.nextCheckMs);
  const { replace } = decision;
  if (!replace) return;
  const id = nextMemberId(members);
  const master = { id, zone: replace.zone, ...interfaceFor(state, cluster, { id, zone: replace.zone }) };
  await context.backendOf(cluster).replaceMember(clusterId, replace.lostId, memberSpec(cluster, master));
  state.transaction(() => {
    state.members.remove(clusterId, replace.lostId);
    state.members.put({ clusterId, ...master, status: "READY", version: cluster.version });
    emit(context, cluster, {
      source: "master",
      type: "MasterReplaced",
      subject: id,
      zone: replace.zone,
      message:
        replace.why === "lost"
          ? `Master ${id} in ${replace.zone} replaces ${replace.lostId}, which was lost.`
          : `Master ${id} brings the control plane back to ${replace.zone}; ${replace.lostId} has left.`,
      detail: { lostId: replace.lostId },
    });
  });
  await context.onNewcomer?.(clusterId, id);
  context.schedule("members", clusterId);
}

export const nextMemberId = (members: readonly MemberRecord[]): string =>
  `master-${Math.max(0, ...members.map(({ id }) => Number(/\d+$/.exec(id)?.[0] ?? 0))) + 1}`;

/** Takes down what the backend saw of a master. */
export function observeMember(
  context: ReconcileContext,
  cluster: ClusterRecord,
  seen: { memberId: string; state: "up" | "down" },
): void {
  const { state, clock } = context;
  const member = state.members.list(cluster.id).find(({ id }) => id === seen.memberId);
  const status = seen.state === "up" ? "READY" : "FAILED";
  if (!member || member.status === status) return;
  const { failedSinceMs: _, ...rest } = member;
  state.members.put(status === "READY" ? { ...rest, status } : { ...rest, status, failedSinceMs: clock.now() });
  // A master that comes up for the first time is no news: the cluster's own event tells it.
  if (member.status !== "CREATING") {
    emit(context, cluster, {
      source: "master",
      type: status === "READY" ? "MasterReady" : "MasterFailed",
      subject: member.id,
      zone: member.zone,
      message: `Master ${member.id} in ${member.zone} is ${seen.state}.`,
    });
  }
  context.schedule("members", cluster.id);
}
