/** The rules of a Job's spec, alone and inside a CronJob's template (upstream: pkg/apis/batch/validation). */
import type { StatusCause } from "../../errors.js";
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from "../../schema/generated/types.js";
import {
  duplicate,
  invalidValue,
  named,
  nonNegative,
  oneOf,
  required,
  tooLong,
  tooMany,
  unsupported,
} from "./field.js";
import { dnsSubdomain, qualifiedName } from "./names.js";
import { validateTemplate } from "./pod-validation.js";

/** Limits of Indexed Jobs. */
const MOST_PARALLEL = 100_000;
const MOST_FAILED_INDEXES = 100_000;
/** Above so many completions a limit per index costs more, and the other limits are lower. */
const MANY_COMPLETIONS = 100_000;
const MOST_WITH_MANY = 10_000;
const MOST_RULES = 20;
const MOST_EXIT_CODES = 255;
const MOST_PATTERNS = 20;
const MOST_INDEX_BYTES = 65_536;
const MOST_MANAGER_BYTES = 63;

const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS = ["In", "NotIn"];
const STATUSES = ["False", "True", "Unknown"];
const REPLACEMENTS = ["Failed", "TerminatingOrFailed"];
const RESTARTS = ["OnFailure", "Never"];

const quoted = (choices: readonly string[], separator: string): string =>
  choices.map((choice) => `"${choice}"`).join(separator);

/** `Invalid value` without the value, for fields whose value is the whole thing. */
const invalidField = (field: string, detail: string): StatusCause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${detail}`,
  field,
});

/** Required with the choices listed when absent, else one of them. */
const chosen = (field: string, value: string | undefined, choices: readonly string[]): StatusCause[] =>
  value ? oneOf(field, value, choices) : [required(field, `valid values: [${quoted(choices, " ")}]`)];

export function validateJobSpec(field: string, spec: JobSpec | undefined): StatusCause[] {
  if (!spec) return [required(field)];
  const causes: StatusCause[] = [];
  for (const member of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
  ] as const) {
    causes.push(...nonNegative(`${field}.${member}`, spec[member]));
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    causes.push(required(`${field}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  return [
    ...causes,
    ...validateManager(`${field}.managedBy`, spec.managedBy),
    ...oneOf(`${field}.completionMode`, spec.completionMode, ["NonIndexed", "Indexed"]),
    ...(spec.completionMode === "Indexed" ? validateIndexed(field, spec) : validateNonIndexed(field, spec)),
    ...validateFailurePolicy(`${field}.podFailurePolicy`, spec),
    ...validateSuccessPolicy(`${field}.successPolicy`, spec),
    ...(spec.podFailurePolicy
      ? oneOf(`${field}.podReplacementPolicy`, spec.podReplacementPolicy, ["Failed"])
      : oneOf(`${field}.podReplacementPolicy`, spec.podReplacementPolicy, REPLACEMENTS)),
    ...validateTemplate(`${field}.template`, spec.template, { restartPolicies: ["Always", ...RESTARTS] }),
    ...validateRestartPolicy(`${field}.template.spec.restartPolicy`, spec),
  ];
}

function validateManager(field: string, manager: string | undefined): StatusCause[] {
  if (manager === undefined) return [];
  const slash = manager.indexOf("/");
  const [domain, path] = [manager.slice(0, Math.max(0, slash)), manager.slice(slash + 1)];
  const isPath = slash > 0 && dnsSubdomain(domain).length === 0 && /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path);
  return [
    ...(isPath ? [] : [invalidValue(field, manager, 'must be a domain-prefixed path (such as "acme.io/foo")')]),
    ...(manager.length > MOST_MANAGER_BYTES ? [tooLong(field, MOST_MANAGER_BYTES)] : []),
  ];
}

