import { matcherOf } from "../runtime/label-selector.js";
import type { PodDisruptionBudget } from "../schema/generated/types.js";
import type { NodeInfo } from "./node-info.js";
import { countReasons, type Diagnosis, judge, prepareFilters } from "./plan.js";
import { type Refusal, refuseForGood } from "./plugin.js";
import type { PodInfo } from "./pod-info.js";
import type { ClusterSnapshot } from "./snapshot.js";

/** DefaultPreemption: which pods of lower priority to evict so that one of higher priority fits. Pure planning, too. */

export interface Preemption {
  node: NodeInfo;
  /** Most important first. */
  victims: readonly PodInfo[];
}

export type PreemptionPlan = Preemption | { message: string };

interface Candidate extends Preemption {
  violations: number;
}

const NOT_HELPFUL = refuseForGood("Preemption is not helpful for scheduling");
const NO_VICTIMS = refuseForGood("No preemption victims found for incoming pod");

/** Candidates looked for at least, and as a share of the nodes (DefaultPreemptionArgs). */
const MIN_CANDIDATES = 100;
const CANDIDATE_SHARE = 0.1;

const startMs = (pod: PodInfo): number =>
  Date.parse(pod.pod.status?.startTime ?? pod.pod.metadata.creationTimestamp ?? "") || 0;

/** util.MoreImportantPod: higher priority, then the one that has run longer. */
const byImportance = (a: PodInfo, b: PodInfo): number => b.priority - a.priority || startMs(a) - startMs(b);

/** Splits pods by whether evicting them, on top of those before, would break a disruption budget. */
function splitByBudgets(
  pods: readonly PodInfo[],
  budgets: readonly PodDisruptionBudget[],
): { violating: PodInfo[]; others: PodInfo[] } {
  const left = budgets.map((budget) => budget.status?.disruptionsAllowed ?? 0);
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of pods) {
    let breaks = false;
    budgets.forEach((budget, i) => {
      const covers =
        budget.metadata.namespace === pod.namespace &&
        matcherOf(budget.spec?.selector)(pod.labels) &&
        budget.status?.disruptedPods?.[pod.pod.metadata.name] === undefined;
      if (!covers) return;
      left[i] = (left[i] as number) - 1;
      if ((left[i] as number) < 0) breaks = true;
    });
    (breaks ? violating : others).push(pod);
  }
  return { violating, others };
}

/** The fewest victims on `node`, or why evicting there is of no use. */
function victimsOn(
  pod: PodInfo,
  node: NodeInfo,
  cluster: ClusterSnapshot,
  { budgets, nominated }: Pick<PreemptionOptions, "budgets" | "nominated">,
): Candidate | Refusal {
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return NO_VICTIMS;
  const kept = nominated?.(node, pod) ?? [];
  const judged = (gone: readonly PodInfo[], extra: readonly PodInfo[]): Refusal | undefined =>
    cluster.supposing(node, gone, extra, () => {
      const prepared = prepareFilters(pod, cluster);
      return prepared.general?.refusal ?? judge(prepared, node)?.refusal;
    });
  // Room that was promised to others is not there to be won; and it must do without them, too, should they go elsewhere.
  const fitsWithout = (gone: readonly PodInfo[]): Refusal | undefined =>
    (kept.length > 0 ? judged(gone, kept) : undefined) ?? judged(gone, []);
  const refusal = fitsWithout(lower);
  if (refusal) return refusal;
  // Then spare as many as possible, those protected by a budget first, the more important before the less.
  const { violating, others } = splitByBudgets(lower.sort(byImportance), budgets);
  let victims = lower;
  let violations = 0;
  const spare = (candidate: PodInfo): boolean => {
    const without = victims.filter((victim) => victim !== candidate);
    if (fitsWithout(without)) return false;
    victims = without;
    return true;
  };
  for (const candidate of violating) if (!spare(candidate)) violations++;
  for (const candidate of others) spare(candidate);
  return { node, victims, violations };
}

/** pickOneNodeForPreemption, rule by rule: lower is better. */
const CRITERIA: readonly ((candidate: Candidate) => number)[] = [
  (candidate) => candidate.violations,
  (candidate) => Math.max(...candidate.victims.map((victim) => victim.priority)),
  // Sums are made of non-negative terms, so that many low priorities count for more than one.
  (candidate) => candidate.victims.reduce((sum, victim) => sum + victim.priority + 2 ** 31, 0),
  (candidate) => candidate.victims.length,
  (candidate) => {
    const highest = Math.max(...candidate.victims.map((victim) => victim.priority));
    return -Math.min(...candidate.victims.filter((victim) => victim.priority === highest).map(startMs));
  },
];

function better(a: Candidate, b: Candidate): Candidate {
  for (const criterion of CRITERIA) {
    const difference = criterion(a) - criterion(b);
    if (difference !== 0) return difference < 0 ? a : b;
  }
  return a;
}

/** Evicted by a scheduler, and not gone yet: there is nothing to do but wait. Pods that leave for other reasons do not count, as upstream. */
const isLeavingForPreemption = ({ pod, terminating }: PodInfo): boolean =>
  terminating &&
  (pod.status?.conditions ?? []).some(
    ({ type, status, reason }) =>
      type === "DisruptionTarget" && status === "True" && reason === "PreemptionByScheduler",
  );

export interface PreemptionOptions {
  budgets: readonly PodDisruptionBudget[];
  /** First node looked at: upstream draws it at random. */
  offset: number;
  /** The node cleared for this pod earlier. */
  nominatedNode: string | undefined;
  /** Pods of at least the same priority that were promised room on a node. */
  nominated?: (node: NodeInfo, pod: PodInfo) => readonly PodInfo[];
}

/** Which node to clear for `pod`, after `diagnosis` said that nothing is free. */
export function planPreemption(
  pod: PodInfo,
  diagnosis: Diagnosis,
  cluster: ClusterSnapshot,
  options: PreemptionOptions,
): PreemptionPlan {
  const { offset, nominatedNode } = options;
  if (pod.pod.spec?.preemptionPolicy === "Never") return { message: "not eligible due to preemptionPolicy=Never." };
  const nominated = nominatedNode ? cluster.node(nominatedNode) : undefined;
  if (nominated && !diagnosis.refusals.get(nominated)?.unresolvable)
    for (const other of nominated.pods.values())
      if (other.priority < pod.priority && isLeavingForPreemption(other))
        return { message: "not eligible due to a terminating pod on the nominated node." };

  const outcomes = new Map<NodeInfo, Refusal>();
  const possible: NodeInfo[] = [];
  for (const node of cluster.nodes()) {
    const refusal = diagnosis.general ?? diagnosis.refusals.get(node);
    if (!refusal || refusal.unresolvable) outcomes.set(node, NOT_HELPFUL);
    else possible.push(node);
  }
  const wanted = Math.max(MIN_CANDIDATES, Math.floor(possible.length * CANDIDATE_SHARE));
  let best: Candidate | undefined;
  let found = 0;
  for (let i = 0; i < possible.length && found < wanted; i++) {
    const node = possible[(offset + i) % possible.length] as NodeInfo;
    const outcome = victimsOn(pod, node, cluster, options);
    if ("reasons" in outcome) outcomes.set(node, outcome);
    else {
      found++;
      best = best ? better(best, outcome) : outcome;
    }
  }
  if (best) return best;
  return { message: `0/${diagnosis.total} nodes are available: ${countReasons(outcomes.values())}.` };
}
