import { formatSeconds } from "../../../clock/clock.js";
import { conditionOf, isConditionTrue, withCondition } from "../../runtime/conditions.js";
import { isPodActive, isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { Job, JobCondition, JobStatus, Pod } from "../../schema/generated/types.js";

/**
 * Pure decisions of a Job, after upstream's job_controller.go: how its pods count, whether it is over and why, and how many pods to start or stop. Pods
 * carry a finalizer until they have been counted, so that none is lost or counted twice.
 */
export const TRACKING = "batch.kubernetes.io/job-tracking";
export const COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index";
const BACKOFF_MS = { first: 10_000, most: 600_000 };

export interface Verdict {
  type: "Complete" | "Failed";
  reason: string;
  message: string;
}

export interface JobPlan {
  status: JobStatus;
  /** Set once the job is over; its remaining pods are to go before the final condition is written. */
  verdict?: Verdict;
  /** True when the final condition is in `status`. */
  finished: boolean;
  /** Pods whose finalizer may go once `status` is written. */
  counted: Pod[];
  remove: Pod[];
  /** Pods to create: the completion index each, or undefined for jobs without. */
  create: (number | undefined)[];
  /** Look again after this long. */
  againMs?: number;
}

const FINAL = ["Complete", "Failed"] as const;

export const isFinished = (job: Job): boolean => FINAL.some((type) => isConditionTrue(job.status?.conditions, type));

const isIndexed = (job: Job): boolean => job.spec?.completionMode === "Indexed";

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** `1,3-5` <-> the numbers in it. */
export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",").filter(Boolean)) {
    const [low = 0, high = low] = part.split("-").map(Number);
    for (let index = low; index <= high; index++) indexes.add(index);
  }
  return indexes;
}

export function formatIndexes(indexes: Iterable<number>): string {
  const parts: string[] = [];
  let run: [number, number] | undefined;
  const close = (): void => {
    if (!run) return;
    const [low, high] = run;
    parts.push(low === high ? String(low) : high === low + 1 ? `${low},${high}` : `${low}-${high}`);
  };
  for (const index of [...indexes].sort((a, b) => a - b)) {
    if (run && index === run[1] + 1) run[1] = index;
    else {
      close();
      run = [index, index];
    }
  }
  close();
  return parts.join(",");
}

/** When a pod's last container ended; its creation when nothing is known. */
function finishedMs(pod: Pod): number {
  const times = (pod.status?.containerStatuses ?? []).flatMap(
    ({ state }) => Date.parse(state?.terminated?.finishedAt ?? "") || [],
  );
  return Math.max(Date.parse(pod.metadata.creationTimestamp), ...times);
}

/** Until the next pod may be started: 10 s after a failure, doubling with each further one since the last success. */
export function backoffMs(pods: readonly Pod[], nowMs: number): number {
  const ended = pods.filter(isPodTerminal).sort((a, b) => finishedMs(b) - finishedMs(a));
  const lastSuccess = ended.findIndex((pod) => pod.status?.phase === "Succeeded");
  const failures = lastSuccess < 0 ? ended : ended.slice(0, lastSuccess);
  const [latest] = failures;
  if (!latest) return 0;
  const delayMs = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (failures.length - 1));
  return Math.max(0, finishedMs(latest) + delayMs - nowMs);
}

