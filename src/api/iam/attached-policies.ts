/** Policies of users, roles and groups: inline ones, and managed ones that are attached. The same for all three, under three names each. */
import type { IamIdentity } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import type { AttachedPolicy, Operations } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { checkDocument, documentView, findGroup, findOwnRole, findRole, findUser, named, page } from "./entities.js";
import { findPolicy, policyNameOf } from "./managed-policies.js";

type Kind = "Role" | "User" | "Group";

/** How each kind is found and kept. Roles of services may be looked at only. */
const KINDS = {
  Role: {
    find: findRole,
    change: (context: QueryContext, name: string, changed: (identity: IamIdentity) => IamIdentity): void => {
      const role = findOwnRole(context, name);
      context.state.iam.roles.put({ ...role, ...changed(role) });
    },
  },
  User: {
    find: findUser,
    change: (context: QueryContext, name: string, changed: (identity: IamIdentity) => IamIdentity): void => {
      const user = findUser(context, name);
      context.state.iam.users.put({ ...user, ...changed(user) });
    },
  },
  Group: {
    find: findGroup,
    change: (context: QueryContext, name: string, changed: (identity: IamIdentity) => IamIdentity): void =>
      context.state.iam.groups.put(changed(findGroup(context, name))),
  },
} as const;

const MAX_ATTACHED = 10;

function attach(context: QueryContext, kind: Kind, name: string, policyArn: string): Record<string, never> {
  findPolicy(context, policyArn);
  KINDS[kind].change(context, name, (identity) => {
    if (identity.attachedPolicies.includes(policyArn)) return identity;
    if (identity.attachedPolicies.length >= MAX_ATTACHED)
      throw new IamError("LimitExceeded", `Cannot exceed quota for PoliciesPer${kind}: ${MAX_ATTACHED}`);
    return { ...identity, attachedPolicies: [...identity.attachedPolicies, policyArn] };
  });
  return {};
}

function detach(context: QueryContext, kind: Kind, name: string, policyArn: string): Record<string, never> {
  KINDS[kind].change(context, name, (identity) => {
    if (!identity.attachedPolicies.includes(policyArn))
      throw new IamError("NoSuchEntity", `Policy ${policyArn} was not found.`);
    return { ...identity, attachedPolicies: identity.attachedPolicies.filter((arn) => arn !== policyArn) };
  });
  return {};
}

type Paging = { Marker?: string; MaxItems?: number };

function attached(
  context: QueryContext,
  kind: Kind,
  name: string,
  paging: Paging,
): { AttachedPolicies: AttachedPolicy[]; IsTruncated: boolean; Marker?: string } {
  const all = KINDS[kind]
    .find(context, name)
    .attachedPolicies.map((arn) => ({ name: policyNameOf(arn), arn }))
    .sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  const { items, more } = page(all, named, paging);
  return { AttachedPolicies: items.map((policy) => ({ PolicyName: policy.name, PolicyArn: policy.arn })), ...more };
}

function putInline(
  context: QueryContext,
  kind: Kind,
  name: string,
  policy: { PolicyName: string; PolicyDocument: string },
): Record<string, never> {
  const text = checkDocument(policy.PolicyDocument, "identity");
  KINDS[kind].change(context, name, (identity) => ({
    ...identity,
    inlinePolicies: { ...identity.inlinePolicies, [policy.PolicyName]: text },
  }));
  return {};
}

const noPolicy = (kind: Kind, policyName: string): IamError =>
  new IamError("NoSuchEntity", `The ${kind.toLowerCase()} policy with name ${policyName} cannot be found.`);

function inline(
  context: QueryContext,
  kind: Kind,
  name: string,
  policyName: string,
): { PolicyName: string; PolicyDocument: string } {
  const text = KINDS[kind].find(context, name).inlinePolicies[policyName];
  if (text === undefined) throw noPolicy(kind, policyName);
  return { PolicyName: policyName, PolicyDocument: documentView(text) };
}

function deleteInline(context: QueryContext, kind: Kind, name: string, policyName: string): Record<string, never> {
  KINDS[kind].change(context, name, (identity) => {
    const { [policyName]: removed, ...inlinePolicies } = identity.inlinePolicies;
    if (removed === undefined) throw noPolicy(kind, policyName);
    return { ...identity, inlinePolicies };
  });
  return {};
}

function inlineNames(
  context: QueryContext,
  kind: Kind,
  name: string,
  paging: Paging,
): { PolicyNames: string[]; IsTruncated: boolean; Marker?: string } {
  const all = Object.keys(KINDS[kind].find(context, name).inlinePolicies).sort((a, b) =>
    a.toLowerCase() < b.toLowerCase() ? -1 : 1,
  );
  const { items, more } = page(all, (text) => text, paging);
  return { PolicyNames: items, ...more };
}

export const attachedPolicies = {
  AttachRolePolicy: ({ RoleName, PolicyArn }, context) => attach(context, "Role", RoleName, PolicyArn),
  AttachUserPolicy: ({ UserName, PolicyArn }, context) => attach(context, "User", UserName, PolicyArn),
  AttachGroupPolicy: ({ GroupName, PolicyArn }, context) => attach(context, "Group", GroupName, PolicyArn),
  DetachRolePolicy: ({ RoleName, PolicyArn }, context) => detach(context, "Role", RoleName, PolicyArn),
  DetachUserPolicy: ({ UserName, PolicyArn }, context) => detach(context, "User", UserName, PolicyArn),
  DetachGroupPolicy: ({ GroupName, PolicyArn }, context) => detach(context, "Group", GroupName, PolicyArn),
  ListAttachedRolePolicies: (input, context) => attached(context, "Role", input.RoleName, input),
  ListAttachedUserPolicies: (input, context) => attached(context, "User", input.UserName, input),
  ListAttachedGroupPolicies: (input, context) => attached(context, "Group", input.GroupName, input),
  PutRolePolicy: (input, context) => putInline(context, "Role", input.RoleName, input),
  PutUserPolicy: (input, context) => putInline(context, "User", input.UserName, input),
  PutGroupPolicy: (input, context) => putInline(context, "Group", input.GroupName, input),
  GetRolePolicy: ({ RoleName, PolicyName }, context) => ({
    RoleName,
    ...inline(context, "Role", RoleName, PolicyName),
  }),
  GetUserPolicy: ({ UserName, PolicyName }, context) => ({
    UserName,
    ...inline(context, "User", UserName, PolicyName),
  }),
  GetGroupPolicy: ({ GroupName, PolicyName }, context) => ({
    GroupName,
    ...inline(context, "Group", GroupName, PolicyName),
  }),
  DeleteRolePolicy: ({ RoleName, PolicyName }, context) => deleteInline(context, "Role", RoleName, PolicyName),
  DeleteUserPolicy: ({ UserName, PolicyName }, context) => deleteInline(context, "User", UserName, PolicyName),
  DeleteGroupPolicy: ({ GroupName, PolicyName }, context) => deleteInline(context, "Group", GroupName, PolicyName),
  ListRolePolicies: (input, context) => inlineNames(context, "Role", input.RoleName, input),
  ListUserPolicies: (input, context) => inlineNames(context, "User", input.UserName, input),
  ListGroupPolicies: (input, context) => inlineNames(context, "Group", input.GroupName, input),
} satisfies QueryOperations<Operations<QueryContext>>;
