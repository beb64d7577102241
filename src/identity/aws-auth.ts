/**
 * The ConfigMap `aws-auth` of kube-system: IAM principals and their Kubernetes users, the way before access entries and still a way beside them. Its
 * values are YAML texts. What makes no sense in them is left out and the rest kept, as aws-iam-authenticator does.
 */
import { createRequire } from "node:module";
import { canonicalArn, principalKey } from "../domain/eks/principals.js";

// Loaded with the first such ConfigMap, and synchronously, since authentication is.
const load = createRequire(import.meta.url);
const yaml = (): typeof import("yaml") => load("yaml");

export type AwsAuthData = Readonly<Record<string, string>>;

export interface IdentityMapping {
  username: string;
  groups: string[];
}

interface Mappings {
  /** By `principalKey`. */
  principals: ReadonlyMap<string, IdentityMapping>;
  /** Roles that IAM Identity Center makes for permission sets: the ends of their names are random. */
  permissionSets: readonly { pattern: RegExp; mapping: IdentityMapping }[];
  accounts: ReadonlySet<string>;
}

/** Data of ConfigMaps are values: read once as long as the object lives. */
const known = new WeakMap<AwsAuthData, Mappings>();

/** Who a principal is by the ConfigMap; `arn` in its canonical form. Undefined when the map does not speak of it. */
export function mappingOf(data: AwsAuthData, arn: string, accountId: string): IdentityMapping | undefined {
  let mappings = known.get(data);
  if (!mappings) {
    mappings = readMappings(data);
    known.set(data, mappings);
  }
  const key = principalKey(arn);
  // Accounts as a whole are asked last: their principals are known by their ARN and have no groups.
  return (
    mappings.principals.get(key) ??
    ofPermissionSet(mappings, arn, key) ??
    (mappings.accounts.has(accountId) ? { username: arn, groups: [] } : undefined)
  );
}

function ofPermissionSet({ permissionSets }: Mappings, arn: string, key: string): IdentityMapping | undefined {
  const found = permissionSets.find(({ pattern }) => pattern.test(key))?.mapping;
  return found && { ...found, username: found.username || arn };
}

function readMappings(data: AwsAuthData): Mappings {
  const principals = new Map<string, IdentityMapping>();
  const permissionSets: Mappings["permissionSets"][number][] = [];
  for (const [member, arnMember] of [
    ["mapUsers", "userarn"],
    ["mapRoles", "rolearn"],
  ] as const) {
    for (const item of itemsOf(data[member])) {
      const { [arnMember]: arn, sso, username, groups } = (item ?? {}) as Record<string, unknown>;
      const mapped = (fallback: string): IdentityMapping => ({
        username: typeof username === "string" && username !== "" ? username : fallback,
        groups: Array.isArray(groups) ? groups.map(String) : [],
      });
      const pattern = member === "mapRoles" && arn === undefined ? permissionSetPattern(sso) : undefined;
      if (pattern) permissionSets.push({ pattern, mapping: mapped("") });
      // ARNs with a path are never matched: those of sessions, which they are compared with, have none.
      if (typeof arn !== "string" || arn.toLowerCase() !== principalKey(arn)) continue;
      principals.set(principalKey(arn), mapped(arn));
    }
  }
  return { principals, permissionSets, accounts: new Set(itemsOf(data.mapAccounts).map(String)) };
}

/** Of `sso: {permissionSetName, accountID, partition}`; undefined for anything else. */
function permissionSetPattern(sso: unknown): RegExp | undefined {
  const { permissionSetName: name, accountID: account, partition = "aws" } = (sso ?? {}) as Record<string, unknown>;
  if (typeof name !== "string" || !/^[\w+=,.@-]{1,32}$/.test(name)) return undefined;
  if (typeof account !== "string" || !/^\d{12}$/.test(account)) return undefined;
  if (typeof partition !== "string" || !/^aws(-[a-z]+)*$/.test(partition)) return undefined;
  const literal = name.toLowerCase().replace(/[.+]/g, "\\$&");
  return new RegExp(`^arn:${partition}:iam::${account}:role/awsreservedsso_${literal}_[a-z0-9]{16}$`);
}

function itemsOf(text: string | undefined): unknown[] {
  return (text === undefined ? undefined : listIn(text)) ?? [];
}

/** Undefined when the text is not the YAML of a list. */
function listIn(text: string): unknown[] | undefined {
  try {
    // Every scalar is a text here: account numbers keep their zeros.
    const value: unknown = yaml().parse(text, { schema: "failsafe" });
    if (value === null || value === undefined || value === "") return [];
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A role as EKS maps those of nodes. */
export interface NodeRole extends IdentityMapping {
  roleArn: string;
}

const isOf = (item: unknown, roleArn: string): boolean => {
  const { rolearn } = (item ?? {}) as { rolearn?: unknown };
  return typeof rolearn === "string" && rolearn.toLowerCase() === principalKey(roleArn);
};

/** The data with the role in it; undefined when it is there already, or where a mapRoles that cannot be read forbids it. */
export function withNodeRole(data: AwsAuthData | undefined, role: NodeRole): AwsAuthData | undefined {
  const roles = listIn(data?.mapRoles ?? "");
  if (!roles || roles.some((item) => isOf(item, role.roleArn))) return undefined;
  const item = { groups: role.groups, rolearn: canonicalArn(role.roleArn), username: role.username };
  return { ...data, mapRoles: yaml().stringify([...roles, item]) };
}

/** The data without what EKS mapped the role to; undefined when it is not there. */
export function withoutNodeRole(data: AwsAuthData | undefined, roleArn: string): AwsAuthData | undefined {
  const roles = listIn(data?.mapRoles ?? "");
  const rest = roles?.filter((item) => !isOf(item, roleArn));
  if (!roles || !rest || rest.length === roles.length) return undefined;
  return { ...data, mapRoles: yaml().stringify(rest) };
}
