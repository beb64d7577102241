/** ARNs of IAM principals as access entries and tokens name them. */
import { parseArn } from "./arns.js";

export interface IamPrincipal {
  partition: string;
  accountId: string;
  kind: "user" | "role" | "root";
  /** `/` or `/a/b/`. */
  path: string;
  /** Without the path; the account's number for root. */
  name: string;
}

/** Undefined when the ARN is not one of an IAM user, role or root: sessions of STS are none. */
export function parsePrincipal(text: string): IamPrincipal | undefined {
  const arn = parseArn(text);
  if (arn?.service !== "iam" || arn.region !== "" || !/^\d{12}$/.test(arn.accountId)) return undefined;
  const { partition, accountId, resource } = arn;
  if (resource === "root") return { partition, accountId, kind: "root", path: "/", name: accountId };
  const [, kind, path, name] = /^(user|role)(\/(?:[!-.0-~]+\/)*)([\w+=,.@-]{1,64})$/.exec(resource) ?? [];
  if ((kind !== "user" && kind !== "role") || !path || !name) return undefined;
  return { partition, accountId, kind, path, name };
}

/** Roles that belong to an AWS service: nobody else may touch their entries. */
export const isServiceLinked = (principal: IamPrincipal): boolean => principal.path.startsWith("/aws-service-role/");

/**
 * The principal behind an ARN as authentication compares it: a session's role, and no path, because ARNs of sessions never carry one (aws-iam-authenticator,
 * pkg/arn). Anything else is left as it is.
 */
export function canonicalArn(text: string): string {
  const session = /^arn:([^:]+):sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/.exec(text);
  if (session) return `arn:${session[1]}:iam::${session[2]}:role/${session[3]}`;
  const principal = parsePrincipal(text);
  if (!principal || principal.kind === "root") return text;
  return `arn:${principal.partition}:iam::${principal.accountId}:${principal.kind}/${principal.name}`;
}

/** Equal for ARNs of the same principal: names of IAM differ in more than case and path. */
export const principalKey = (arn: string): string => canonicalArn(arn).toLowerCase();
