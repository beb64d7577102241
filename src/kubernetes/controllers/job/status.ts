import { formatSeconds } from "../../../clock/clock.js";
import { conditionOf } from "../../runtime/conditions.js";
import type { Job, JobCondition, JobStatus, Pod } from "../../schema/generated/types.js";
import { formatIndexes } from "./indexes.js";
import { COMPLETIONS_REACHED, isSuspended, type JobPlan, type JobView, type Verdict } from "./plan.js";
import { isFailed, isIndexed, isTracked, validIndexOf } from "./pods.js";
import { matchFailure } from "./policies.js";

/**
 * The books of a Job, kept so that no crash between two writes loses a pod or counts it twice: the uids of ended pods are noted in the status, then their
 * finalizers go, then they are added to the counters. The interim condition stands before any finalizer goes, the final one after the last.
 */
/** Uids noted in one status at most, to keep it small (upstream's MaxUncountedPods). */
const MOST_UNCOUNTED = 500;

/** How the plan was carried out. */
export interface Outcome {
  /** Of the active pods, those stopped and started. */
  removed: readonly Pod[];
  created: number;
  ready: number;
}

export interface Entry {
  status: JobStatus;
  /** Pods to let go of, once the status is written. */
  release: Pod[];
  /** The final word, to be spoken when nothing is left to count. */
  verdict?: Verdict;
  /** There is more to count than fits into one status. */
  more: boolean;
}

/** The status to write before finalizers are removed. */
export function enter(view: JobView, plan: JobPlan, { removed, created, ready }: Outcome): Entry {
  const { job, pods, nowMs } = view;
  const { census } = plan;
  const before = job.status ?? {};
  const suspended = isSuspended(job);
  const active = census.active.length - removed.length + created;
  const verdict = plan.verdict
    ? // While a pod of it is still at work the Job is not over.
      removed.length === census.active.length
      ? plan.verdict
      : undefined
    : isComplete(job, census.succeeded, active)
      ? COMPLETIONS_REACHED
      : undefined;
  const tracked = new Set(pods.filter(isTracked).map((pod) => pod.metadata.uid));
  const counted = settle(before, tracked);
  const { release, uncounted, more } = note(view, plan, verdict, counted.uncountedTerminatedPods ?? {});

  let conditions = (before.conditions ?? []) as JobCondition[];
  let startTime = before.startTime ?? (suspended ? undefined : formatSeconds(nowMs));
  if (plan.managed && !verdict) {
    const next = noteSuspension(conditions, suspended, nowMs);
    // The time that a Job was suspended does not count towards its deadline.
    if (next !== conditions && !suspended) startTime = formatSeconds(nowMs);
    conditions = next;
  }
  if (verdict) {
    const interim = verdict.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
    conditions = withJobCondition(conditions, interim, "True", verdict, nowMs);
  }
  const succeeded = isIndexed(job) ? census.succeeded : counted.succeeded;
  const completedIndexes = formatIndexes(census.succeededIndexes);
  return {
    release,
    verdict,
    more,
    status: {
      ...(conditions.length ? { conditions } : {}),
      ...(startTime ? { startTime } : {}),
      ...(before.completionTime ? { completionTime: before.completionTime } : {}),
      ...(active ? { active } : {}),
      ...(succeeded ? { succeeded } : {}),
      ...(counted.failed ? { failed: counted.failed } : {}),
      ...(completedIndexes ? { completedIndexes } : {}),
      ...(census.failedIndexes ? { failedIndexes: formatIndexes(census.failedIndexes) } : {}),
      uncountedTerminatedPods: uncounted,
      ready,
      terminating: census.terminating + removed.length,
    },
  };
}

/** The status after the finalizers of `released` are gone; with the final condition when nothing is left to wait for. */
export function close(
  job: Job,
  { status, verdict, more }: Entry,
  tracked: ReadonlySet<string>,
  nowMs: number,
): { status: JobStatus; finished: boolean } {
  const { succeeded, failed, uncountedTerminatedPods = {} } = settle(status, tracked);
  const counters = {
    ...(succeeded && !isIndexed(job) ? { succeeded } : {}),
    ...(failed ? { failed } : {}),
    uncountedTerminatedPods,
  };
  const settled: JobStatus = { ...status, ...counters };
  const waits = Object.values(uncountedTerminatedPods).some((uids) => uids.length > 0) || (status.terminating ?? 0) > 0;
  if (!verdict || more || waits) return { status: settled, finished: false };
  const conditions = withJobCondition(status.conditions ?? [], verdict.type, "True", verdict, nowMs);
  const completionTime = verdict.type === "Complete" ? { completionTime: formatSeconds(nowMs) } : {};
  return { status: { ...settled, conditions, ...completionTime }, finished: true };
}

