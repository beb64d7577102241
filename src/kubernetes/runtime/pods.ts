import type { Pod } from "../schema/generated/types.js";
import { conditionOf } from "./conditions.js";

/** What controllers ask about pods, after upstream's `podutil`. */

export const isPodReady = (pod: Pod): boolean => conditionOf(pod.status?.conditions, "Ready")?.status === "True";

/** Succeeded or Failed: its containers will not run again. */
export const isPodTerminal = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** Counts towards its owner's replicas: neither finished nor on its way out. */
export const isPodActive = (pod: Pod): boolean => !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;

/** On its way out, and its containers may still run. */
export const isPodTerminating = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod);

/** Milliseconds until a ready pod counts as available; 0 when it does already, undefined while it is not ready. */
export function msUntilAvailable(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const ready = conditionOf(pod.status?.conditions, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds <= 0) return 0;
  const sinceMs = Date.parse(ready.lastTransitionTime ?? "");
  if (Number.isNaN(sinceMs)) return undefined;
  return Math.max(0, sinceMs + minReadySeconds * 1000 - nowMs);
}

export const isPodAvailable = (pod: Pod, minReadySeconds: number, nowMs: number): boolean =>
  msUntilAvailable(pod, minReadySeconds, nowMs) === 0;
