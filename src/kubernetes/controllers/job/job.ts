import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { orAbsent } from "../../runtime/absent.js";
import { conditionOf } from "../../runtime/conditions.js";
import { isEqual } from "../../runtime/hash.js";
import { matcherOf } from "../../runtime/label-selector.js";
import { controlledBy, controllerOf } from "../../runtime/owners.js";
import { isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { Job, JobStatus, Pod } from "../../schema/generated/types.js";
import { claim, createOrphanIndex, ownerKeys } from "../claim.js";
import { defineController, on } from "../define-controller.js";
import { createPod, deletePod, isNamespaceTerminating, slowStartBatch } from "../pod-control.js";
import { addFailures, type Failures, NO_FAILURES } from "./backoff.js";
import { isFinished, type JobPlan, planJob } from "./plan.js";
import { isFailed, isTracked, jobPod, TRACKING } from "./pods.js";
import { close, enter, type Outcome } from "./status.js";

/** Jobs: pods that run to their end until enough have succeeded. Decisions are in plan.ts, the books in status.ts. */
const RESOURCE = "jobs.batch";
const KUBE_MANAGER = "kubernetes.io/job-controller";
/** Keys of pods that may have to be let go because no Job counts them any more; Jobs' keys are `namespace/name`. */
const LOST_POD = "pod ";

/** Another controller has taken the Job on. */
const isForeign = (job: Job): boolean => job.spec?.managedBy !== undefined && job.spec.managedBy !== KUBE_MANAGER;

export const jobController = (): Controller =>
  defineController({ name: "job-controller" }, (env) => {
    const { api, clock, events, queue } = env;
    const orphans = createOrphanIndex();
    const failures = new Map<string, Failures>();
    const matches = (job: Job) => matcherOf(job.spec?.selector);

    const reconcile = async (key: string): Promise<void> => {
      if (key.startsWith(LOST_POD)) return letGoOfLost(key.slice(LOST_POD.length));
      const job = api.get<Job>(RESOURCE, parseKey(key));
      if (!job) return queue.forget(key);
      if (isForeign(job)) return;
      if (isFinished(job)) {
        failures.delete(job.metadata.uid);
        return;
      }
      const pods = await claim<Pod>({
        api,
        resource: "pods",
        owner: job,
        matches: matches(job),
        orphans,
        finalizer: TRACKING,
      });
      const view = { job, pods, failures: knownFailures(job, pods), nowMs: clock.now() };
      const plan = planJob(view);
      const { outcome, error } = await carryOut(job, plan);
      const entry = enter(view, plan, outcome);
      const entered = await writeStatus(job, entry.status);
      failures.set(job.metadata.uid, plan.census.failures);
      const tracked = new Set(pods.filter(isTracked).map(({ metadata }) => metadata.uid));
      for (const pod of entry.release) {
        await letGo(pod);
        tracked.delete(pod.metadata.uid);
      }
      const { status, finished } = close(job, entry, tracked, clock.now());
      await writeStatus(entered, status);
      if (finished && entry.verdict) tellEnd(job, status, entry.verdict);
      if (entry.more) queue.add(key);
      if (plan.againMs !== undefined && !finished) queue.addAfter(key, Math.max(1, plan.againMs));
      if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    };

    /** After a restart what is still there of the Job's pods has to do. */
    const knownFailures = (job: Job, pods: readonly Pod[]): Failures => {
      const known = failures.get(job.metadata.uid);
      if (known) return known;
      const counted = pods.filter((pod) => !isTracked(pod));
      const ended = counted.filter((pod) => pod.status?.phase === "Succeeded");
      return addFailures(
        NO_FAILURES,
        ended,
        counted.filter((pod) => isFailed(job, pod)),
      );
    };

    const carryOut = async (job: Job, plan: JobPlan): Promise<{ outcome: Outcome; error?: unknown }> => {
      const removed: Pod[] = [];
      let error: unknown;
      for (const pod of plan.remove) {
        try {
          // What the Job stops while it goes on has neither succeeded nor failed: nothing is to be counted.
          if (!plan.verdict) await letGo(pod);
          await deletePod(env, job, pod);
          removed.push(pod);
        } catch (failure) {
          error ??= failure;
        }
      }
      const { successes, error: refused } = await slowStartBatch(plan.create.length, (i) =>
        createPod(env, job, jobPod(job, plan.create[i] ?? {})),
      );
      const gone = new Set(removed);
      const ready = plan.census.active.filter((pod) => !gone.has(pod) && isPodReady(pod)).length;
      return { outcome: { removed, created: successes, ready }, error: error ?? refused };
    };

    /** Refused with Conflict when the Job has changed since it was read. */
    const writeStatus = async (job: Job, status: JobStatus): Promise<Job> => {
      if (isEqual(status, job.status)) return job;
      const written = await api.updateStatus<Job>(RESOURCE, { ...job, status });
      const was = conditionOf(job.status?.conditions, "Suspended")?.status;
      const now = conditionOf(status.conditions, "Suspended")?.status;
      if (now === "True" && was !== "True") events.event(job, "Normal", "Suspended", "Job suspended");
      if (now === "False" && was === "True") events.event(job, "Normal", "Resumed", "Job resumed");
      return written;
    };

    const tellEnd = (
      job: Job,
      { succeeded = 0 }: JobStatus,
      { type, reason, message }: NonNullable<JobPlan["verdict"]>,
    ): void => {
      if (type === "Failed") {
        events.event(job, "Warning", reason, message);
        return;
      }
      if (job.spec?.completions !== undefined && succeeded > job.spec.completions) {
        events.event(
          job,
          "Warning",
          "TooManySucceededPods",
          "Too many succeeded pods running after completion count reached",
        );
      }
      events.event(job, "Normal", "Completed", "Job completed");
    };

    const letGo = async ({ metadata }: Pod): Promise<void> => {
      const present = api.get<Pod>("pods", metadata);
      if (!present || present.metadata.uid !== metadata.uid || !isTracked(present)) return;
      const finalizers = orAbsent(present.metadata.finalizers?.filter((finalizer) => finalizer !== TRACKING));
      try {
        await api.update<Pod>("pods", { ...present, metadata: { ...present.metadata, finalizers } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    const letGoOfLost = async (key: string): Promise<void> => {
      const pod = api.get<Pod>("pods", parseKey(key));
      if (pod && isLost(pod)) await letGo(pod);
    };

    /** No Job will count this pod: it has none, or none that still runs. */
    const isLost = (pod: Pod): boolean => {
      if (!isTracked(pod)) return false;
      const owner = controllerOf(pod);
      if (!owner) return true;
      if (owner.kind !== "Job" || !owner.apiVersion.startsWith("batch/")) return false;
      const job = api.get<Job>(RESOURCE, { namespace: pod.metadata.namespace, name: owner.name });
      if (job?.metadata.uid !== owner.uid) return true;
      return !isForeign(job) && isFinished(job);
    };

    const lostKey = (pod: Pod): string => `${LOST_POD}${keyOf(pod)}`;

    /** Pods that were left with a finalizer by a Job that is over or gone. */
    const leftBehind = (job: Job): string[] => controlledBy<Pod>(api, "pods", job).filter(isLost).map(lostKey);

    return {
      reconcile,
      watches: [
        on<Job>(RESOURCE, ({ type, object }) => {
          if (type === "DELETED") failures.delete(object.metadata.uid);
          return type === "DELETED" || isFinished(object) ? [keyOf(object), ...leftBehind(object)] : keyOf(object);
        }),
        on<Pod>("pods", (event) => {
          orphans.observe(event);
          if (!concernsJob(event.object, event.previous)) return undefined;
          const keys = ownerKeys<Job>(api, event, { resource: RESOURCE, kind: "Job", matches });
          return event.type !== "DELETED" && isLost(event.object) ? [...keys, lostKey(event.object)] : keys;
        }),
      ],
    };
  });

/** Pods that have come to their end and are counted stay for the record; what happens to them concerns nobody. */
const concernsJob = (object: Pod, previous: Pod | undefined): boolean =>
  !previous || isTracked(object) || !isPodTerminal(previous) || previous.metadata !== object.metadata;
