import { isStatusError } from "../../errors.js";
import { keyOf } from "../../object.js";
import { conditionOf } from "../../runtime/conditions.js";
import { isEqual } from "../../runtime/hash.js";
import { controlledBy, isControlledBy } from "../../runtime/owners.js";
import { isPodTerminal } from "../../runtime/pods.js";
import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from "../../schema/generated/types.js";
import type { Environment } from "../define-controller.js";
import type { OwnStatus } from "../own-status.js";
import { isNamespaceTerminating, messageOf } from "../pod-control.js";
import { planNew, planRollingStep, planScale, type Resize } from "./plan.js";
import { findNew, REVISION, replicasOf, revisionOf, sameTemplate } from "./replica-sets.js";
import { expiredRevisions, newReplicaSet, newSetAnnotations, nextRevision, sizeAnnotations } from "./revisions.js";
import {
  countStatus,
  isComplete,
  type Progress,
  progressDeadlineMs,
  rolloutStatus,
  setCondition,
  stuckAtMs,
} from "./status.js";

/** Carries out what plan.ts, revisions.ts and status.ts decide for one Deployment: one step at a time, reading again what a step may have changed. */
export const DEPLOYMENTS = "deployments.apps";
export const REPLICA_SETS = "replicasets.apps";

export interface RolloutEnvironment extends Environment {
  own: OwnStatus;
}

export async function writeStatus(
  { api, own }: RolloutEnvironment,
  deployment: Deployment,
  status: DeploymentStatus,
): Promise<void> {
  const present = api.get<Deployment>(DEPLOYMENTS, deployment.metadata);
  if (!present || present.metadata.uid !== deployment.metadata.uid) return;
  own.writing(present, status);
  if (isEqual(present.status, status)) return;
  await api.updateStatus<Deployment>(DEPLOYMENTS, { ...present, status });
}

