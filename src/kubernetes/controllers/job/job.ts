import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { type Draft, keyOf, parseKey } from "../../object.js";
import { orAbsent } from "../../runtime/absent.js";
import { conditionOf } from "../../runtime/conditions.js";
import { isEqual } from "../../runtime/hash.js";
import { matcherOf } from "../../runtime/label-selector.js";
import type { Container, Job, Pod } from "../../schema/generated/types.js";
import { claim, createOrphanIndex, ownerKeys } from "../claim.js";
import { defineController, on } from "../define-controller.js";
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate, slowStartBatch } from "../pod-control.js";
import { COMPLETION_INDEX, isFinished, type JobPlan, planJob, TRACKING } from "./plan.js";

/** Jobs: pods that run to their end until enough have succeeded. Decisions are in plan.ts. */
const RESOURCE = "jobs.batch";
/** Pods started in one reconcile at most (upstream's MaxPodCreateDeletePerSync). */
const BURST = 500;
const KUBE_MANAGER = "kubernetes.io/job-controller";

/** Members of a Job's spec that are stored but not acted upon; a Job that uses one says so in an event. */
const NOT_SIMULATED = ["podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes"] as const;

export const jobController = (): Controller =>
  defineController({ name: "job-controller" }, (env) => {
    const { api, clock, events, queue } = env;
    const orphans = createOrphanIndex();
    const matches = (job: Job) => matcherOf(job.spec?.selector);

    const reconcile = async (key: string): Promise<void> => {
      const job = api.get<Job>(RESOURCE, parseKey(key));
      if (!job) return queue.forget(key);
      // Another controller has taken this job on.
      if (job.spec?.managedBy && job.spec.managedBy !== KUBE_MANAGER) return;
      if (!job.status?.startTime) warnOfUnsupported(job);
      const pods = await claim<Pod>({ api, resource: "pods", owner: job, matches: matches(job), orphans });
      if (job.metadata.deletionTimestamp) {
        for (const pod of pods) await removeFinalizer(pod);
        return;
      }
      const plan = planJob(job, pods, clock.now());
      await writeStatus(job, plan);
      for (const pod of plan.counted) await removeFinalizer(pod);
      if (plan.counted.length > 0) queue.add(key);
      const deleted = await Promise.allSettled(plan.remove.map((pod) => deletePod(env, job, pod)));
      const { error } = await slowStartBatch(Math.min(plan.create.length, BURST), (i) =>
        createPod(env, job, jobPod(job, plan.create[i])),
      );
      if (plan.againMs !== undefined) queue.addAfter(key, Math.max(1, plan.againMs));
      const failure = error ?? deleted.find((result) => result.status === "rejected")?.reason;
      if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
    };

    const warnOfUnsupported = (job: Job): void => {
      for (const field of NOT_SIMULATED) {
        if (job.spec?.[field] === undefined) continue;
        events.event(
          job,
          "Warning",
          "UnsupportedField",
          `spec.${field} is not simulated: this job runs as if it were not set`,
        );
      }
    };

    const writeStatus = async (job: Job, plan: JobPlan): Promise<void> => {
      if (isEqual(plan.status, job.status)) return;
      await api.updateStatus<Job>(RESOURCE, { ...job, status: plan.status });
      const was = conditionOf(job.status?.conditions, "Suspended")?.status;
      const now = conditionOf(plan.status.conditions, "Suspended")?.status;
      if (now === "True" && was !== "True") events.event(job, "Normal", "Suspended", "Job suspended");
      if (now === "False" && was === "True") events.event(job, "Normal", "Resumed", "Job resumed");
      if (!plan.finished || !plan.verdict) return;
      const { type, reason, message } = plan.verdict;
      if (type === "Complete") events.event(job, "Normal", "Completed", "Job completed");
      else events.event(job, "Warning", reason, message);
    };

    const removeFinalizer = async (pod: Pod): Promise<void> => {
      const present = api.get<Pod>("pods", pod.metadata);
      if (!present?.metadata.finalizers?.includes(TRACKING)) return;
      const finalizers = orAbsent(present.metadata.finalizers.filter((finalizer) => finalizer !== TRACKING));
      try {
        await api.update<Pod>("pods", { ...present, metadata: { ...present.metadata, finalizers } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    return {
      reconcile,
      watches: [
        on<Job>(RESOURCE, ({ type, object }) =>
          type === "DELETED" || !isFinished(object) ? keyOf(object) : undefined,
        ),
        on<Pod>("pods", (event) => {
          orphans.observe(event);
          return ownerKeys<Job>(api, event, { resource: RESOURCE, kind: "Job", matches });
        }),
      ],
    };
  });

/** A pod of the job, that for `index` when the job is indexed. */
function jobPod(job: Job, index: number | undefined): Draft<Pod> {
  const pod = podFromTemplate(job.spec?.template, job);
  const metadata = { ...pod.metadata, finalizers: [...(pod.metadata.finalizers ?? []), TRACKING] };
  if (index === undefined || !pod.spec) return { ...pod, metadata };
  const text = String(index);
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: `${job.metadata.name}-${index}-`,
      labels: { ...metadata.labels, [COMPLETION_INDEX]: text },
      annotations: { ...metadata.annotations, [COMPLETION_INDEX]: text },
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: pod.spec.containers.map(withIndex),
      ...(pod.spec.initContainers ? { initContainers: pod.spec.initContainers.map(withIndex) } : {}),
    },
  };
}

const INDEX_VARIABLE = "JOB_COMPLETION_INDEX";

const withIndex = (container: Container): Container =>
  container.env?.some(({ name }) => name === INDEX_VARIABLE)
    ? container
    : {
        ...container,
        env: [
          ...(container.env ?? []),
          { name: INDEX_VARIABLE, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } } },
        ],
      };
