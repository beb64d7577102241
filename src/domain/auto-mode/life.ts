/**
 * Which nodes EKS Auto Mode gives up, and why: those that are too old, that are not any more what their pool or the control plane's version asks for, that are
 * empty. Sources: the user guide on Auto Mode (21 days at most) and Karpenter's documentation on disruption.
 */
import type { InstanceRecord } from "../model.js";
import { allowedDisruptions, type Budget, type DisruptionReason } from "./budgets.js";
import { meets, type Requirement } from "./requirements.js";

export type Retirement = "expired" | "drift" | "empty";

const HOUR_MS = 3_600_000;
/** Whatever a pool says, Auto Mode's nodes live no longer. */
const MAX_LIFE_MS = 21 * 24 * HOUR_MS;
/** Of pools that say nothing: Auto Mode's default, and Karpenter's. */
const DEFAULT_EXPIRY_MS = 14 * 24 * HOUR_MS;
const DEFAULT_CONSOLIDATION_MS = 0;
/** How long pods may take to leave a node of Auto Mode whose pool says nothing. */
export const DEFAULT_TERMINATION_GRACE_MS = 24 * HOUR_MS;

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

/** What of a pool decides about the life of its nodes. */
export interface PoolLife {
  expireAfter?: string;
  consolidateAfter?: string;
  requirements?: readonly Requirement[];
  labels?: Readonly<Record<string, string>>;
  taints?: readonly { key: string; value?: string; effect: string }[];
  /** Those active now; undefined when it names none at all. */
  budgets?: readonly Budget[];
}

type LivingInstance = Pick<
  InstanceRecord,
  "instanceId" | "launchedAtMs" | "version" | "emptySinceMs" | "nodePool" | "replacementId"
>;

export interface LifeView {
  /** Instances of node pools, in service. */
  instances: readonly LivingInstance[];
  /** The pools that there are, by name. Nodes of a pool that is gone go too. */
  pools: ReadonlyMap<string, PoolLife>;
  /** By pool: nodes that are there, and those of them that are going or not Ready. */
  counts: ReadonlyMap<string, { total: number; disrupted: number }>;
  version: string;
  /** Nodes are being given up: only expiry does not wait for that. */
  busy: boolean;
  /** The cluster is shifted away from a zone: nothing is given up that need not be. */
  isShifted?: boolean;
  nowMs: number;
}

export interface LifeDecision {
  retire: { instanceId: string; why: Retirement }[];
  /** One of these may go next, once others serve in its place: instance ids, in the order to try. */
  drifted: string[];
  nextCheckMs?: number;
}

interface Due {
  instance: LivingInstance;
  why: Retirement;
  atMs: number;
  /** Budgets bind it. */
  voluntary: boolean;
}

const REASONS: Readonly<Record<"drift" | "empty", DisruptionReason>> = { drift: "Drifted", empty: "Empty" };

export function decideLife(view: LifeView): LifeDecision {
  const { nowMs } = view;
  const due = view.instances.flatMap((instance) => turnsOf(view, instance));
  const now = due.filter(({ atMs }) => atMs <= nowMs);
  const retired = new Map<string, Retirement>();
  for (const { instance, why, voluntary } of now) if (!voluntary) retired.set(instance.instanceId, why);
  const drifted = view.isShifted ? [] : retireWithinBudgets(view, now, retired);
  const later = due.filter(({ atMs }) => atMs > nowMs).map(({ atMs }) => atMs);
  return {
    retire: [...retired].map(([instanceId, why]) => ({ instanceId, why })),
    drifted,
    ...(later.length > 0 ? { nextCheckMs: Math.min(...later) } : {}),
  };
}

/** What will become of an instance, and when. */
function turnsOf({ pools, version, nowMs }: LifeView, instance: LivingInstance): Due[] {
  const pool = pools.get(instance.nodePool?.name ?? "");
  // Node claims go with their pool.
  if (!pool) return [{ instance, why: "drift", atMs: nowMs, voluntary: false }];
  const lifeMs = Math.min(MAX_LIFE_MS, karpenterDurationMs(pool.expireAfter) ?? DEFAULT_EXPIRY_MS);
  const waitMs = karpenterDurationMs(pool.consolidateAfter) ?? DEFAULT_CONSOLIDATION_MS;
  const drifted = instance.version !== version || hasDrifted(instance, pool);
  return [
    { instance, why: "expired", atMs: instance.launchedAtMs + lifeMs, voluntary: false },
    ...(drifted ? [{ instance, why: "drift" as const, atMs: nowMs, voluntary: true }] : []),
    ...(instance.emptySinceMs === undefined || waitMs === Number.POSITIVE_INFINITY
      ? []
      : [{ instance, why: "empty" as const, atMs: instance.emptySinceMs + waitMs, voluntary: true }]),
  ];
}

/** Whether the pool would not make this node any more. Labels that only requirements know are the node's own. */
function hasDrifted({ nodePool }: LivingInstance, pool: PoolLife): boolean {
  if (!nodePool) return false;
  const { labels = {}, taints, requirements = [] } = pool;
  const sameLabels = Object.entries(labels).every(([key, value]) => nodePool.labels[key] === value);
  const sameTaints = taints === undefined || JSON.stringify(taints) === JSON.stringify(nodePool.taints);
  return !sameLabels || !sameTaints || !meets(nodePool.labels, requirements);
}

/** Notes the empty ones that go, and gives those that have drifted and may go. */
function retireWithinBudgets(view: LifeView, now: readonly Due[], retired: Map<string, Retirement>): string[] {
  const spent = new Map<string, number>();
  const mayGo = (reason: "drift" | "empty", { instance }: Due): boolean => {
    if (retired.has(instance.instanceId) || instance.replacementId !== undefined) return false;
    const name = instance.nodePool?.name ?? "";
    const { total, disrupted } = view.counts.get(name) ?? { total: 0, disrupted: 0 };
    const used = spent.get(name) ?? 0;
    const budgets = view.pools.get(name)?.budgets;
    return allowedDisruptions(budgets, REASONS[reason], { total, disrupted: disrupted + used }) >= 1;
  };
  const voluntary = (reason: "drift" | "empty"): Due[] => now.filter((each) => each.voluntary && each.why === reason);
  for (const each of voluntary("empty")) {
    if (!mayGo("empty", each)) continue;
    const name = each.instance.nodePool?.name ?? "";
    spent.set(name, (spent.get(name) ?? 0) + 1);
    retired.set(each.instance.instanceId, "empty");
  }
  // One node at a time follows its pool or the control plane.
  if (view.busy || retired.size > 0) return [];
  return voluntary("drift")
    .filter((each) => mayGo("drift", each))
    .map(({ instance }) => instance.instanceId);
}
