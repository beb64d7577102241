/**
 * What the Auto Scaling group behind a node group does next: replace unhealthy instances and Spot instances that are about to be taken back, fill up to the
 * desired size, keep the zones level. Pure: the same view gives the same decision. Sources: the EC2 Auto Scaling user guide on health checks, AZRebalance,
 * Capacity Rebalancing and the default termination policy.
 */
import type { InstanceRecord } from "./model.js";
import { chooseScaleIn, placeInstances } from "./zones.js";

export type TerminationReason =
  | "scale-in"
  | "unhealthy"
  | "rebalance"
  | "rebalance-recommendation"
  | "interruption"
  | "update"
  | "nodegroup-delete"
  | "repair"
  | "warm-pool"
  | "expired"
  | "drift"
  | "empty"
  | "underutilized"
  | "unregistered"
  | "auto-mode-off";

export type ScalingAction =
  | { kind: "launch"; zone: string; why: "capacity" | "rebalance" | "rebalance-recommendation" }
  | { kind: "terminate"; instanceId: string; reason: TerminationReason };

export type ScalingInstance = Pick<
  InstanceRecord,
  | "instanceId"
  | "zone"
  | "lifecycle"
  | "statusCheck"
  | "state"
  | "unhealthySinceMs"
  | "launchedAtMs"
  | "rebalanceRecommendedAtMs"
  | "interruptionAtMs"
> &
  Partial<Pick<InstanceRecord, "releaseVersion">>;

export interface ScalingView {
  /** Zones of the group's subnets that it may launch in, in their order. */
  zones: readonly string[];
  desired: number;
  /** Default: the desired size. */
  maxSize?: number;
  /** Those that are not terminated. */
  instances: readonly ScalingInstance[];
  /** Whether EC2 can launch in a zone now. */
  hasCapacity: (zone: string) => boolean;
  /** Whether EC2 is asked for instances at all: not while the group waits after failures. Default true. */
  mayLaunch?: boolean;
  /** Whether AZRebalance is on: it is suspended during updates and zonal shifts. Default true. */
  rebalances?: boolean;
  nowMs: number;
  /** From a failed status check, or a machine that stopped, until the group acts on it. */
  healthCheckPeriodMs: number;
  /** From the loss of a machine that still counts as running until its status checks say so. Default 0. */
  statusCheckFailureMs?: number;
}

export interface ScalingDecision {
  actions: ScalingAction[];
  /** When an instance that is unhealthy now becomes due for replacement. */
  nextCheckMs?: number;
  /** Instances that are wanted but can be launched nowhere. */
  unplaced: number;
  /** Zones that were asked for an instance first, and that had no capacity: each is a scaling activity that failed. */
  refusedIn: string[];
}

/** Share of the group by which rebalancing may overshoot; at least one instance. */
const REBALANCE_MARGIN = 0.1;

const marginOf = (size: number): number => Math.max(1, Math.floor(size * REBALANCE_MARGIN));

export const isAlive = (instance: Pick<InstanceRecord, "lifecycle">): boolean =>
  instance.lifecycle === "Pending" || instance.lifecycle === "InService";

/** Whether EC2 itself says that the machine is not running. */
const isOff = ({ state }: Pick<InstanceRecord, "state">): boolean => state !== "running" && state !== "pending";

/** Failed its status checks, or not running any more although nobody in the group asked for that. */
export const isUnhealthy = (instance: Pick<InstanceRecord, "state" | "statusCheck">): boolean =>
  instance.statusCheck === "impaired" || isOff(instance);

/** When the group gives up on an unhealthy instance. */
export function replacementDueMs(
  instance: Pick<InstanceRecord, "state" | "unhealthySinceMs">,
  view: Pick<ScalingView, "nowMs" | "healthCheckPeriodMs" | "statusCheckFailureMs">,
): number {
  const noticedMs = isOff(instance) ? 0 : (view.statusCheckFailureMs ?? 0);
  return (instance.unhealthySinceMs ?? view.nowMs) + noticedMs + view.healthCheckPeriodMs;
}

