/** Jobs and CronJobs. */
import type { StatusCause } from "../../errors.js";
import { matcherOf } from "../../runtime/label-selector.js";
import type { CronJob, Job, JobSpec, PodTemplateSpec } from "../../schema/generated/types.js";
import { scheduleComplaint } from "./cron.js";
import { withDefaults, withField } from "./defaulting.js";
import { sameValue } from "./equality.js";
import {
  forbiddenField,
  IMMUTABLE,
  inRange,
  invalidValue,
  nonNegative,
  oneOf,
  required,
  requiredOneOf,
} from "./field.js";
import { defaultTemplate } from "./pod-defaults.js";
import { validateTemplate } from "./pod-validation.js";
import { immutableFields, strategyOf, validateSelector } from "./rules.js";

const RESTART_POLICIES = ["OnFailure", "Never"];
const CONTROLLER_UID = "batch.kubernetes.io/controller-uid";
const JOB_NAME = "batch.kubernetes.io/job-name";
/** Most pods of an Indexed job. */
const MAX_INDEXED = 100_000;

/** Unless told otherwise a job chooses its pods by its own uid, under the old and the new label names. */
function withGeneratedSelector(spec: JobSpec, name: string, uid: string): JobSpec {
  const labels = {
    ...spec.template.metadata?.labels,
    [CONTROLLER_UID]: uid,
    [JOB_NAME]: name,
    "controller-uid": uid,
    "job-name": name,
  };
  return {
    ...spec,
    selector: { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, [CONTROLLER_UID]: uid } },
    template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
  };
}

