/**
 * Which nodes EKS Auto Mode gives up, and why: those that are too old, that run another version than the control plane, that are empty. Sources: the user
 * guide on Auto Mode (21 days at most) and Karpenter's documentation on disruption.
 */
import type { InstanceRecord } from "../model.js";

export type Retirement = "expired" | "drift" | "empty";

const HOUR_MS = 3_600_000;
/** Whatever a pool says, Auto Mode's nodes live no longer. */
export const MAX_LIFE_MS = 21 * 24 * HOUR_MS;
/** Karpenter's own defaults, for pools that say nothing. */
const DEFAULT_EXPIRY_MS = 30 * 24 * HOUR_MS;
const DEFAULT_CONSOLIDATION_MS = 0;

const UNITS_MS: Readonly<Record<string, number>> = { h: HOUR_MS, m: 60_000, s: 1000 };

/** `336h`, `1h30m`, `30s` -> milliseconds; `Never` -> infinity. Undefined for anything else. */
export function karpenterDurationMs(text: string | undefined): number | undefined {
  if (text === "Never") return Number.POSITIVE_INFINITY;
  if (text === undefined || !/^(\d+[hms])+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+)([hms])/g)].reduce(
    (total, [, number = "0", unit = "s"]) => total + Number(number) * (UNITS_MS[unit] ?? 0),
    0,
  );
}

export interface LifeView {
  /** Instances of node pools, in service. */
  instances: readonly Pick<InstanceRecord, "instanceId" | "launchedAtMs" | "version" | "emptySinceMs" | "nodePool">[];
  /** Durations of the pools that there are, by name. Nodes of a pool that is gone go too. */
  pools: ReadonlyMap<string, { expireAfter?: string; consolidateAfter?: string }>;
  version: string;
  /** Nodes are being given up: only expiry does not wait for that. */
  busy: boolean;
  nowMs: number;
}

export interface LifeDecision {
  retire: { instanceId: string; why: Retirement }[];
  nextCheckMs?: number;
}

export function decideLife(view: LifeView): LifeDecision {
  const { nowMs } = view;
  const due: { instanceId: string; why: Retirement; atMs: number }[] = view.instances.flatMap((instance) => {
    const { instanceId } = instance;
    const pool = view.pools.get(instance.nodePool?.name ?? "");
    if (!pool) return [{ instanceId, why: "drift" as const, atMs: nowMs }];
    const lifeMs = Math.min(MAX_LIFE_MS, karpenterDurationMs(pool.expireAfter) ?? DEFAULT_EXPIRY_MS);
    const waitMs = karpenterDurationMs(pool.consolidateAfter) ?? DEFAULT_CONSOLIDATION_MS;
    return [
      { instanceId, why: "expired" as const, atMs: instance.launchedAtMs + lifeMs },
      ...(instance.version === view.version ? [] : [{ instanceId, why: "drift" as const, atMs: nowMs }]),
      ...(instance.emptySinceMs === undefined || waitMs === Number.POSITIVE_INFINITY
        ? []
        : [{ instanceId, why: "empty" as const, atMs: instance.emptySinceMs + waitMs }]),
    ];
  });
  const now = due.filter(({ atMs }) => atMs <= nowMs);
  // One node at a time follows the control plane, so that its pods find room elsewhere first.
  const drifted = now.find(({ why }) => why === "drift");
  const retire = [
    ...now.filter(({ why }) => why !== "drift"),
    ...(drifted && !view.busy && now.every(({ why }) => why === "drift") ? [drifted] : []),
  ];
  const later = due.filter(({ atMs }) => atMs > nowMs).map(({ atMs }) => atMs);
  return {
    retire: retire.map(({ instanceId, why }) => ({ instanceId, why })),
    ...(later.length > 0 ? { nextCheckMs: Math.min(...later) } : {}),
  };
}
