import { scaledValue } from "../../runtime/int-or-percent.js";
import { isPodAvailable, isPodReady } from "../../runtime/pods.js";
import type { DaemonSet, DaemonSetStatus, Node, Pod } from "../../schema/generated/types.js";
import { eligibility } from "./eligibility.js";

/** Pure decisions of a DaemonSet: which pods to create and delete, and its status. */
export interface DaemonView {
  daemonSet: DaemonSet;
  /** Hash of the present revision. */
  hash: string;
  nodes: readonly Node[];
  /** Its pods by the node they are for. */
  podsByNode: ReadonlyMap<string, readonly Pod[]>;
  nowMs: number;
}

export interface DaemonPlan {
  /** Names of the nodes that need a pod. */
  create: string[];
  remove: Pod[];
  failed: { pod: Pod; nodeName: string }[];
}

const minReady = ({ daemonSet }: DaemonView): number => daemonSet.spec?.minReadySeconds ?? 0;

const isCurrent = (pod: Pod, hash: string): boolean => pod.metadata.labels?.["controller-revision-hash"] === hash;

const byAge = (a: Pod, b: Pod): number => {
  const assigned = Number(!a.spec?.nodeName) - Number(!b.spec?.nodeName);
  return assigned || a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp);
};

/** One pod on every eligible node, none elsewhere; dead pods make room (upstream's podsShouldBeOnNode). */
export function planPlacement(view: DaemonView): DaemonPlan {
  const plan: DaemonPlan = { create: [], remove: [], failed: [] };
  const known = new Set<string>();
  const surge = allowances(view).maxSurge;
  for (const node of view.nodes) {
    const { name } = node.metadata;
    known.add(name);
    const { shouldRun, shouldContinue } = eligibility(view.daemonSet, node);
    const pods = view.podsByNode.get(name) ?? [];
    if (pods.length === 0) {
      if (shouldRun) plan.create.push(name);
      continue;
    }
    if (!shouldContinue) {
      plan.remove.push(...pods.filter((pod) => !pod.metadata.deletionTimestamp));
      continue;
    }
    const running: Pod[] = [];
    for (const pod of pods) {
      if (pod.metadata.deletionTimestamp) continue;
      if (pod.status?.phase === "Failed") plan.failed.push({ pod, nodeName: name });
      else if (pod.status?.phase === "Succeeded") plan.remove.push(pod);
      else running.push(pod);
    }
    plan.remove.push(...surplus(running, view, surge));
  }
  for (const [name, pods] of view.podsByNode) {
    // Pods of a node that is gone are the pod garbage collector's, unless they are still waiting to be scheduled to it.
    if (!known.has(name))
      plan.remove.push(...pods.filter((pod) => !pod.spec?.nodeName && !pod.metadata.deletionTimestamp));
  }
  return plan;
}

/** All but the oldest; with surge, an old pod may stay beside its successor until that is available. */
function surplus(running: readonly Pod[], view: DaemonView, surge: number): Pod[] {
  if (running.length <= 1) return [];
  const sorted = [...running].sort(byAge);
  if (surge === 0) return sorted.slice(1);
  const [current, old] = [
    sorted.filter((pod) => isCurrent(pod, view.hash)),
    sorted.filter((pod) => !isCurrent(pod, view.hash)),
  ];
  const [successor] = current;
  const oldMayStay = successor !== undefined && !isPodAvailable(successor, minReady(view), view.nowMs);
  return [...current.slice(1), ...(oldMayStay || !successor ? old.slice(1) : old)];
}

/** maxSurge and maxUnavailable in pods. */
function allowances(view: DaemonView): { maxSurge: number; maxUnavailable: number } {
  const { updateStrategy } = view.daemonSet.spec ?? {};
  if (updateStrategy?.type === "OnDelete") return { maxSurge: 0, maxUnavailable: 0 };
  const wanted = view.nodes.filter((node) => eligibility(view.daemonSet, node).shouldRun).length;
  const maxSurge = scaledValue(updateStrategy?.rollingUpdate?.maxSurge ?? 0, wanted, "up");
  const maxUnavailable = scaledValue(updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted, "up");
  return { maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable };
}

