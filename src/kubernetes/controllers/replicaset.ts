import { formatSeconds } from "../../clock/clock.js";
import type { Controller } from "../controller.js";
import { keyOf, parseKey } from "../object.js";
import { conditionOf, withCondition, withoutCondition } from "../runtime/conditions.js";
import { isEqual } from "../runtime/hash.js";
import { type LabelMatcher, matcherOf, matcherOfMap } from "../runtime/label-selector.js";
import { controlledBy, controllerOf } from "../runtime/owners.js";
import { isPodActive, isPodTerminating, msUntilAvailable } from "../runtime/pods.js";
import type { Pod, ReplicaSet, ReplicaSetStatus, ReplicationController } from "../schema/generated/types.js";
import { claim, createOrphanIndex, ownerKeys } from "./claim.js";
import { defineController, type Environment, on } from "./define-controller.js";
import { createOwnStatus } from "./own-status.js";
import {
  createPod,
  deletePod,
  isNamespaceTerminating,
  messageOf,
  podFromTemplate,
  slowStartBatch,
} from "./pod-control.js";
import { podsToDelete } from "./pod-ranking.js";
import { createReplicaTally } from "./replica-tally.js";

/**
 * ReplicaSet and ReplicationController: as many active pods as asked for. One implementation, as upstream; a ReplicationController differs in its
 * selector alone.
 */
type Replicated = ReplicaSet | ReplicationController;

interface ReplicaKind {
  name: string;
  resource: string;
  kind: string;
  /** Its status tells how many pods are on their way out. */
  tellsTerminating: boolean;
  matcher(owner: Replicated): LabelMatcher;
}

/** Pods created or deleted in one reconcile at most (upstream's BurstReplicas). */
const BURST = 500;

export const replicaSetController = (): Controller =>
  replicationOf({
    name: "replicaset-controller",
    resource: "replicasets.apps",
    kind: "ReplicaSet",
    tellsTerminating: true,
    matcher: (owner) => matcherOf((owner as ReplicaSet).spec?.selector),
  });

export const replicationControllerController = (): Controller =>
  replicationOf({
    name: "replication-controller",
    resource: "replicationcontrollers",
    kind: "ReplicationController",
    tellsTerminating: false,
    matcher: (owner) => matcherOfMap((owner as ReplicationController).spec?.selector),
  });

interface Counts {
  active: number;
  ready: number;
  terminating?: number;
  fullyLabelled: number;
  available: number;
  /** When the next ready pod becomes available, from now; undefined when none is waiting. */
  nextAvailableMs?: number;
}

function countPods(owner: Replicated, pods: readonly Pod[], nowMs: number): Counts {
  const templateLabels = matcherOfMap(owner.spec?.template?.metadata?.labels);
  const minReadySeconds = owner.spec?.minReadySeconds ?? 0;
  const counts: Counts = { active: pods.length, ready: 0, fullyLabelled: 0, available: 0 };
  for (const pod of pods) {
    if (templateLabels(pod.metadata.labels)) counts.fullyLabelled++;
    const waitMs = msUntilAvailable(pod, minReadySeconds, nowMs);
    if (waitMs === undefined) continue;
    counts.ready++;
    if (waitMs === 0) counts.available++;
    else counts.nextAvailableMs = Math.min(waitMs, counts.nextAvailableMs ?? waitMs);
  }
  return counts;
}

/** The status that goes with the counts. `failure`: the error that kept pods from being created or deleted. */
function replicaStatus(
  owner: Replicated,
  counts: Counts,
  failure: { reason: string; message: string } | undefined,
  nowMs: number,
): ReplicaSetStatus {
  const present = owner.status?.conditions;
  // The first failure stays until things work again, as upstream: no new text with every retry.
  const conditions = !failure
    ? withoutCondition(present, "ReplicaFailure")
    : conditionOf(present, "ReplicaFailure")
      ? (present ?? [])
      : withCondition(present, {
          type: "ReplicaFailure",
          status: "True",
          lastTransitionTime: formatSeconds(nowMs),
          ...failure,
        });
  return {
    replicas: counts.active,
    ...(counts.fullyLabelled ? { fullyLabeledReplicas: counts.fullyLabelled } : {}),
    ...(counts.ready ? { readyReplicas: counts.ready } : {}),
    ...(counts.available ? { availableReplicas: counts.available } : {}),
    ...(counts.terminating !== undefined ? { terminatingReplicas: counts.terminating } : {}),
    observedGeneration: owner.metadata.generation,
    ...(conditions.length ? { conditions } : {}),
  };
}

