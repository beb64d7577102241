/** What pods ask of the cloud: those without a node, what keeps nodes busy, and the node pools that say what may be launched. */

import { karpenterDurationMs } from "../../domain/auto-mode/life.js";
import type { Amounts, WaitingPod } from "../../domain/auto-mode/plan.js";
import type { Requirement } from "../../domain/auto-mode/requirements.js";
import { ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import type { KubeApi } from "../../kubernetes/api.js";
import { parseSchedule } from "../../kubernetes/controllers/cronjob/schedule.js";
import type { KubeObject } from "../../kubernetes/object.js";
import { quantityToMilli, quantityToNumber } from "../../kubernetes/registry/quantity.js";
import { controllerOf } from "../../kubernetes/runtime/owners.js";
import { addResources, amount, noResources, podRequests } from "../../kubernetes/scheduler/resources.js";
import type {
  DaemonSet,
  Node,
  NodeSelectorTerm,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
} from "../../kubernetes/schema/generated/types.js";
import type { NodeDemand } from "../backend.js";

const NODE_POOLS = "nodepools.karpenter.sh";
const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";
const HOSTNAME = "kubernetes.io/hostname";
const ENDED: readonly (string | undefined)[] = ["Succeeded", "Failed"];

export const isOfDaemonSet = (pod: Pod): boolean => controllerOf(pod)?.kind === "DaemonSet";

const isUnschedulable = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  !pod.spec?.nodeName &&
  (pod.status?.conditions ?? []).some(
    ({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  );

const DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt";

/** Whether a pod or a node says itself that it is not to be moved. */
export const staysPut = ({ metadata }: KubeObject): boolean => metadata.annotations?.[DO_NOT_DISRUPT] === "true";

/** Whether a disruption budget keeps its pods where they are. */
export const allowsNone = ({ status }: PodDisruptionBudget): boolean => status?.disruptionsAllowed === 0;

/** Whether it keeps its node from being given up. */
export const isBusy = (pod: Pod): boolean => !isOfDaemonSet(pod) && !ENDED.includes(pod.status?.phase);

export function nodeDemand(api: KubeApi, nowMs: number): NodeDemand {
  const busy: Record<string, number> = {};
  const pods: Pod[] = [];
  for (const pod of api.list<Pod>("pods")) {
    const node = pod.spec?.nodeName;
    if (node && isBusy(pod)) busy[node] = (busy[node] ?? 0) + 1;
    else if (isUnschedulable(pod) && !isOfDaemonSet(pod)) pods.push(pod);
  }
  return {
    pods: pods.map((pod) => waitingPod(api, pod)),
    busy,
    overhead: overhead(api),
    ...nodePools(api, nowMs),
  };
}

export function waitingPod(api: KubeApi, pod: Pod): WaitingPod {
  const { spec, metadata } = pod;
  const { scalars, milliCpu, memory } = spec ? podRequests(spec) : noResources();
  const group = controllerOf(pod)?.uid ?? metadata.uid ?? "";
  const isHard = (topologyKey: string): boolean =>
    (spec?.topologySpreadConstraints ?? []).some(
      (rule) => rule.topologyKey === topologyKey && rule.whenUnsatisfiable !== "ScheduleAnyway",
    );
  const antiAffinity = spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const repels = (topologyKey: string): boolean => antiAffinity.some((term) => term.topologyKey === topologyKey);
  return {
    uid: metadata.uid ?? "",
    requests: { milliCpu, memory, ...(scalars ? { scalars } : {}) },
    requirements: requirementsOf(api, pod),
    tolerations: spec?.tolerations ?? [],
    ...(isHard(ZONE_LABEL) || repels(ZONE_LABEL) ? { spread: { group, zones: zonesOfGroup(api, group) } } : {}),
    ...(isHard(HOSTNAME) || repels(HOSTNAME) ? { apart: group } : {}),
  };
}

/** Of several terms of node affinity, any of which would do, the first is tried, as Karpenter does. */
function requirementsOf(api: KubeApi, pod: Pod): Requirement[] {
  const { nodeSelector = {}, affinity } = pod.spec ?? {};
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return [
    ...Object.entries(nodeSelector).map(([key, value]) => ({ key, operator: "In", values: [value] })),
    ...expressionsOf(terms),
    ...volumesOf(api, pod).flatMap((volume) =>
      expressionsOf(volume.spec?.nodeAffinity?.required?.nodeSelectorTerms ?? []),
    ),
  ];
}

const expressionsOf = (terms: readonly NodeSelectorTerm[]): Requirement[] =>
  (terms[0]?.matchExpressions ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    ...(values ? { values } : {}),
  }));

/** Volumes that the pod's claims are bound to: they may hold it to a zone. */
function volumesOf(api: KubeApi, pod: Pod): PersistentVolume[] {
  const namespace = pod.metadata.namespace ?? "";
  return (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim }) => {
    if (!persistentVolumeClaim) return [];
    const claim = api.get<PersistentVolumeClaim>("persistentvolumeclaims", {
      namespace,
      name: persistentVolumeClaim.claimName,
    });
    const name = claim?.spec?.volumeName;
    return (name && api.get<PersistentVolume>("persistentvolumes", { name })) || [];
  });
}

