import { formatSeconds } from "../../../clock/clock.js";
import { conditionOf, withCondition, withoutCondition } from "../../runtime/conditions.js";
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "../../schema/generated/types.js";
import { availableReplicas, fenceposts, replicasOf, sum, UNLIMITED } from "./replica-sets.js";

/** The status of a Deployment: counts out of its ReplicaSets, and the conditions Available, Progressing and ReplicaFailure with upstream's reasons. */
export interface Progress {
  reason: string;
  status: "True" | "False" | "Unknown";
  message: string;
}

/** `lastUpdateTime` moves with every new reason; `lastTransitionTime` with the status alone. The same list when neither changes. */
export function setCondition(
  conditions: readonly DeploymentCondition[] | undefined,
  type: string,
  { reason, status, message }: Progress,
  nowMs: number,
): DeploymentCondition[] {
  const list = (conditions ?? []) as DeploymentCondition[];
  const present = conditionOf(list, type);
  if (present?.status === status && present.reason === reason) return list;
  const time = formatSeconds(nowMs);
  return moved(list, { type, status, reason, message, lastUpdateTime: time, lastTransitionTime: time });
}

/** The conditions with one that has news: it goes to their end, as upstream. */
function moved(list: DeploymentCondition[], next: DeploymentCondition): DeploymentCondition[] {
  const changed = conditionOf(withCondition(list, next), next.type) ?? next;
  return [...withoutCondition(list, next.type), changed];
}

/** Counts and the Available condition. */
export function countStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const { collisionCount, conditions } = deployment.status ?? {};
  const available = availableReplicas(all);
  const replicas = sum(all, (set) => set.status?.replicas);
  const updated = newSet?.status?.replicas ?? 0;
  const ready = sum(all, (set) => set.status?.readyReplicas);
  // Not known before every ReplicaSet has told.
  const terminating = all.every((set) => set.status?.terminatingReplicas !== undefined)
    ? { terminatingReplicas: sum(all, (set) => set.status?.terminatingReplicas) }
    : {};
  const unavailable = Math.max(0, sum(all, replicasOf) - available);
  const enough = available >= replicasOf(deployment) - fenceposts(deployment).maxUnavailable;
  return {
    observedGeneration: deployment.metadata.generation,
    ...(replicas ? { replicas } : {}),
    ...(updated ? { updatedReplicas: updated } : {}),
    ...(ready ? { readyReplicas: ready } : {}),
    ...(available ? { availableReplicas: available } : {}),
    ...(unavailable ? { unavailableReplicas: unavailable } : {}),
    ...terminating,
    ...(collisionCount !== undefined ? { collisionCount } : {}),
    conditions: setCondition(conditions, "Available", enough ? AVAILABLE : UNAVAILABLE, nowMs),
  };
}

const AVAILABLE: Progress = {
  reason: "MinimumReplicasAvailable",
  status: "True",
  message: "Deployment has minimum availability.",
};

const UNAVAILABLE: Progress = {
  reason: "MinimumReplicasUnavailable",
  status: "False",
  message: "Deployment does not have minimum availability.",
};

/** Everything is new, there and available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** The deadline in milliseconds, if there is one. */
export function progressDeadlineMs(deployment: Deployment): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds === undefined || seconds === UNLIMITED ? undefined : seconds * 1000;
}

/** When the rollout counts as stuck, epoch ms; undefined when it does not wait for a deadline. */
export function stuckAtMs(deployment: Deployment, status: DeploymentStatus): number | undefined {
  const deadlineMs = progressDeadlineMs(deployment);
  const progressing = conditionOf(status.conditions, "Progressing");
  if (deadlineMs === undefined || !progressing) return undefined;
  if (isComplete(deployment, status) || progressing.reason === "ProgressDeadlineExceeded") return undefined;
  if (progressing.reason === "NewReplicaSetAvailable") return undefined;
  return Date.parse(progressing.lastUpdateTime ?? "") + deadlineMs;
}

function progressOf(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  status: DeploymentStatus,
  nowMs: number,
): Progress | undefined {
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  if (isComplete(deployment, status)) {
    return { reason: "NewReplicaSetAvailable", status: "True", message: `${subject} has successfully progressed.` };
  }
  if (hasProgressed(deployment.status ?? {}, status)) {
    return { reason: "ReplicaSetUpdated", status: "True", message: `${subject} is progressing.` };
  }
  const stuckMs = stuckAtMs(deployment, status);
  if (stuckMs !== undefined && stuckMs < nowMs) {
    return { reason: "ProgressDeadlineExceeded", status: "False", message: `${subject} has timed out progressing.` };
  }
  return undefined;
}

/** The whole status after a rollout step. */
export function rolloutStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = countStatus(deployment, all, newSet, nowMs);
  let conditions = status.conditions ?? [];
  if (progressDeadlineMs(deployment) === undefined) {
    conditions = withoutCondition(conditions, "Progressing");
  } else {
    const present = conditionOf(conditions, "Progressing");
    const done =
      (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && present?.reason === "NewReplicaSetAvailable";
    const progress = done ? undefined : progressOf(deployment, newSet, status, nowMs);
    // Each bit of progress pushes the deadline out, so its time is written even when the reason stays the same.
    if (progress?.reason === "ReplicaSetUpdated") conditions = touch(conditions, progress, nowMs);
    else if (progress) conditions = setCondition(conditions, "Progressing", progress, nowMs);
  }
  const failure = [newSet, ...all].map((set) => conditionOf(set?.status?.conditions, "ReplicaFailure")).find(Boolean);
  conditions = failure
    ? setCondition(
        conditions,
        "ReplicaFailure",
        { reason: failure.reason ?? "", status: "True", message: failure.message ?? "" },
        nowMs,
      )
    : withoutCondition(conditions, "ReplicaFailure");
  return { ...status, conditions };
}

function touch(
  conditions: DeploymentCondition[],
  { reason, status, message }: Progress,
  nowMs: number,
): DeploymentCondition[] {
  const time = formatSeconds(nowMs);
  return moved(conditions, {
    type: "Progressing",
    status,
    reason,
    message,
    lastUpdateTime: time,
    lastTransitionTime: time,
  });
}
