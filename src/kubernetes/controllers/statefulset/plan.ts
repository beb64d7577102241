import { scaledValue } from "../../runtime/int-or-percent.js";
import { isPodAvailable, isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { Pod, StatefulSet, StatefulSetStatus } from "../../schema/generated/types.js";
import { ordinalOf, replicasOf, revisionOf, startOf } from "./identity.js";

/**
 * Pure decisions of a StatefulSet, after upstream's stateful_set_control.go: what to do next with which ordinal. Ordered sets take one step and wait for
 * it; parallel ones take all at once.
 */
export interface StatefulView {
  set: StatefulSet;
  pods: readonly Pod[];
  /** Names of the revisions of what is and of what is wanted. */
  currentRevision: string;
  updateRevision: string;
  nowMs: number;
}

export type Step =
  | { kind: "create"; ordinal: number; revision: "current" | "update" }
  /** A finished pod, to be made again. */
  | { kind: "recreate"; pod: Pod }
  | { kind: "delete"; pod: Pod };

const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

const isHealthy = (pod: Pod): boolean => pod.status?.phase === "Running" && isPodReady(pod) && !isTerminating(pod);

const isRunningAndAvailable = ({ set, nowMs }: StatefulView, pod: Pod): boolean =>
  pod.status?.phase === "Running" && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);

const isAvailable = (view: StatefulView, pod: Pod): boolean => !isTerminating(pod) && isRunningAndAvailable(view, pod);

const isOrdered = (set: StatefulSet): boolean => set.spec?.podManagementPolicy !== "Parallel";

const partitionOf = (set: StatefulSet): number => set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;

/** Which revision a new pod of an ordinal gets: during a rollout those below the partition keep the old one. */
function revisionFor({ set }: StatefulView, ordinal: number): "current" | "update" {
  const { updateStrategy } = set.spec ?? {};
  if (updateStrategy?.type === "OnDelete") return "update";
  const kept = updateStrategy?.rollingUpdate ? partitionOf(set) : (set.status?.currentReplicas ?? 0);
  return ordinal < startOf(set) + kept ? "current" : "update";
}

export function planSteps(view: StatefulView): Step[] {
  const { set, pods } = view;
  const ordered = isOrdered(set);
  const byOrdinal = new Map(
    pods.flatMap((pod) => {
      const ordinal = ordinalOf(set, pod);
      return ordinal === undefined ? [] : [[ordinal, pod] as const];
    }),
  );
  const [first, end] = [startOf(set), startOf(set) + replicasOf(set)];
  const steps: Step[] = [];

  for (let ordinal = first; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) {
      steps.push({ kind: "create", ordinal, revision: revisionFor(view, ordinal) });
      if (ordered) return steps;
    } else if (isPodTerminal(pod) && !isTerminating(pod)) {
      steps.push({ kind: "recreate", pod });
      if (ordered) return steps;
    } else if (ordered && !isAvailable(view, pod)) return steps;
  }

  const condemned = [...byOrdinal].filter(([ordinal]) => ordinal < first || ordinal >= end).sort(([a], [b]) => b - a);
  const unhealthy = [...byOrdinal].sort(([a], [b]) => a - b).find(([, pod]) => !isHealthy(pod))?.[1];
  for (const [, pod] of condemned) {
    if (isTerminating(pod)) {
      if (ordered) return steps;
      continue;
    }
    // Shrinking waits for everything below to be well, unless this very pod is what is not.
    if (ordered && !isAvailable(view, pod) && pod !== unhealthy) return steps;
    steps.push({ kind: "delete", pod });
    if (ordered) return steps;
  }
  if (steps.length > 0 || set.spec?.updateStrategy?.type === "OnDelete") return steps;
  return planUpdate(view, byOrdinal, first, end);
}

/**
 * From the highest ordinal down to the partition, so many that no more than maxUnavailable are missing. A parallel set replaces at once what does not
 * work anyway; an ordered one never gets here while something does not.
 */
function planUpdate(view: StatefulView, byOrdinal: ReadonlyMap<number, Pod>, first: number, end: number): Step[] {
  const { set, updateRevision } = view;
  const most = maxUnavailable(set);
  let unavailable = 0;
  const broken: Step[] = [];
  const candidates: Step[] = [];
  for (let ordinal = end - 1; ordinal >= first; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) continue;
    const works = isAvailable(view, pod);
    if (!works) unavailable++;
    const isOld = revisionOf(pod) !== updateRevision && !isTerminating(pod);
    if (isOld && ordinal >= first + partitionOf(set)) (works ? candidates : broken).push({ kind: "delete", pod });
  }
  const room = Math.max(0, most - unavailable);
  return isOrdered(set) ? [...broken, ...candidates].slice(0, room) : [...broken, ...candidates.slice(0, room)];
}

/** At least one, whatever the percentage comes to. */
function maxUnavailable(set: StatefulSet): number {
  const value = set.spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  return Math.max(1, scaledValue(value, replicasOf(set), "down"));
}

export function statefulStatus(view: StatefulView): StatefulSetStatus {
  const { set, pods, currentRevision, updateRevision } = view;
  const count = (test: (pod: Pod) => boolean): number => pods.filter(test).length;
  const alive = (revision: string) => (pod: Pod) => !isTerminating(pod) && revisionOf(pod) === revision;
  const ready = count((pod) => pod.status?.phase === "Running" && isPodReady(pod));
  const updated = count(alive(updateRevision));
  // The rollout is over: what was wanted is what is. OnDelete never says so.
  const isRolling = (set.spec?.updateStrategy?.type ?? "RollingUpdate") === "RollingUpdate";
  const isDone = isRolling && updated === pods.length && ready === pods.length && updated === replicasOf(set);
  const current = isDone ? updated : count(alive(currentRevision));
  const { collisionCount, conditions } = set.status ?? {};
  return {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    ...(ready ? { readyReplicas: ready } : {}),
    ...(current ? { currentReplicas: current } : {}),
    ...(updated ? { updatedReplicas: updated } : {}),
    currentRevision: isDone ? updateRevision : currentRevision,
    updateRevision,
    collisionCount: collisionCount ?? 0,
    availableReplicas: count((pod) => isRunningAndAvailable(view, pod)),
    ...(conditions ? { conditions } : {}),
  };
}
