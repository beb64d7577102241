import { conditionOf } from "../runtime/conditions.js";
import { isPodReady } from "../runtime/pods.js";
import type { Pod } from "../schema/generated/types.js";

/**
 * Which pods a ReplicaSet gives up first when it shrinks: upstream's ActivePodsWithRanks. Comparisons in order; a negative result means that the first
 * pod goes first.
 */
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

interface Ranked {
  pod: Pod;
  /** Related pods (of every ReplicaSet of the same Deployment) on the same node: those on crowded nodes go first. */
  doubledUp: number;
}

type Comparison = (a: Ranked, b: Ranked, nowMs: number) => number;

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

const phaseRank = (pod: Pod): number => PHASE_RANK[pod.status?.phase ?? "Pending"] ?? 0;

const deletionCost = (pod: Pod): number => {
  const text = pod.metadata.annotations?.[DELETION_COST];
  const cost = text === undefined ? 0 : Number(text);
  return Number.isInteger(cost) ? cost : 0;
};

const readySinceMs = (pod: Pod): number =>
  Date.parse(conditionOf(pod.status?.conditions, "Ready")?.lastTransitionTime ?? "");

const mostRestarts = (pod: Pod): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0));

/**
 * Younger first, by powers of two of the age: pods of about the same age are told apart by uid, which spreads the loss evenly (upstream's
 * LogarithmicScaleDown).
 */
const byAge = (aMs: number, bMs: number, nowMs: number): number => {
  const bucket = (sinceMs: number): number => (nowMs > sinceMs ? Math.floor(Math.log2((nowMs - sinceMs) * 1e6)) : -1);
  return bucket(aMs) - bucket(bMs);
};

const compareUid = (a: Pod, b: Pod): number => (a.metadata.uid < b.metadata.uid ? -1 : 1);

const COMPARISONS: readonly Comparison[] = [
  (a, b) => Number(Boolean(a.pod.spec?.nodeName)) - Number(Boolean(b.pod.spec?.nodeName)),
  (a, b) => phaseRank(a.pod) - phaseRank(b.pod),
  (a, b) => Number(isPodReady(a.pod)) - Number(isPodReady(b.pod)),
  (a, b) => deletionCost(a.pod) - deletionCost(b.pod),
  (a, b) => b.doubledUp - a.doubledUp,
  (a, b, nowMs) => {
    const [aMs, bMs] = [readySinceMs(a.pod), readySinceMs(b.pod)];
    if (!isPodReady(a.pod) || aMs === bMs || Number.isNaN(aMs) || Number.isNaN(bMs)) return 0;
    return byAge(aMs, bMs, nowMs) || compareUid(a.pod, b.pod);
  },
  (a, b) => mostRestarts(b.pod) - mostRestarts(a.pod),
  (a, b, nowMs) =>
    byAge(Date.parse(a.pod.metadata.creationTimestamp), Date.parse(b.pod.metadata.creationTimestamp), nowMs),
  (a, b) => compareUid(a.pod, b.pod),
];

/** The `count` pods of `pods` to delete. `related` are the pods that count as doubled up with them, the pods themselves included. */
export function podsToDelete(pods: readonly Pod[], related: readonly Pod[], count: number, nowMs: number): Pod[] {
  if (count >= pods.length) return [...pods];
  const perNode = new Map<string, number>();
  for (const { spec } of related) if (spec?.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
  const ranked = pods.map((pod): Ranked => ({ pod, doubledUp: perNode.get(pod.spec?.nodeName ?? "") ?? 0 }));
  ranked.sort((a, b) => {
    for (const compare of COMPARISONS) {
      const order = compare(a, b, nowMs);
      if (order !== 0) return order;
    }
    return 0;
  });
  return ranked.slice(0, count).map(({ pod }) => pod);
}
