import type { UserInfo } from "../api.js";
import { forbidden, StatusError } from "../errors.js";
import type { AccessAttributes, Authorizer } from "../security.js";
import type { RequestInfo } from "./request-info.js";

/** The chain of judges: the first that allows or denies decides; no opinion anywhere is a refusal. `by` = who allows it. */
export function isAllowed(
  authorizers: readonly Authorizer[],
  attributes: AccessAttributes,
): { allowed: boolean; reason: string; by?: string } {
  const reasons: string[] = [];
  for (const authorizer of authorizers) {
    const { decision, reason } = authorizer.authorize(attributes);
    if (decision === "allow") return { allowed: true, reason, by: authorizer.name };
    if (reason) reasons.push(reason);
    if (decision === "deny") break;
  }
  return { allowed: false, reason: reasons.join(", ") };
}

export function attributesOf(user: UserInfo, info: RequestInfo): AccessAttributes {
  const { verb, path, resource: target } = info;
  if (!target) return { user, verb, path };
  const { group, version, resource, subresource, namespace, name } = target;
  return { user, verb, resource: { group, version, resource, subresource, namespace, name } };
}

/** Throws 403 in the API server's words when nobody allows it. */
export function assertAllowed(authorizers: readonly Authorizer[], attributes: AccessAttributes): void {
  const { allowed, reason } = isAllowed(authorizers, attributes);
  if (allowed) return;
  const { user, verb, resource: target, path } = attributes;
  const because = reason ? `: ${reason}` : "";
  if (!target)
    throw new StatusError(
      403,
      "Forbidden",
      `forbidden: User ${JSON.stringify(user.username)} cannot ${verb} path ${JSON.stringify(path)}${because}`,
      {},
    );
  const { group, resource, subresource, namespace, name } = target;
  const what = JSON.stringify(subresource ? `${resource}/${subresource}` : resource);
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : "at the cluster scope";
  const why = `User ${JSON.stringify(user.username)} cannot ${verb} resource ${what} in API group ${JSON.stringify(group)} ${where}${because}`;
  throw forbidden(group, resource, name ?? "", why);
}

/** Checks each part of the wanted identity: users, groups, uids and every extra key need the verb `impersonate`. */
export function assertMayImpersonate(
  authorizers: readonly Authorizer[],
  user: UserInfo,
  wanted: UserInfo,
  requestedGroups: readonly string[],
): void {
  const check = (
    group: string,
    resource: string,
    name: string,
    more: { namespace?: string; subresource?: string } = {},
  ): void =>
    assertAllowed(authorizers, {
      user,
      verb: "impersonate",
      resource: { group, version: "v1", resource, name, ...more },
    });
  const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(wanted.username);
  if (serviceAccount) check("", "serviceaccounts", serviceAccount[2] as string, { namespace: serviceAccount[1] });
  else check("", "users", wanted.username);
  for (const group of requestedGroups) check("", "groups", group);
  if (wanted.uid) check("authentication.k8s.io", "uids", wanted.uid);
  for (const [key, values] of Object.entries(wanted.extra ?? {})) {
    for (const value of values) check("authentication.k8s.io", "userextras", value, { subresource: key });
  }
}
