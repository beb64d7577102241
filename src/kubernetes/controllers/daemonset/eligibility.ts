import type { Draft } from "../../object.js";
import { memoPair } from "../../runtime/memo-pair.js";
import { nodeMatchesPodAffinity } from "../../runtime/node-affinity.js";
import { TAINT, untolerated } from "../../runtime/taints.js";
import type {
  Affinity,
  DaemonSet,
  Node,
  NodeSelectorTerm,
  Pod,
  PodSpec,
  Toleration,
} from "../../schema/generated/types.js";
import { podFromTemplate } from "../pod-control.js";

/** Which nodes a DaemonSet wants a pod on, and what such a pod looks like. */
export interface Eligibility {
  /** A new pod belongs there. */
  shouldRun: boolean;
  /** A pod that is there already may stay. */
  shouldContinue: boolean;
}

const tolerate = (key: string, effect: string): Toleration => ({ key, operator: "Exists", effect });

/** What daemons put up with, added to every pod (upstream's AddOrUpdateDaemonPodTolerations). */
const TOLERATIONS: readonly Toleration[] = [
  tolerate(TAINT.notReady, "NoExecute"),
  tolerate(TAINT.unreachable, "NoExecute"),
  tolerate(TAINT.diskPressure, "NoSchedule"),
  tolerate(TAINT.memoryPressure, "NoSchedule"),
  tolerate(TAINT.pidPressure, "NoSchedule"),
  tolerate(TAINT.unschedulable, "NoSchedule"),
];
const HOST_NETWORK_TOLERATION = tolerate(TAINT.networkUnavailable, "NoSchedule");

const same = (a: Toleration, b: Toleration): boolean =>
  a.key === b.key &&
  a.operator === b.operator &&
  (a.effect ?? "") === (b.effect ?? "") &&
  (a.value ?? "") === (b.value ?? "");

const specs = new WeakMap<PodSpec, PodSpec>();

/** The template's spec with the tolerations of a daemon; the same object for the same template. */
function daemonSpec(spec: PodSpec): PodSpec {
  const known = specs.get(spec);
  if (known) return known;
  const added = spec.hostNetwork ? [...TOLERATIONS, HOST_NETWORK_TOLERATION] : TOLERATIONS;
  const own = (spec.tolerations ?? []).filter((toleration) => !added.some((other) => same(toleration, other)));
  const complete = { ...spec, tolerations: [...own, ...added] };
  specs.set(spec, complete);
  return complete;
}

const NOWHERE: Eligibility = { shouldRun: false, shouldContinue: false };

/** Upstream's NodeShouldRunDaemonPod. Most reconciles meet the same template and nodes again. */
export function eligibility(daemonSet: DaemonSet, node: Node): Eligibility {
  const template = daemonSet.spec?.template.spec;
  return template ? judged(daemonSpec(template), node) : NOWHERE;
}

const judged = memoPair(judge);

function judge(spec: PodSpec, node: Node): Eligibility {
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return NOWHERE;
  if (!nodeMatchesPodAffinity(node, spec)) return NOWHERE;
  const { taints } = node.spec ?? {};
  if (!untolerated(taints, spec.tolerations, ["NoSchedule", "NoExecute"]))
    return { shouldRun: true, shouldContinue: true };
  return { shouldRun: false, shouldContinue: !untolerated(taints, spec.tolerations, ["NoExecute"]) };
}

/** A daemon pod for one node: bound to it by node affinity on its name, so that the scheduler places it like any other pod. */
export function daemonPod(daemonSet: DaemonSet, nodeName: string, hash: string): Draft<Pod> {
  const pod = podFromTemplate(daemonSet.spec?.template, daemonSet);
  const spec = daemonSpec(pod.spec ?? { containers: [] });
  const generation = daemonSet.metadata.annotations?.["deprecated.daemonset.template.generation"];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        "controller-revision-hash": hash,
        ...(generation ? { "pod-template-generation": generation } : {}),
      },
    },
    spec: { ...spec, affinity: pinned(spec.affinity, nodeName) },
  };
}

/** Upstream replaces the terms: the node has passed them already when the pod is made for it. */
function pinned(affinity: Affinity | undefined, nodeName: string): Affinity {
  const term: NodeSelectorTerm = { matchFields: [{ key: "metadata.name", operator: "In", values: [nodeName] }] };
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    },
  };
}

/** The node that a daemon pod is for: where it runs, or where its affinity pins it. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  for (const term of pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms ?? []) {
    const field = term.matchFields?.find(({ key, operator }) => key === "metadata.name" && operator === "In");
    if (field?.values?.length === 1) return field.values[0];
  }
  return undefined;
}
