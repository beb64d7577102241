/** Faults of pods. A lasting one goes by their names: a pod that comes again under the same name, as a StatefulSet's does, is touched too. */
import type { PodImpairment } from "../impairments.js";
import type { ActingFault, ClusterFacts, ClusterWants, FaultDefinition, Once } from "./definition.js";
import { capitalised, isMany, thePods } from "./meaning.js";

const PODS = {
  type: "pod",
  takes: ["zone", "cluster", "nodes", "namespace", "pods", "podLabels", "count", "percent"],
  needs: ["zone", "nodes", "namespace", "pods", "podLabels"],
} as const;

const podTrouble =
  (trouble: PodImpairment["trouble"]) =>
  (fault: ActingFault, cluster: ClusterFacts): ClusterWants => ({
    impairments: {
      pods: (fault.targets.pods ?? [])
        .filter(({ clusterId }) => clusterId === cluster.id)
        .map(({ namespace, name }) => ({ namespace, name, trouble })),
    },
  });

const are = (fault: ActingFault): string => (isMany(fault) ? "are" : "is");
const were = (fault: ActingFault): string => (isMany(fault) ? "were" : "was");

const HOW: readonly Extract<Once, { kind: "end-pods" }>["how"][] = ["kill", "delete", "crash"];

export const POD_FAULTS: readonly FaultDefinition[] = [
  {
    name: "pod-kill",
    family: "pod",
    says: "Pods end.",
    target: PODS,
    parameters: {
      how: {
        type: "choice",
        values: HOW,
        default: "kill",
        says: "kill: at once and without the object; delete: with their grace period; crash: their containers exit with 1, and the kubelet starts them again.",
      },
    },
    lasts: false,
    started: (fault) =>
      `${capitalised(thePods(fault))} ${were(fault)} ended from outside (${String(fault.parameters.how)}).`,
    once: ({ how }) => ({ kind: "end-pods", how: HOW.find((each) => each === how) ?? "kill" }),
  },
  {
    name: "pod-crash-loop",
    family: "pod",
    says: "Containers of the pods exit with 1 soon after each start.",
    target: PODS,
    parameters: {},
    lasts: true,
    started: (fault) => `Containers of ${thePods(fault)} crash soon after each start.`,
    ended: (fault) => `Containers of ${thePods(fault)} no longer crash.`,
    wants: podTrouble("crash-loop"),
  },
  {
    name: "pod-not-ready",
    family: "pod",
    says: "Readiness probes of the pods fail.",
    target: PODS,
    parameters: {},
    lasts: true,
    started: (fault) => `${capitalised(thePods(fault))} ${are(fault)} kept from being Ready.`,
    ended: (fault) => `${capitalised(thePods(fault))} ${are(fault)} no longer kept from being Ready.`,
    wants: podTrouble("not-ready"),
  },
  {
    name: "pod-oom",
    family: "pod",
    says: "Containers of the pods are killed for the memory they take (137, OOMKilled), and the kubelet starts them again.",
    target: PODS,
    parameters: {},
    lasts: false,
    started: (fault) => `Containers of ${thePods(fault)} were killed for the memory they take.`,
    once: () => ({ kind: "end-pods", how: "oom" }),
  },
];
