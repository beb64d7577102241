import { conditionOf, isConditionTrue } from "../../runtime/conditions.js";
import { isPodActive, isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { Job, Pod } from "../../schema/generated/types.js";
import { addFailures, backoffMs, type Failures, finishedMs } from "./backoff.js";
import { countIndexes, firstFree, hasIndex, type Indexes, indexesOf, mergeIndexes, parseIndexes } from "./indexes.js";
import {
  allIndexFailures,
  indexFailures,
  indexOf,
  isFailed,
  isIndexed,
  isTracked,
  type Slot,
  validIndexOf,
} from "./pods.js";
import { matchFailure, matchSuccess, replacesFailedOnly } from "./policies.js";

/** Pure decisions of a Job, after upstream's job_controller.go: whether it is over and why, and which pods to start or stop. status.ts keeps the books. */
export interface Verdict {
  type: "Complete" | "Failed";
  reason: string;
  message: string;
}

export const COMPLETIONS_REACHED: Verdict = {
  type: "Complete",
  reason: "CompletionsReached",
  message: "Reached expected number of succeeded pods",
};

export interface JobView {
  job: Job;
  pods: readonly Pod[];
  /** Failures before those that are counted now. */
  failures: Failures;
  nowMs: number;
}

/** What the pods of a Job amount to at this moment. */
export interface Census {
  active: readonly Pod[];
  terminating: number;
  /** Pods that have succeeded, or indexes that have. */
  succeeded: number;
  failed: number;
  succeededIndexes: Indexes;
  /** For Jobs with a limit per index. */
  failedIndexes?: Indexes;
  /** The last failed pod of each index that waits for a successor: it stays until then, because it knows how often the index has failed. */
  awaiting: ReadonlyMap<number, Pod>;
  failures: Failures;
}

export interface JobPlan {
  census: Census;
  verdict?: Verdict;
  remove: Pod[];
  create: Slot[];
  /** Sizes were looked after: not while the Job is being deleted or ends. */
  managed: boolean;
  /** Look again after this long. */
  againMs?: number;
}

const FINAL = ["Complete", "Failed"] as const;

export const isFinished = (job: Job): boolean => FINAL.some((type) => isConditionTrue(job.status?.conditions, type));

export const isSuspended = (job: Job): boolean => job.spec?.suspend === true;

const hasLimitPerIndex = (job: Job): boolean => isIndexed(job) && job.spec?.backoffLimitPerIndex !== undefined;

/** Pods started or stopped at one time at most (upstream's MaxPodCreateDeletePerSync). */
const BURST = 500;

function takeCensus({ job, pods, failures }: JobView): Census {
  const { completions = 0 } = job.spec ?? {};
  const before = job.status ?? {};
  const noted = before.uncountedTerminatedPods ?? {};
  const indexed = isIndexed(job);
  const isNew = (pod: Pod, uids: readonly string[] | undefined): boolean =>
    isTracked(pod) && !uids?.includes(pod.metadata.uid) && (!indexed || validIndexOf(job, pod) !== undefined);
  const nowSucceeded = pods.filter((pod) => pod.status?.phase === "Succeeded" && isNew(pod, noted.succeeded));
  const nowFailed = pods.filter((pod) => isFailed(job, pod) && isNew(pod, noted.failed));
  const counting = nowFailed.filter((pod) => matchFailure(job.spec?.podFailurePolicy, pod).counts);
  const succeededIndexes = indexed
    ? mergeIndexes(
        parseIndexes(before.completedIndexes, completions),
        indexesOf(nowSucceeded.flatMap((pod) => validIndexOf(job, pod) ?? [])),
      )
    : [];
  const active = pods.filter(isPodActive);
  const failedIndexes = hasLimitPerIndex(job)
    ? mergeIndexes(
        parseIndexes(before.failedIndexes, completions),
        indexesOf(
          pods.filter((pod) => isTracked(pod) && failsIndex(job, pod)).flatMap((pod) => validIndexOf(job, pod) ?? []),
        ),
      )
    : undefined;
  return {
    active,
    terminating: pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod)).length,
    succeeded: indexed
      ? countIndexes(succeededIndexes)
      : (before.succeeded ?? 0) + nowSucceeded.length + (noted.succeeded?.length ?? 0),
    failed: (before.failed ?? 0) + counting.length + (noted.failed?.length ?? 0),
    succeededIndexes,
    ...(failedIndexes ? { failedIndexes } : {}),
    awaiting: failedIndexes ? awaitingSuccessor(job, nowFailed, active, [succeededIndexes, failedIndexes]) : new Map(),
    failures: addFailures(failures, nowSucceeded, nowFailed),
  };
}

