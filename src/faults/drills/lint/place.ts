/**
 * Where pods find a place once their nodes are gone: a scheduler in small, with the filters of kube-scheduler, its preemption, and its liking for the emptiest
 * node. Only demands count; wishes do not.
 */
import { lacking, sum } from "./amounts.js";
import type { Amounts, ClaimFacts, NodeFacts, PodFacts } from "./facts.js";
import { isMeantBy, isTaintedFor, isWantedBy, matches, portsClash, reaches } from "./match.js";

/** Why no node takes a pod: `volume` = none reaches its volume, `claim` = its volume is in use on another node. */
export type Obstacle =
  | { why: "nodes" | "taints" | "volume" | "claim" | "ports" | "apart" | "together" | "spread" }
  | { why: "room"; of: readonly string[] };

export interface Placement {
  pod: PodFacts;
  node?: NodeFacts;
  /** What stands in the way, on one node or another; empty when there is a place. */
  obstacles: readonly Obstacle[];
}

export interface Placements {
  placed: readonly Placement[];
  /** Pods of lower priority that had to go. */
  pushedOut: readonly PodFacts[];
}

interface Place {
  node: NodeFacts;
  pods: PodFacts[];
  used: Amounts;
}

type Judge = (place: Place) => Obstacle | undefined;

/**
 * Finds places for `pods` on `nodes`, which already have the pods in `running`. Once by falling priority and size on the emptiest node, as the scheduler
 * would; and when that leaves some out, once more with each on the fullest that takes it, for the order of a real cluster is anybody's guess.
 */
export function place(
  pods: readonly PodFacts[],
  nodes: readonly NodeFacts[],
  running: readonly PodFacts[],
  claims: readonly ClaimFacts[],
): Placements {
  const spreading = attempt(pods, nodes, running, claims, "emptiest");
  if (spreading.placed.every(({ node }) => node) && spreading.pushedOut.length === 0) return spreading;
  const packing = attempt(pods, nodes, running, claims, "fullest");
  return lossOf(packing) < lossOf(spreading) ? packing : spreading;
}

const lossOf = ({ placed, pushedOut }: Placements): number =>
  placed.filter(({ node }) => !node).length + pushedOut.length;