/** Pods to replace, or nodes to surge onto, in this step of a rolling update. */
export function planUpdate(view: DaemonView): { remove: Pod[]; create: string[] } {
  const { maxSurge, maxUnavailable } = allowances(view);
  return maxSurge > 0 ? planSurge(view, maxSurge) : { remove: planReplacement(view, maxUnavailable), create: [] };
}

/** The present pod of a node and the one of an earlier revision; undefined when there are several of a sort, which placement puts right. */
function pairOn(node: Node, view: DaemonView): { current?: Pod; old?: Pod } | undefined {
  const pods = (view.podsByNode.get(node.metadata.name) ?? []).filter((pod) => !pod.metadata.deletionTimestamp);
  const current = pods.filter((pod) => isCurrent(pod, view.hash));
  const old = pods.filter((pod) => !isCurrent(pod, view.hash));
  return current.length > 1 || old.length > 1 ? undefined : { current: current[0], old: old[0] };
}

function planReplacement(view: DaemonView, maxUnavailable: number): Pod[] {
  const isAvailable = (pod: Pod): boolean => isPodAvailable(pod, minReady(view), view.nowMs);
  let unavailable = 0;
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  for (const node of view.nodes) {
    const pair = pairOn(node, view);
    const isWanted = eligibility(view.daemonSet, node).shouldRun;
    if (!pair) continue;
    const { current, old } = pair;
    if (!current === !old) {
      // Neither or both: placement is at work on this node.
      if (isWanted) unavailable++;
    } else if (current) {
      if (!isAvailable(current)) unavailable++;
    } else if (old) {
      if (isAvailable(old)) candidates.push(old);
      else {
        // Replacing what does not work costs nothing.
        broken.push(old);
        unavailable++;
      }
    }
  }
  return [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))];
}

function planSurge(view: DaemonView, maxSurge: number): { remove: Pod[]; create: string[] } {
  const isAvailable = (pod: Pod): boolean => isPodAvailable(pod, minReady(view), view.nowMs);
  let surging = 0;
  const remove: Pod[] = [];
  const allowed: string[] = [];
  const candidates: string[] = [];
  for (const node of view.nodes) {
    const { current, old } = pairOn(node, view) ?? {};
    const { shouldRun } = eligibility(view.daemonSet, node);
    if (!old) continue;
    if (!current) {
      if (!shouldRun) continue;
      (isAvailable(old) ? candidates : allowed).push(node.metadata.name);
    } else if (isAvailable(current)) remove.push(old);
    else surging++;
  }
  return { remove, create: [...allowed, ...candidates.slice(0, Math.max(0, maxSurge - surging))] };
}

export function daemonStatus(view: DaemonView): DaemonSetStatus {
  const { daemonSet, nodes, podsByNode, hash, nowMs } = view;
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const { shouldRun } = eligibility(daemonSet, node);
    const pods = (podsByNode.get(node.metadata.name) ?? []).filter((pod) => !pod.metadata.deletionTimestamp);
    const scheduled = pods.length > 0;
    if (!shouldRun) {
      if (scheduled) counts.misscheduled++;
      continue;
    }
    counts.desired++;
    if (!scheduled) continue;
    counts.current++;
    const [pod] = [...pods].sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp));
    if (!pod) continue;
    if (isPodReady(pod)) {
      counts.ready++;
      if (isPodAvailable(pod, minReady(view), nowMs)) counts.available++;
    }
    if (isCurrent(pod, hash)) counts.updated++;
  }
  const unavailable = counts.desired - counts.available;
  const { collisionCount, conditions } = daemonSet.status ?? {};
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    observedGeneration: daemonSet.metadata.generation,
    ...(counts.updated ? { updatedNumberScheduled: counts.updated } : {}),
    ...(counts.available ? { numberAvailable: counts.available } : {}),
    ...(unavailable > 0 ? { numberUnavailable: unavailable } : {}),
    ...(collisionCount !== undefined ? { collisionCount } : {}),
    ...(conditions ? { conditions } : {}),
  };
}
