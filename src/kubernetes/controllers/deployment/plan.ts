import type { Deployment, ReplicaSet } from "../../schema/generated/types.js";
import {
  availableReplicas,
  byCreation,
  bySize,
  DESIRED_REPLICAS,
  fenceposts,
  isRolling,
  MAX_REPLICAS,
  minAvailable,
  newReplicaSetSize,
  replicasOf,
  totalReplicas,
} from "./replica-sets.js";

/**
 * Pure decisions of a Deployment: which ReplicaSet gets which size next. Each function answers with the changes to make now, an empty list when
 * everything is as it should be. After upstream's rolling.go and sync.go.
 */
export interface Resize {
  set: ReplicaSet;
  replicas: number;
}

const active = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((set) => replicasOf(set) > 0);

const resize = (set: ReplicaSet, replicas: number): Resize[] =>
  replicasOf(set) === replicas ? [] : [{ set, replicas }];

/** One step of a rolling update: first the new one up, then the old ones down. */
export function planRollingStep(deployment: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  const up = planNew(deployment, newSet, [...old, newSet]);
  return up.length > 0 ? up : planOld(deployment, newSet, old);
}

export function planNew(deployment: Deployment, newSet: ReplicaSet, all: readonly ReplicaSet[]): Resize[] {
  const [desired, present] = [replicasOf(deployment), replicasOf(newSet)];
  if (present >= desired) return resize(newSet, desired);
  return resize(newSet, newReplicaSetSize(deployment, all, present));
}

function planOld(deployment: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): Resize[] {
  if (totalReplicas(old) === 0) return [];
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  const most = totalReplicas([...old, newSet]) - minAvailable(deployment) - newUnavailable;
  if (most <= 0) return [];

  const sizes = new Map<ReplicaSet, number>();
  const size = (set: ReplicaSet): number => sizes.get(set) ?? replicasOf(set);
  const sorted = [...old].sort(byCreation);
  // Pods that are not available serve nobody: they go first, and do not count against availability.
  let left = most;
  for (const set of sorted) {
    const unhealthy = Math.min(left, replicasOf(set) - (set.status?.availableReplicas ?? 0));
    if (replicasOf(set) === 0 || unhealthy <= 0) continue;
    sizes.set(set, replicasOf(set) - unhealthy);
    left -= unhealthy;
  }
  let spare = availableReplicas([...old, newSet]) - minAvailable(deployment);
  for (const set of sorted) {
    if (spare <= 0) break;
    const less = Math.min(size(set), spare);
    if (less === 0) continue;
    sizes.set(set, size(set) - less);
    spare -= less;
  }
  return [...sizes].map(([set, replicas]) => ({ set, replicas }));
}

/** True when the Deployment's own size has changed since its ReplicaSets were last sized. */
export function isScalingEvent(deployment: Deployment, all: readonly ReplicaSet[]): boolean {
  return active(all).some((set) => {
    const desired = set.metadata.annotations?.[DESIRED_REPLICAS];
    return desired !== undefined && Number(desired) !== replicasOf(deployment);
  });
}

/** After a change of size outside of, or in the midst of, a rollout: every ReplicaSet changes in proportion. */
export function planScale(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Resize[] {
  const all = newSet ? [...old, newSet] : old;
  const only = activeOrLatest(newSet, old, active(all));
  const desired = replicasOf(deployment);
  if (only) return [{ set: only, replicas: desired }];
  if (newSet && isSaturated(deployment, newSet)) return active(old).map((set) => ({ set, replicas: 0 }));
  if (!isRolling(deployment)) return [];

  const { maxSurge } = fenceposts(deployment);
  const allowed = desired > 0 ? desired + maxSurge : 0;
  const toAdd = allowed - totalReplicas(all);
  const sorted = active(all).sort(bySize(toAdd > 0 ? "newer" : "older"));
  let added = 0;
  const planned = sorted.map((set): Resize => {
    const share = proportion(deployment, set, toAdd, added, maxSurge);
    added += share;
    return { set, replicas: replicasOf(set) + share };
  });
  const [first] = planned;
  if (first && toAdd !== 0) first.replicas = Math.max(0, first.replicas + toAdd - added);
  return planned;
}

/** The one ReplicaSet to scale when at most one has pods; undefined when several have. */
function activeOrLatest(
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  withPods: readonly ReplicaSet[],
): ReplicaSet | undefined {
  if (withPods.length > 1) return undefined;
  return withPods[0] ?? newSet ?? [...old].sort(byCreation).at(-1);
}

function isSaturated(deployment: Deployment, set: ReplicaSet): boolean {
  const desired = replicasOf(deployment);
  return (
    replicasOf(set) === desired &&
    Number(set.metadata.annotations?.[DESIRED_REPLICAS]) === desired &&
    (set.status?.availableReplicas ?? 0) === desired
  );
}

function proportion(deployment: Deployment, set: ReplicaSet, toAdd: number, added: number, maxSurge: number): number {
  if (replicasOf(set) === 0 || toAdd === 0 || toAdd === added) return 0;
  const share = fraction(deployment, set, maxSurge);
  return toAdd > 0 ? Math.min(share, toAdd - added) : Math.max(share, toAdd - added);
}

function fraction(deployment: Deployment, set: ReplicaSet, maxSurge: number): number {
  const desired = replicasOf(deployment);
  if (desired === 0) return -replicasOf(set);
  // The most there could be before the change of size; a ReplicaSet adopted without the annotation counts by what is there.
  const before = Number(set.metadata.annotations?.[MAX_REPLICAS] ?? deployment.status?.replicas ?? 0);
  if (!before) return 0;
  return Math.round((replicasOf(set) * (desired + maxSurge)) / before) - replicasOf(set);
}
