/**
 * A new version of the control plane: masters are replaced one zone at a time by ones of the new version, so that the API stays up all along. How far it
 * has come is told by the masters' own rows. Source: the user guide on updating clusters (new servers are health-checked before they take over; when
 * that fails, the old version stays).
 */
import type { ClusterRecord, MemberRecord, UpdateRecord } from "../domain/model.js";
import { LIMITS } from "../domain/profile.js";
import { emit, type ReconcileContext } from "./context.js";
import { interfaceFor } from "./master-interfaces.js";
import { nextMemberId } from "./members.js";
import { memberSpec } from "./specs.js";

export type Step =
  | { kind: "wait"; untilMs: number }
  | { kind: "done" }
  | { kind: "failed"; error: UpdateRecord["errors"][number] };

/** How often a control plane that is not whole is looked at, in milliseconds. */
const POLL_MS = 15_000;

/** Takes the masters one step closer to `version`. */
export async function rollControlPlane(
  context: ReconcileContext,
  cluster: ClusterRecord,
  update: UpdateRecord,
  version: string,
): Promise<Step> {
  const { state, clock, profile } = context;
  const members = state.members.list(cluster.id);
  const { controlPlaneFromMs: fromMs = update.createdAtMs } = update.plan as { controlPlaneFromMs?: number };
  const old = members.filter((member) => member.version !== version).sort((a, b) => (a.zone < b.zone ? -1 : 1));
  // Taking one of two away would cost the quorum: a lost master is made anew first.
  const lost = members.find(({ status }) => status === "FAILED");
  if (lost) {
    if (clock.now() < fromMs + LIMITS.controlPlaneUpdateMs) {
      return { kind: "wait", untilMs: clock.now() + POLL_MS };
    }
    return giveUp(context, cluster, lost);
  }
  const durationMs = profile.clusterVersionUpdateMs;
  const [next] = old;
  if (next) {
    const swapped = members.length - old.length;
    const swapAtMs = fromMs + (durationMs * (swapped + 1)) / (members.length + 1);
    if (clock.now() < swapAtMs) return { kind: "wait", untilMs: swapAtMs };
    await swap(context, cluster, next, version);
    return { kind: "wait", untilMs: clock.now() };
  }
  const doneAtMs = fromMs + durationMs;
  if (clock.now() < doneAtMs) return { kind: "wait", untilMs: doneAtMs };
  await context.backendOf(cluster).upgradeControlPlane(cluster.id, version);
  return { kind: "done" };
}

async function swap(
  context: ReconcileContext,
  cluster: ClusterRecord,
  old: MemberRecord,
  version: string,
): Promise<void> {
  const { state } = context;
  const id = nextMemberId(state.members.list(cluster.id));
  const master = { id, zone: old.zone, ...interfaceFor(state, cluster, { id, zone: old.zone }) };
  await context.backendOf(cluster).replaceMember(cluster.id, old.id, { ...memberSpec(cluster, master), version });
  state.transaction(() => {
    state.members.remove(cluster.id, old.id);
    state.members.put({ clusterId: cluster.id, ...master, status: "READY", version });
    emit(context, cluster, {
      source: "master",
      type: "MasterReplaced",
      subject: id,
      zone: old.zone,
      message: `Master ${id} in ${old.zone} runs ${version} and replaces ${old.id}, which ran ${old.version}.`,
      detail: { lostId: old.id, version },
    });
  });
}

/** The old version stays: masters that were swapped already go back to it. */
async function giveUp(context: ReconcileContext, cluster: ClusterRecord, lost: MemberRecord): Promise<Step> {
  const { state } = context;
  for (const member of state.members.list(cluster.id)) {
    if (member.version === cluster.version || member.status !== "READY") continue;
    await swap(context, cluster, member, cluster.version);
  }
  return {
    kind: "failed",
    error: {
      errorCode: "Unknown",
      errorMessage: `The control plane has not become healthy: master ${lost.id} in ${lost.zone} is lost`,
      resourceIds: [lost.id],
    },
  };
}
