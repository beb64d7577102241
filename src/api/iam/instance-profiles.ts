/** Instance profiles: how roles come to EC2 instances. One role each. */
import { type InstanceProfileRecord, iamKey } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import type { InstanceProfile, Operations } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { accountScope, deleteConflict, findRole, named, newResource, page, tagsMember, underPath } from "./entities.js";
import { roleSummary } from "./roles.js";

/** Throws NoSuchEntity. */
export function findInstanceProfile(context: QueryContext, name: string): InstanceProfileRecord {
  const profile = context.state.iam.instanceProfiles.get(accountScope(context), iamKey(name));
  if (profile) return profile;
  throw new IamError("NoSuchEntity", `Instance Profile ${name} cannot be found.`);
}

function view(context: QueryContext, profile: InstanceProfileRecord): InstanceProfile {
  const { roleName } = profile;
  const role = roleName === undefined ? undefined : context.state.iam.roles.get(profile, iamKey(roleName));
  return {
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: profile.arn,
    CreateDate: profile.createdAtMs,
    Roles: role ? [roleSummary(role)] : [],
    ...tagsMember(profile.tags),
  };
}

export const instanceProfiles = {
  CreateInstanceProfile({ InstanceProfileName, Path, Tags }, context) {
    if (context.state.iam.instanceProfiles.get(accountScope(context), iamKey(InstanceProfileName)))
      throw new IamError("EntityAlreadyExists", `Instance Profile ${InstanceProfileName} already exists.`);
    const profile: InstanceProfileRecord = newResource(context, {
      prefix: "AIPA",
      kind: "instance-profile",
      name: InstanceProfileName,
      path: Path,
      tags: Tags,
    });
    context.state.iam.instanceProfiles.put(profile);
    return { InstanceProfile: view(context, profile) };
  },
  GetInstanceProfile: ({ InstanceProfileName }, context) => ({
    InstanceProfile: view(context, findInstanceProfile(context, InstanceProfileName)),
  }),
  ListInstanceProfiles(input, context) {
    const all = underPath(context.state.iam.instanceProfiles.list(accountScope(context)), input.PathPrefix);
    const { items, more } = page(all, named, input);
    return { InstanceProfiles: items.map((profile) => view(context, profile)), ...more };
  },
  ListInstanceProfilesForRole(input, context) {
    const role = findRole(context, input.RoleName);
    const all = context.state.iam.instanceProfiles
      .list(accountScope(context))
      .filter(({ roleName }) => roleName === role.name);
    const { items, more } = page(all, named, input);
    return { InstanceProfiles: items.map((profile) => view(context, profile)), ...more };
  },
  AddRoleToInstanceProfile({ InstanceProfileName, RoleName }, context) {
    const profile = findInstanceProfile(context, InstanceProfileName);
    const role = findRole(context, RoleName);
    if (profile.roleName !== undefined)
      throw new IamError("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
    context.state.iam.instanceProfiles.put({ ...profile, roleName: role.name });
    return {};
  },
  RemoveRoleFromInstanceProfile({ InstanceProfileName, RoleName }, context) {
    const { roleName, ...profile } = findInstanceProfile(context, InstanceProfileName);
    if (roleName === undefined || iamKey(roleName) !== iamKey(RoleName))
      throw new IamError("NoSuchEntity", `The role with name ${RoleName} cannot be found.`);
    context.state.iam.instanceProfiles.put(profile);
    return {};
  },
  DeleteInstanceProfile({ InstanceProfileName }, context) {
    const profile = findInstanceProfile(context, InstanceProfileName);
    if (profile.roleName !== undefined) throw deleteConflict("remove roles from instance profile");
    context.state.iam.instanceProfiles.remove(profile, iamKey(profile.name));
    context.directory.forget(profile.accountId, "instance-profile", profile.name);
    return {};
  },
} satisfies QueryOperations<Operations<QueryContext>>;