function zonesOfGroup(api: KubeApi, group: string): Record<string, number> {
  const zones: Record<string, number> = {};
  for (const pod of api.byIndex<Pod>("pods", "ownerUid", group)) {
    const name = pod.spec?.nodeName;
    const zone = name ? api.get<Node>("nodes", { name })?.metadata.labels?.[ZONE_LABEL] : undefined;
    if (zone && !ENDED.includes(pod.status?.phase)) zones[zone] = (zones[zone] ?? 0) + 1;
  }
  return zones;
}

function overhead(api: KubeApi): Amounts {
  const total = noResources();
  for (const { spec } of api.list<DaemonSet>("daemonsets.apps")) {
    if (spec?.template.spec) addResources(total, podRequests(spec.template.spec));
  }
  return { milliCpu: total.milliCpu, memory: total.memory };
}

interface NodePoolObject extends KubeObject {
  spec?: {
    weight?: number;
    limits?: { cpu?: string | number; memory?: string | number };
    disruption?: {
      consolidateAfter?: string;
      consolidationPolicy?: string;
      budgets?: { nodes?: string | number; reasons?: string[]; schedule?: string; duration?: string }[];
    };
    template?: {
      metadata?: { labels?: Record<string, string> };
      spec?: {
        expireAfter?: string;
        terminationGracePeriod?: string;
        requirements?: Requirement[];
        taints?: { key: string; value?: string; effect: string }[];
      };
    };
  };
}

function nodePools(api: KubeApi, nowMs: number): Pick<NodeDemand, "pools" | "budgetsChangeAtMs"> {
  if (!api.get(DEFINITIONS, { name: NODE_POOLS })) return { pools: [] };
  const objects = api
    .list<NodePoolObject>(NODE_POOLS)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const changes: number[] = [];
  const pools = objects.map(({ metadata, spec = {} }) => {
    const { cpu, memory } = spec.limits ?? {};
    const { expireAfter, terminationGracePeriod, requirements = [], taints = [] } = spec.template?.spec ?? {};
    const { consolidateAfter, consolidationPolicy, budgets } = spec.disruption ?? {};
    const active = budgets?.filter((budget) => isActive(budget, nowMs, changes));
    return {
      name: metadata.name,
      weight: spec.weight ?? 0,
      requirements,
      labels: spec.template?.metadata?.labels ?? {},
      taints,
      limits: {
        ...(cpu === undefined ? {} : { milliCpu: amount(quantityToMilli, String(cpu)) }),
        ...(memory === undefined ? {} : { memory: amount(quantityToNumber, String(memory)) }),
      },
      ...(expireAfter === undefined ? {} : { expireAfter }),
      ...(consolidateAfter === undefined ? {} : { consolidateAfter }),
      ...(consolidationPolicy === undefined ? {} : { consolidationPolicy }),
      ...(terminationGracePeriod === undefined ? {} : { terminationGracePeriod }),
      ...(active
        ? {
            budgets: active.map(({ nodes = "0", reasons }) => ({
              nodes: String(nodes),
              ...(reasons ? { reasons } : {}),
            })),
          }
        : {}),
    };
  });
  return { pools, ...(changes.length > 0 ? { budgetsChangeAtMs: Math.min(...changes) } : {}) };
}

/** A budget with a schedule is active from each of its times for as long as it says, in UTC; notes in `changes` when that next changes. */
function isActive(
  { schedule, duration = "" }: { schedule?: string; duration?: string },
  nowMs: number,
  changes: number[],
) {
  const lengthMs = karpenterDurationMs(duration);
  if (schedule === undefined || lengthMs === undefined) return true;
  const times = parseSchedule(schedule);
  const begunMs = times.next(nowMs - lengthMs);
  const active = begunMs !== undefined && begunMs <= nowMs;
  const nextMs = active ? begunMs + lengthMs : begunMs;
  if (nextMs !== undefined) changes.push(nextMs);
  return active;
}

/** Calls back when the answer of `nodeDemand`, or what keeps a node from being given up, may have changed. Returns how to stop. */
export function watchNodeDemand(api: KubeApi, changed: () => void): () => void {
  const stopPods = api.watch<Pod>("pods", ({ type, object, previous }) => {
    if (isOfDaemonSet(object)) return;
    const left = type === "DELETED" || ENDED.includes(object.status?.phase);
    const placed = object.spec?.nodeName !== previous?.spec?.nodeName;
    const asks = isUnschedulable(object) && !(previous && isUnschedulable(previous));
    if (left || placed || asks || (previous && staysPut(object) !== staysPut(previous))) changed();
  });
  const stopNodes = api.watch<Node>("nodes", ({ object, previous }) => {
    if (previous && staysPut(object) !== staysPut(previous)) changed();
  });
  const stopBudgets = api.watch<PodDisruptionBudget>("poddisruptionbudgets.policy", ({ type, object, previous }) => {
    if (type === "DELETED" || allowsNone(object) !== (previous !== undefined && allowsNone(previous))) changed();
  });
  // Without a definition of theirs there are no pools, and the first pods that ask will find none.
  const stopPools = api.get(DEFINITIONS, { name: NODE_POOLS }) ? api.watch(NODE_POOLS, changed) : () => {};
  return () => {
    stopPods();
    stopNodes();
    stopBudgets();
    stopPools();
  };
}
