/** Users, their access keys, and groups. */
import { type AccessKeyRecord, type GroupRecord, iamKey, iamScope, type UserRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import { accountOfAccessKey } from "../../identity/access-keys.js";
import type { Group, Operations, User } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { signer } from "../query/caller.js";
import {
  accountScope,
  boundaryMember,
  deleteConflict,
  findGroup,
  findUser,
  named,
  newIdentity,
  newResource,
  page,
  refuseWithPolicies,
  tagsMember,
  underPath,
} from "./entities.js";

const userSummary = (user: UserRecord): User => ({
  Path: user.path,
  UserName: user.name,
  UserId: user.id,
  Arn: user.arn,
  CreateDate: user.createdAtMs,
});

const userView = (user: UserRecord): User => ({
  ...userSummary(user),
  ...boundaryMember(user),
  ...tagsMember(user.tags),
});

const groupView = (group: GroupRecord): Group => ({
  Path: group.path,
  GroupName: group.name,
  GroupId: group.id,
  Arn: group.arn,
  CreateDate: group.createdAtMs,
});

/** Users whom nobody made are there as soon as they ask for themselves. */
function ownUser(context: QueryContext): UserRecord {
  const { arn } = signer(context);
  const name = /^arn:[^:]+:iam::\d{12}:user\/(?:.*\/)?([^/]+)$/.exec(arn)?.[1];
  if (name === undefined)
    throw new IamError("ValidationError", "Must specify userName when calling with non-User credentials");
  return (
    context.directory.user(arn) ??
    putUser(context, {
      ...newIdentity(newResource(context, { prefix: "AIDA", kind: "user", name }), undefined),
      // Whose key the emulator was started with may do everything; it would be locked out by being looked at.
      attachedPolicies: ["arn:aws:iam::aws:policy/AdministratorAccess"],
    })
  );
}

function putUser(context: QueryContext, identity: ReturnType<typeof newIdentity>): UserRecord {
  const user = { ...identity, groups: [] };
  context.state.iam.users.put(user);
  return user;
}

const namedOrOwn = (context: QueryContext, name: string | undefined): UserRecord =>
  name === undefined ? ownUser(context) : findUser(context, name);

/** Of a user, in order of creation. */
const keysOf = (context: QueryContext, user: UserRecord): AccessKeyRecord[] =>
  context.state.iam.accessKeys
    .list(user)
    .filter(({ userName }) => userName === user.name)
    .sort((a, b) => a.createdAtMs - b.createdAtMs);

function findKey(context: QueryContext, user: UserRecord, accessKeyId: string): AccessKeyRecord {
  const key = context.state.iam.accessKeys.get(user, accessKeyId);
  if (key?.userName === user.name) return key;
  throw new IamError("NoSuchEntity", `The Access Key with id ${accessKeyId} cannot be found.`);
}

const MAX_KEYS = 2;

const membersOf = (context: QueryContext, group: GroupRecord): UserRecord[] =>
  context.state.iam.users.list(accountScope(context)).filter(({ groups }) => groups.includes(group.name));

export const users = {
  CreateUser({ UserName, Path, Tags, PermissionsBoundary }, context) {
    if (context.state.iam.users.get(accountScope(context), iamKey(UserName)))
      throw new IamError("EntityAlreadyExists", `User with name ${UserName} already exists.`);
    const resource = newResource(context, { prefix: "AIDA", kind: "user", name: UserName, path: Path, tags: Tags });
    return { User: userView(putUser(context, newIdentity(resource, PermissionsBoundary))) };
  },
  GetUser({ UserName }, context) {
    const { arn, accountId } = signer(context);
    if (UserName === undefined && arn.endsWith(":root")) {
      // Root has no name.
      return { User: { Path: "/", UserId: accountId, Arn: arn, CreateDate: 0 } as User };
    }
    return { User: userView(namedOrOwn(context, UserName)) };
  },
  ListUsers(input, context) {
    const all = underPath(context.state.iam.users.list(accountScope(context)), input.PathPrefix);
    const { items, more } = page(all, named, input);
    return { Users: items.map(userSummary), ...more };
  },
  DeleteUser({ UserName }, context) {
    const user = findUser(context, UserName);
    if (keysOf(context, user).length > 0) throw deleteConflict("delete access keys");
    if (user.groups.length > 0) throw deleteConflict("remove users from group");
    refuseWithPolicies(user);
    context.state.iam.users.remove(user, iamKey(user.name));
    context.directory.forget(user.accountId, "user", user.name);
    return {};
  },
  CreateAccessKey({ UserName }, context) {
    const user = namedOrOwn(context, UserName);
    if (keysOf(context, user).length >= MAX_KEYS)
      throw new IamError("LimitExceeded", `Cannot exceed quota for AccessKeysPerUser: ${MAX_KEYS}`);
    const key: AccessKeyRecord = {
      ...accountScope(context),
      ...context.directory.newAccessKey(user.accountId),
      userName: user.name,
      status: "Active",
      createdAtMs: context.clock.now(),
    };
    context.state.iam.accessKeys.put(key);
    return {
      AccessKey: {
        UserName: user.name,
        AccessKeyId: key.accessKeyId,
        Status: key.status,
        SecretAccessKey: key.secretAccessKey,
        CreateDate: key.createdAtMs,
      },
    };
  },
  ListAccessKeys({ UserName }, context) {
    const user = namedOrOwn(context, UserName);
    return {
      AccessKeyMetadata: keysOf(context, user).map(({ accessKeyId, status, createdAtMs }) => ({
        UserName: user.name,
        AccessKeyId: accessKeyId,
        Status: status,
        CreateDate: createdAtMs,
      })),
      IsTruncated: false,
    };
  },
  UpdateAccessKey({ UserName, AccessKeyId, Status }, context) {
    const key = findKey(context, namedOrOwn(context, UserName), AccessKeyId);
    if (Status !== "Active" && Status !== "Inactive")
      throw new IamError("InvalidInput", "The status of an access key is Active or Inactive");
    context.state.iam.accessKeys.put({ ...key, status: Status });
    return {};
  },
  DeleteAccessKey({ UserName, AccessKeyId }, context) {
    const key = findKey(context, namedOrOwn(context, UserName), AccessKeyId);
    context.state.iam.accessKeys.remove(key, key.accessKeyId);
    return {};
  },
  GetAccessKeyLastUsed({ AccessKeyId }, context) {
    const key = context.state.iam.accessKeys.get(iamScope(accountOfAccessKey(AccessKeyId) ?? ""), AccessKeyId);
    if (!key) throw new IamError("NoSuchEntity", `The Access Key with id ${AccessKeyId} cannot be found.`);
    // Uses are not kept: every request would be a write.
    return { UserName: key.userName, AccessKeyLastUsed: { ServiceName: "N/A", Region: "N/A" } };
  },
  PutUserPermissionsBoundary({ UserName, PermissionsBoundary }, context) {
    context.state.iam.users.put({ ...findUser(context, UserName), permissionsBoundary: PermissionsBoundary });
    return {};
  },
  DeleteUserPermissionsBoundary({ UserName }, context) {
    const { permissionsBoundary: _, ...user } = findUser(context, UserName);
    context.state.iam.users.put(user);
    return {};
  },

  CreateGroup({ GroupName, Path }, context) {
    if (context.state.iam.groups.get(accountScope(context), iamKey(GroupName)))
      throw new IamError("EntityAlreadyExists", `Group with name ${GroupName} already exists.`);
    const resource = newResource(context, { prefix: "AGPA", kind: "group", name: GroupName, path: Path });
    const group: GroupRecord = newIdentity(resource, undefined);
    context.state.iam.groups.put(group);
    return { Group: groupView(group) };
  },
  GetGroup(input, context) {
    const group = findGroup(context, input.GroupName);
    const { items, more } = page(membersOf(context, group), named, input);
    return { Group: groupView(group), Users: items.map(userSummary), ...more };
  },
  ListGroups(input, context) {
    const all = underPath(context.state.iam.groups.list(accountScope(context)), input.PathPrefix);
    const { items, more } = page(all, named, input);
    return { Groups: items.map(groupView), ...more };
  },
  DeleteGroup({ GroupName }, context) {
    const group = findGroup(context, GroupName);
    if (membersOf(context, group).length > 0) throw deleteConflict("remove users from group");
    refuseWithPolicies(group);
    context.state.iam.groups.remove(group, iamKey(group.name));
    context.directory.forget(group.accountId, "group", group.name);
    return {};
  },
  AddUserToGroup({ GroupName, UserName }, context) {
    const [group, user] = [findGroup(context, GroupName), findUser(context, UserName)];
    context.state.iam.users.put({ ...user, groups: [...new Set([...user.groups, group.name])] });
    return {};
  },
  RemoveUserFromGroup({ GroupName, UserName }, context) {
    const [group, user] = [findGroup(context, GroupName), findUser(context, UserName)];
    context.state.iam.users.put({ ...user, groups: user.groups.filter((name) => name !== group.name) });
    return {};
  },
  ListGroupsForUser(input, context) {
    const { groups } = findUser(context, input.UserName);
    const { items, more } = page(
      [...groups].sort().map((name) => findGroup(context, name)),
      named,
      input,
    );
    return { Groups: items.map(groupView), ...more };
  },
} satisfies QueryOperations<Operations<QueryContext>>;
