/** The conditions of definitions, with upstream's reasons and messages. */
import { formatSeconds } from "../../clock/clock.js";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionStatus,
} from "../schema/generated/types.js";
import { isProtectedGroup } from "./definition-rules.js";
import type { Acceptance } from "./names.js";

type Condition = Pick<CustomResourceDefinitionCondition, "type" | "status" | "reason" | "message">;

const NAMES_ACCEPTED: Condition = {
  type: "NamesAccepted",
  status: "True",
  reason: "NoConflicts",
  message: "no conflicts found",
};
const ESTABLISHED: Condition = {
  type: "Established",
  status: "True",
  reason: "InitialNamesAccepted",
  message: "the initial names have been accepted",
};
const NOT_ESTABLISHED: Condition = {
  type: "Established",
  status: "False",
  reason: "NotAccepted",
  message: "not all names are accepted",
};
export const MARKED_FOR_DELETION: Condition = {
  type: "Terminating",
  status: "True",
  reason: "InstanceDeletionPending",
  message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
};
const TERMINATING: Condition = {
  type: "Terminating",
  status: "True",
  reason: "InstanceDeletionInProgress",
  message: "CustomResource deletion is in progress",
};

const APPROVAL = "api-approved.kubernetes.io";

function approval({ metadata, spec }: CustomResourceDefinition): Condition[] {
  if (!isProtectedGroup(spec.group)) return [];
  const type = "KubernetesAPIApprovalPolicyConformant";
  const value = metadata.annotations?.[APPROVAL];
  if (!value) {
    const message = `protected groups must have approval annotation "${APPROVAL}", see https://github.com/kubernetes/enhancements/pull/1111`;
    return [{ type, status: "False", reason: "MissingAnnotation", message }];
  }
  return value.startsWith("unapproved")
    ? [{ type, status: "False", reason: "UnapprovedAnnotation", message: `not approved: ${JSON.stringify(value)}` }]
    : [{ type, status: "True", reason: "ApprovedAnnotation", message: `approved in ${value}` }];
}

/** The status with this condition in it; the time of the last transition stays while the condition's value does. */
export function withCondition(
  status: CustomResourceDefinitionStatus,
  wanted: Condition,
  nowMs: number,
): CustomResourceDefinitionStatus {
  const conditions = status.conditions ?? [];
  const present = conditions.find(({ type }) => type === wanted.type);
  if (present?.status === wanted.status && present.reason === wanted.reason && present.message === wanted.message)
    return status;
  const lastTransitionTime =
    present?.status === wanted.status && present.lastTransitionTime ? present.lastTransitionTime : formatSeconds(nowMs);
  const next: CustomResourceDefinitionCondition = { ...wanted, lastTransitionTime };
  return {
    ...status,
    conditions: present
      ? conditions.map((condition) => (condition === present ? next : condition))
      : [...conditions, next],
  };
}

/** What a definition's status should say now. The very status it has when that is it already. */
export function statusOf(
  definition: CustomResourceDefinition,
  { names, conflict }: Acceptance,
  established: boolean,
  nowMs: number,
): CustomResourceDefinitionStatus {
  const wanted: Condition[] = [
    conflict ? { type: "NamesAccepted", status: "False", ...conflict } : NAMES_ACCEPTED,
    established ? ESTABLISHED : NOT_ESTABLISHED,
    ...approval(definition),
    ...(definition.metadata.deletionTimestamp ? [TERMINATING] : []),
  ];
  let status: CustomResourceDefinitionStatus = { ...definition.status, acceptedNames: names };
  for (const condition of wanted) status = withCondition(status, condition, nowMs);
  return status;
}
