import { nodeMatchesPodAffinity } from "../../runtime/node-affinity.js";
import type { Node, PodSpec, TopologySpreadConstraint } from "../../schema/generated/types.js";
import type { NodeInfo } from "../node-info.js";
import { type FilterPlugin, MAX_SCORE, refuse, refuseForGood, type ScorePlugin } from "../plugin.js";
import type { PodInfo } from "../pod-info.js";
import type { PodCounts, PodSet } from "../pod-sets.js";
import type { ClusterSnapshot } from "../snapshot.js";

/** PodTopologySpread: even numbers of like pods over zones, hosts or any other topology. */

const HOSTNAME = "kubernetes.io/hostname";
const SKEWED = refuse("node(s) didn't match pod topology spread constraints");
const NO_DOMAIN = refuseForGood("node(s) didn't match pod topology spread constraints (missing required label)");

/** The cluster-level constraints of kube-scheduler for pods without their own, when they belong to a Service or controller. */
const DEFAULT_CONSTRAINTS: readonly Pick<TopologySpreadConstraint, "topologyKey" | "maxSkew">[] = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", maxSkew: 5 },
];

interface Constraint {
  topologyKey: string;
  maxSkew: number;
  minDomains: number;
  pods: PodSet;
  /** Does the node count for this constraint? */
  includes: (node: NodeInfo) => boolean;
}

const everyNode = (): boolean => true;

function inclusionOf(pod: PodInfo, source: TopologySpreadConstraint): (node: NodeInfo) => boolean {
  const byAffinity = source.nodeAffinityPolicy !== "Ignore" && pod.demand.hasNodeAffinity;
  const byTaints = source.nodeTaintsPolicy === "Honor";
  if (!byAffinity && !byTaints) return everyNode;
  const spec = pod.pod.spec as PodSpec;
  return (node) =>
    (!byAffinity || nodeMatchesPodAffinity(node.node as Node, spec)) &&
    (!byTaints || node.hardTaints.every(pod.demand.tolerates));
}

function ownConstraints(pod: PodInfo, cluster: ClusterSnapshot, whenUnsatisfiable: string): Constraint[] {
  const constraints: Constraint[] = [];
  for (const source of pod.demand.spread) {
    if (source.whenUnsatisfiable !== whenUnsatisfiable) continue;
    constraints.push({
      topologyKey: source.topologyKey,
      maxSkew: source.maxSkew,
      minDomains: source.minDomains ?? 1,
      pods: cluster.podSets.make({ namespaces: [pod.namespace], selectors: [source.labelSelector], living: true }),
      includes: inclusionOf(pod, source),
    });
  }
  return constraints;
}

function defaultConstraints(pod: PodInfo, cluster: ClusterSnapshot): Constraint[] {
  const selectors = cluster.lookups.groupSelectors(pod);
  if (selectors.length === 0) return [];
  const pods = cluster.podSets.make({ namespaces: [pod.namespace], selectors, living: true });
  const includes = inclusionOf(pod, {
    ...DEFAULT_CONSTRAINTS[0],
    whenUnsatisfiable: "ScheduleAnyway",
  } as TopologySpreadConstraint);
  return DEFAULT_CONSTRAINTS.map((source) => ({ ...source, minDomains: 1, pods, includes }));
}

const hasLabels = (node: NodeInfo, constraints: readonly Constraint[]): boolean =>
  constraints.every(({ topologyKey }) => node.labels[topologyKey] !== undefined);

export const podTopologySpread: FilterPlugin = {
  name: "PodTopologySpread",
  wakesOn: ["node", "podGone", "podPlaced"],
  prepare: (pod, cluster) => {
    if (pod.demand.spread.length === 0) return undefined;
    const constraints = ownConstraints(pod, cluster, "DoNotSchedule");
    if (constraints.length === 0) return undefined;
    const judged = constraints.map((constraint) => {
      const { topologyKey, pods, minDomains } = constraint;
      const counts = cluster.podSets.count(pods);
      const domains = new Map<string, number>();
      for (const node of cluster.nodes()) {
        // Only nodes that have all the keys take part: one without could never be chosen.
        if (!hasLabels(node, constraints) || !constraint.includes(node)) continue;
        const domain = node.labels[topologyKey] as string;
        domains.set(domain, (domains.get(domain) ?? 0) + (counts.get(node) ?? 0));
      }
      let min = Number.POSITIVE_INFINITY;
      for (const number of domains.values()) if (number < min) min = number;
      // Too few domains: as though an empty one existed (minDomains).
      if (domains.size < minDomains || domains.size === 0) min = 0;
      return { ...constraint, domains, min, self: pods.matches(pod) ? 1 : 0 };
    });
    return (node) => {
      for (const { topologyKey, domains, min, self, maxSkew } of judged) {
        const domain = node.labels[topologyKey];
        if (domain === undefined) return NO_DOMAIN;
        if ((domains.get(domain) ?? 0) + self - min > maxSkew) return SKEWED;
      }
      return undefined;
    };
  },
};

interface Preference extends Constraint {
  counts: PodCounts;
  /** Pods by domain; undefined for host names, where a node is its own domain. */
  domains: Map<string, number> | undefined;
  weight: number;
}

/** Raw score of nodes that lack a topology key: they take no part, and get nothing. */
const IGNORED = -1;

/** Prefers nodes whose domains hold few like pods: ScheduleAnyway constraints, or the defaults. */
export const spreadEvenly: ScorePlugin = {
  name: "PodTopologySpread",
  weight: 2,
  prepare: (pod, cluster, nodes) => {
    const own = pod.demand.spread.length > 0;
    const constraints = own ? ownConstraints(pod, cluster, "ScheduleAnyway") : defaultConstraints(pod, cluster);
    if (constraints.length === 0) return undefined;
    // The defaults do not ask for all labels: clusters without zones spread over hosts all the same.
    const takesPart = (node: NodeInfo): boolean => !own || hasLabels(node, constraints);
    const taking = own ? nodes.filter(takesPart) : nodes;
    const preferences: Preference[] = constraints.map((constraint) => {
      const counts = cluster.podSets.count(constraint.pods);
      if (constraint.topologyKey === HOSTNAME)
        return { ...constraint, counts, domains: undefined, weight: Math.log(taking.length + 2) };
      const domains = new Map<string, number>();
      for (const node of taking) {
        const domain = node.labels[constraint.topologyKey];
        if (domain !== undefined) domains.set(domain, 0);
      }
      for (const [node, count] of counts) {
        const domain = node.labels[constraint.topologyKey];
        const present = domain === undefined ? undefined : domains.get(domain);
        if (present !== undefined && takesPart(node) && node.node && constraint.includes(node))
          domains.set(domain as string, present + count);
      }
      return { ...constraint, counts, domains, weight: Math.log(domains.size + 2) };
    });
    return (node) => {
      if (!takesPart(node)) return IGNORED;
      let score = 0;
      for (const { topologyKey, counts, domains, weight, maxSkew } of preferences) {
        const domain = node.labels[topologyKey];
        if (domain === undefined) continue;
        const count = domains ? (domains.get(domain) ?? 0) : (counts.get(node) ?? 0);
        score += count * weight + (maxSkew - 1);
      }
      return Math.round(score);
    };
  },
  normalise: (scores) => {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const score of scores) {
      if (score === IGNORED) continue;
      min = Math.min(min, score);
      max = Math.max(max, score);
    }
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i] as number;
      if (score === IGNORED) scores[i] = 0;
      else scores[i] = max === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (max + min - score)) / max);
    }
  },
};
