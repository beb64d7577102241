import type { Draft } from "../../object.js";
import { contentHash } from "../../runtime/hash.js";
import { controllerReference } from "../../runtime/owners.js";
import type { Deployment, ReplicaSet } from "../../schema/generated/types.js";
import {
  DESIRED_REPLICAS,
  fenceposts,
  MAX_REPLICAS,
  newReplicaSetSize,
  POD_TEMPLATE_HASH,
  REVISION,
  REVISION_HISTORY,
  readRevision,
  replicasOf,
  revisionOf,
  UNLIMITED,
} from "./replica-sets.js";

/** Revisions: how a ReplicaSet is made out of the present template, how it is numbered, and which old ones may go. */

/** Annotations of the Deployment that its ReplicaSets do not inherit. */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  "deprecated.deployment.rollback.to",
]);

/** Numbers kept in the history annotation, in characters (upstream's maxRevHistoryLengthInChars). */
const HISTORY_CHARACTERS = 2000;

export const sizeAnnotations = (deployment: Deployment): Record<string, string> => ({
  [DESIRED_REPLICAS]: String(replicasOf(deployment)),
  [MAX_REPLICAS]: String(replicasOf(deployment) + fenceposts(deployment).maxSurge),
});

/** The revision that the ReplicaSet of the present template has or gets: it is always the highest. */
export const nextRevision = (old: readonly ReplicaSet[]): bigint =>
  old.map(revisionOf).reduce((highest, revision) => (revision > highest ? revision : highest), 0n) + 1n;

/** What the new ReplicaSet's annotations should be: the Deployment's own, and its revision with the earlier ones it had (after a rollback). */
export function newSetAnnotations(
  deployment: Deployment,
  present: Readonly<Record<string, string>> | undefined,
  revision: bigint,
): Record<string, string> {
  const annotations: Record<string, string> = { ...present };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!NOT_INHERITED.has(key)) annotations[key] = value;
  }
  const before = readRevision(present);
  if (before >= revision) return annotations;
  annotations[REVISION] = String(revision);
  if (before > 0n) {
    const history = [...(present?.[REVISION_HISTORY] ?? "").split(",").filter(Boolean), String(before)];
    while (history.join(",").length > HISTORY_CHARACTERS) history.shift();
    annotations[REVISION_HISTORY] = history.join(",");
  }
  return annotations;
}

/** The ReplicaSet to create for the present template. */
export function newReplicaSet(deployment: Deployment, old: readonly ReplicaSet[]): Draft<ReplicaSet> {
  const template = deployment.spec?.template ?? {};
  const hash = contentHash(template, deployment.status?.collisionCount);
  const selector = deployment.spec?.selector ?? {};
  const labels = { ...template.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
  const minReadySeconds = deployment.spec?.minReadySeconds;
  return {
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: { ...newSetAnnotations(deployment, undefined, nextRevision(old)), ...sizeAnnotations(deployment) },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: newReplicaSetSize(deployment, old, 0),
      ...(minReadySeconds ? { minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [POD_TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** Old ReplicaSets beyond revisionHistoryLimit, oldest revision first; never one that still has pods or has not been looked at yet. */
export function expiredRevisions(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit;
  if (limit === undefined || limit === UNLIMITED) return [];
  const alive = old
    .filter((set) => !set.metadata.deletionTimestamp)
    .sort((a, b) => (revisionOf(a) < revisionOf(b) ? -1 : 1));
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (set) =>
        (set.status?.replicas ?? 0) === 0 &&
        replicasOf(set) === 0 &&
        (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
    );
}
