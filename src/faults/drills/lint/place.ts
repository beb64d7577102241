/**
 * Where pods find a place once their nodes are gone: a scheduler in small, with the filters of kube-scheduler, its preemption, and its liking for the emptiest
 * node. Only demands count; wishes do not.
 */
import { lacking } from "./amounts.js";
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

/** A node while places are being found. What it has left and whom it has are kept up to date: thousands of pods ask. */
interface Place {
  node: NodeFacts;
  pods: PodFacts[];
  room: Record<string, number>;
  /** Pods that count for spreads, by their kind (`kindOf`). */
  kinds: Map<string, number>;
}

/** What all of a search needs to know. */
interface Search {
  places: readonly Place[];
  /** By namespace and name. */
  claims: ReadonlyMap<string, ClaimFacts>;
  /** A pod of each kind: those of a kind match the same selectors. */
  kinds: Map<string, PodFacts>;
  kindNames: Map<PodFacts, string>;
  /** By node: pods that want certain others nowhere near. Mostly there are none. */
  repelling: Map<Place, PodFacts[]>;
}

/** Namespace and labels: all that selectors look at. */
function kindOf(pod: PodFacts, { kindNames }: Search): string {
  const known = kindNames.get(pod);
  if (known !== undefined) return known;
  const kind = JSON.stringify([pod.namespace, Object.entries(pod.labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
  kindNames.set(pod, kind);
  return kind;
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
  const places = new Map(nodes.map((node) => [node.name, emptyPlace(node)]));
  const search: Search = {
    places: [...places.values()],
    claims: new Map(claims.map((claim) => [`${claim.namespace}/${claim.name}`, claim])),
    kinds: new Map(),
    kindNames: new Map(),
    repelling: new Map(),
  };
  for (const pod of running) {
    const found = places.get(pod.node ?? "");
    if (found) settle(search, found, pod);
  }
  const pushedOut: PodFacts[] = [];
  const placed: Placement[] = [];
  const size = ({ requests }: PodFacts): number => (requests.cpu ?? 0) + (requests.memory ?? 0) / 2 ** 21;
  const order = [...pods].sort(
    (a, b) => b.priority - a.priority || size(b) - size(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  for (const pod of order) {
    const judge = judgeOf(pod, search);
    const obstacles = new Map<string, Obstacle>();
    let best: { place: Place; fullness: number } | undefined;
    for (const candidate of search.places) {
      const obstacle = judge(candidate);
      if (obstacle) {
        obstacles.set(obstacle.why === "room" ? obstacle.of.join() : obstacle.why, obstacle);
        continue;
      }
      const fullness = fullnessOf(candidate);
      const isBetter = !best || (preferred === "emptiest" ? fullness < best.fullness : fullness > best.fullness);
      if (isBetter) best = { place: candidate, fullness };
    }
    const target = best?.place ?? makeRoom(pod, search, judge, pushedOut);
    if (target) settle(search, target, pod);
    placed.push(target ? { pod, node: target.node, obstacles: [] } : { pod, obstacles: [...obstacles.values()] });
  }
  return { placed, pushedOut };
}

const emptyPlace = (node: NodeFacts): Place => ({ node, pods: [], room: { ...node.allocatable }, kinds: new Map() });

/** `sign` -1 takes it away again. */
function settle(search: Search, place: Place, pod: PodFacts, sign: 1 | -1 = 1): void {
  if (sign === 1) place.pods.push(pod);
  else place.pods = place.pods.filter((one) => one !== pod);
  for (const name in pod.requests) place.room[name] = (place.room[name] ?? 0) - sign * (pod.requests[name] ?? 0);
  if (pod.apart.length > 0) {
    const there = search.repelling.get(place) ?? [];
    search.repelling.set(place, sign === 1 ? [...there, pod] : there.filter((one) => one !== pod));
  }
  if (pod.terminating) return;
  const kind = kindOf(pod, search);
  search.kinds.set(kind, pod);
  place.kinds.set(kind, (place.kinds.get(kind) ?? 0) + sign);
}

function fullnessOf({ node: { allocatable }, room }: Place): number {
  const share = (name: string): number => 1 - (room[name] ?? 0) / Math.max(1, allocatable[name] ?? 0);
  return share("cpu") + share("memory");
}

/** All filters in the scheduler's order; what the whole cluster says is worked out once a pod. */
function judgeOf(pod: PodFacts, search: Search): Judge {
  const own = pod.claims.flatMap((name) => search.claims.get(`${pod.namespace}/${name}`) ?? []);
  const volumes = driverCounts(own);
  const users = usersOf(own, search);
  const neighbours = neighbourRules(pod, search);
  return (place) => {
    const { node } = place;
    if (!isWantedBy(pod, node)) return { why: "nodes" };
    if (isTaintedFor(pod, node) || !node.ready) return { why: "taints" };
    if (own.some((claim) => !reaches(claim, node))) return { why: "volume" };
    if (users.size > (users.has(node.name) ? 1 : 0)) return { why: "claim" };
    if (pod.hostPorts.length > 0 && place.pods.some(({ hostPorts }) => portsClash(pod.hostPorts, hostPorts)))
      return { why: "ports" };
    const missing = [
      ...lacking(place.room, pod.requests),
      // Attachments count only where the node says how many it has.
      ...lacking(place.room, volumes).filter((name) => name in node.allocatable),
    ];
    if (missing.length > 0) return { why: "room", of: missing };
    return neighbours(place);
  };
}

function driverCounts(claims: readonly ClaimFacts[]): Amounts {
  const counts: Record<string, number> = {};
  for (const { driver } of claims) if (driver) counts[`volumes:${driver}`] = (counts[`volumes:${driver}`] ?? 0) + 1;
  return counts;
}

/** Nodes with pods that use one of the claims which one node at a time may have. */
function usersOf(claims: readonly ClaimFacts[], { places }: Search): Set<string> {
  const alone = claims.filter(({ oneNode }) => oneNode);
  if (alone.length === 0) return new Set();
  const uses = ({ namespace, claims: used }: PodFacts): boolean =>
    alone.some((claim) => claim.namespace === namespace && used.includes(claim.name));
  return new Set(places.filter(({ pods }) => pods.some(uses)).map(({ node }) => node.name));
}

/** Affinity, anti-affinity (of the pod, and of those that are there against it) and demanded spread. */
function neighbourRules(pod: PodFacts, { places, kinds: known, repelling }: Search): Judge {
  const domain = ({ node }: Place, key: string): string | undefined => node.labels[key];
  /** How many of the pods that a selector means a node has. */
  const counter = (isMeant: (other: PodFacts) => boolean): ((place: Place) => number) => {
    const meant = [...known].filter(([, other]) => isMeant(other)).map(([kind]) => kind);
    return (place) => meant.reduce((total, kind) => total + (place.kinds.get(kind) ?? 0), 0);
  };
  const repelled: { key: string; from: Set<string | undefined> }[] = [];
  for (const [place, pods] of repelling)
    for (const term of pods.flatMap(({ apart }) => apart))
      if (isMeantBy(term, pod))
        repelled.push({ key: term.topologyKey, from: new Set([domain(place, term.topologyKey)]) });
  for (const term of pod.apart) {
    const count = counter((other) => isMeantBy(term, other));
    const there = places.filter((place) => count(place) > 0);
    repelled.push({ key: term.topologyKey, from: new Set(there.map((place) => domain(place, term.topologyKey))) });
  }
  const spreads = pod.spread.map((rule) => {
    const counts = new Map<string, number>();
    const count = counter((other) => other.namespace === pod.namespace && matches(rule.selector, other.labels));
    for (const candidate of places) {
      const at = domain(candidate, rule.topologyKey);
      // Nodes that the pod could not be on anyway do not count (nodeAffinityPolicy Honor).
      if (at === undefined || !isWantedBy(pod, candidate.node)) continue;
      counts.set(at, (counts.get(at) ?? 0) + count(candidate));
    }
    const least = counts.size < (rule.minDomains ?? 1) ? 0 : Math.min(...counts.values());
    return { rule, counts, least, self: matches(rule.selector, pod.labels) ? 1 : 0 };
  });
  const companions = pod.together.map((term) => {
    const count = counter((other) => isMeantBy(term, other));
    const at = new Set(places.filter((one) => count(one) > 0).map((one) => domain(one, term.topologyKey)));
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
    for (const { key, from } of repelled) {
      const here = domain(place, key);
      if (here !== undefined && from.has(here)) return { why: "apart" };
    }
    return undefined;
  };
}

/** Preemption: the node on which the fewest pods of lower priority have to go for this one, the least important of them first. */
function makeRoom(pod: PodFacts, search: Search, judge: Judge, pushedOut: PodFacts[]): Place | undefined {
  if (!pod.preempts) return undefined;
  let best: { place: Place; victims: PodFacts[] } | undefined;
  for (const place of search.places) {
    const lesser = place.pods.filter(({ priority }) => priority < pod.priority).sort((a, b) => a.priority - b.priority);
    if (lesser.length === 0) continue;
    const victims: PodFacts[] = [];
    while (judge(place)?.why === "room" && victims.length < lesser.length) {
      const victim = lesser[victims.length] as PodFacts;
      victims.push(victim);
      settle(search, place, victim, -1);
    }
    const fits = judge(place) === undefined;
    for (const victim of victims) settle(search, place, victim);
    if (fits && (!best || victims.length < best.victims.length)) best = { place, victims };
  }
  if (!best) return undefined;
  for (const victim of best.victims) settle(search, best.place, victim, -1);
  pushedOut.push(...best.victims);
  return best.place;
}
