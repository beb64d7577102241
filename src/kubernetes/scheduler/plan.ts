import type { Random } from "../../clock/random.js";
import type { NodeInfo } from "./node-info.js";
import { type FilterPlugin, type NodeFilter, type Refusal, refuseForGood } from "./plugin.js";
import { FILTERS, SCORES } from "./plugins/index.js";
import type { PodInfo } from "./pod-info.js";
import type { ClusterSnapshot } from "./snapshot.js";

/** Which node a pod should go to: pure planning over a snapshot. The driver around it talks to the API server. */

/** Why no node would do. */
export interface Diagnosis {
  /** Nodes in the cluster. */
  total: number;
  /** A refusal that concerns no node in particular. */
  general: Refusal | undefined;
  refusals: ReadonlyMap<NodeInfo, Refusal>;
  /** Plugins that refused. */
  plugins: ReadonlySet<FilterPlugin>;
}

export type Plan = { node: NodeInfo } | { diagnosis: Diagnosis };

export interface PlanOptions {
  random: Random;
  /** Where to begin among the nodes, so that sampling goes around; moved on by each plan. */
  cursor: { index: number };
  /** Pods that preemption made room for, by node: what is planned must leave them their room. */
  nominated?: (node: NodeInfo, pod: PodInfo) => readonly PodInfo[];
  nominatedNode?: string;
}

/** numFeasibleNodesToFind with percentageOfNodesToScore unset: all up to 100 nodes, then 50 % falling to 5 %. */
export function nodesToFind(total: number): number {
  if (total < 100) return total;
  const percentage = Math.max(5, 50 - Math.floor(total / 125));
  return Math.max(100, Math.floor((total * percentage) / 100));
}

/** The filters that concern one pod. */
export interface PreparedFilters {
  filters: readonly { plugin: FilterPlugin; filter: NodeFilter }[];
  /** A plugin that found no node at all could do. */
  general?: { plugin: FilterPlugin; refusal: Refusal };
}

export function prepareFilters(pod: PodInfo, cluster: ClusterSnapshot): PreparedFilters {
  const filters: { plugin: FilterPlugin; filter: NodeFilter }[] = [];
  for (const plugin of FILTERS) {
    const answer = plugin.prepare(pod, cluster);
    if (answer === undefined) continue;
    if (typeof answer !== "function") return { filters: [], general: { plugin, refusal: answer } };
    filters.push({ plugin, filter: answer });
  }
  return { filters };
}

type Verdict = { plugin: FilterPlugin; refusal: Refusal } | undefined;

export function judge({ filters }: PreparedFilters, node: NodeInfo): Verdict {
  for (const { plugin, filter } of filters) {
    const refusal = filter(node);
    if (refusal) return { plugin, refusal };
  }
  return undefined;
}

/** The verdict on a node where room is kept for nominated pods: it must hold both with and without them. */
function judgeBeside(
  pod: PodInfo,
  node: NodeInfo,
  prepared: PreparedFilters,
  cluster: ClusterSnapshot,
  kept: readonly PodInfo[],
): Verdict {
  const crowded = cluster.supposing(node, [], kept, () => judge(prepareFilters(pod, cluster), node));
  return crowded ?? judge(prepared, node);
}

const ELSEWHERE = refuseForGood("node(s) didn't satisfy plugin(s) [NodeAffinity]");

export function planPod(pod: PodInfo, cluster: ClusterSnapshot, options: PlanOptions): Plan {
  const all = cluster.nodes();
  const refusals = new Map<NodeInfo, Refusal>();
  const plugins = new Set<FilterPlugin>();
  const prepared = prepareFilters(pod, cluster);
  if (prepared.general) {
    plugins.add(prepared.general.plugin);
    return { diagnosis: { total: all.length, general: prepared.general.refusal, refusals, plugins } };
  }

  const passes = (node: NodeInfo): boolean => {
    const kept = options.nominated?.(node, pod) ?? [];
    const verdict = kept.length > 0 ? judgeBeside(pod, node, prepared, cluster, kept) : judge(prepared, node);
    if (!verdict) return true;
    refusals.set(node, verdict.refusal);
    plugins.add(verdict.plugin);
    return false;
  };

  // The node that preemption cleared comes first: if it fits now, nothing else is looked at.
  const cleared = options.nominatedNode ? cluster.node(options.nominatedNode) : undefined;
  if (cleared && passes(cleared)) return { node: cleared };
  refusals.clear();

  const names = pod.demand.nodeNames;
  const candidates = names ? names.map((name) => cluster.node(name)).filter((node) => node !== undefined) : all;
  const wanted = nodesToFind(candidates.length);
  const start = candidates.length === 0 || names ? 0 : options.cursor.index % candidates.length;
  const feasible: NodeInfo[] = [];
  let seen = 0;
  while (seen < candidates.length && feasible.length < wanted) {
    const node = candidates[(start + seen++) % candidates.length] as NodeInfo;
    if (passes(node)) feasible.push(node);
  }
  if (!names) options.cursor.index = candidates.length === 0 ? 0 : (start + seen) % candidates.length;
  const node = choose(pod, feasible, cluster, options.random);
  if (node) return { node };
  if (names) for (const other of all) if (!refusals.has(other)) refusals.set(other, ELSEWHERE);
  return { diagnosis: { total: all.length, general: undefined, refusals, plugins } };
}

/** The node with the highest sum of weighted scores; ties are broken by chance. */
function choose(
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  cluster: ClusterSnapshot,
  random: Random,
): NodeInfo | undefined {
  if (nodes.length <= 1) return nodes[0];
  const totals = new Float64Array(nodes.length);
  for (const plugin of SCORES) {
    const score = plugin.prepare(pod, cluster, nodes);
    if (!score) continue;
    const scores = new Float64Array(nodes.length);
    for (let i = 0; i < nodes.length; i++) scores[i] = score(nodes[i] as NodeInfo);
    plugin.normalise?.(scores, nodes);
    for (let i = 0; i < nodes.length; i++) (totals[i] as number) += plugin.weight * (scores[i] as number);
  }
  let best = 0;
  let ties = 1;
  for (let i = 1; i < nodes.length; i++) {
    const difference = (totals[i] as number) - (totals[best] as number);
    if (difference > 0) {
      best = i;
      ties = 1;
    } else if (difference === 0) {
      ties++;
      if (random.integer(1, ties) === 1) best = i;
    }
  }
  return nodes[best];
}

/** `2 node(s) were unschedulable, 4 Insufficient cpu`: how many nodes gave which reason, sorted as text. */
export function countReasons(refusals: Iterable<Refusal>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of refusals) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

/** The text of FailedScheduling and of the PodScheduled condition, as upstream's FitError words it. */
export function describe({ total, general, refusals }: Diagnosis, afterwards = ""): string {
  if (total === 0) return "no nodes available to schedule pods";
  const why = general ? general.reasons.join(", ") : countReasons(refusals.values());
  return `0/${total} nodes are available:${why ? ` ${why}.` : ""}${afterwards ? ` ${afterwards}` : ""}`;
}
