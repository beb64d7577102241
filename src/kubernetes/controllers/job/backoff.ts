import { conditionOf } from "../../runtime/conditions.js";
import type { Pod } from "../../schema/generated/types.js";

/** How long a Job waits before it starts another pod after failures: ten seconds, doubling with every further failure since the last success. */
const FIRST_MS = 10_000;
const MOST_MS = 600_000;

export interface Failures {
  /** Since the last success. */
  count: number;
  lastMs: number;
}

export const NO_FAILURES: Failures = { count: 0, lastMs: 0 };

/** When a pod came to its end: its last container's, else when it ceased to be ready, else when it was deleted, else its creation. */
export function finishedMs(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ""),
  );
  if (ends.length > 0 && !ends.some(Number.isNaN)) return Math.max(...ends);
  const ready = conditionOf(pod.status?.conditions, "Ready");
  const unreadyMs = ready?.status === "False" ? Date.parse(ready.lastTransitionTime ?? "") : Number.NaN;
  if (!Number.isNaN(unreadyMs)) return unreadyMs;
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata;
  return deletionTimestamp
    ? Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000
    : Date.parse(creationTimestamp);
}

/** The failures after the pods in `succeeded` and `failed` have ended as well. */
export function addFailures(before: Failures, succeeded: readonly Pod[], failed: readonly Pod[]): Failures {
  const failedMs = failed.map(finishedMs);
  if (succeeded.length === 0) {
    return failed.length === 0 ? before : { count: before.count + failed.length, lastMs: Math.max(...failedMs) };
  }
  const successMs = Math.max(...succeeded.map(finishedMs));
  const since = failedMs.filter((ms) => ms > successMs);
  return since.length === 0 ? NO_FAILURES : { count: since.length, lastMs: Math.max(...since) };
}

/** Milliseconds until the next pod may start. */
export function backoffMs({ count, lastMs }: Failures, nowMs: number): number {
  if (count === 0) return 0;
  const delayMs = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(count - 1, 30));
  return Math.max(0, lastMs + delayMs - nowMs);
}
