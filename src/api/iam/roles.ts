/** Roles, those of services included. */
import { iamKey, type RoleRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import type { Operations, Role } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import {
  accountScope,
  boundaryMember,
  checkDocument,
  deleteConflict,
  documentView,
  findOwnRole,
  findRole,
  named,
  newIdentity,
  newResource,
  page,
  refuseWithPolicies,
  tagsMember,
  underPath,
} from "./entities.js";

/** Lists leave out tags, boundary and last use. */
const roleSummary = (role: RoleRecord): Role => ({
  Path: role.path,
  RoleName: role.name,
  RoleId: role.id,
  Arn: role.arn,
  CreateDate: role.createdAtMs,
  AssumeRolePolicyDocument: documentView(role.trustPolicy),
  ...(role.description === undefined ? {} : { Description: role.description }),
  MaxSessionDuration: role.maxSessionDuration,
});

export { roleSummary };

const roleView = (role: RoleRecord): Role => ({
  ...roleSummary(role),
  ...boundaryMember(role),
  ...tagsMember(role.tags),
  RoleLastUsed: role.lastUsed ? { LastUsedDate: role.lastUsed.atMs, Region: role.lastUsed.region } : {},
});

const DEFAULT_SESSION_SECONDS = 3600;

/** Service principal -> name of its role and managed policy. Others are named after their service. */
const SERVICE_LINKED: Readonly<Record<string, { role: string; policy: string }>> = {
  "eks.amazonaws.com": { role: "AWSServiceRoleForAmazonEKS", policy: "AmazonEKSServiceRolePolicy" },
  "eks-nodegroup.amazonaws.com": {
    role: "AWSServiceRoleForAmazonEKSNodegroup",
    policy: "AWSServiceRoleForAmazonEKSNodegroup",
  },
  "eks-fargate.amazonaws.com": {
    role: "AWSServiceRoleForAmazonEKSForFargate",
    policy: "AmazonEKSForFargateServiceRolePolicy",
  },
  "eks-connector.amazonaws.com": {
    role: "AWSServiceRoleForAmazonEKSConnector",
    policy: "AmazonEKSConnectorServiceRolePolicy",
  },
  "autoscaling.amazonaws.com": { role: "AWSServiceRoleForAutoScaling", policy: "AutoScalingServiceRolePolicy" },
  "elasticloadbalancing.amazonaws.com": {
    role: "AWSServiceRoleForElasticLoadBalancing",
    policy: "AWSElasticLoadBalancingServiceRolePolicy",
  },
  "spot.amazonaws.com": { role: "AWSServiceRoleForEC2Spot", policy: "AWSEC2SpotServiceRolePolicy" },
};

function serviceRoleOf(service: string, suffix: string | undefined): { role: string; policy: string } {
  const own = service.split(".")[0] ?? service;
  const { role, policy } = SERVICE_LINKED[service] ?? {
    role: `AWSServiceRoleFor${own.charAt(0).toUpperCase()}${own.slice(1)}`,
    policy: `${own.charAt(0).toUpperCase()}${own.slice(1)}ServiceRolePolicy`,
  };
  return { role: suffix === undefined ? role : `${role}_${suffix}`, policy };
}

function removeRole(context: QueryContext, role: RoleRecord): void {
  context.state.iam.roles.remove(role, iamKey(role.name));
  context.directory.forget(role.accountId, "role", role.name);
}

export const roles = {
  CreateRole(input, context) {
    const { RoleName, Path, Description, Tags, PermissionsBoundary } = input;
    const known = context.state.iam.roles.get(accountScope(context), iamKey(RoleName));
    // What was made because somebody named it gives way to what somebody makes.
    if (known && !known.automatic)
      throw new IamError("EntityAlreadyExists", `Role with name ${RoleName} already exists.`);
    const resource = newResource(context, { prefix: "AROA", kind: "role", name: RoleName, path: Path, tags: Tags });
    const role: RoleRecord = {
      ...newIdentity(resource, PermissionsBoundary),
      trustPolicy: checkDocument(input.AssumeRolePolicyDocument, "trust"),
      ...(Description ? { description: Description } : {}),
      maxSessionDuration: input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS,
    };
    context.state.iam.roles.put(role);
    const { RoleLastUsed: _, ...view } = roleView(role);
    return { Role: view };
  },
  GetRole: ({ RoleName }, context) => ({ Role: roleView(findRole(context, RoleName)) }),
  ListRoles(input, context) {
    const all = underPath(context.state.iam.roles.list(accountScope(context)), input.PathPrefix);
    const { items, more } = page(all, named, input);
    return { Roles: items.map(roleSummary), ...more };
  },
  UpdateRole({ RoleName, Description, MaxSessionDuration }, context) {
    const role = findOwnRole(context, RoleName);
    context.state.iam.roles.put({
      ...role,
      ...(Description === undefined ? {} : { description: Description }),
      ...(MaxSessionDuration === undefined ? {} : { maxSessionDuration: MaxSessionDuration }),
    });
    return {};
  },
  UpdateRoleDescription({ RoleName, Description }, context) {
    const role = { ...findOwnRole(context, RoleName), description: Description };
    context.state.iam.roles.put(role);
    return { Role: roleView(role) };
  },
  UpdateAssumeRolePolicy({ RoleName, PolicyDocument }, context) {
    const { automatic: _, ...role } = findOwnRole(context, RoleName);
    context.state.iam.roles.put({ ...role, trustPolicy: checkDocument(PolicyDocument, "trust") });
    return {};
  },
  DeleteRole({ RoleName }, context) {
    const role = findOwnRole(context, RoleName);
    const profiles = context.state.iam.instanceProfiles.list(accountScope(context));
    if (profiles.some(({ roleName }) => roleName === role.name))
      throw deleteConflict("remove roles from instance profile");
    refuseWithPolicies(role);
    removeRole(context, role);
    return {};
  },
  PutRolePermissionsBoundary({ RoleName, PermissionsBoundary }, context) {
    context.state.iam.roles.put({ ...findOwnRole(context, RoleName), permissionsBoundary: PermissionsBoundary });
    return {};
  },
  DeleteRolePermissionsBoundary({ RoleName }, context) {
    const { permissionsBoundary: _, ...role } = findOwnRole(context, RoleName);
    context.state.iam.roles.put(role);
    return {};
  },
  CreateServiceLinkedRole({ AWSServiceName, Description, CustomSuffix }, context) {
    const { role: name, policy } = serviceRoleOf(AWSServiceName, CustomSuffix);
    const known = context.state.iam.roles.get(accountScope(context), iamKey(name));
    if (known && !known.automatic) {
      throw new IamError(
        "InvalidInput",
        `Service role name ${name} has been taken in this account, please try a different suffix.`,
      );
    }
    const path = `/aws-service-role/${AWSServiceName}/`;
    const role: RoleRecord = {
      ...newIdentity(newResource(context, { prefix: "AROA", kind: "role", name, path }), undefined),
      attachedPolicies: [`arn:aws:iam::aws:policy/aws-service-role/${policy}`],
      trustPolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { Service: [AWSServiceName] }, Action: ["sts:AssumeRole"] }],
      }),
      ...(Description ? { description: Description } : {}),
      maxSessionDuration: DEFAULT_SESSION_SECONDS,
      serviceLinked: true,
    };
    context.state.iam.roles.put(role);
    return { Role: roleSummary(role) };
  },
  DeleteServiceLinkedRole({ RoleName }, context) {
    const role = findRole(context, RoleName);
    if (!role.serviceLinked) throw new IamError("InvalidInput", `${RoleName} is not a service-linked role`);
    removeRole(context, role);
    return { DeletionTaskId: `task${role.path}${role.name}/${role.id}` };
  },
  // Deletion is done when it is answered.
  GetServiceLinkedRoleDeletionStatus: () => ({ Status: "SUCCEEDED" }),
} satisfies QueryOperations<Operations<QueryContext>>;