function validateIndexed(field: string, spec: JobSpec): StatusCause[] {
  const { completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  const causes: StatusCause[] = [];
  const most = (name: "parallelism" | "maxFailedIndexes", limit: number, when = ""): void => {
    const value = spec[name];
    if (value !== undefined && value > limit)
      causes.push(invalidValue(`${field}.${name}`, value, `must be less than or equal to ${limit}${when}`));
  };
  if (completions === undefined) causes.push(required(`${field}.completions`, "when completion mode is Indexed"));
  most("parallelism", MOST_PARALLEL, " when completion mode is Indexed");
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
    causes.push(
      invalidValue(`${field}.maxFailedIndexes`, maxFailedIndexes, "must be less than or equal to completions"),
    );
  }
  most("maxFailedIndexes", MOST_FAILED_INDEXES);
  if ((completions ?? 0) <= MANY_COMPLETIONS || backoffLimitPerIndex === undefined) return causes;
  if (maxFailedIndexes === undefined) {
    causes.push(
      required(`${field}.maxFailedIndexes`, `must be specified when completions is above ${MANY_COMPLETIONS}`),
    );
  }
  const when = ` when completions are above ${MANY_COMPLETIONS} and used with backoff limit per index`;
  if ((parallelism ?? 0) <= MOST_PARALLEL) most("parallelism", MOST_WITH_MANY, when);
  most("maxFailedIndexes", MOST_WITH_MANY, when);
  return causes;
}

const validateNonIndexed = (field: string, spec: JobSpec): StatusCause[] =>
  (["backoffLimitPerIndex", "maxFailedIndexes"] as const)
    .filter((member) => spec[member] !== undefined)
    .map((member) => invalidValue(`${field}.${member}`, spec[member], "requires indexed completion mode"));

function validateRestartPolicy(field: string, { podFailurePolicy, template }: JobSpec): StatusCause[] {
  if (!template) return [];
  const policy = template.spec?.restartPolicy;
  // Always is what a template without the field gets, so both are told the same.
  if (!policy || policy === "Always") return [required(field, `valid values: ${quoted(RESTARTS, ", ")}`)];
  if (!RESTARTS.includes(policy)) return [unsupported(field, policy, RESTARTS)];
  return podFailurePolicy && policy !== "Never"
    ? [invalidValue(field, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

function validateFailurePolicy(field: string, spec: JobSpec): StatusCause[] {
  const rules = spec.podFailurePolicy?.rules;
  if (!rules) return [];
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map(({ name }) => name));
  return [
    ...(rules.length > MOST_RULES ? [tooMany(`${field}.rules`, rules.length, MOST_RULES)] : []),
    ...rules.flatMap((rule, index) => validateFailureRule(`${field}.rules[${index}]`, rule, spec, names)),
  ];
}

function validateFailureRule(
  field: string,
  { action, onExitCodes, onPodConditions = [] }: PodFailurePolicyRule,
  spec: JobSpec,
  names: ReadonlySet<string>,
): StatusCause[] {
  const causes = chosen(`${field}.action`, action, ACTIONS);
  if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined)
    causes.push(invalidValue(`${field}.action`, action, "requires the backoffLimitPerIndex to be set"));
  if (onExitCodes) causes.push(...validateExitCodes(`${field}.onExitCodes`, onExitCodes, names));
  const patterns = `${field}.onPodConditions`;
  if (onPodConditions.length > MOST_PATTERNS) causes.push(tooMany(patterns, onPodConditions.length, MOST_PATTERNS));
  onPodConditions.forEach(({ type, status }, index) => {
    causes.push(...named(`${patterns}[${index}].type`, type, qualifiedName(type ?? "")));
    causes.push(...chosen(`${patterns}[${index}].status`, status, STATUSES));
  });
  if (onExitCodes && onPodConditions.length > 0)
    causes.push(invalidField(field, "specifying both OnExitCodes and OnPodConditions is not supported"));
  if (!onExitCodes && onPodConditions.length === 0)
    causes.push(invalidField(field, "specifying one of OnExitCodes and OnPodConditions is required"));
  return causes;
}

function validateExitCodes(
  field: string,
  { containerName, operator, values = [] }: PodFailurePolicyOnExitCodesRequirement,
  names: ReadonlySet<string>,
): StatusCause[] {
  const causes = chosen(`${field}.operator`, operator, OPERATORS);
  if (containerName !== undefined && !names.has(containerName)) {
    causes.push(
      invalidValue(
        `${field}.containerName`,
        containerName,
        "must be one of the container or initContainer names in the pod template",
      ),
    );
  }
  if (values.length === 0) causes.push(invalidValue(`${field}.values`, values, "at least one value is required"));
  else if (values.length > MOST_EXIT_CODES) causes.push(tooMany(`${field}.values`, values.length, MOST_EXIT_CODES));
  values.forEach((value, index) => {
    const at = `${field}.values[${index}]`;
    if (operator === "In" && value === 0) causes.push(invalidValue(at, value, "must not be 0 for the In operator"));
    if (values.indexOf(value) < index) causes.push(duplicate(at, value));
  });
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? value) > value))
    causes.push(invalidValue(`${field}.values`, values, "must be ordered"));
  return causes;
}