function isComplete(job: Job, succeeded: number, active: number): boolean {
  const { completions } = job.spec ?? {};
  return active === 0 && (completions === undefined ? succeeded > 0 : succeeded >= completions);
}

/** Adds to the counters what was noted and has lost its finalizer since. */
function settle(status: JobStatus, tracked: ReadonlySet<string>): JobStatus & { succeeded: number; failed: number } {
  const noted = status.uncountedTerminatedPods ?? {};
  const left = (uids: readonly string[] = []): string[] => uids.filter((uid) => tracked.has(uid));
  const [succeeded, failed] = [left(noted.succeeded), left(noted.failed)];
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + (noted.succeeded?.length ?? 0) - succeeded.length,
    failed: (status.failed ?? 0) + (noted.failed?.length ?? 0) - failed.length,
    uncountedTerminatedPods: {
      ...(succeeded.length ? { succeeded } : {}),
      ...(failed.length ? { failed } : {}),
    },
  };
}

/** Which pods can be let go, and the uids among them that must be noted first. */
function note(
  { job, pods }: JobView,
  { census }: JobPlan,
  verdict: Verdict | undefined,
  noted: { succeeded?: readonly string[]; failed?: readonly string[] },
): { release: Pod[]; uncounted: NonNullable<JobStatus["uncountedTerminatedPods"]>; more: boolean } {
  const [succeeded, failed] = [[...(noted.succeeded ?? [])], [...(noted.failed ?? [])]];
  const known = { succeeded: new Set(succeeded), failed: new Set(failed) };
  const release: Pod[] = [];
  const waiting = new Set([...census.awaiting.values()].map(({ metadata }) => metadata.uid));
  let more = false;
  let newIndexes = 0;
  for (const pod of pods) {
    if (!isTracked(pod)) continue;
    const { uid } = pod.metadata;
    const ends = job.metadata.deletionTimestamp !== undefined || verdict !== undefined;
    const hasFailed = isFailed(job, pod);
    const isSuccess = pod.status?.phase === "Succeeded";
    if (!ends && !isSuccess && (!hasFailed || waiting.has(uid))) continue;
    if (newIndexes + succeeded.length + failed.length >= MOST_UNCOUNTED) {
      more = true;
      break;
    }
    release.push(pod);
    const isValid = !isIndexed(job) || validIndexOf(job, pod) !== undefined;
    if (isSuccess && !known.failed.has(uid)) {
      // The completion index is enough to know an Indexed Job's success again.
      if (isIndexed(job)) newIndexes++;
      else if (!known.succeeded.has(uid)) succeeded.push(uid);
    } else if (hasFailed || verdict?.type === "Failed") {
      // Whatever still ran when the Job failed has failed with it.
      if (!known.failed.has(uid) && isValid && matchFailure(job.spec?.podFailurePolicy, pod).counts) failed.push(uid);
    }
  }
  const uncounted = { ...(succeeded.length ? { succeeded } : {}), ...(failed.length ? { failed } : {}) };
  return { release, uncounted, more };
}

/** A condition that is False is not added: nothing to it being False is no news. */
function withJobCondition(
  conditions: readonly JobCondition[],
  type: string,
  status: "True" | "False",
  { reason, message }: { reason: string; message: string },
  nowMs: number,
): JobCondition[] {
  const list = conditions as JobCondition[];
  const present = conditionOf(list, type);
  if (!present && status === "False") return list;
  if (present?.status === status && present.reason === reason && present.message === message) return list;
  const time = formatSeconds(nowMs);
  const next = { type, status, reason, message, lastProbeTime: time, lastTransitionTime: time };
  return present ? list.map((condition) => (condition === present ? next : condition)) : [...list, next];
}

const noteSuspension = (conditions: JobCondition[], suspended: boolean, nowMs: number): JobCondition[] =>
  suspended
    ? withJobCondition(conditions, "Suspended", "True", { reason: "JobSuspended", message: "Job suspended" }, nowMs)
    : withJobCondition(conditions, "Suspended", "False", { reason: "JobResumed", message: "Job resumed" }, nowMs);