export function planJob(job: Job, pods: readonly Pod[], nowMs: number): JobPlan {
  const before = job.status ?? {};
  const hasFinalizer = (pod: Pod): boolean => pod.metadata.finalizers?.includes(TRACKING) ?? false;
  const active = pods.filter(isPodActive);
  // Unless told to wait, a pod that is being deleted is replaced at once and counts as failed.
  const waitsForEnd = job.spec?.podReplacementPolicy === "Failed";
  const terminating = pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod));

  // What had been noted as uncounted and has lost its finalizer since is counted now.
  const tracked = new Set(pods.filter(hasFinalizer).map((pod) => pod.metadata.uid));
  const noted = before.uncountedTerminatedPods ?? {};
  const settled = (uids: readonly string[] | undefined): number =>
    (uids ?? []).filter((uid) => !tracked.has(uid)).length;
  const succeededUids = (noted.succeeded ?? []).filter((uid) => tracked.has(uid));
  const failedUids = (noted.failed ?? []).filter((uid) => tracked.has(uid));
  const completedIndexes = parseIndexes(before.completedIndexes);
  const counted: Pod[] = [];
  for (const pod of pods) {
    if (!hasFinalizer(pod)) continue;
    const { uid } = pod.metadata;
    if (pod.status?.phase === "Succeeded") {
      const index = isIndexed(job) ? indexOf(pod) : undefined;
      const isNew = !succeededUids.includes(uid) && (index === undefined || !completedIndexes.has(index));
      if (index !== undefined) completedIndexes.add(index);
      if (isNew) succeededUids.push(uid);
    } else if (pod.status?.phase === "Failed" || (pod.metadata.deletionTimestamp && !waitsForEnd)) {
      if (!failedUids.includes(uid)) failedUids.push(uid);
    } else continue;
    counted.push(pod);
  }
  const succeededBase = (before.succeeded ?? 0) + settled(noted.succeeded);
  const failedBase = (before.failed ?? 0) + settled(noted.failed);
  const succeeded = succeededBase + succeededUids.length;
  const failed = failedBase + failedUids.length;

  let conditions = (before.conditions ?? []) as JobCondition[];
  const suspended = job.spec?.suspend === true;
  const startTime = before.startTime ?? (suspended ? undefined : formatSeconds(nowMs));
  const verdict = isFinished(job)
    ? undefined
    : (pendingVerdict(conditions) ?? judge(job, { succeeded, failed, active, startTime, nowMs }));
  let remove: Pod[] = [];
  let create: (number | undefined)[] = [];
  let againMs: number | undefined;
  if (verdict) {
    remove = active;
    const interim = verdict.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
    conditions = noteCondition(conditions, interim, "True", verdict, nowMs);
  } else if (isFinished(job) || suspended) {
    remove = active;
  } else {
    const want = wantedActive(job, succeeded, active.length);
    const held = waitsForEnd ? terminating.length : 0;
    const missing = want - active.length - held;
    if (missing < 0) remove = surplus(active, active.length - want);
    if (missing > 0) {
      const waitMs = backoffMs(pods, nowMs);
      if (waitMs > 0) againMs = waitMs;
      else
        create = isIndexed(job)
          ? freeIndexes(job, active, completedIndexes, missing)
          : Array.from({ length: missing }, () => undefined);
    }
  }
  if (!verdict && !isFinished(job)) conditions = noteSuspension(conditions, suspended, nowMs);
  const deadline = job.spec?.activeDeadlineSeconds;
  if (deadline !== undefined && startTime && !verdict && !suspended && !isFinished(job)) {
    const leftMs = Date.parse(startTime) + deadline * 1000 - nowMs;
    againMs = Math.min(againMs ?? leftMs, leftMs);
  }

  // The last word is spoken when no pod runs and every one is counted.
  const isQuiet = active.length === 0 && terminating.length === 0 && counted.length === 0 && tracked.size === 0;
  const finished = verdict !== undefined && isQuiet;
  if (verdict && finished) conditions = noteCondition(conditions, verdict.type, "True", verdict, nowMs);
  const uncounted = {
    ...(succeededUids.length ? { succeeded: succeededUids } : {}),
    ...(failedUids.length ? { failed: failedUids } : {}),
  };
  const ready = active.filter(isPodReady).length;
  const status: JobStatus = {
    ...(conditions.length ? { conditions } : {}),
    ...(startTime && !(suspended && !before.startTime) ? { startTime } : {}),
    ...(finished && verdict?.type === "Complete" ? { completionTime: formatSeconds(nowMs) } : {}),
    ...(before.completionTime ? { completionTime: before.completionTime } : {}),
    ...(active.length ? { active: active.length } : {}),
    ...(succeededBase ? { succeeded: succeededBase } : {}),
    ...(failedBase ? { failed: failedBase } : {}),
    ...(completedIndexes.size ? { completedIndexes: formatIndexes(completedIndexes) } : {}),
    uncountedTerminatedPods: uncounted,
    ready,
    terminating: terminating.length,
  };
  if (suspended && !isFinished(job)) delete status.startTime;
  return { status, verdict, finished, counted, remove, create, againMs };
}

