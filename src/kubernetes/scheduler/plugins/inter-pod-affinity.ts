import type { NodeInfo } from "../node-info.js";
import { type FilterPlugin, MAX_SCORE, refuse, refuseForGood, type ScorePlugin } from "../plugin.js";
import type { AffinityTerm, PodInfo } from "../pod-info.js";
import type { PodCounts } from "../pod-sets.js";
import type { ClusterSnapshot } from "../snapshot.js";

/** InterPodAffinity: pods that want to be near others, or away from them. */

const REPELLED = refuse("node(s) didn't satisfy existing pods anti-affinity rules");
const NOT_NEAR = refuseForGood("node(s) didn't match pod affinity rules");
const TOO_NEAR = refuse("node(s) didn't match pod anti-affinity rules");

/** Values of `topologyKey` over the nodes that hold counted pods. */
function domainsOf(counts: PodCounts, topologyKey: string): Set<string> {
  const domains = new Set<string>();
  for (const node of counts.keys()) {
    const domain = node.labels[topologyKey];
    if (domain !== undefined) domains.add(domain);
  }
  return domains;
}

interface Barred {
  topologyKey: string;
  domains: Set<string>;
}

const isIn = (node: NodeInfo, { topologyKey, domains }: Barred): boolean => {
  const domain = node.labels[topologyKey];
  return domain !== undefined && domains.has(domain);
};

/** Domains with placed pods whose required anti-affinity is about `pod`. */
function repelledFrom(pod: PodInfo, cluster: ClusterSnapshot): Barred[] {
  const barred: Barred[] = [];
  for (const { term, counts } of cluster.repelling.values())
    if (term.pods.matches(pod))
      barred.push({ topologyKey: term.topologyKey, domains: domainsOf(counts, term.topologyKey) });
  return barred;
}

/** Nodes holding pods that match every one of `terms`, with their number. */
function matchingAll(terms: readonly AffinityTerm[], cluster: ClusterSnapshot): PodCounts {
  const [first, ...others] = terms as [AffinityTerm, ...AffinityTerm[]];
  const counts = cluster.podSets.count(first.pods);
  if (others.every((term) => term.pods === first.pods)) return counts;
  const together = new Map<NodeInfo, number>();
  for (const node of counts.keys()) {
    let number = 0;
    for (const placed of node.pods.values()) if (terms.every((term) => term.pods.matches(placed))) number++;
    if (number > 0) together.set(node, number);
  }
  return together;
}

export const interPodAffinity: FilterPlugin = {
  name: "InterPodAffinity",
  wakesOn: ["node", "podGone", "podPlaced", "namespace"],
  prepare: (pod, cluster) => {
    const repelled = cluster.repelling.size > 0 ? repelledFrom(pod, cluster) : [];
    const { required = [], requiredAnti = [] } = pod.affinity ?? {};
    if (repelled.length === 0 && required.length === 0 && requiredAnti.length === 0) return undefined;
    const avoided = requiredAnti.map((term) => ({
      topologyKey: term.topologyKey,
      domains: domainsOf(cluster.podSets.count(term.pods), term.topologyKey),
    }));
    const matching = required.length > 0 ? matchingAll(required, cluster) : undefined;
    const wanted = required.map(({ topologyKey }) => ({
      topologyKey,
      domains: domainsOf(matching as PodCounts, topologyKey),
    }));
    // The first of a group that wants to be together matches its own terms and may go anywhere with the topology.
    const isFirst =
      wanted.every(({ domains }) => domains.size === 0) && required.every((term) => term.pods.matches(pod));
    return (node) => {
      for (const want of wanted) {
        if (node.labels[want.topologyKey] === undefined) return NOT_NEAR;
        if (!isFirst && !isIn(node, want)) return NOT_NEAR;
      }
      for (const avoid of avoided) if (isIn(node, avoid)) return TOO_NEAR;
      for (const bar of repelled) if (isIn(node, bar)) return REPELLED;
      return undefined;
    };
  },
};

/** Preferred terms of the pod, and of the placed pods about it. */
export const preferredCompany: ScorePlugin = {
  name: "InterPodAffinity",
  weight: 2,
  prepare: (pod, cluster) => {
    const weights = new Map<string, Map<string, number>>();
    const add = (topologyKey: string, counts: PodCounts, weight: number): void => {
      let domains = weights.get(topologyKey);
      if (!domains) {
        domains = new Map();
        weights.set(topologyKey, domains);
      }
      for (const [node, count] of counts) {
        const domain = node.labels[topologyKey];
        if (domain !== undefined) domains.set(domain, (domains.get(domain) ?? 0) + weight * count);
      }
    };
    for (const term of pod.affinity?.preferred ?? [])
      add(term.topologyKey, cluster.podSets.count(term.pods), term.weight);
    for (const { term, weight, counts } of cluster.preferring.values())
      if (term.pods.matches(pod)) add(term.topologyKey, counts, weight);
    if (weights.size === 0) return undefined;
    return (node) => {
      let score = 0;
      for (const [topologyKey, domains] of weights) {
        const domain = node.labels[topologyKey];
        if (domain !== undefined) score += domains.get(domain) ?? 0;
      }
      return score;
    };
  },
  normalise: (scores) => {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const score of scores) {
      min = Math.min(min, score);
      max = Math.max(max, score);
    }
    for (let i = 0; i < scores.length; i++)
      scores[i] = max === min ? 0 : Math.floor((MAX_SCORE * ((scores[i] as number) - min)) / (max - min));
  },
};
