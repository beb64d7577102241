/** Emptying a node before its instance goes: one look, and when to look again. */
import { BackendError } from "../backends/backend.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import type { ReconcileContext } from "./context.js";

export interface Drained {
  remainingPods: number;
  /** Budgets forbid the eviction of all that is left, and nothing can change that. */
  hopeless: boolean;
  /** By pod that a disruption budget keeps: what the eviction API says. */
  refusals: Readonly<Record<string, string>>;
}

/** Of a node that has nothing to drain. */
export const EMPTY: Drained = { remainingPods: 0, hopeless: false, refusals: {} };
const OUT_OF_REACH: Drained = { remainingPods: Number.POSITIVE_INFINITY, hopeless: false, refusals: {} };

/** Shortest and longest wait between two looks at a drain, in milliseconds; in between a share of the time that it has taken so far. */
const LOOK_MS = { shortest: 50, longest: 2_000 };
const SHARE = 1 / 4;

/** Evicts what runs on the instance's node. An API server that cannot be reached evicts nothing: the drain goes on until its deadline. */
export async function drainInstance(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { privateDnsName, instanceId }: InstanceRecord,
): Promise<Drained> {
  try {
    const backend = context.backendOf(cluster);
    const { remainingPods, hopeless = false, refusals = {} } = await backend.drainNode(cluster.id, privateDnsName);
    return { remainingPods: remainingPods.length, hopeless, refusals };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    if (error.code === "missing") return EMPTY;
    context.log.debug({ err: error, instanceId }, "draining is not possible now");
    return OUT_OF_REACH;
  }
}

/** When to look again at a drain that began at `sinceMs` and ends at `deadlineMs` at the latest: soon at first, because most pods end in a moment. */
export function nextDrainLookMs(
  nowMs: number,
  { sinceMs, deadlineMs }: { sinceMs: number; deadlineMs: number },
): number {
  const waitMs = Math.min(LOOK_MS.longest, Math.max(LOOK_MS.shortest, (nowMs - sinceMs) * SHARE));
  return Math.min(deadlineMs, nowMs + Math.ceil(waitMs));
}
