/** What is wrong with a cluster before any zone is lost: budgets that block drains, node groups in a single zone, pods that would never be moved. */
import { counted, listed, spanText } from "../report/wording.js";
import {
  type BudgetFacts,
  type LintFacts,
  type PodFacts,
  type WorkloadFacts,
  workloadKeyOf,
  zonesOf,
} from "./facts.js";
import { matches, stayOnUnreachable } from "./match.js";
import { keptBy } from "./minimum.js";

export interface Warning {
  /** What it is about: `PodDisruptionBudget default/web`. */
  subject: string;
  /** A sentence with what follows from it. */
  message: string;
  /** A sentence with what would help. */
  help: string;
}

/** How long pods stay on nodes that nobody hears of unless they say otherwise (DefaultTolerationSeconds), in seconds. */
const USUAL_STAY_S = 300;

export function lintWarnings(facts: LintFacts): Warning[] {
  return [
    ...facts.workloads.flatMap((workload) => budgetWarnings(workload, facts)),
    ...facts.workloads.flatMap((workload) => workloadWarnings(workload, podsOf(workload, facts))),
    ...groupWarnings(facts),
  ];
}

const podsOf = (workload: WorkloadFacts, { pods }: LintFacts): PodFacts[] =>
  pods.filter((pod) => pod.workload && workloadKeyOf(pod.workload) === workloadKeyOf(workload) && !pod.terminating);

const titleOf = ({ kind, namespace, name }: WorkloadFacts): string => `${kind} ${namespace}/${name}`;

function budgetWarnings(workload: WorkloadFacts, facts: LintFacts): Warning[] {
  const [sample] = podsOf(workload, facts);
  // Drains leave the pods of DaemonSets alone.
  if (!sample || workload.kind === "DaemonSet") return [];
  const budgets = facts.budgets.filter(
    ({ namespace, selector }) => namespace === workload.namespace && selector && matches(selector, sample.labels),
  );
  const warnings = budgets
    .filter((budget) => keptBy(budget, workload.wanted) >= workload.wanted)
    .map(tooStrict(workload));
  if (budgets.length > 1) {
    warnings.push({
      subject: titleOf(workload),
      message: `${listed(budgets.map(({ name }) => name))} all select its pods: the eviction API refuses pods with more than one budget, so no drain gets through.`,
      help: "Keep one PodDisruptionBudget a workload.",
    });
  }
  return warnings;
}

const tooStrict =
  (workload: WorkloadFacts) =>
  ({ namespace, name }: BudgetFacts): Warning => ({
    subject: `PodDisruptionBudget ${namespace}/${name}`,
    message: `It never lets a pod of ${titleOf(workload)} go: drains wait, and updates of node groups fail after 15 minutes with PodEvictionFailure.`,
    help: workload.wanted > 1 ? "Allow for maxUnavailable 1." : "Run a second replica and allow for maxUnavailable 1.",
  });

function workloadWarnings(workload: WorkloadFacts, pods: readonly PodFacts[]): Warning[] {
  const warnings: Warning[] = [];
  const ready = pods.filter((pod) => pod.ready).length;
  if (ready < workload.wanted) {
    warnings.push({
      subject: titleOf(workload),
      message: `Only ${ready} of ${counted(workload.wanted, "replica")} ${ready === 1 ? "is" : "are"} ready: what is said of it starts from there.`,
      help: "Look into its pods before anything else is broken.",
    });
  }
  const [sample] = pods;
  if (!sample || workload.kind === "DaemonSet") return warnings;
  const stay = stayOnUnreachable(sample);
  if (stay === undefined || stay > USUAL_STAY_S) {
    const long = stay === undefined ? "for good" : `for ${spanText(stay * 1000)}`;
    warnings.push({
      subject: titleOf(workload),
      message: `Its pods stay ${long} on nodes that nobody hears of: where a zone is cut off rather than without power, nothing replaces them until then.`,
      help: "Shorten tolerationSeconds of node.kubernetes.io/unreachable and not-ready.",
    });
  }
  return warnings;
}

function groupWarnings(facts: LintFacts): Warning[] {
  if (zonesOf(facts).length === 1) {
    return [
      {
        subject: `cluster ${facts.cluster}`,
        message: `All its nodes are in ${zonesOf(facts)[0]}: without that zone nothing runs.`,
        help: "Add node groups with subnets in other zones.",
      },
    ];
  }
  return facts.nodegroups
    .filter(({ zones, desired }) => zones.length === 1 && desired > 0)
    .map(({ name, zones, desired }) => ({
      subject: `node group ${name}`,
      message: `Its subnets are in ${zones[0]} alone: without that zone its ${counted(desired, "node")} ${desired === 1 ? "is" : "are"} launched nowhere else.`,
      help: "Give it subnets in other zones, or let another group take its pods.",
    }));
}
