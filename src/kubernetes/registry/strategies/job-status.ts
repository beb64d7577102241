/**
 * Which statuses a Job can have, and which it can go over to (upstream: ValidateJobStatusUpdate). Clients build on it: a finished Job stays finished, its
 * counters do not fall. A rule about a field is only applied to a write that changes it.
 */
import type { StatusCause } from "../../errors.js";
import { isConditionTrue } from "../../runtime/conditions.js";
import type { Job, JobStatus } from "../../schema/generated/types.js";
import { sameValue } from "./equality.js";
import { duplicate, invalidValue, nonNegative, required } from "./field.js";
import { readIndexes } from "./job-validation.js";

const has = (job: Job, type: string): boolean => isConditionTrue(job.status?.conditions, type);

const isFinished = (job: Job): boolean => has(job, "Complete") || has(job, "Failed");

const conditions = (detail: string): StatusCause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${detail}`,
  field: "status.conditions",
});

export function validateJobStatus(now: Job, before: Job): StatusCause[] {
  const status = now.status ?? {};
  return [
    ...validateCounts(status),
    ...validateUncounted(status),
    ...validateConditions(now, before),
    ...validateTimes(now, before),
    ...validateEnd(now, before),
    ...validateIndexFields(now, before),
    ...validateCounters(now, before),
  ];
}

function validateCounts(status: JobStatus): StatusCause[] {
  return (["active", "succeeded", "failed", "ready", "terminating"] as const).flatMap((field) =>
    nonNegative(`status.${field}`, status[field]),
  );
}

function validateUncounted({ uncountedTerminatedPods = {} }: JobStatus): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  for (const list of ["succeeded", "failed"] as const) {
    uncountedTerminatedPods[list]?.forEach((uid, index) => {
      const at = `status.uncountedTerminatedPods.${list}[${index}]`;
      if (uid === "") causes.push(invalidValue(at, uid, "must not be empty"));
      else if (seen.has(uid)) causes.push(duplicate(at, uid));
      seen.add(uid);
    });
  }
  return causes;
}

function validateConditions(now: Job, before: Job): StatusCause[] {
  const causes: StatusCause[] = [];
  const turned = (...types: string[]): boolean => types.some((type) => has(now, type) !== has(before, type));
  const both = (one: string, other: string): boolean => has(now, one) && has(now, other);
  if (turned("Complete", "Failed") && both("Complete", "Failed"))
    causes.push(conditions("cannot set Complete=True and Failed=true conditions"));
  if (turned("Complete", "FailureTarget") && both("Complete", "FailureTarget"))
    causes.push(conditions("cannot set Complete=True and FailureTarget=true conditions"));
  if (turned("Failed") && has(now, "Failed") && !has(now, "FailureTarget"))
    causes.push(conditions("cannot set Failed=True condition without the FailureTarget=true condition"));
  if (turned("Complete") && has(now, "Complete") && !has(now, "SuccessCriteriaMet"))
    causes.push(conditions("cannot set Complete=True condition without the SuccessCriteriaMet=true condition"));
  if (both("SuccessCriteriaMet", "Failed"))
    causes.push(conditions("cannot set SuccessCriteriaMet=True and Failed=true conditions"));
  if (both("SuccessCriteriaMet", "FailureTarget"))
    causes.push(conditions("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"));
  for (const type of ["Failed", "Complete", "FailureTarget"])
    if (has(before, type) && !has(now, type))
      causes.push(conditions(`cannot disable the terminal ${type}=True condition`));
  if (has(before, "SuccessCriteriaMet") && !has(now, "SuccessCriteriaMet"))
    causes.push(conditions("cannot disable the SuccessCriteriaMet=True condition"));
  return causes;
}

function validateTimes(now: Job, before: Job): StatusCause[] {
  const { startTime, completionTime } = now.status ?? {};
  const was = before.status ?? {};
  const causes: StatusCause[] = [];
  const isComplete = has(now, "Complete");
  const at = "status.completionTime";
  if (isComplete !== has(before, "Complete") || completionTime !== was.completionTime) {
    if (completionTime && !isComplete) {
      const detail = "cannot set completionTime when there is no Complete=True condition";
      causes.push(invalidValue(at, completionTime, detail));
    }
    if (!completionTime && isComplete) causes.push(required(at, "completionTime is required for Complete jobs"));
  }
  if (startTime && completionTime && Date.parse(completionTime) < Date.parse(startTime))
    causes.push(invalidValue(at, completionTime, "completionTime cannot be set before startTime"));
  if (completionTime && was.completionTime && completionTime !== was.completionTime)
    causes.push(invalidValue(at, completionTime, "completionTime cannot be mutated"));
  // A Job that is resumed starts anew.
  const resumed = has(before, "Suspended") && !has(now, "Suspended");
  if (was.startTime && startTime !== was.startTime && !now.spec?.suspend && !resumed)
    causes.push(required("status.startTime", "startTime cannot be removed for unsuspended job"));
  return causes;
}

function validateEnd(now: Job, before: Job): StatusCause[] {
  if (!isFinished(now)) return [];
  const { active = 0, terminating = 0, startTime, uncountedTerminatedPods = {} } = now.status ?? {};
  const was = before.status ?? {};
  const turned = !isFinished(before);
  const causes: StatusCause[] = [];
  if (active > 0 && (turned || active !== (was.active ?? 0)))
    causes.push(invalidValue("status.active", active, "active>0 is invalid for finished job"));
  if (terminating > 0 && (turned || terminating !== (was.terminating ?? 0)))
    causes.push(invalidValue("status.terminating", terminating, "terminating>0 is invalid for finished job"));
  if (!startTime && (turned || was.startTime))
    causes.push(required("status.startTime", "startTime is required for finished job"));
  const left = Object.values(uncountedTerminatedPods).some((uids) => uids.length > 0);
  if (left && (turned || !sameValue(uncountedTerminatedPods, was.uncountedTerminatedPods))) {
    const detail = "uncountedTerminatedPods needs to be empty for finished job";
    causes.push(invalidValue("status.uncountedTerminatedPods", uncountedTerminatedPods, detail));
  }
  return causes;
}

function validateIndexFields(now: Job, before: Job): StatusCause[] {
  const { completionMode, completions = 0, backoffLimitPerIndex } = now.spec ?? {};
  const causes: StatusCause[] = [];
  for (const field of ["completedIndexes", "failedIndexes"] as const) {
    const text = now.status?.[field];
    if (text === undefined || text === before.status?.[field]) continue;
    const at = `status.${field}`;
    const read = readIndexes(text, completions);
    if (typeof read === "string") causes.push(invalidValue(at, text, `error parsing ${field}: ${read}`));
    if (field === "completedIndexes" && text !== "" && completionMode !== "Indexed")
      causes.push(invalidValue(at, text, "cannot set non-empty completedIndexes when non-indexed completion mode"));
    if (field === "failedIndexes" && backoffLimitPerIndex === undefined)
      causes.push(invalidValue(at, text, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"));
  }
  return causes;
}

function validateCounters(now: Job, before: Job): StatusCause[] {
  const { completionMode, completions, parallelism } = now.spec ?? {};
  // An Indexed Job that is made smaller forgets what its last indexes had reached.
  const elastic = completionMode === "Indexed" && completions === parallelism;
  const counters = elastic ? (["failed"] as const) : (["failed", "succeeded"] as const);
  return counters.flatMap((counter) => {
    const value = now.status?.[counter] ?? 0;
    return value < (before.status?.[counter] ?? 0)
      ? [invalidValue(`status.${counter}`, value, `cannot decrease the ${counter} counter`)]
      : [];
  });
}
