import { formatSeconds } from "../../../clock/clock.js";
import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { type Draft, keyOf, parseKey } from "../../object.js";
import { isConditionTrue } from "../../runtime/conditions.js";
import { referenceTo } from "../../runtime/event-recorder.js";
import { isEqual } from "../../runtime/hash.js";
import { controlledBy, controllerOf, controllerReference } from "../../runtime/owners.js";
import type { CronJob, CronJobStatus, Job, ObjectReference } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { isFinished } from "../job/plan.js";
import { isNamespaceTerminating, messageOf } from "../pod-control.js";
import { parseSchedule, type Schedule } from "./schedule.js";

/** CronJobs: a Job at every due time of a schedule, and the clearing of old ones. After upstream's cronjob_controllerv2.go. */
const RESOURCE = "cronjobs.batch";
const JOBS = "jobs.batch";
const SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/** More missed starts than this are reported, not worked off. */
const TOO_MANY = 100;

/**
 * The newest due time that has not been served, how many there were, and the first one to come. Bounded: a long pause of a frequent schedule is not counted
 * to its end.
 */
function newestMissed(
  cronJob: CronJob,
  schedule: Schedule,
  nowMs: number,
): { atMs?: number; count: number; nextMs?: number } {
  const { startingDeadlineSeconds } = cronJob.spec;
  let sinceMs = Date.parse(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp);
  if (startingDeadlineSeconds !== undefined) sinceMs = Math.max(sinceMs, nowMs - startingDeadlineSeconds * 1000);
  let atMs: number | undefined;
  let count = 0;
  let dueMs = schedule.next(sinceMs);
  for (; dueMs !== undefined && dueMs <= nowMs; dueMs = schedule.next(dueMs)) {
    atMs = dueMs;
    count++;
    // Jump close to the present; what lies between only matters as "too many".
    if (count > TOO_MANY) {
      const periodMs = Math.max(60_000, (schedule.next(dueMs) ?? nowMs) - dueMs);
      dueMs = Math.max(dueMs, nowMs - 2 * periodMs);
    }
  }
  return { atMs, count, nextMs: dueMs };
}