function validateJobSpec(field: string, spec: JobSpec | undefined): StatusCause[] {
  if (!spec) return [required(field)];
  const causes: StatusCause[] = [];
  for (const member of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "ttlSecondsAfterFinished",
  ] as const) {
    causes.push(...nonNegative(`${field}.${member}`, spec[member]));
  }
  causes.push(...oneOf(`${field}.completionMode`, spec.completionMode, ["Indexed", "NonIndexed"]));
  causes.push(...oneOf(`${field}.podReplacementPolicy`, spec.podReplacementPolicy, ["Failed", "TerminatingOrFailed"]));
  if (spec.completionMode === "Indexed") {
    if (spec.completions === undefined)
      causes.push(required(`${field}.completions`, "when completion mode is Indexed"));
    causes.push(...inRange(`${field}.parallelism`, spec.parallelism, 0, MAX_INDEXED));
  } else if (spec.backoffLimitPerIndex !== undefined) {
    causes.push(
      invalidValue(`${field}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, "requires indexed completion mode"),
    );
  }
  spec.podFailurePolicy?.rules?.forEach((rule, index) => {
    const at = `${field}.podFailurePolicy.rules[${index}]`;
    causes.push(...requiredOneOf(`${at}.action`, rule.action, ["Count", "FailIndex", "FailJob", "Ignore"]));
    if (!rule.onExitCodes && !rule.onPodConditions?.length)
      causes.push(invalidValue(at, rule, "specifying one of OnExitCodes and OnPodConditions is required"));
  });
  if (spec.podFailurePolicy && spec.template?.spec?.restartPolicy !== "Never") {
    causes.push(
      invalidValue(
        `${field}.template.spec.restartPolicy`,
        spec.template?.spec?.restartPolicy,
        'only "Never" is supported when podFailurePolicy is specified',
      ),
    );
  }
  return [...causes, ...validateTemplate(`${field}.template`, spec.template, { restartPolicies: RESTART_POLICIES })];
}

/** While a job is suspended and has not begun, where its pods may go can still be changed. */
function withoutPlacement(template: PodTemplateSpec): PodTemplateSpec {
  return {
    ...template,
    metadata: undefined,
    spec: template.spec && {
      ...template.spec,
      nodeSelector: undefined,
      affinity: undefined,
      tolerations: undefined,
      schedulingGates: undefined,
    },
  };
}

export const jobs = strategyOf<Job>({
  setDefaults(job) {
    if (!job.spec) return;
    const both = job.spec.completions === undefined && job.spec.parallelism === undefined;
    const template = job.spec.template && defaultTemplate(job.spec.template);
    job.spec = withDefaults(withField(job.spec, "template", template), {
      ...(both ? { completions: 1 } : {}),
      parallelism: 1,
      backoffLimit: job.spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647,
      completionMode: "NonIndexed",
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: job.spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed",
    });
    const labels = template?.metadata?.labels;
    if (labels && !job.metadata.labels) job.metadata.labels = labels;
  },
  prepareForCreate(job) {
    if (job.spec?.template && !job.spec.manualSelector)
      job.spec = withGeneratedSelector(job.spec, job.metadata.name, job.metadata.uid);
  },
  validate(job) {
    const { spec } = job;
    const causes = validateJobSpec("spec", spec);
    if (!spec?.selector) return [...causes, required("spec.selector")];
    causes.push(...validateSelector("spec.selector", spec.selector));
    if (!spec.manualSelector && spec.selector.matchLabels?.[CONTROLLER_UID] !== job.metadata.uid) {
      causes.push(invalidValue("spec.selector", spec.selector, "`selector` not auto-generated"));
    }
    if (spec.template && !matcherOf(spec.selector)(spec.template.metadata?.labels)) {
      causes.push(
        invalidValue(
          "spec.template.metadata.labels",
          spec.template.metadata?.labels ?? {},
          "`selector` does not match template `labels`",
        ),
      );
    }
    return causes;
  },
  validateUpdate(now, before) {
    const causes = immutableFields(now, before, [
      "spec.selector",
      "spec.completionMode",
      "spec.podFailurePolicy",
      "spec.backoffLimitPerIndex",
      "spec.managedBy",
      "spec.successPolicy",
    ]);
    const movable = before.spec?.suspend === true && !before.status?.startTime;
    const [template, old] = [now, before].map(
      ({ spec }) => spec?.template && (movable ? withoutPlacement(spec.template) : spec.template),
    );
    if (!sameValue(template, old)) causes.push(invalidValue("spec.template", now.spec?.template, IMMUTABLE));
    const elastic = now.spec?.completionMode === "Indexed" && now.spec.completions === now.spec.parallelism;
    return elastic ? causes : [...causes, ...immutableFields(now, before, ["spec.completions"])];
  },
});

const isTimeZone = (name: string): boolean => {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
};

export const cronJobs = strategyOf<CronJob>({
  setDefaults(cronJob) {
    if (!cronJob.spec) return;
    const spec = withDefaults(cronJob.spec, {
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    const job = spec.jobTemplate?.spec;
    cronJob.spec = job?.template
      ? withField(
          spec,
          "jobTemplate",
          withField(spec.jobTemplate, "spec", withField(job, "template", defaultTemplate(job.template))),
        )
      : spec;
  },
  validate({ metadata, spec }) {
    if (!spec) return [required("spec")];
    const causes: StatusCause[] = [];
    // Eleven characters are left for the suffix of the jobs' names.
    if (metadata.name.length > 52)
      causes.push(invalidValue("metadata.name", metadata.name, "must be no more than 52 characters"));
    const complaint = spec.schedule ? scheduleComplaint(spec.schedule) : undefined;
    if (!spec.schedule) causes.push(required("spec.schedule"));
    else if (complaint) causes.push(invalidValue("spec.schedule", spec.schedule, complaint));
    if (spec.timeZone === "")
      causes.push(invalidValue("spec.timeZone", "", "timeZone must be nil or non-empty string"));
    else if (spec.timeZone && !isTimeZone(spec.timeZone))
      causes.push(invalidValue("spec.timeZone", spec.timeZone, `unknown time zone ${spec.timeZone}`));
    causes.push(...requiredOneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]));
    for (const member of ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] as const) {
      causes.push(...nonNegative(`spec.${member}`, spec[member]));
    }
    if (spec.jobTemplate?.spec?.manualSelector) {
      causes.push(forbiddenField("spec.jobTemplate.spec.manualSelector", "`manualSelector` will be auto-generated"));
    }
    return [...causes, ...validateJobSpec("spec.jobTemplate.spec", spec.jobTemplate?.spec)];
  },
});
