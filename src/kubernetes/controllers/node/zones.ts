import type { Node } from "../../schema/generated/types.js";

/**
 * Disruption of zones, and how fast nodes are tainted NoExecute there. The parameters are those of the kube-controller-manager that EKS runs: upstream's
 * defaults but for the grace period and the size of a "large" zone, which no real cluster reaches, so that a partly disrupted zone is not evicted at all.
 */
export const NODE_LIFECYCLE = {
  /** --node-monitor-period */
  monitorPeriodMs: 5_000,
  /** --node-monitor-grace-period: silence after which a node counts as unreachable. */
  gracePeriodMs: 40_000,
  /** --node-startup-grace-period: the same for a node that never had a Ready condition. */
  startupGracePeriodMs: 60_000,
  /** --node-eviction-rate: nodes per second and zone. */
  evictionRate: 0.1,
  /** --secondary-node-eviction-rate: in a large zone that is partly disrupted. */
  secondaryEvictionRate: 0.01,
  /** --large-cluster-size-threshold: a zone of more nodes than this is large. */
  largeZoneNodes: 100_000,
  /** --unhealthy-zone-threshold: share of nodes that are not ready. */
  unhealthyZoneThreshold: 0.55,
  /** Nodes that may be unready without making a zone disrupted, however small it is. */
  unreadyAlwaysTolerated: 2,
} as const;

/** `Initial`: just seen for the first time. */
export type ZoneState = "Initial" | "Normal" | "PartialDisruption" | "FullDisruption";

const NO_DISRUPTION_CHECK = "node.kubernetes.io/exclude-disruption";

/** Region and zone: what failure domains are told apart by. Nodes without the labels make a zone of their own. */
export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {};
  const region = labels["topology.kubernetes.io/region"] ?? labels["failure-domain.beta.kubernetes.io/region"] ?? "";
  const zone = labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"] ?? "";
  return region || zone ? `${region}/${zone}` : "";
}

export const countsForDisruption = (node: Node): boolean => node.metadata.labels?.[NO_DISRUPTION_CHECK] === undefined;

export interface ZoneCount {
  ready: number;
  notReady: number;
}

/** Upstream's ComputeZoneState. */
export function zoneState({ ready, notReady }: ZoneCount): ZoneState {
  if (ready === 0 && notReady > 0) return "FullDisruption";
  const share = notReady / (ready + notReady);
  const partial = notReady > NODE_LIFECYCLE.unreadyAlwaysTolerated && share >= NODE_LIFECYCLE.unhealthyZoneThreshold;
  return partial ? "PartialDisruption" : "Normal";
}

/** Nodes per second that may be tainted NoExecute in a zone of `nodes` nodes. */
export function evictionRate(state: ZoneState, nodes: number): number {
  if (state !== "PartialDisruption") return NODE_LIFECYCLE.evictionRate;
  return nodes > NODE_LIFECYCLE.largeZoneNodes ? NODE_LIFECYCLE.secondaryEvictionRate : 0;
}

export type Disruption =
  /** Every zone is down: more likely our own view is cut off, so evictions stop and their taints go. */
  | { kind: "all-disrupted" }
  /** Some zone is back after all were down: every node gets a new grace period. */
  | { kind: "recovered"; rates: Map<string, number> }
  | { kind: "steady"; rates: Map<string, number> };

/**
 * What follows from the present counts, after upstream's handleDisruption. `states` is what was known before and is brought up to date; `rates` holds the
 * zones whose rate is to be set.
 */
export function judgeZones(states: Map<string, ZoneState>, counts: ReadonlyMap<string, ZoneCount>): Disruption {
  const allWereDown = states.size > 0 && [...states.values()].every((state) => state === "FullDisruption");
  for (const zone of states.keys()) if (!counts.has(zone)) states.delete(zone);
  const now = new Map([...counts].map(([zone, count]) => [zone, zoneState(count)] as const));
  const allAreDown = now.size > 0 && [...now.values()].every((state) => state === "FullDisruption");
  if (allAreDown) {
    for (const zone of now.keys()) states.set(zone, "FullDisruption");
    return allWereDown
      ? { kind: "steady", rates: new Map([...now.keys()].map((zone) => [zone, 0])) }
      : { kind: "all-disrupted" };
  }
  const rates = new Map<string, number>();
  for (const [zone, state] of now) {
    const { ready = 0, notReady = 0 } = counts.get(zone) ?? {};
    if (allWereDown || states.get(zone) !== state) rates.set(zone, evictionRate(state, ready + notReady));
    states.set(zone, state);
  }
  return { kind: allWereDown ? "recovered" : "steady", rates };
}
