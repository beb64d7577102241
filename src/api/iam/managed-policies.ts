/** Managed policies: the account's own with their versions, and AWS's. */
import { type IamIdentity, iamKey, type ManagedPolicyRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import { awsManagedDocument, awsManagedPolicies, isAwsManaged } from "../../identity/policy/managed.js";
import { uniqueId } from "../../identity/principal.js";
import type { Operations, Policy, PolicyVersion } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import {
  accountScope,
  checkDocument,
  documentView,
  named,
  newResource,
  page,
  tagsMember,
  underPath,
} from "./entities.js";

const noPolicy = (arn: string): IamError =>
  new IamError("NoSuchEntity", `Policy ${arn} does not exist or is not attachable.`);

export const policyNameOf = (arn: string): string => arn.split("/").at(-1) ?? arn;

/** AWS's policies are as old as this. */
const AWS_POLICY_MS = Date.UTC(2018, 4, 30);
const ALLOW_NOTHING = JSON.stringify({ Version: "2012-10-17", Statement: [] });

function awsPolicy(context: QueryContext, arn: string): ManagedPolicyRecord {
  const path = arn.slice(arn.indexOf(":policy") + ":policy".length, -policyNameOf(arn).length);
  return {
    ...accountScope(context),
    name: policyNameOf(arn),
    path,
    id: uniqueId("ANPA", arn),
    arn,
    createdAtMs: AWS_POLICY_MS,
    updatedAtMs: AWS_POLICY_MS,
    tags: {},
    defaultVersion: "v1",
    nextVersion: 2,
    versions: [{ id: "v1", document: awsManagedDocument(arn) ?? ALLOW_NOTHING, createdAtMs: AWS_POLICY_MS }],
  };
}

/** A lenient emulator takes every policy of AWS for known. Throws NoSuchEntity. */
export function findPolicy(context: QueryContext, arn: string): ManagedPolicyRecord {
  if (isAwsManaged(arn)) {
    if (awsManagedDocument(arn) === undefined && context.directory.strict) throw noPolicy(arn);
    return awsPolicy(context, arn);
  }
  if (!/^arn:[^:]+:iam::\d{12}:policy\/./.test(arn)) throw new IamError("InvalidInput", `ARN ${arn} is not valid.`);
  const policy = context.state.iam.policies.get(accountScope(context), iamKey(policyNameOf(arn)));
  if (policy?.arn === arn) return policy;
  throw noPolicy(arn);
}

/** One that is not AWS's. Throws AccessDenied or NoSuchEntity. */
export function findOwnPolicy(context: QueryContext, arn: string): ManagedPolicyRecord {
  if (isAwsManaged(arn)) throw new IamError("AccessDenied", `Policy ${arn} is managed by AWS and cannot be changed`);
  return findPolicy(context, arn);
}

type Entity = { kind: "Role" | "User" | "Group"; identity: IamIdentity };

function entities(context: QueryContext): Entity[] {
  const { roles, users, groups } = context.state.iam;
  const scope = accountScope(context);
  return [
    ...groups.list(scope).map((identity): Entity => ({ kind: "Group", identity })),
    ...users.list(scope).map((identity): Entity => ({ kind: "User", identity })),
    ...roles.list(scope).map((identity): Entity => ({ kind: "Role", identity })),
  ];
}

function policyView(policy: ManagedPolicyRecord, all: readonly Entity[]): Policy {
  const count = (uses: (identity: IamIdentity) => boolean): number =>
    all.filter(({ identity }) => uses(identity)).length;
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersion,
    AttachmentCount: count(({ attachedPolicies }) => attachedPolicies.includes(policy.arn)),
    PermissionsBoundaryUsageCount: count(({ permissionsBoundary }) => permissionsBoundary === policy.arn),
    IsAttachable: true,
    ...(policy.description === undefined ? {} : { Description: policy.description }),
    CreateDate: policy.createdAtMs,
    UpdateDate: policy.updatedAtMs,
    ...tagsMember(policy.tags),
  };
}

const versionView = (
  policy: ManagedPolicyRecord,
  version: ManagedPolicyRecord["versions"][number],
  options: { document?: true } = {},
): PolicyVersion => ({
  ...(options.document ? { Document: documentView(version.document) } : {}),
  VersionId: version.id,
  IsDefaultVersion: version.id === policy.defaultVersion,
  CreateDate: version.createdAtMs,
});

function findVersion(policy: ManagedPolicyRecord, id: string): ManagedPolicyRecord["versions"][number] {
  const version = policy.versions.find((candidate) => candidate.id === id);
  if (version) return version;
  throw new IamError("NoSuchEntity", `Policy ${policy.arn} version ${id} does not exist or is not attachable.`);
}

const MAX_VERSIONS = 5;

