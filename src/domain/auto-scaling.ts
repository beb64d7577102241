/**
 * What the Auto Scaling group behind a node group does next: replace unhealthy instances, fill up to the desired size, keep the zones level. Pure: the
 * same view gives the same decision. Sources: the EC2 Auto Scaling user guide on health checks, AZRebalance and the default termination policy.
 */
import type { InstanceRecord } from "./model.js";
import { chooseScaleIn, placeInstances } from "./zones.js";

export type TerminationReason =
  | "scale-in"
  | "unhealthy"
  | "rebalance"
  | "update"
  | "nodegroup-delete"
  | "repair"
  | "warm-pool"
  | "expired"
  | "drift"
  | "empty"
  | "auto-mode-off";

export type ScalingAction =
  | { kind: "launch"; zone: string; why: "capacity" | "rebalance" }
  | { kind: "terminate"; instanceId: string; reason: TerminationReason };

export type ScalingInstance = Pick<
  InstanceRecord,
  "instanceId" | "zone" | "lifecycle" | "statusCheck" | "state" | "unhealthySinceMs" | "launchedAtMs"
>;

export interface ScalingView {
  /** Zones of the group's subnets, in their order. */
  zones: readonly string[];
  desired: number;
  /** Those that are not terminated. */
  instances: readonly ScalingInstance[];
  /** Whether EC2 can launch in a zone now. */
  hasCapacity: (zone: string) => boolean;
  nowMs: number;
  /** From a failed status check until the group acts on it. */
  healthCheckPeriodMs: number;
}

export interface ScalingDecision {
  actions: ScalingAction[];
  /** When an instance that is unhealthy now becomes due for replacement. */
  nextCheckMs?: number;
  /** Instances that are wanted but can be launched nowhere. */
  unplaced: number;
}

/** Share of the group by which AZRebalance may overshoot; at least one instance. */
const REBALANCE_MARGIN = 0.1;

export const isAlive = (instance: Pick<InstanceRecord, "lifecycle">): boolean =>
  instance.lifecycle === "Pending" || instance.lifecycle === "InService";

/** Failed its status checks, or not running any more although nobody in the group asked for that. */
export const isUnhealthy = (instance: Pick<InstanceRecord, "state" | "statusCheck">): boolean =>
  instance.statusCheck === "impaired" || (instance.state !== "running" && instance.state !== "pending");

export function decideScaling(view: ScalingView): ScalingDecision {
  const alive = view.instances.filter(isAlive);
  const replaceAtMs = (instance: ScalingInstance): number =>
    (instance.unhealthySinceMs ?? view.nowMs) + view.healthCheckPeriodMs;
  const unhealthy = alive.filter(isUnhealthy);
  const due = unhealthy.filter((instance) => replaceAtMs(instance) <= view.nowMs);
  const waiting = unhealthy.filter((instance) => replaceAtMs(instance) > view.nowMs);
  const kept = alive.filter((instance) => !due.includes(instance));

  const actions: ScalingAction[] = due.map(({ instanceId }) => ({
    kind: "terminate",
    instanceId,
    reason: "unhealthy",
  }));
  const counts = countByZone(kept);
  const missing = view.desired - kept.length;
  const placed = placeInstances({
    zones: view.zones,
    counts,
    healthy: view.hasCapacity,
    count: Math.max(0, missing),
  });
  for (const zone of placed) actions.push({ kind: "launch", zone, why: "capacity" });
  // Levelling waits until the group is whole: capacity comes first.
  if (missing <= 0) actions.push(...rebalance(view, kept, counts));
  return {
    actions,
    unplaced: Math.max(0, missing) - placed.length,
    ...(waiting.length > 0 ? { nextCheckMs: Math.min(...waiting.map(replaceAtMs)) } : {}),
  };
}

/**
 * AZRebalance: launches in the poorest zone first, overshooting by a tenth of the group or one instance, and only when a newcomer is in service does the
 * richest zone give one up. Also takes back an overshoot that is no longer needed.
 */
function rebalance(
  view: ScalingView,
  kept: readonly ScalingInstance[],
  counts: ReadonlyMap<string, number>,
): ScalingAction[] {
  const inService = kept.filter((instance) => instance.lifecycle === "InService" && !isUnhealthy(instance));
  const surplus = kept.length - view.desired;
  const removable = Math.min(surplus, inService.length - view.desired);
  if (removable > 0) {
    return chooseScaleIn(kept, removable).map(({ instanceId }) => ({
      kind: "terminate",
      instanceId,
      reason: "rebalance",
    }));
  }
  const margin = Math.max(1, Math.floor(view.desired * REBALANCE_MARGIN));
  const sizes = new Map(counts);
  const open = view.zones.filter(view.hasCapacity);
  const actions: ScalingAction[] = [];
  for (let room = margin - surplus; room > 0 && open.length > 0; room--) {
    const poorest = open.reduce((best, zone) => ((sizes.get(zone) ?? 0) < (sizes.get(best) ?? 0) ? zone : best));
    const richest = [...sizes.entries()].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", 0]);
    if (richest[1] - (sizes.get(poorest) ?? 0) < 2) break;
    actions.push({ kind: "launch", zone: poorest, why: "rebalance" });
    // The newcomer will push one out of the richest zone: level against what will be.
    sizes.set(poorest, (sizes.get(poorest) ?? 0) + 1);
    sizes.set(richest[0], richest[1] - 1);
  }
  return actions;
}

/** What goes when the desired size was lowered: at once, and whether or not it is ready. */
export function decideScaleIn(instances: readonly ScalingInstance[], desired: number): ScalingAction[] {
  const alive = instances.filter(isAlive);
  return chooseScaleIn(alive, alive.length - desired).map(({ instanceId }) => ({
    kind: "terminate",
    instanceId,
    reason: "scale-in",
  }));
}

export function countByZone(instances: readonly { zone: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { zone } of instances) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  return counts;
}
