/** What the policies of users and roles say together: those of the identity, its permissions boundary, and those of its session. */

import type { GroupRecord } from "../../domain/iam.js";
import {
  iamKey,
  iamScope,
  type ManagedPolicyRecord,
  type RoleRecord,
  type SessionRecord,
  type UserRecord,
} from "../../domain/iam.js";
import type { Scope } from "../../domain/model.js";
import { readPolicy } from "./document.js";
import { evaluate, type NamedPolicy, type PolicyRequest, type Verdict } from "./evaluate.js";
import { awsManagedDocument } from "./managed.js";

export interface PolicyState {
  groups: { get(scope: Scope, name: string): GroupRecord | undefined };
  policies: { get(scope: Scope, name: string): ManagedPolicyRecord | undefined };
}

/** JSON text of a managed policy in its default version. */
function managedDocument(state: PolicyState, arn: string): string | undefined {
  const aws = awsManagedDocument(arn);
  if (aws !== undefined) return aws;
  const [, accountId = "", name = ""] = /^arn:[^:]+:iam::(\d{12}):policy\/(?:.*\/)?([^/]+)$/.exec(arn) ?? [];
  const policy = state.policies.get(iamScope(accountId), iamKey(name));
  return policy?.arn === arn ? policy.versions.find(({ id }) => id === policy.defaultVersion)?.document : undefined;
}

const named = (name: string, text: string | undefined): NamedPolicy[] => {
  const read = text === undefined ? undefined : readPolicy(text, "identity");
  return read && "document" in read ? [{ name, document: read.document }] : [];
};

/** Every policy of an identity, those of a user's groups included. */
export function policiesOf(state: PolicyState, identity: UserRecord | RoleRecord): NamedPolicy[] {
  const groups =
    "groups" in identity ? identity.groups.flatMap((name) => state.groups.get(identity, iamKey(name)) ?? []) : [];
  return [identity, ...groups].flatMap(({ inlinePolicies, attachedPolicies }) => [
    ...Object.entries(inlinePolicies).flatMap(([name, text]) => named(name, text)),
    ...attachedPolicies.flatMap((arn) => named(arn, managedDocument(state, arn))),
  ]);
}

/** Allowed where the identity's policies allow, and neither boundary nor session leaves it out. A Deny anywhere wins. */
export function authorize(
  state: PolicyState,
  identity: UserRecord | RoleRecord,
  session: Pick<SessionRecord, "policies" | "policyArns"> | undefined,
  request: PolicyRequest,
): Verdict {
  const limits: NamedPolicy[][] = [];
  if (identity.permissionsBoundary !== undefined)
    limits.push(named(identity.permissionsBoundary, managedDocument(state, identity.permissionsBoundary)));
  if (session && session.policies.length + session.policyArns.length > 0) {
    limits.push([
      ...session.policies.flatMap((text) => named("session policy", text)),
      ...session.policyArns.flatMap((arn) => named(arn, managedDocument(state, arn))),
    ]);
  }
  return together([policiesOf(state, identity), ...limits].map((policies) => evaluate(policies, request)));
}

function together(verdicts: readonly Verdict[]): Verdict {
  const denied =
    verdicts.find(({ decision }) => decision === "explicit-deny") ??
    verdicts.find(({ decision }) => decision === "implicit-deny");
  return denied ?? verdicts[0] ?? { decision: "implicit-deny" };
}