export const managedPolicies = {
  CreatePolicy({ PolicyName, Path, PolicyDocument, Description, Tags }, context) {
    if (context.state.iam.policies.get(accountScope(context), iamKey(PolicyName))) {
      throw new IamError(
        "EntityAlreadyExists",
        `A policy called ${PolicyName} already exists. Duplicate names are not allowed.`,
      );
    }
    const resource = newResource(context, { prefix: "ANPA", kind: "policy", name: PolicyName, path: Path, tags: Tags });
    const { createdAtMs } = resource;
    const policy: ManagedPolicyRecord = {
      ...resource,
      ...(Description ? { description: Description } : {}),
      defaultVersion: "v1",
      nextVersion: 2,
      versions: [{ id: "v1", document: checkDocument(PolicyDocument, "identity"), createdAtMs }],
      updatedAtMs: createdAtMs,
    };
    context.state.iam.policies.put(policy);
    return { Policy: policyView(policy, []) };
  },
  GetPolicy: ({ PolicyArn }, context) => ({ Policy: policyView(findPolicy(context, PolicyArn), entities(context)) }),
  ListPolicies(input, context) {
    const { Scope = "All", OnlyAttached = false, PathPrefix } = input;
    const own = Scope === "AWS" ? [] : context.state.iam.policies.list(accountScope(context));
    const aws =
      Scope === "Local"
        ? []
        : awsManagedPolicies().map((name) => awsPolicy(context, `arn:aws:iam::aws:policy/${name}`));
    const all = entities(context);
    const isAttached = ({ arn }: ManagedPolicyRecord): boolean =>
      all.some(({ identity }) => identity.attachedPolicies.includes(arn));
    const shown = underPath([...own, ...aws], PathPrefix)
      .filter((policy) => !OnlyAttached || isAttached(policy))
      .sort((a, b) => (iamKey(a.name) < iamKey(b.name) ? -1 : 1));
    const { items, more } = page(shown, named, input);
    return { Policies: items.map((policy) => policyView(policy, all)), ...more };
  },
  DeletePolicy({ PolicyArn }, context) {
    const policy = findOwnPolicy(context, PolicyArn);
    if (entities(context).some(({ identity }) => identity.attachedPolicies.includes(policy.arn)))
      throw new IamError("DeleteConflict", "Cannot delete a policy attached to entities.");
    if (policy.versions.length > 1)
      throw new IamError(
        "DeleteConflict",
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
      );
    context.state.iam.policies.remove(policy, iamKey(policy.name));
    context.directory.forget(policy.accountId, "policy", policy.name);
    return {};
  },
  GetPolicyVersion({ PolicyArn, VersionId }, context) {
    const policy = findPolicy(context, PolicyArn);
    return { PolicyVersion: versionView(policy, findVersion(policy, VersionId), { document: true }) };
  },
  ListPolicyVersions({ PolicyArn }, context) {
    const policy = findPolicy(context, PolicyArn);
    return {
      Versions: [...policy.versions].reverse().map((version) => versionView(policy, version)),
      IsTruncated: false,
    };
  },
  CreatePolicyVersion({ PolicyArn, PolicyDocument, SetAsDefault = false }, context) {
    const policy = findOwnPolicy(context, PolicyArn);
    if (policy.versions.length >= MAX_VERSIONS)
      throw new IamError(
        "LimitExceeded",
        `A managed policy can have up to ${MAX_VERSIONS} versions. Before you create a new version, you must delete an existing version.`,
      );
    const nowMs = context.clock.now();
    const version = {
      id: `v${policy.nextVersion}`,
      document: checkDocument(PolicyDocument, "identity"),
      createdAtMs: nowMs,
    };
    const changed: ManagedPolicyRecord = {
      ...policy,
      versions: [...policy.versions, version],
      nextVersion: policy.nextVersion + 1,
      updatedAtMs: nowMs,
      ...(SetAsDefault ? { defaultVersion: version.id } : {}),
    };
    context.state.iam.policies.put(changed);
    return { PolicyVersion: versionView(changed, version) };
  },
  DeletePolicyVersion({ PolicyArn, VersionId }, context) {
    const policy = findOwnPolicy(context, PolicyArn);
    const version = findVersion(policy, VersionId);
    if (version.id === policy.defaultVersion)
      throw new IamError("DeleteConflict", "Cannot delete the default version of a policy.");
    context.state.iam.policies.put({ ...policy, versions: policy.versions.filter(({ id }) => id !== VersionId) });
    return {};
  },
  SetDefaultPolicyVersion({ PolicyArn, VersionId }, context) {
    const policy = findOwnPolicy(context, PolicyArn);
    context.state.iam.policies.put({
      ...policy,
      defaultVersion: findVersion(policy, VersionId).id,
      updatedAtMs: context.clock.now(),
    });
    return {};
  },
  ListEntitiesForPolicy({ PolicyArn, EntityFilter }, context) {
    const { arn } = findPolicy(context, PolicyArn);
    const of = (kind: Entity["kind"]): IamIdentity[] =>
      EntityFilter !== undefined && EntityFilter !== kind
        ? []
        : entities(context).flatMap((entity) =>
            entity.kind === kind && entity.identity.attachedPolicies.includes(arn) ? [entity.identity] : [],
          );
    return {
      PolicyGroups: of("Group").map(({ name, id }) => ({ GroupName: name, GroupId: id })),
      PolicyUsers: of("User").map(({ name, id }) => ({ UserName: name, UserId: id })),
      PolicyRoles: of("Role").map(({ name, id }) => ({ RoleName: name, RoleId: id })),
      IsTruncated: false,
    };
  },
} satisfies QueryOperations<Operations<QueryContext>>;
