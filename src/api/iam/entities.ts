/** What the operations of IAM share: look-ups, names, tags, documents and pages. */
import {
  type GroupRecord,
  type IamIdentity,
  type IamResource,
  iamKey,
  iamScope,
  type RoleRecord,
  type UserRecord,
} from "../../domain/iam.js";
import { IamError, noSuchEntity } from "../../domain/iam-errors.js";
import type { Scope } from "../../domain/model.js";
import { iamArn, type UniqueIdPrefix } from "../../identity/directory.js";
import { readPolicy } from "../../identity/policy/document.js";
import { percentEncode } from "../../identity/sigv4.js";
import type { AttachedPermissionsBoundary, Tag } from "../model/generated/iam.js";
import type { QueryContext } from "../query/call.js";

export const accountScope = ({ scope }: QueryContext): Scope => iamScope(scope.accountId);

export function findRole(context: QueryContext, name: string): RoleRecord {
  const role = context.state.iam.roles.get(accountScope(context), iamKey(name));
  if (role) return role;
  throw noSuchEntity("role", name);
}

export function findUser(context: QueryContext, name: string): UserRecord {
  const user = context.state.iam.users.get(accountScope(context), iamKey(name));
  if (user) return user;
  throw noSuchEntity("user", name);
}

export function findGroup(context: QueryContext, name: string): GroupRecord {
  const group = context.state.iam.groups.get(accountScope(context), iamKey(name));
  if (group) return group;
  throw noSuchEntity("group", name);
}

/** Roles of AWS's services are changed by nobody else. */
export function findOwnRole(context: QueryContext, name: string): RoleRecord {
  const role = findRole(context, name);
  if (!role.serviceLinked) return role;
  throw new IamError(
    "UnmodifiableEntity",
    `Cannot perform the operation on the protected role '${role.name}' - this role is only modifiable by AWS`,
  );
}

/** What a new thing of IAM begins with. `kind` is that of its ARN: `role`, `instance-profile`, ... */
export function newResource(
  context: QueryContext,
  options: {
    prefix: UniqueIdPrefix;
    kind: string;
    name: string;
    path?: string | undefined;
    tags?: readonly Tag[] | undefined;
  },
): IamResource {
  const { prefix, kind, name, path = "/", tags } = options;
  const { accountId, region } = context.scope;
  const arn = iamArn(accountId, region, `${kind}${path}${name}`);
  return {
    ...accountScope(context),
    name,
    path,
    id: context.directory.newUniqueId(prefix, accountId, kind, name, arn),
    arn,
    createdAtMs: context.clock.now(),
    tags: taggedWith({}, tags),
  };
}

export const newIdentity = (resource: IamResource, permissionsBoundary: string | undefined): IamIdentity => ({
  ...resource,
  inlinePolicies: {},
  attachedPolicies: [],
  ...(permissionsBoundary ? { permissionsBoundary } : {}),
});

/** What must be done to a thing before it can be deleted. */
export const deleteConflict = (what: string): IamError =>
  new IamError("DeleteConflict", `Cannot delete entity, must ${what} first.`);

/** Who still has policies cannot be deleted. Throws DeleteConflict. */
export function refuseWithPolicies({ attachedPolicies, inlinePolicies }: IamIdentity): void {
  if (attachedPolicies.length > 0) throw deleteConflict("detach all policies");
  if (Object.keys(inlinePolicies).length > 0) throw deleteConflict("delete policies");
}

const MAX_TAGS = 50;

/** With these tags beside, or instead of, those that are there. Keys differ in more than case. */
export function taggedWith(tags: Readonly<Record<string, string>>, added: readonly Tag[] = []): Record<string, string> {
  const result = { ...tags };
  for (const { Key, Value } of added) {
    if (/^aws:/i.test(Key))
      throw new IamError("InvalidInput", "Tag keys starting with 'aws:' are reserved for internal use.");
    const same = Object.keys(result).find((key) => key.toLowerCase() === Key.toLowerCase());
    if (same !== undefined) delete result[same];
    result[Key] = Value;
  }
  if (Object.keys(result).length > MAX_TAGS)
    throw new IamError("LimitExceeded", `The number of tags has reached the maximum limit of ${MAX_TAGS}.`);
  return result;
}

export const untagged = (tags: Readonly<Record<string, string>>, keys: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).filter(([key]) => !keys.includes(key)));

export const tagsView = (tags: Readonly<Record<string, string>>): Tag[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** Only shown where there are some, as IAM does with single entities. */
export const tagsMember = (tags: Readonly<Record<string, string>>): { Tags?: Tag[] } =>
  Object.keys(tags).length === 0 ? {} : { Tags: tagsView(tags) };

export const boundaryMember = ({
  permissionsBoundary,
}: IamIdentity): { PermissionsBoundary?: AttachedPermissionsBoundary } =>
  permissionsBoundary === undefined
    ? {}
    : {
        PermissionsBoundary: {
          PermissionsBoundaryType: "PermissionsBoundaryPolicy",
          PermissionsBoundaryArn: permissionsBoundary,
        },
      };

/** Throws MalformedPolicyDocument. */
export function checkDocument(text: string, kind: "trust" | "identity"): string {
  const read = readPolicy(text, kind);
  if ("error" in read) throw new IamError("MalformedPolicyDocument", read.error);
  return text;
}

/** Documents travel in XML with every special character escaped. */
export const documentView = (text: string): string => percentEncode(text);

/** Where nothing else is asked for. */
const PAGE_SIZE = 100;

/** One page of what is in order of name. */
export function page<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  { Marker, MaxItems = PAGE_SIZE }: { Marker?: string; MaxItems?: number },
): { items: T[]; more: { IsTruncated: boolean; Marker?: string } } {
  const after = Marker === undefined ? "" : Buffer.from(Marker, "base64url").toString("utf8");
  const rest = after === "" ? items : items.filter((item) => iamKey(nameOf(item)) > after);
  const shown = rest.slice(0, MaxItems);
  const last = shown.at(-1);
  if (rest.length <= shown.length || last === undefined) return { items: shown, more: { IsTruncated: false } };
  return {
    items: shown,
    more: { IsTruncated: true, Marker: Buffer.from(iamKey(nameOf(last)), "utf8").toString("base64url") },
  };
}

export const named = ({ name }: { name: string }): string => name;

export const underPath = <T extends { path: string }>(items: readonly T[], prefix = "/"): T[] =>
  items.filter(({ path }) => path.startsWith(prefix));
