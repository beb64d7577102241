import type {
  ContainerStatus,
  Job,
  Pod,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  SuccessPolicy,
} from "../../schema/generated/types.js";
import { countIndexes, type Indexes, overlap, parseIndexes } from "./indexes.js";

/** What a Job's own policies say: whether a failed pod counts, fails its index or the whole Job, and which indexes are enough for success. */
export interface FailureMatch {
  /** Of the first rule that the pod matches; undefined when none does. */
  action?: "Count" | "FailIndex" | "FailJob" | "Ignore";
  /** Whether the failure counts towards the limits. */
  counts: boolean;
  /** Why the whole Job fails, for FailJob. */
  message?: string;
}

const COUNTS: FailureMatch = { counts: true };

/** Upstream's matchPodFailurePolicy: the first rule that matches decides. */
export function matchFailure(policy: PodFailurePolicy | undefined, pod: Pod): FailureMatch {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const why = rule.onExitCodes ? exitCodeMatch(pod, rule.onExitCodes) : conditionMatch(pod, rule.onPodConditions);
    if (why === undefined) continue;
    switch (rule.action) {
      case "Ignore":
        return { action: "Ignore", counts: false };
      case "FailIndex":
      case "Count":
        return { action: rule.action, counts: true };
      case "FailJob":
        return { action: "FailJob", counts: true, message: `${why} matching FailJob rule at index ${index}` };
      default:
    }
  }
  return COUNTS;
}

const podText = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;

function exitCodeMatch(pod: Pod, requirement: PodFailurePolicyOnExitCodesRequirement): string | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const found = [...containerStatuses, ...initContainerStatuses].find((status) => exitMatches(status, requirement));
  const code = found?.state?.terminated?.exitCode;
  return found && `Container ${found.name} for pod ${podText(pod)} failed with exit code ${code}`;
}

/** Success never matches, and neither does a container that is still ending. */
function exitMatches(
  { name, state }: ContainerStatus,
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
): boolean {
  const code = state?.terminated?.exitCode ?? 0;
  if (code === 0 || (containerName !== undefined && containerName !== name)) return false;
  if (operator === "In") return values.includes(code);
  return operator === "NotIn" && !values.includes(code);
}

function conditionMatch(
  pod: Pod,
  patterns: readonly { type: string; status?: string }[] | undefined,
): string | undefined {
  const found = pod.status?.conditions?.find(({ type, status }) =>
    patterns?.some((pattern) => pattern.type === type && (pattern.status ?? "True") === status),
  );
  return found && `Pod ${podText(pod)} has condition ${found.type}`;
}

/** Only pods that have really failed are replaced, not those that are still ending; a failure policy needs to see their exit codes. */
export const replacesFailedOnly = (job: Job): boolean =>
  job.spec?.podReplacementPolicy === "Failed" || job.spec?.podFailurePolicy !== undefined;

/** Which rule of the success policy the indexes meet, in upstream's words; undefined when none. */
export function matchSuccess(
  policy: SuccessPolicy | undefined,
  completions: number,
  succeeded: Indexes,
): string | undefined {
  if (!policy || succeeded.length === 0) return undefined;
  const met = policy.rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined)
      return succeededCount !== undefined && countIndexes(succeeded) >= succeededCount;
    const wanted = parseIndexes(succeededIndexes, completions);
    if (wanted.length === 0) return false;
    const reached = overlap(wanted, succeeded);
    return reached === countIndexes(wanted) || (succeededCount !== undefined && reached >= succeededCount);
  });
  return met < 0 ? undefined : `Matched rules at index ${met}`;
}