function attempt(
  pods: readonly PodFacts[],
  nodes: readonly NodeFacts[],
  running: readonly PodFacts[],
  claims: readonly ClaimFacts[],
  preferred: "emptiest" | "fullest",
): Placements {
  const places = new Map(nodes.map((node): [string, Place] => [node.name, { node, pods: [], used: {} }]));
  for (const pod of running) {
    const found = places.get(pod.node ?? "");
    if (found) settle(found, pod);
  }
  const pushedOut: PodFacts[] = [];
  const placed: Placement[] = [];
  const size = ({ requests }: PodFacts): number => (requests.cpu ?? 0) + (requests.memory ?? 0) / 2 ** 21;
  const order = [...pods].sort(
    (a, b) => b.priority - a.priority || size(b) - size(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  for (const pod of order) {
    const all = [...places.values()];
    const judge = judgeOf(pod, all, claims);
    const obstacles = new Map<string, Obstacle>();
    let best: { place: Place; fullness: number } | undefined;
    for (const candidate of all) {
      const obstacle = judge(candidate);
      if (obstacle) {
        obstacles.set(JSON.stringify(obstacle), obstacle);
        continue;
      }
      const fullness = fullnessOf(candidate);
      const isBetter = !best || (preferred === "emptiest" ? fullness < best.fullness : fullness > best.fullness);
      if (isBetter) best = { place: candidate, fullness };
    }
    const target = best?.place ?? makeRoom(pod, all, judge, pushedOut);
    if (target) settle(target, pod);
    placed.push(target ? { pod, node: target.node, obstacles: [] } : { pod, obstacles: [...obstacles.values()] });
  }
  return { placed, pushedOut };
}

function settle(place: Place, pod: PodFacts): void {
  place.pods.push(pod);
  place.used = sum(place.used, pod.requests);
}

function fullnessOf({ node, used }: Place): number {
  const shares = ["cpu", "memory"].map((name) => (used[name] ?? 0) / Math.max(1, node.allocatable[name] ?? 0));
  return shares.reduce((total, share) => total + share, 0);
}

const roomOf = ({ node, used }: Place): Amounts =>
  Object.fromEntries(Object.entries(node.allocatable).map(([name, amount]) => [name, amount - (used[name] ?? 0)]));

/** All filters in the scheduler's order; what the whole cluster says is worked out once a pod. */
function judgeOf(pod: PodFacts, places: readonly Place[], claims: readonly ClaimFacts[]): Judge {
  const own = claims.filter(({ namespace, name }) => namespace === pod.namespace && pod.claims.includes(name));
  const byDriver = driverCounts(own);
  const usersElsewhere = (place: Place): boolean =>
    own.some(
      (claim) =>
        claim.oneNode &&
        places.some(
          (other) =>
            other !== place &&
            other.pods.some(
              ({ namespace, claims: used }) => namespace === claim.namespace && used.includes(claim.name),
            ),
        ),
    );
  const neighbours = neighbourRules(pod, places);
  return (place) => {
    const { node } = place;
    if (!isWantedBy(pod, node)) return { why: "nodes" };
    if (isTaintedFor(pod, node) || !node.ready) return { why: "taints" };
    if (own.some((claim) => !reaches(claim, node))) return { why: "volume" };
    if (own.length > 0 && usersElsewhere(place)) return { why: "claim" };
    if (pod.hostPorts.length > 0 && place.pods.some(({ hostPorts }) => portsClash(pod.hostPorts, hostPorts)))
      return { why: "ports" };
    const missing = lacking(roomOf(place), withVolumes(pod.requests, byDriver, node));
    if (missing.length > 0) return { why: "room", of: missing };
    return neighbours(place);
  };
}

function driverCounts(claims: readonly ClaimFacts[]): Amounts {
  const counts: Record<string, number> = {};
  for (const { driver } of claims) if (driver) counts[`volumes:${driver}`] = (counts[`volumes:${driver}`] ?? 0) + 1;
  return counts;
}

/** Attachments count only where the node says how many it has. */
const withVolumes = (requests: Amounts, volumes: Amounts, { allocatable }: NodeFacts): Amounts => ({
  ...requests,
  ...Object.fromEntries(Object.entries(volumes).filter(([name]) => name in allocatable)),
});

/** Affinity, anti-affinity (of the pod, and of those that are there against it) and demanded spread. */
function neighbourRules(pod: PodFacts, places: readonly Place[]): Judge {
  const domain = ({ node }: Place, key: string): string | undefined => node.labels[key];
  const eligible = places.filter(({ node }) => isWantedBy(pod, node));
  const repelledFrom = new Set<string>();
  for (const { node, pods } of places) {
    for (const other of pods) {
      for (const term of other.apart)
        if (isMeantBy(term, pod)) repelledFrom.add(`${term.topologyKey}=${node.labels[term.topologyKey]}`);
      for (const term of pod.apart)
        if (isMeantBy(term, other)) repelledFrom.add(`${term.topologyKey}=${node.labels[term.topologyKey]}`);
    }
  }
  const keys = new Set([...repelledFrom].map((at) => at.slice(0, at.indexOf("="))));
  const spreads = pod.spread.map((rule) => {
    const counts = new Map<string, number>();
    for (const candidate of eligible) {
      const at = domain(candidate, rule.topologyKey);
      if (at === undefined) continue;
      const here = candidate.pods.filter(
        (other) => other.namespace === pod.namespace && !other.terminating && matches(rule.selector, other.labels),
      ).length;
      counts.set(at, (counts.get(at) ?? 0) + here);
    }
    const least = counts.size < (rule.minDomains ?? 1) ? 0 : Math.min(...counts.values());
    return { rule, counts, least, self: matches(rule.selector, pod.labels) ? 1 : 0 };
  });
  const companions = pod.together.map((term) => {
    const at = new Set<string | undefined>();
    for (const candidate of places)
      if (candidate.pods.some((other) => isMeantBy(term, other))) at.add(domain(candidate, term.topologyKey));
    return { term, at, isFirst: at.size === 0 && isMeantBy(term, pod) };
  });
  return (place) => {
    for (const { rule, counts, least, self } of spreads) {
      const count = counts.get(domain(place, rule.topologyKey) ?? "");
      if (count === undefined || count + self - least > rule.maxSkew) return { why: "spread" };
    }
    for (const { term, at, isFirst } of companions) {
      const here = domain(place, term.topologyKey);
      if (here === undefined || !(at.has(here) || isFirst)) return { why: "together" };
    }
    for (const key of keys) if (repelledFrom.has(`${key}=${place.node.labels[key]}`)) return { why: "apart" };
    return undefined;
  };
}

/** Preemption: the node on which the fewest pods of lower priority have to go for this one, the least important of them first. */
function makeRoom(pod: PodFacts, places: readonly Place[], judge: Judge, pushedOut: PodFacts[]): Place | undefined {
  if (!pod.preempts) return undefined;
  let best: { place: Place; rest: PodFacts[]; victims: PodFacts[] } | undefined;
  for (const place of places) {
    const lesser = place.pods.filter(({ priority }) => priority < pod.priority).sort((a, b) => a.priority - b.priority);
    const victims: PodFacts[] = [];
    let left: Place = place;
    while (judge(left)?.why === "room" && victims.length < lesser.length) {
      victims.push(lesser[victims.length] as PodFacts);
      const pods = place.pods.filter((one) => !victims.includes(one));
      left = { node: place.node, pods, used: sum({}, ...pods.map(({ requests }) => requests)) };
    }
    if (judge(left) || victims.length === 0) continue;
    if (!best || victims.length < best.victims.length) best = { place, rest: left.pods, victims };
  }
  if (!best) return undefined;
  best.place.pods = best.rest;
  best.place.used = sum({}, ...best.rest.map(({ requests }) => requests));
  pushedOut.push(...best.victims);
  return best.place;
}