export function decideScaling(view: ScalingView): ScalingDecision {
  const alive = view.instances.filter(isAlive);
  const unhealthy = alive.filter(isUnhealthy);
  const due = unhealthy.filter((instance) => replacementDueMs(instance, view) <= view.nowMs);
  const waiting = unhealthy.filter((instance) => !due.includes(instance));
  // The two minutes' notice: whatever can still be moved moves now.
  const interrupted = alive.filter((instance) => instance.interruptionAtMs !== undefined && !due.includes(instance));
  const kept = alive.filter((instance) => !due.includes(instance) && !interrupted.includes(instance));

  const actions: ScalingAction[] = [
    ...due.map(({ instanceId }) => terminate(instanceId, "unhealthy")),
    ...interrupted.map(({ instanceId }) => terminate(instanceId, "interruption")),
  ];
  const missing = Math.max(0, view.desired - kept.length);
  const { placed, refusedIn } = place(view, kept, missing);
  for (const zone of placed) actions.push({ kind: "launch", zone, why: "capacity" });
  // Levelling waits until the group is whole: capacity comes first.
  if (missing === 0) actions.push(...(replaceAtRisk(view, kept) ?? rebalance(view, kept)));
  return {
    actions,
    unplaced: missing - placed.length,
    refusedIn,
    ...(waiting.length > 0
      ? { nextCheckMs: Math.min(...waiting.map((instance) => replacementDueMs(instance, view))) }
      : {}),
  };
}

const terminate = (instanceId: string, reason: TerminationReason): ScalingAction => ({
  kind: "terminate",
  instanceId,
  reason,
});

const isAtRisk = ({ rebalanceRecommendedAtMs }: ScalingInstance): boolean => rebalanceRecommendedAtMs !== undefined;

/** Zones for `count` more instances, level with those that stay; EC2 is asked in the zone where each should be, and then elsewhere. */
function place(
  view: ScalingView,
  kept: readonly ScalingInstance[],
  count: number,
): { placed: string[]; refusedIn: string[] } {
  const { zones, hasCapacity, mayLaunch = true } = view;
  if (count === 0 || !mayLaunch) return { placed: [], refusedIn: [] };
  const counts = countByZone(kept.filter((instance) => !isAtRisk(instance)));
  const wanted = placeInstances({ zones, counts, healthy: () => true, count });
  return {
    placed: placeInstances({ zones, counts, healthy: hasCapacity, count }),
    refusedIn: [...new Set(wanted)].filter((zone) => !hasCapacity(zone)),
  };
}

/**
 * Capacity Rebalancing: for each Spot instance that EC2 recommends to replace another one is launched, beyond the maximum size if need be, and when that one
 * serves the old one goes. Undefined when no instance is at risk.
 */
function replaceAtRisk(view: ScalingView, kept: readonly ScalingInstance[]): ScalingAction[] | undefined {
  const atRisk = kept.filter(isAtRisk);
  if (atRisk.length === 0) return undefined;
  const safe = kept.filter((instance) => !isAtRisk(instance));
  const serving = safe.filter((instance) => instance.lifecycle === "InService" && !isUnhealthy(instance));
  const needed = view.desired - atRisk.length;
  const going = Math.min(kept.length - view.desired, atRisk.length, serving.length - needed);
  if (going > 0) {
    const since = ({ rebalanceRecommendedAtMs = 0 }: ScalingInstance): number => rebalanceRecommendedAtMs;
    return [...atRisk]
      .sort((a, b) => since(a) - since(b) || (a.instanceId < b.instanceId ? -1 : 1))
      .slice(0, going)
      .map(({ instanceId }) => terminate(instanceId, "rebalance-recommendation"));
  }
  const { desired, maxSize = desired } = view;
  const room = Math.max(maxSize, desired) + marginOf(desired) - kept.length;
  const count = Math.max(0, Math.min(atRisk.length - (safe.length - needed), room));
  return place(view, kept, count).placed.map((zone) => ({ kind: "launch", zone, why: "rebalance-recommendation" }));
}

/**
 * AZRebalance: launches in the poorest zone first, overshooting by a tenth of the group or one instance, and only when a newcomer is in service does the
 * richest zone give one up. Also takes back an overshoot that is no longer needed.
 */
function rebalance(view: ScalingView, kept: readonly ScalingInstance[]): ScalingAction[] {
  const inService = kept.filter((instance) => instance.lifecycle === "InService" && !isUnhealthy(instance));
  const surplus = kept.length - view.desired;
  const removable = Math.min(surplus, inService.length - view.desired);
  if (removable > 0) {
    return chooseScaleIn(kept, removable, view.nowMs).map(({ instanceId }) => terminate(instanceId, "rebalance"));
  }
  const { rebalances = true, mayLaunch = true } = view;
  if (!rebalances || !mayLaunch) return [];
  const sizes = countByZone(kept);
  const open = view.zones.filter(view.hasCapacity);
  const actions: ScalingAction[] = [];
  for (let room = marginOf(view.desired) - surplus; room > 0 && open.length > 0; room--) {
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
export function decideScaleIn(instances: readonly ScalingInstance[], desired: number, nowMs: number): ScalingAction[] {
  const alive = instances.filter(isAlive);
  return chooseScaleIn(alive, alive.length - desired, nowMs).map(({ instanceId }) => terminate(instanceId, "scale-in"));
}

export function countByZone(instances: readonly { zone: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { zone } of instances) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  return counts;
}