/** The failure of this pod is one too many for its index. */
function failsIndex(job: Job, pod: Pod): boolean {
  if (!isFailed(job, pod)) return false;
  const { action, counts } = matchFailure(job.spec?.podFailurePolicy, pod);
  return action === "FailIndex" || (counts && indexFailures(pod) >= (job.spec?.backoffLimitPerIndex ?? 0));
}

function awaitingSuccessor(
  job: Job,
  failed: readonly Pod[],
  active: readonly Pod[],
  settled: readonly Indexes[],
): Map<number, Pod> {
  const running = new Set(active.map(indexOf));
  const awaiting = new Map<number, Pod>();
  for (const pod of failed) {
    const index = validIndexOf(job, pod);
    if (index === undefined || running.has(index) || settled.some((indexes) => hasIndex(indexes, index))) continue;
    const known = awaiting.get(index);
    const isLater =
      !known || (allIndexFailures(pod) >= allIndexFailures(known) && finishedMs(pod) >= finishedMs(known));
    if (isLater) awaiting.set(index, pod);
  }
  return awaiting;
}

export function planJob(view: JobView): JobPlan {
  const { job, nowMs } = view;
  const census = takeCensus(view);
  const { active } = census;
  const leftMs = deadlineLeftMs(job, nowMs);
  const verdict = spoken(job) ?? judge(view, census, leftMs);
  if (verdict) return { census, verdict, remove: [...active], create: [], managed: false };
  const againMs = leftMs;
  if (job.metadata.deletionTimestamp) return { census, remove: [], create: [], managed: false, againMs };
  if (isSuspended(job)) return { census, remove: removable(job, active, active.length), create: [], managed: true };

  const wanted = wantedActive(job, census);
  const remove = removable(job, active, Math.max(0, active.length - wanted));
  // Either pods go or pods come, never both at once.
  if (remove.length > 0) return { census, remove: remove.slice(0, BURST), create: [], managed: true, againMs };
  const held = replacesFailedOnly(job) ? census.terminating : 0;
  const { slots, waitMs } = slotsToFill(view, census, wanted - held - active.length);
  const nextMs = Math.min(againMs ?? Number.POSITIVE_INFINITY, waitMs ?? Number.POSITIVE_INFINITY);
  return { census, remove: [], create: slots, managed: true, ...(Number.isFinite(nextMs) ? { againMs: nextMs } : {}) };
}

/** A verdict of an earlier time that is still being carried out. */
function spoken(job: Job): Verdict | undefined {
  for (const [interim, type] of [
    ["SuccessCriteriaMet", "Complete"],
    ["FailureTarget", "Failed"],
  ] as const) {
    const condition = conditionOf(job.status?.conditions, interim);
    if (condition?.status === "True") return { type, reason: condition.reason ?? "", message: condition.message ?? "" };
  }
  return undefined;
}

/** Milliseconds until activeDeadlineSeconds have passed since the start; not while the Job is suspended. */
function deadlineLeftMs(job: Job, nowMs: number): number | undefined {
  const seconds = job.spec?.activeDeadlineSeconds;
  if (seconds === undefined || isSuspended(job)) return undefined;
  const { startTime, conditions } = job.status ?? {};
  // One that is just being resumed starts anew.
  const startMs = startTime && !isConditionTrue(conditions, "Suspended") ? Date.parse(startTime) : nowMs;
  return startMs + seconds * 1000 - nowMs;
}