/** A verdict that has been spoken but not carried out yet. */
function pendingVerdict(conditions: readonly JobCondition[]): Verdict | undefined {
  for (const [interim, type] of [
    ["FailureTarget", "Failed"],
    ["SuccessCriteriaMet", "Complete"],
  ] as const) {
    const condition = conditionOf(conditions, interim);
    if (condition?.status === "True") return { type, reason: condition.reason ?? "", message: condition.message ?? "" };
  }
  return undefined;
}

function judge(
  job: Job,
  {
    succeeded,
    failed,
    active,
    startTime,
    nowMs,
  }: { succeeded: number; failed: number; active: readonly Pod[]; startTime?: string; nowMs: number },
): Verdict | undefined {
  const { completions, backoffLimit = 6, activeDeadlineSeconds, suspend, template } = job.spec ?? {};
  const restarts = active.reduce(
    (sum, pod) => sum + (pod.status?.containerStatuses ?? []).reduce((total, status) => total + status.restartCount, 0),
    0,
  );
  const restartsExceed =
    template?.spec?.restartPolicy === "OnFailure" && (backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit);
  if (failed > backoffLimit || restartsExceed) {
    return { type: "Failed", reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
  }
  if (
    activeDeadlineSeconds !== undefined &&
    startTime &&
    !suspend &&
    nowMs - Date.parse(startTime) >= activeDeadlineSeconds * 1000
  ) {
    return { type: "Failed", reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" };
  }
  const done = completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions;
  return done
    ? { type: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" }
    : undefined;
}

function wantedActive(job: Job, succeeded: number, active: number): number {
  const { completions, parallelism = 1 } = job.spec ?? {};
  // Without completions the pods know among themselves when all is done: after the first success none is started.
  if (completions === undefined) return succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(completions - succeeded, parallelism));
}

/** Those that have got least far go first. */
function surplus(active: readonly Pod[], count: number): Pod[] {
  const progress = (pod: Pod): number =>
    Number(Boolean(pod.spec?.nodeName)) + Number(pod.status?.phase === "Running") + Number(isPodReady(pod));
  return [...active]
    .sort(
      (a, b) => progress(a) - progress(b) || b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp),
    )
    .slice(0, count);
}

function freeIndexes(job: Job, active: readonly Pod[], completed: ReadonlySet<number>, count: number): number[] {
  const taken = new Set(active.map(indexOf));
  const free: number[] = [];
  for (let index = 0; index < (job.spec?.completions ?? 0) && free.length < count; index++) {
    if (!taken.has(index) && !completed.has(index)) free.push(index);
  }
  return free;
}

function noteCondition(
  conditions: JobCondition[],
  type: string,
  status: string,
  { reason, message }: { reason: string; message: string },
  nowMs: number,
): JobCondition[] {
  const present = conditionOf(conditions, type);
  if (present?.status === status && present.reason === reason) return conditions;
  const time = formatSeconds(nowMs);
  return withCondition(conditions, { type, status, reason, message, lastProbeTime: time, lastTransitionTime: time });
}

function noteSuspension(conditions: JobCondition[], suspended: boolean, nowMs: number): JobCondition[] {
  if (suspended)
    return noteCondition(conditions, "Suspended", "True", { reason: "JobSuspended", message: "Job suspended" }, nowMs);
  if (!conditionOf(conditions, "Suspended")) return conditions;
  return noteCondition(conditions, "Suspended", "False", { reason: "JobResumed", message: "Job resumed" }, nowMs);
}
