/** What CreateAccessEntry, UpdateAccessEntry and AssociateAccessPolicy make of their requests, and what they refuse. */
import type { AccessEntryRecord, AccessEntryType, AccessScope, AssociatedPolicy } from "../access-entry.js";
import { DomainError } from "../errors.js";
import type { ClusterRecord, Scope } from "../model.js";
import { ACCESS_ENTRY_TYPES, defaultUsername, groupsOfType, isAccessEntryType } from "./access-entry-types.js";
import { findAccessPolicy, isServicePolicy } from "./access-policies.js";
import { accessEntryArn } from "./arns.js";
import { type IamPrincipal, isServiceLinked, parsePrincipal } from "./principals.js";
import { invalidParameter } from "./refusals.js";
import { addTags } from "./tags.js";

export interface NewAccessEntry {
  principalArn: string;
  type?: string;
  username?: string;
  kubernetesGroups?: string[];
  tags?: Record<string, string>;
}

/** A request that has passed every rule that needs no look at the cluster. */
export interface CheckedAccessEntry {
  principal: IamPrincipal;
  type: AccessEntryType;
  username: string;
  kubernetesGroups: string[];
  tags: Record<string, string>;
}

/** Beginnings that Kubernetes and AWS keep for themselves. */
const RESERVED_PREFIXES = ["system:", "eks:", "aws:", "amazon:", "iam:"];
/** The list as EKS words it in its refusals. */
const NODE_TYPES = "[EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX, EC2]";

export const invalidPrincipal = (): DomainError =>
  invalidParameter("The specified principalArn is invalid: invalid principal.");

/** Entries of service-linked roles are AWS's own. `code` is the one that the operation's model has. */
export function checkNotServiceLinked(
  principalArn: string,
  code: "InvalidParameterException" | "InvalidRequestException",
): void {
  const principal = parsePrincipal(principalArn);
  if (!principal || !isServiceLinked(principal)) return;
  throw new DomainError(
    code,
    "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role",
  );
}

/** Checks that EKS makes before it looks for the cluster. Throws InvalidParameterException. */
export function checkNewAccessEntry(request: NewAccessEntry, scope: Scope): CheckedAccessEntry {
  const principal = parsePrincipal(request.principalArn);
  if (!principal) throw invalidPrincipal();
  checkNotServiceLinked(request.principalArn, "InvalidParameterException");
  const type = request.type || "STANDARD";
  if (!isAccessEntryType(type)) {
    throw invalidParameter(`The specified type is invalid: valid types are [${ACCESS_ENTRY_TYPES.join(", ")}]`);
  }
  checkUsername(type, request.username);
  checkGroups(type, request.kubernetesGroups);
  if (type !== "STANDARD" && principal.kind !== "role") {
    throw invalidParameter(`AccessEntry principalArn must be IAM role when using types ${NODE_TYPES}`);
  }
  if (type !== "STANDARD" && principal.accountId !== scope.accountId) {
    throw invalidParameter(
      `AccessEntry principalArn must be from the same account as the cluster when using types ${NODE_TYPES}`,
    );
  }
  return {
    principal,
    type,
    username: request.username || defaultUsername(type, principal),
    kubernetesGroups: type === "STANDARD" ? (request.kubernetesGroups ?? []) : groupsOfType(type),
    tags: addTags({}, request.tags ?? {}, "InvalidParameterException"),
  };
}

function checkUsername(type: AccessEntryType, username: string | undefined): void {
  if (!username) return;
  if (type !== "STANDARD") {
    throw invalidParameter(
      `The specified username is invalid: setting username is not allowed when the type is "${type}"`,
    );
  }
  const prefix = RESERVED_PREFIXES.find((reserved) => username.startsWith(reserved));
  if (prefix) throw invalidParameter(`The username must not begin with ${prefix}`);
  // What sessions call themselves must not be able to look like another user.
  const session = username.search(/\{\{SessionName(Raw)?\}\}/);
  if (session >= 0 && !username.slice(0, session).includes(":")) {
    throw invalidParameter("The username must have a colon before {{SessionName}} or {{SessionNameRaw}}");
  }
}

function checkGroups(type: AccessEntryType, groups: readonly string[] | undefined): void {
  if (!groups?.length) return;
  if (type !== "STANDARD") {
    throw invalidParameter(
      `The specified kubernetesGroups is invalid: setting kubernetesGroups is not allowed when the type is "${type}"`,
    );
  }
  for (const group of groups) {
    if (group === "") throw invalidParameter("The kubernetes group name is invalid, it cannot be empty");
    const prefix = RESERVED_PREFIXES.find((reserved) => group.startsWith(reserved));
    if (prefix) throw invalidParameter(`The kubernetes group name ${group} is invalid, it cannot start with ${prefix}`);
  }
}