function replicationOf(kind: ReplicaKind): Controller {
  return defineController({ name: kind.name }, (env) => {
    const { api, clock, queue } = env;
    const tally = createReplicaTally();
    const orphans = createOrphanIndex();
    const own = createOwnStatus();

    const reconcile = async (key: string): Promise<void> => {
      const owner = api.get<Replicated>(kind.resource, parseKey(key));
      if (!owner) return queue.forget(key);
      const steady = steadyCounts(owner);
      if (steady) return writeStatus(owner, steady, undefined);

      const matches = kind.matcher(owner);
      const claimed = await claim<Pod>({ api, resource: "pods", owner, matches, orphans, adoptable: isPodActive });
      const active = claimed.filter(isPodActive);
      const failure = owner.metadata.deletionTimestamp ? undefined : await manage(env, owner, active);
      const after = controlledBy<Pod>(api, "pods", owner).filter((pod) => matches(pod.metadata.labels));
      const counts = countPods(owner, after.filter(isPodActive), clock.now());
      const terminating = after.filter(isPodTerminating).length;
      tally.set(owner.metadata.uid, { active: counts.active, ready: counts.ready, terminating });
      if (kind.tellsTerminating) counts.terminating = terminating;
      await writeStatus(owner, counts, failure);
      if (counts.nextAvailableMs) queue.addAfter(key, counts.nextAvailableMs);
      if (failure) throw failure.error;
    };

    /** Without a list, when the tally says that only readiness has changed; undefined when there is more to do. */
    const steadyCounts = (owner: Replicated): Counts | undefined => {
      const count = tally.of(owner.metadata.uid);
      const { status } = owner;
      if (!count || !status || count.active !== (owner.spec?.replicas ?? 1) || count.active !== status.replicas)
        return undefined;
      if (owner.spec?.minReadySeconds || owner.metadata.generation !== status.observedGeneration) return undefined;
      if (status.conditions?.length || orphans.in(owner.metadata.namespace).length) return undefined;
      const { terminating, ...counts } = count;
      return {
        ...counts,
        ...(kind.tellsTerminating ? { terminating } : {}),
        available: count.ready,
        fullyLabelled: status.fullyLabeledReplicas ?? 0,
      };
    };

    const writeStatus = async (owner: Replicated, counts: Counts, failure: Failure | undefined): Promise<void> => {
      // Read again: adoption or the scale subresource may have written meanwhile.
      const fresh = api.get<Replicated>(kind.resource, owner.metadata);
      if (!fresh || fresh.metadata.uid !== owner.metadata.uid) return;
      const status = replicaStatus(
        fresh,
        counts,
        failure && { reason: failure.reason, message: messageOf(failure.error) },
        clock.now(),
      );
      status.observedGeneration = owner.metadata.generation;
      own.writing(fresh, status);
      if (!isEqual(status, fresh.status)) await api.updateStatus(kind.resource, { ...fresh, status });
    };

    return {
      reconcile,
      watches: [
        on<Replicated>(kind.resource, (event) => {
          const { type, object, previous } = event;
          if (type === "DELETED") tally.forget(object.metadata.uid);
          if (own.isForeign(event)) return keyOf(object);
          const spec =
            !previous ||
            previous.spec !== object.spec ||
            previous.metadata.deletionTimestamp !== object.metadata.deletionTimestamp;
          return spec || previous.metadata.labels !== object.metadata.labels ? keyOf(object) : undefined;
        }),
        on<Pod>("pods", (event) => {
          orphans.observe(event);
          if (!tally.observe(event)) return undefined;
          return ownerKeys<Replicated>(api, event, { resource: kind.resource, kind: kind.kind, matches: kind.matcher });
        }),
      ],
    };
  });
}

interface Failure {
  reason: "FailedCreate" | "FailedDelete";
  message: string;
  error: unknown;
}

/** Creates what is missing or deletes what is too much. */
async function manage(env: Environment, owner: Replicated, active: readonly Pod[]): Promise<Failure | undefined> {
  const diff = active.length - (owner.spec?.replicas ?? 1);
  if (diff < 0) {
    const { error } = await slowStartBatch(Math.min(-diff, BURST), () =>
      createPod(env, owner, podFromTemplate(owner.spec?.template, owner)),
    );
    if (error === undefined || isNamespaceTerminating(error)) return undefined;
    return { reason: "FailedCreate", message: messageOf(error), error };
  }
  if (diff === 0) return undefined;
  const doomed = podsToDelete(active, relatedPods(env, owner, active), Math.min(diff, BURST), env.clock.now());
  const results = await Promise.allSettled(doomed.map((pod) => deletePod(env, owner, pod)));
  const failed = results.find((result) => result.status === "rejected");
  return failed && { reason: "FailedDelete", message: messageOf(failed.reason), error: failed.reason };
}

/** Active pods of every ReplicaSet of the same Deployment; of this one alone when nobody controls it. */
function relatedPods({ api }: Environment, owner: Replicated, own: readonly Pod[]): readonly Pod[] {
  const parent = controllerOf(owner);
  if (!parent) return own;
  return api
    .byIndex<ReplicaSet>("replicasets.apps", "ownerUid", parent.uid)
    .flatMap((sibling) => controlledBy<Pod>(api, "pods", sibling).filter(isPodActive));
}
