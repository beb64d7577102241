/** What becomes of a request for a pod identity association, and what is refused. */
import { DomainError } from "../errors.js";
import type { ClusterRecord } from "../model.js";
import type { PodIdentityAssociationRecord } from "../pod-identity-association.js";
import { checkPassRole, parseArn, podIdentityAssociationArn } from "./arns.js";
import { invalidParameter } from "./refusals.js";
import { addTags } from "./tags.js";

/** Quota of a cluster, which cannot be raised. */
export const MAX_POD_IDENTITY_ASSOCIATIONS = 1000;

/** Members that can be changed. */
export interface PodIdentitySettings {
  roleArn?: string;
  targetRoleArn?: string;
  disableSessionTags?: boolean;
  policy?: string;
}

export interface NewPodIdentityAssociation extends PodIdentitySettings {
  namespace: string;
  serviceAccount: string;
  roleArn: string;
  tags?: Record<string, string>;
}

const NAMES = {
  namespace: { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max: 63 },
  serviceAccount: { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max: 253 },
} as const;

function checkName(parameter: keyof typeof NAMES, value: string): void {
  const { pattern, max } = NAMES[parameter];
  if (value.length > max) {
    throw invalidParameter(`The parameter ${parameter} is too long. It can have at most ${max} characters`);
  }
  if (new RegExp(pattern).test(value)) return;
  throw invalidParameter(
    `The parameter ${parameter} contains invalid characters. It should conform to the regular expression "${pattern}"`,
  );
}

/** Checks that EKS makes before it looks for the cluster. Throws InvalidParameterException or AccessDeniedException. */
export function checkNewPodIdentity(request: NewPodIdentityAssociation, accountId: string): void {
  checkName("namespace", request.namespace);
  checkName("serviceAccount", request.serviceAccount);
  checkPassRole(request.roleArn, accountId);
  checkSettings(request);
}

function checkSettings({ targetRoleArn, disableSessionTags, policy }: PodIdentitySettings): void {
  if (targetRoleArn) {
    const arn = parseArn(targetRoleArn);
    if (arn?.service !== "iam" || !/^\d{12}$/.test(arn.accountId) || !/^role\/./.test(arn.resource)) {
      throw invalidParameter(`Invalid Role Arn: '${targetRoleArn}'`);
    }
  }
  if (!policy) return;
  if (disableSessionTags !== true) {
    throw invalidParameter("When policy is specified, disableSessionTags must be set to true");
  }
  if (!isJsonObject(policy)) throw invalidParameter("The policy is not valid JSON");
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** `id` must never have been used in this cluster. `ownerArn`: of the add-on that it is made for. */
export function newPodIdentity(
  cluster: ClusterRecord,
  request: NewPodIdentityAssociation,
  facts: { id: string; nowMs: number; ownerArn?: string },
): PodIdentityAssociationRecord {
  const { namespace, serviceAccount, roleArn, targetRoleArn, policy } = request;
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    id: facts.id,
    arn: podIdentityAssociationArn(cluster, cluster.name, facts.id),
    namespace,
    serviceAccount,
    roleArn,
    ...withTarget(cluster, request, targetRoleArn),
    disableSessionTags: request.disableSessionTags ?? false,
    ...(policy ? { policy } : {}),
    ...(facts.ownerArn === undefined ? {} : { ownerArn: facts.ownerArn }),
    tags: addTags({}, request.tags ?? {}, "InvalidParameterException"),
    createdAtMs: facts.nowMs,
    modifiedAtMs: facts.nowMs,
  };
}

/** The external id names what the credentials are for, so that a target role can be lent to one association alone. */
function withTarget(
  { region, accountId, name }: ClusterRecord,
  { namespace, serviceAccount }: { namespace: string; serviceAccount: string },
  targetRoleArn: string | undefined,
): { targetRoleArn?: string; externalId?: string } {
  if (!targetRoleArn) return {};
  return { targetRoleArn, externalId: [region, accountId, name, namespace, serviceAccount].join("/") };
}

/** Members that are absent stay as they are; an empty target role or policy takes it away. Throws InvalidParameterException. */
export function changedPodIdentity(
  cluster: ClusterRecord,
  present: PodIdentityAssociationRecord,
  request: PodIdentitySettings,
  nowMs: number,
): PodIdentityAssociationRecord {
  const { roleArn, targetRoleArn, disableSessionTags, policy } = request;
  if ([roleArn, targetRoleArn, disableSessionTags, policy].every((value) => value === undefined)) {
    throw invalidParameter("At least one of roleArn, targetRoleArn, disableSessionTags or policy must be specified");
  }
  if (roleArn !== undefined) checkPassRole(roleArn, cluster.accountId);
  const { targetRoleArn: oldTarget, externalId: _, policy: oldPolicy, ...rest } = present;
  const next = {
    roleArn: roleArn ?? present.roleArn,
    disableSessionTags: disableSessionTags ?? present.disableSessionTags,
    ...withTarget(cluster, present, targetRoleArn ?? oldTarget),
    ...((policy ?? oldPolicy) ? { policy: policy ?? oldPolicy } : {}),
  };
  checkSettings(next);
  return { ...rest, ...next, modifiedAtMs: nowMs } as PodIdentityAssociationRecord;
}

/** Associations of an add-on are changed through the add-on. Throws InvalidRequestException. */
export function checkNotOwned({ id, ownerArn, clusterName }: PodIdentityAssociationRecord): void {
  if (ownerArn === undefined) return;
  throw new DomainError(
    "InvalidRequestException",
    `The pod identity association ${id} is owned by ${ownerArn} and can only be changed through it`,
    { clusterName },
  );
}
