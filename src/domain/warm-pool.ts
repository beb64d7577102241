/**
 * The warm pool of a node group: instances that are prepared and wait, stopped or running, until the group grows. Source: the EC2 Auto Scaling user guide on
 * warm pools (the pool holds what is missing to the prepared capacity, and never less than its own minimum).
 */
import { countByZone } from "./auto-scaling.js";
import type { InstanceRecord, NodegroupRecord, ScalingConfig } from "./model.js";
import { chooseScaleIn, placeInstances } from "./zones.js";

/** `warmPoolConfig` of a node group. */
export interface WarmPoolSettings {
  enabled?: boolean;
  minSize?: number;
  /** Instances of group and pool together; the group's maximum unless told. */
  maxGroupPreparedCapacity?: number;
  poolState?: string;
  reuseOnScaleIn?: boolean;
}

export const warmPoolOf = (group: Pick<NodegroupRecord, "warmPoolConfig">): WarmPoolSettings =>
  (group.warmPoolConfig ?? {}) as WarmPoolSettings;

export function warmPoolSize({ enabled, minSize = 0, ...pool }: WarmPoolSettings, scaling: ScalingConfig): number {
  if (!enabled) return 0;
  const prepared = pool.maxGroupPreparedCapacity ?? scaling.maxSize;
  return Math.max(minSize, prepared - scaling.desiredSize);
}

/** EC2's state of a pooled instance: hibernated ones count as stopped. */
export const pooledState = ({ poolState }: WarmPoolSettings): InstanceRecord["state"] =>
  poolState === "RUNNING" ? "running" : "stopped";

export interface WarmPoolView {
  size: number;
  /** Zones of the group's subnets, in their order. */
  zones: readonly string[];
  /** Instances in the pool. */
  pooled: readonly Pick<InstanceRecord, "instanceId" | "zone" | "launchedAtMs">[];
  /** Instances of the group itself: the pool completes their spread. */
  serving: readonly Pick<InstanceRecord, "zone">[];
  /** Instances that the group has given up and that come back to the pool. */
  returning: number;
  hasCapacity: (zone: string) => boolean;
  nowMs: number;
}

/** Zones to launch pooled instances in, and ids of those that go. */
export function decideWarmPool(view: WarmPoolView): { launch: string[]; terminate: string[] } {
  const { size, zones, pooled, serving, returning, hasCapacity } = view;
  const launch = placeInstances({
    zones,
    counts: countByZone([...serving, ...pooled]),
    healthy: hasCapacity,
    count: Math.max(0, size - pooled.length - returning),
  });
  const terminate = chooseScaleIn(pooled, pooled.length - size, view.nowMs).map(({ instanceId }) => instanceId);
  return { launch, terminate };
}