/** `uuid` must never have been used for an entry of this principal in this cluster; `principalId` is IAM's, where it is known. */
export function newAccessEntry(
  cluster: ClusterRecord,
  principalArn: string,
  entry: Omit<CheckedAccessEntry, "tags"> & { tags?: Record<string, string> },
  { uuid, nowMs, principalId }: { uuid: string; nowMs: number; principalId?: string | undefined },
): AccessEntryRecord {
  const { principal, type, username, kubernetesGroups, tags = {} } = entry;
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    principalArn,
    ...(principalId === undefined ? {} : { principalId }),
    arn: accessEntryArn(cluster, cluster.name, principal, uuid),
    type,
    username,
    kubernetesGroups,
    tags,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    policies: [],
  };
}

/** Members that are absent stay as they are; an empty user name asks for the default one. */
export function changedAccessEntry(
  entry: AccessEntryRecord,
  request: { username?: string; kubernetesGroups?: string[] },
  nowMs: number,
): AccessEntryRecord {
  checkUsername(entry.type, request.username);
  checkGroups(entry.type, request.kubernetesGroups);
  const principal = parsePrincipal(entry.principalArn);
  if (!principal) throw invalidPrincipal();
  return {
    ...entry,
    username: request.username === "" ? defaultUsername(entry.type, principal) : (request.username ?? entry.username),
    kubernetesGroups:
      entry.type === "STANDARD" ? (request.kubernetesGroups ?? entry.kubernetesGroups) : entry.kubernetesGroups,
    modifiedAtMs: nowMs,
  };
}

/** The scope as it is kept. Throws InvalidParameterException. */
export function checkAccessScope(scope: { type?: string; namespaces?: string[] }): AccessScope {
  const { type, namespaces = [] } = scope;
  if (type !== "cluster" && type !== "namespace") {
    throw invalidParameter("The accessScope type must be one of [cluster, namespace]");
  }
  if (type === "namespace" && namespaces.length === 0) {
    throw invalidParameter("At least 1 namespace must be provided if the type is set as namespace");
  }
  if (type === "cluster" && namespaces.length > 0) {
    throw invalidParameter("accessScope should not include namespaces if the type is not set as namespace");
  }
  return { type, namespaces };
}

/** Associating anew changes the scope. Throws InvalidRequestException for entries that take no policies. */
export function associatePolicy(
  entry: AccessEntryRecord,
  policyArn: string,
  accessScope: AccessScope,
  { nowMs, region }: { nowMs: number; region: string },
): { entry: AccessEntryRecord; policy: AssociatedPolicy } {
  const name = findAccessPolicy(policyArn, region);
  // Nodes of Auto Mode have an entry of type EC2, and one policy made for them.
  const takesIt = entry.type === "STANDARD" || (entry.type === "EC2" && name === "AmazonEKSAutoNodePolicy");
  if (!takesIt) {
    throw new DomainError(
      "InvalidRequestException",
      'This operation can only be performed on Access Entries with a type of "STANDARD"',
    );
  }
  if (isServicePolicy(name)) {
    throw invalidParameter("The specified policyArn can only be associated with service-linked roles");
  }
  const present = entry.policies.find((associated) => associated.policyArn === policyArn);
  const policy = { policyArn, accessScope, associatedAtMs: present?.associatedAtMs ?? nowMs, modifiedAtMs: nowMs };
  return { entry: withPolicies(entry, [...entry.policies.filter((other) => other !== present), policy]), policy };
}

/** The entry without the policy. Throws ResourceNotFoundException when it is not associated. */
export function disassociatePolicy(entry: AccessEntryRecord, policyArn: string): AccessEntryRecord {
  const rest = entry.policies.filter((associated) => associated.policyArn !== policyArn);
  if (rest.length === entry.policies.length) {
    throw new DomainError("ResourceNotFoundException", "The specified policyArn could not be found.");
  }
  return withPolicies(entry, rest);
}

export const withPolicies = (entry: AccessEntryRecord, policies: readonly AssociatedPolicy[]): AccessEntryRecord => ({
  ...entry,
  policies: [...policies].sort((a, b) => (a.policyArn < b.policyArn ? -1 : 1)),
});
