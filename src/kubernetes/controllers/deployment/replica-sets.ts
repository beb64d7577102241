import { isEqual } from "../../runtime/hash.js";
import { scaledValue } from "../../runtime/int-or-percent.js";
import type { Deployment, PodTemplateSpec, ReplicaSet } from "../../schema/generated/types.js";

/** A Deployment's ReplicaSets: which is the new one, which are old, how many pods they ask for and how many may be missing or too many. */
export const POD_TEMPLATE_HASH = "pod-template-hash";
export const REVISION = "deployment.kubernetes.io/revision";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";

/** revisionHistoryLimit and progressDeadlineSeconds of this value mean "none". */
export const UNLIMITED = 2_147_483_647;

export const replicasOf = (object: Deployment | ReplicaSet): number => object.spec?.replicas ?? 1;

export const sum = (sets: readonly ReplicaSet[], value: (set: ReplicaSet) => number | undefined): number =>
  sets.reduce((total, set) => total + (value(set) ?? 0), 0);

export const totalReplicas = (sets: readonly ReplicaSet[]): number => sum(sets, replicasOf);
export const availableReplicas = (sets: readonly ReplicaSet[]): number =>
  sum(sets, (set) => set.status?.availableReplicas);

export const byCreation = (a: ReplicaSet, b: ReplicaSet): number =>
  a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp) ||
  a.metadata.name.localeCompare(b.metadata.name);

/** Larger first; among equals the older (`bySizeOlder`) or the newer one first. */
export const bySize =
  (first: "older" | "newer") =>
  (a: ReplicaSet, b: ReplicaSet): number =>
    replicasOf(b) - replicasOf(a) || (first === "older" ? byCreation(a, b) : byCreation(b, a));

const withoutHash = (template: PodTemplateSpec | undefined): PodTemplateSpec => {
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template?.metadata?.labels ?? {};
  const { labels: __, ...metadata } = template?.metadata ?? {};
  return { ...template, metadata: { ...metadata, ...(Object.keys(labels).length ? { labels } : {}) } };
};

/** Equal but for the pod-template-hash label that the controller added. */
export const sameTemplate = (a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean =>
  isEqual(a?.spec, b?.spec) && isEqual(withoutHash(a), withoutHash(b));

/** The ReplicaSet of the present template; the oldest when there are several, so that the choice is stable. */
export const findNew = (deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  [...sets].sort(byCreation).find((set) => sameTemplate(set.spec?.template, deployment.spec?.template));

/** A revision as annotations have it: 64 bits, which a number of JavaScript cannot hold; anything else counts as none. */
export function readRevision(annotations: Readonly<Record<string, string>> | undefined): bigint {
  const text = annotations?.[REVISION] ?? "";
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

export const revisionOf = (object: Deployment | ReplicaSet): bigint => readRevision(object.metadata.annotations);

export const isRolling = (deployment: Deployment): boolean => deployment.spec?.strategy?.type !== "Recreate";

/** deploymentutil.ResolveFenceposts: surge rounds up, unavailability down, and they are never both zero. */
export function fenceposts(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  const replicas = replicasOf(deployment);
  if (!isRolling(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge, maxUnavailable } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge ?? "25%", replicas, "up");
  const unavailable = scaledValue(maxUnavailable ?? "25%", replicas, "down");
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas) };
}

/** Pods that must stay available during a rolling update. */
export const minAvailable = (deployment: Deployment): number =>
  isRolling(deployment) ? replicasOf(deployment) - fenceposts(deployment).maxUnavailable : 0;

/** How large the new ReplicaSet may be at this moment. */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], newSize: number): number {
  const desired = replicasOf(deployment);
  if (!isRolling(deployment)) return desired;
  const room = desired + fenceposts(deployment).maxSurge - totalReplicas(all);
  if (room <= 0) return newSize;
  return newSize + Math.min(room, desired - newSize);
}