function validateSuccessPolicy(field: string, spec: JobSpec): StatusCause[] {
  const { successPolicy, completions = 0 } = spec;
  if (!successPolicy) return [];
  if (spec.completionMode !== "Indexed")
    return [invalidValue(field, successPolicy, "requires indexed completion mode")];
  const rules = successPolicy.rules ?? [];
  const list = `${field}.rules`;
  if (rules.length === 0)
    return [required(list, "at least one rules must be specified when the successPolicy is specified")];
  return [
    ...(rules.length > MOST_RULES ? [tooMany(list, rules.length, MOST_RULES)] : []),
    ...rules.flatMap((rule, index) => validateSuccessRule(`${list}[${index}]`, rule, completions)),
  ];
}

function validateSuccessRule(
  field: string,
  { succeededCount, succeededIndexes }: SuccessPolicyRule,
  completions: number,
): StatusCause[] {
  if (succeededCount === undefined && succeededIndexes === undefined)
    return [required(field, "at least one of succeededCount or succeededIndexes must be specified")];
  const causes: StatusCause[] = [];
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = `${field}.succeededIndexes`;
    if (succeededIndexes.length > MOST_INDEX_BYTES) causes.push(tooLong(at, MOST_INDEX_BYTES));
    const read = readIndexes(succeededIndexes, completions);
    if (typeof read === "string")
      causes.push(invalidValue(at, succeededIndexes, `error parsing succeededIndexes: ${read}`));
    else total = read;
  }
  if (succeededCount === undefined) return causes;
  const at = `${field}.succeededCount`;
  causes.push(...nonNegative(at, succeededCount));
  const atMost = (limit: number, what: string): void => {
    if (succeededCount > limit)
      causes.push(invalidValue(at, succeededCount, `must be less than or equal to ${limit} (${what})`));
  };
  atMost(completions, "the number of specified completions");
  if (succeededIndexes !== undefined) atMost(total, "the number of indexes in the specified succeededIndexes field");
  return causes;
}

/** How many indexes the text holds, or what is wrong with it: increasing intervals below `completions`. */
export function readIndexes(text: string, completions: number): number | string {
  let [total, last] = [0, -1];
  for (const part of text ? text.split(",") : []) {
    const limits = part.split("-");
    if (limits.length > 2)
      return `the fragment "${part}" violates the requirement that an index interval can have at most two parts separated by '-'`;
    for (const limit of limits) {
      if (!/^\+?\d+$/.test(limit)) return `cannot convert string to integer for index: "${limit}"`;
      if (Number(limit) >= completions) return `too large index: "${limit}"`;
    }
    const [first = 0, end = first] = limits.map(Number);
    if (limits.length > 1 && first >= end) return `non-increasing order, previous: ${first}, current: ${end}`;
    if (last >= first) return `non-increasing order, previous: ${last}, current: ${first}`;
    total += end - first + 1;
    last = end;
  }
  return total;
}
