/** Arithmetic of node group version updates. Source: the user guide on managed node update behaviour. */
import type { NodegroupRecord } from "./model.js";

type UpdateConfig = NodegroupRecord["updateConfig"];

/** Nodes that may be replaced at once; EKS allows 100 at most, and at least one. */
export function maxUnavailable(config: UpdateConfig, desired: number): number {
  const wanted =
    config.maxUnavailablePercentage === undefined
      ? (config.maxUnavailable ?? 1)
      : Math.ceil((desired * config.maxUnavailablePercentage) / 100);
  return Math.min(100, Math.max(1, wanted));
}

/** Nodes added before old ones go: twice the number of zones, or what may be unavailable, whichever is more. */
export const surgeOf = (zones: number, config: UpdateConfig, desired: number): number =>
  Math.max(2 * zones, maxUnavailable(config, desired));

/**
 * How many more old nodes may be drained now. `inFlight` = old nodes being drained or terminated; `inService` = nodes that serve and are not being
 * drained. Without a surge (MINIMAL) nodes that are missing count against what may be unavailable.
 */
export function drainSlots(view: {
  config: UpdateConfig;
  desired: number;
  surge: number;
  inFlight: number;
  inService: number;
}): number {
  const limit = maxUnavailable(view.config, view.desired);
  const unavailable = Math.max(view.inFlight, view.surge === 0 ? view.desired - view.inService : 0);
  return Math.max(0, limit - unavailable);
}