function judge({ job, pods }: JobView, census: Census, deadlineMs: number | undefined): Verdict | undefined {
  const { backoffLimit = 6, completions = 0, maxFailedIndexes, podFailurePolicy, successPolicy } = job.spec ?? {};
  const failed = (reason: string, message: string): Verdict => ({ type: "Failed", reason, message });
  for (const pod of podFailurePolicy ? pods : []) {
    const message = isFailed(job, pod) ? matchFailure(podFailurePolicy, pod).message : undefined;
    if (message) return failed("PodFailurePolicy", message);
  }
  if (census.failed > backoffLimit || restartsExceed(job, pods))
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  if (deadlineMs !== undefined && deadlineMs <= 0 && job.status?.startTime)
    return failed("DeadlineExceeded", "Job was active longer than specified deadline");
  if (!isIndexed(job)) return undefined;
  const failedIndexes = countIndexes(census.failedIndexes ?? []);
  if (maxFailedIndexes !== undefined && failedIndexes > maxFailedIndexes) {
    return failed("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  if (failedIndexes > 0 && failedIndexes + census.succeeded >= completions)
    return failed("FailedIndexes", "Job has failed indexes");
  const message = matchSuccess(successPolicy, completions, census.succeededIndexes);
  return message === undefined ? undefined : { type: "Complete", reason: "SuccessPolicy", message };
}

/** Containers that are restarted in their pods use up the limit too. */
function restartsExceed(job: Job, pods: readonly Pod[]): boolean {
  const { backoffLimit = 6, template } = job.spec ?? {};
  if (template?.spec?.restartPolicy !== "OnFailure") return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
    for (const { restartCount } of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
      restarts += restartCount;
  }
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}

function wantedActive(job: Job, { succeeded, active }: Census): number {
  const { completions, parallelism = 1 } = job.spec ?? {};
  // Without completions the pods know among themselves when all is done: after the first success none is started.
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded, parallelism));
}

function slotsToFill(
  { job, pods, nowMs }: JobView,
  census: Census,
  missing: number,
): { slots: Slot[]; waitMs?: number } {
  if (missing <= 0) return { slots: [] };
  const count = Math.min(missing, BURST);
  const perIndex = hasLimitPerIndex(job);
  const waitMs = perIndex ? 0 : backoffMs(census.failures, nowMs);
  if (waitMs > 0) return { slots: [], waitMs };
  if (!isIndexed(job)) return { slots: Array.from({ length: count }, () => ({})) };

  const busy = new Set(census.active.flatMap((pod) => indexOf(pod) ?? []));
  if (replacesFailedOnly(job)) {
    for (const pod of pods) {
      const index = pod.metadata.deletionTimestamp && !isPodTerminal(pod) ? indexOf(pod) : undefined;
      if (index !== undefined) busy.add(index);
    }
  }
  const taken = mergeIndexes(mergeIndexes(census.succeededIndexes, census.failedIndexes ?? []), indexesOf(busy));
  const slots: Slot[] = [];
  let soonestMs: number | undefined;
  for (const index of firstFree(taken, job.spec?.completions ?? 0, count)) {
    const replaces = census.awaiting.get(index);
    const indexWaitMs =
      perIndex && replaces
        ? backoffMs({ count: allIndexFailures(replaces) + 1, lastMs: finishedMs(replaces) }, nowMs)
        : 0;
    if (indexWaitMs === 0) slots.push({ index, ...(replaces ? { replaces } : {}) });
    else soonestMs = Math.min(indexWaitMs, soonestMs ?? indexWaitMs);
  }
  return { slots, ...(soonestMs !== undefined ? { waitMs: soonestMs } : {}) };
}

/** Active pods to stop: of an Indexed Job those that double an index or have none, then those that have got least far. */
function removable(job: Job, active: readonly Pod[], atLeast: number): Pod[] {
  const ranked = [...active].sort(leastProgressFirst);
  const remove: Pod[] = [];
  const rest: Pod[] = [];
  const kept = new Set<number>();
  // The one that has got furthest keeps the index.
  for (const pod of ranked.reverse()) {
    const index = validIndexOf(job, pod);
    if (isIndexed(job) && (index === undefined || kept.has(index))) remove.push(pod);
    else {
      if (index !== undefined) kept.add(index);
      rest.push(pod);
    }
  }
  const more = Math.max(0, atLeast - remove.length);
  return more === 0 ? remove : [...remove, ...rest.reverse().slice(0, more)];
}

function leastProgressFirst(a: Pod, b: Pod): number {
  const progress = (pod: Pod): number =>
    Number(Boolean(pod.spec?.nodeName)) + Number(pod.status?.phase === "Running") + Number(isPodReady(pod));
  return progress(a) - progress(b) || b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp);
}