/** Everything one reconcile does with one Deployment and the ReplicaSets it had at its start. */
export function createRollout(env: RolloutEnvironment, deployment: Deployment, sets: readonly ReplicaSet[]) {
  const { api, clock, events, queue } = env;
  const found = findNew(deployment, sets);
  const old = sets.filter((set) => set !== found);

  /** The present one with its annotations brought up to date; undefined when there is none yet. */
  const currentSet = async (): Promise<ReplicaSet | undefined> => {
    if (!found) return undefined;
    const annotations = newSetAnnotations(deployment, found.metadata.annotations, nextRevision(old));
    const minReadySeconds = deployment.spec?.minReadySeconds || undefined;
    const stale =
      !isEqual(annotations, found.metadata.annotations) ||
      (found.spec?.minReadySeconds || undefined) !== minReadySeconds;
    const set = stale
      ? await api.update<ReplicaSet>(REPLICA_SETS, {
          ...found,
          metadata: { ...found.metadata, annotations },
          spec: { ...found.spec, selector: found.spec?.selector ?? {}, minReadySeconds },
        })
      : found;
    await adoptRevision(set);
    if (!conditionOf(fresh().status?.conditions, "Progressing")) {
      await noteProgress({
        reason: "FoundNewReplicaSet",
        status: "True",
        message: `Found new replica set "${set.metadata.name}"`,
      });
    }
    return set;
  };

  const createSet = async (): Promise<ReplicaSet> => {
    const draft = newReplicaSet(fresh(), old);
    const name = draft.metadata.name ?? "";
    try {
      const set = await api.create<ReplicaSet>(REPLICA_SETS, draft);
      const replicas = replicasOf(set);
      if (replicas > 0)
        events.event(deployment, "Normal", "ScalingReplicaSet", `Scaled up replica set ${name} from 0 to ${replicas}`);
      await adoptRevision(set);
      await noteProgress({
        reason: "NewReplicaSetCreated",
        status: "True",
        message: `Created new replica set "${name}"`,
      });
      return set;
    } catch (error) {
      if (isStatusError(error, "AlreadyExists")) {
        const taken = api.get<ReplicaSet>(REPLICA_SETS, { namespace: deployment.metadata.namespace, name });
        if (taken && isControlledBy(taken, deployment) && sameTemplate(taken.spec?.template, deployment.spec?.template))
          return taken;
        // Two templates with one hash: count it, so that the next attempt gets another name.
        const { status } = fresh();
        await writeStatus(env, deployment, { ...status, collisionCount: (status?.collisionCount ?? 0) + 1 });
      } else if (!isNamespaceTerminating(error)) {
        const message = `Failed to create new replica set "${name}": ${messageOf(error)}`;
        await noteProgress({ reason: "ReplicaSetCreateError", status: "False", message });
        events.event(deployment, "Warning", "ReplicaSetCreateError", message);
      }
      throw error;
    }
  };

  const fresh = (): Deployment => api.get<Deployment>(DEPLOYMENTS, deployment.metadata) ?? deployment;

  /** The Deployment shows the revision of its newest ReplicaSet. */
  const adoptRevision = async (set: ReplicaSet): Promise<void> => {
    const present = fresh();
    const revision = set.metadata.annotations?.[REVISION];
    if (revision === undefined || revisionOf(present) === revisionOf(set)) return;
    const annotations = { ...present.metadata.annotations, [REVISION]: revision };
    await api.update<Deployment>(DEPLOYMENTS, { ...present, metadata: { ...present.metadata, annotations } });
  };

  const noteProgress = async (progress: Progress): Promise<void> => {
    if (progressDeadlineMs(deployment) === undefined) return;
    const { status } = fresh();
    const conditions = setCondition(status?.conditions, "Progressing", progress, clock.now());
    await writeStatus(env, deployment, { ...status, conditions });
  };

  /** Sizes ReplicaSets; true when there was anything to do. */
  const apply = async (plan: readonly Resize[]): Promise<boolean> => {
    let changed = false;
    for (const { set, replicas } of plan) changed = (await resizeSet(set, replicas)) || changed;
    return changed;
  };

  const resizeSet = async (set: ReplicaSet, replicas: number): Promise<boolean> => {
    const present = api.get<ReplicaSet>(REPLICA_SETS, set.metadata);
    if (!present) return false;
    const annotations = { ...present.metadata.annotations, ...sizeAnnotations(deployment) };
    const before = replicasOf(present);
    if (before === replicas && isEqual(annotations, present.metadata.annotations)) return false;
    await api.update<ReplicaSet>(REPLICA_SETS, {
      ...present,
      metadata: { ...present.metadata, annotations },
      spec: { ...present.spec, selector: present.spec?.selector ?? {}, replicas },
    });
    if (before === replicas) return false;
    const direction = before < replicas ? "up" : "down";
    const message = `Scaled ${direction} replica set ${set.metadata.name} from ${before} to ${replicas}`;
    events.event(deployment, "Normal", "ScalingReplicaSet", message);
    return true;
  };

  /** The same ReplicaSets as they are now. */
  const refreshed = (): { all: ReplicaSet[]; newSet: ReplicaSet | undefined } => {
    const all = controlledBy<ReplicaSet>(api, REPLICA_SETS, deployment);
    return { all, newSet: findNew(deployment, all) };
  };

  const writeProgress = async (): Promise<DeploymentStatus> => {
    const present = fresh();
    const { all, newSet } = refreshed();
    const nowMs = clock.now();
    const status = rolloutStatus(
      { ...present, metadata: deployment.metadata, spec: deployment.spec },
      all,
      newSet,
      nowMs,
    );
    await writeStatus(env, deployment, status);
    const stuckMs = stuckAtMs(deployment, status);
    // A second later, as upstream, so that the deadline has really passed.
    if (stuckMs !== undefined) queue.addAfter(keyOf(deployment), Math.max(0, stuckMs - nowMs) + 1000);
    return status;
  };

  const cleanUp = async (): Promise<void> => {
    for (const set of expiredRevisions(deployment, old)) {
      const { namespace, name, uid } = set.metadata;
      try {
        await api.delete(REPLICA_SETS, { namespace, name }, { preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    }
  };

  const finish = async (): Promise<void> => {
    if (isComplete(deployment, await writeProgress())) await cleanUp();
  };

  return {
    async roll(): Promise<void> {
      const newSet = (await currentSet()) ?? (await createSet());
      if (await apply(planRollingStep(deployment, newSet, old))) await writeProgress();
      else await finish();
    },
    async recreate(): Promise<void> {
      let newSet = await currentSet();
      const running = old.filter((set) => replicasOf(set) > 0);
      if (await apply(running.map((set) => ({ set, replicas: 0 })))) return void (await writeProgress());
      const leftovers = old.some((set) => controlledBy<Pod>(api, "pods", set).some((pod) => !isPodTerminal(pod)));
      if (leftovers) return void (await writeProgress());
      newSet ??= await createSet();
      await apply(planNew(deployment, newSet, [...old, newSet]));
      await finish();
    },
    /** Paused, or resized: sizes change, but nothing moves from old to new. */
    async scale(): Promise<void> {
      const newSet = await currentSet();
      await apply(planScale(deployment, newSet, old));
      if (deployment.spec?.paused) await cleanUp();
      await this.writeCounts();
    },
    async writeCounts(): Promise<void> {
      const present = fresh();
      const { all, newSet } = refreshed();
      const counted = countStatus(
        { ...present, metadata: deployment.metadata, spec: deployment.spec },
        all,
        newSet,
        clock.now(),
      );
      await writeStatus(env, deployment, counted);
    },
    /** Tells pause and resumption apart from being stuck, so that the deadline does not run meanwhile. */
    async notePause(): Promise<void> {
      const present = conditionOf(deployment.status?.conditions, "Progressing");
      if (present?.reason === "ProgressDeadlineExceeded") return;
      const paused = deployment.spec?.paused === true;
      if (paused && present?.reason !== "DeploymentPaused") {
        await noteProgress({ reason: "DeploymentPaused", status: "Unknown", message: "Deployment is paused" });
      } else if (!paused && present?.reason === "DeploymentPaused") {
        await noteProgress({ reason: "DeploymentResumed", status: "Unknown", message: "Deployment is resumed" });
      }
    },
  };
}