export const cronJobController = (): Controller =>
  defineController({ name: "cronjob-controller" }, (env) => {
    const { api, clock, events, queue } = env;

    const reconcile = async (key: string): Promise<void> => {
      const cronJob = api.get<CronJob>(RESOURCE, parseKey(key));
      if (!cronJob || cronJob.metadata.deletionTimestamp) return queue.forget(key);
      const jobs = controlledBy<Job>(api, JOBS, cronJob);
      let status = noteJobs(cronJob, jobs);
      await clearHistory(cronJob, jobs);
      const schedule = scheduleOf(cronJob);
      if (schedule && !cronJob.spec.suspend) {
        status = await startDue(cronJob, schedule, status);
        // Counted from the last due time, so that `@every` keeps its beat over a restart.
        const { nextMs } = newestMissed(cronJob, schedule, clock.now());
        if (nextMs !== undefined) queue.addAfter(key, nextMs - clock.now());
      }
      const present = api.get<CronJob>(RESOURCE, cronJob.metadata);
      if (present && !isEqual(status, present.status))
        await api.updateStatus<CronJob>(RESOURCE, { ...present, status });
    };

    const scheduleOf = (cronJob: CronJob): Schedule | undefined => {
      const { schedule, timeZone } = cronJob.spec;
      try {
        return parseSchedule(schedule, timeZone);
      } catch (error) {
        events.event(cronJob, "Warning", "UnknownTimeZone", `invalid timeZone: "${timeZone}": ${messageOf(error)}`);
        return undefined;
      }
    };

    /**
     * Which of the jobs that were started are still at work, and when the last one succeeded. Jobs that somebody else made for the CronJob (`kubectl create
     * job --from`) are not counted among them.
     */
    const noteJobs = (cronJob: CronJob, jobs: readonly Job[]): CronJobStatus => {
      const { lastScheduleTime, active: listed = [] } = cronJob.status ?? {};
      let { lastSuccessfulTime } = cronJob.status ?? {};
      const byUid = new Map(jobs.map((job) => [job.metadata.uid, job]));
      const active = listed.filter(({ uid = "", name }) => {
        const job = byUid.get(uid);
        if (!job) events.event(cronJob, "Normal", "MissingJob", `Active job went missing: ${name}`);
        else if (isFinished(job)) {
          const outcome = isConditionTrue(job.status?.conditions, "Complete") ? "Complete" : "Failed";
          events.event(cronJob, "Normal", "SawCompletedJob", `Saw completed job: ${name}, condition: ${outcome}`);
        }
        return job && !isFinished(job);
      });
      for (const job of jobs) {
        const { completionTime } = job.status ?? {};
        if (completionTime && (!lastSuccessfulTime || completionTime > lastSuccessfulTime))
          lastSuccessfulTime = completionTime;
        // The one of the last due time may have been made before a restart that came before the status was written: createJob finds it.
        const isStray = !isFinished(job) && !listed.some(({ uid }) => uid === job.metadata.uid);
        if (isStray) {
          const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`;
          events.event(cronJob, "Warning", "UnexpectedJob", message);
        }
      }
      return {
        ...(active.length ? { active } : {}),
        ...(lastScheduleTime ? { lastScheduleTime } : {}),
        ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
      };
    };

    const clearHistory = async (cronJob: CronJob, jobs: readonly Job[]): Promise<void> => {
      const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec;
      for (const [type, limit] of [
        ["Complete", successfulJobsHistoryLimit],
        ["Failed", failedJobsHistoryLimit],
      ] as const) {
        const ended = jobs.filter((job) => isConditionTrue(job.status?.conditions, type));
        ended.sort((a, b) => (a.status?.startTime ?? "").localeCompare(b.status?.startTime ?? ""));
        for (const job of ended.slice(0, Math.max(0, ended.length - limit))) await deleteJob(cronJob, job);
      }
    };

    const deleteJob = async (cronJob: CronJob, job: Job): Promise<void> => {
      const { namespace, name, uid } = job.metadata;
      try {
        await api.delete(JOBS, { namespace, name }, { propagationPolicy: "Background", preconditions: { uid } });
        events.event(cronJob, "Normal", "SuccessfulDelete", `Deleted job ${name}`);
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    const startDue = async (cronJob: CronJob, schedule: Schedule, status: CronJobStatus): Promise<CronJobStatus> => {
      const nowMs = clock.now();
      const { atMs, count } = newestMissed(cronJob, schedule, nowMs);
      if (atMs === undefined) return status;
      if (count > TOO_MANY) {
        const message = `too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew`;
        events.event(cronJob, "Warning", "TooManyMissedTimes", message);
      }
      const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec;
      if (startingDeadlineSeconds !== undefined && atMs + startingDeadlineSeconds * 1000 < nowMs) {
        events.event(
          cronJob,
          "Warning",
          "MissSchedule",
          `Missed scheduled time to start a job: ${formatInWords(atMs)}`,
        );
        return status;
      }
      const active = status.active ?? [];
      if (concurrencyPolicy === "Forbid" && active.length > 0) {
        const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
        events.event(cronJob, "Normal", "JobAlreadyActive", message);
        return status;
      }
      if (concurrencyPolicy === "Replace") {
        for (const { name = "" } of active) {
          const job = api.get<Job>(JOBS, { namespace: cronJob.metadata.namespace, name });
          if (job) await deleteJob(cronJob, job);
        }
      }
      const job = await createJob(cronJob, atMs);
      if (!job) return status;
      const kept = concurrencyPolicy === "Replace" ? [] : active;
      const isListed = kept.some(({ uid }) => uid === job.metadata.uid);
      const listed = isListed || isFinished(job) ? kept : [...kept, jobReference(job)];
      return { ...status, ...(listed.length ? { active: listed } : {}), lastScheduleTime: formatSeconds(atMs) };
    };

    const createJob = async (cronJob: CronJob, atMs: number): Promise<Job | undefined> => {
      const draft = jobFor(cronJob, atMs);
      const { name = "", namespace } = draft.metadata;
      try {
        const job = await api.create<Job>(JOBS, draft);
        events.event(cronJob, "Normal", "SuccessfulCreate", `Created job ${name}`);
        return job;
      } catch (error) {
        // Made before a restart, which came before the status was written.
        const taken = isStatusError(error, "AlreadyExists") ? api.get<Job>(JOBS, { namespace, name }) : undefined;
        if (taken && controllerOf(taken)?.uid === cronJob.metadata.uid) return taken;
        if (isNamespaceTerminating(error)) return undefined;
        events.event(cronJob, "Warning", "FailedCreate", `Error creating job: ${messageOf(error)}`);
        throw error;
      }
    };

    return {
      reconcile,
      watches: [
        on<CronJob>(RESOURCE, ({ object, previous }) =>
          previous && isEqual(previous.spec, object.spec) ? undefined : keyOf(object),
        ),
        on<Job>(JOBS, ({ object }) => {
          const owner = controllerOf(object);
          return owner?.kind === "CronJob" ? `${object.metadata.namespace}/${owner.name}` : undefined;
        }),
      ],
    };
  });

/** RFC 1123 with a numeric zone, as Go's RFC1123Z. */
const formatInWords = (atMs: number): string => new Date(atMs).toUTCString().replace("GMT", "+0000");

const jobReference = (job: Job): ObjectReference => {
  const { kind, namespace, name, uid, apiVersion } = referenceTo(job);
  return { kind, namespace, name, uid, apiVersion };
};

/** The job of a due time: its name is made of the minute, so that none is started twice. */
function jobFor(cronJob: CronJob, atMs: number): Draft<Job> {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    metadata: {
      name: `${cronJob.metadata.name}-${Math.floor(atMs / 60_000)}`,
      namespace: cronJob.metadata.namespace,
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      annotations: { ...metadata?.annotations, [SCHEDULED_AT]: formatSeconds(atMs) },
      ownerReferences: [controllerReference(cronJob)],
    },
    spec,
  };
}
