/** Jobs and CronJobs. */
import type { StatusCause } from "../../errors.js";
import { matcherOf } from "../../runtime/label-selector.js";
import type { CronJob, Job, JobSpec, PodTemplateSpec } from "../../schema/generated/types.js";
import { scheduleComplaint } from "./cron.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { sameValue } from "./equality.js";
import { IMMUTABLE, invalidValue, nonNegative, required, requiredOneOf, unsupported } from "./field.js";
import { validateJobStatus } from "./job-status.js";
import { validateJobSpec } from "./job-validation.js";
import { dnsLabel } from "./names.js";
import { defaultTemplate } from "./pod-defaults.js";
import { immutableFields, strategyOf, validateSelector } from "./rules.js";

const CONTROLLER_UID = "batch.kubernetes.io/controller-uid";
const JOB_NAME = "batch.kubernetes.io/job-name";

/** Labels of a job's pods, under the old and the new names. */
const generatedLabels = (name: string, uid: string): Record<string, string> => ({
  [CONTROLLER_UID]: uid,
  [JOB_NAME]: name,
  "controller-uid": uid,
  "job-name": name,
});

/** Unless told otherwise a job chooses its pods by its own uid. What the user wrote stays, and is refused when it is something else. */
function withGeneratedSelector(spec: JobSpec, name: string, uid: string): JobSpec {
  const labels = { ...generatedLabels(name, uid), ...spec.template.metadata?.labels };
  return {
    ...spec,
    selector: { ...spec.selector, matchLabels: { [CONTROLLER_UID]: uid, ...spec.selector?.matchLabels } },
    template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
  };
}

function validateGenerated({ metadata, spec }: Job): StatusCause[] {
  if (!spec?.selector || spec.manualSelector) return [];
  const expected = generatedLabels(metadata.name, metadata.uid);
  const labels = spec.template?.metadata?.labels ?? {};
  const causes = Object.entries(expected).flatMap(([key, value]) => {
    const at = `spec.template.metadata.labels[${key}]`;
    if (labels[key] === undefined) return [required(at, `must be '${value}'`)];
    return labels[key] === value ? [] : [invalidValue(at, labels, `must be '${value}'`)];
  });
  if (!matcherOf(spec.selector)(expected))
    causes.push(invalidValue("spec.selector", spec.selector, "`selector` not auto-generated"));
  return causes;
}

/** While a job is suspended and has not begun, where its pods may go can still be changed. */
function withoutPlacement(template: PodTemplateSpec): PodTemplateSpec {
  const { nodeAffinity: _, ...affinity } = template.spec?.affinity ?? {};
  return {
    ...template,
    metadata: undefined,
    spec: template.spec && {
      ...template.spec,
      nodeSelector: undefined,
      affinity: Object.keys(affinity).length > 0 ? affinity : undefined,
      tolerations: undefined,
      schedulingGates: undefined,
    },
  };
}

/** The status that a condition must have to match a rule: True unless told otherwise. */
function withPatternDefaults(spec: JobSpec): JobSpec {
  const rules = mapItems(spec.podFailurePolicy?.rules, (rule) =>
    withField(
      rule,
      "onPodConditions",
      mapItems(rule.onPodConditions, (pattern) => withDefaults(pattern, { status: "True" })),
    ),
  );
  return rules && spec.podFailurePolicy
    ? withField(spec, "podFailurePolicy", withField(spec.podFailurePolicy, "rules", rules))
    : spec;
}

export const jobs = strategyOf<Job>({
  setDefaults(job) {
    if (!job.spec) return;
    const both = job.spec.completions === undefined && job.spec.parallelism === undefined;
    const template = job.spec.template && defaultTemplate(job.spec.template);
    job.spec = withDefaults(withPatternDefaults(withField(job.spec, "template", template)), {
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
    if (spec?.completionMode === "Indexed" && (spec.completions ?? 0) > 0) {
      const hostname = `${job.metadata.name}-${(spec.completions ?? 0) - 1}`;
      if (dnsLabel(hostname).length > 0) {
        const detail = `will not able to create pod with invalid DNS label: ${hostname}`;
        causes.push(invalidValue("metadata.name", job.metadata.name, detail));
      }
    }
    if (!spec?.selector) return [...causes, required("spec.selector")];
    causes.push(...validateSelector("spec.selector", spec.selector));
    causes.push(...validateGenerated(job));
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
    if (now.spec?.completionMode !== "Indexed")
      return [...causes, ...immutableFields(now, before, ["spec.completions"])];
    const { completions, parallelism } = now.spec;
    if (completions !== undefined && completions !== before.spec?.completions && completions !== parallelism) {
      const detail = "can only be modified in tandem with spec.parallelism";
      causes.push(invalidValue("spec.completions", completions, detail));
    }
    return causes;
  },
  validateStatusUpdate: validateJobStatus,
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
          withField(
            spec.jobTemplate,
            "spec",
            withPatternDefaults(withField(job, "template", defaultTemplate(job.template))),
          ),
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
    causes.push(...validateJobSpec("spec.jobTemplate.spec", spec.jobTemplate?.spec));
    const { selector, manualSelector } = spec.jobTemplate?.spec ?? {};
    if (selector)
      causes.push(invalidValue("spec.jobTemplate.spec.selector", selector, "`selector` will be auto-generated"));
    if (manualSelector)
      causes.push(unsupported("spec.jobTemplate.spec.manualSelector", manualSelector, ["nil", "false"]));
    return causes;
  },
});
