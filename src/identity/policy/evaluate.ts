/**
 * Judges a request by policies, as IAM does: a Deny that fits wins, then an Allow that fits, else it is denied for want of one. The same for trust policies,
 * which name principals, and for those of identities, which name resources.
 */
import { canonicalArn } from "../../domain/eks/principals.js";
import { conditionsHold } from "./conditions.js";
import { listOf, type Many, type PolicyDocument, type PrincipalElement, type Statement } from "./document.js";
import { type Context, fillVariables, matches } from "./matching.js";

/** Who makes a request, as principals of policies see it. */
export type RequestPrincipal =
  /** `arn` of a user, root, or session; `sourceId` = unique id of the user or role behind it. */
  | { kind: "AWS"; arn: string; accountId: string; sourceId?: string }
  /** ARN of an OIDC provider. */
  | { kind: "Federated"; id: string }
  /** `pods.eks.amazonaws.com` */
  | { kind: "Service"; id: string };

export interface PolicyRequest {
  principal: RequestPrincipal;
  /** `sts:AssumeRole` */
  action: string;
  /** ARN; trust policies do not look at it. */
  resource: string;
  /** Values of condition keys; their names in lower case. */
  context: Context;
}

export interface NamedPolicy {
  /** For reasons: an ARN, or what it is. */
  name: string;
  document: PolicyDocument;
}

export interface Verdict {
  decision: "allow" | "explicit-deny" | "implicit-deny";
  /** The policy that decided; absent when none said anything. */
  policy?: string;
  /** Sid of the statement, or its position. */
  statement?: string;
  /** The trust policy allows the principal's whole account: who of it may is for the account's own policies to say. */
  throughAccount?: boolean;
}

/** Over all policies at once: of one identity (all that are attached to it), or the trust policy alone. */
export function evaluate(policies: readonly NamedPolicy[], request: PolicyRequest): Verdict {
  let allowed: Verdict | undefined;
  for (const { name, document } of policies) {
    for (const [index, statement] of document.Statement.entries()) {
      const fit = fits(statement, request);
      if (fit === undefined) continue;
      const found = { policy: name, statement: statement.Sid ?? String(index) };
      if (statement.Effect === "Deny") return { decision: "explicit-deny", ...found };
      // Who is named goes before whose account is.
      if (!allowed || (allowed.throughAccount && fit === "itself"))
        allowed = { decision: "allow", ...found, ...(fit === "account" ? { throughAccount: true } : {}) };
    }
  }
  return allowed ?? { decision: "implicit-deny" };
}

/** How a statement names the principal. */
type Fit = "itself" | "account";

function fits(statement: Statement, request: PolicyRequest): Fit | undefined {
  const { context } = request;
  if (!actionFits(statement, request.action)) return undefined;
  const fit = principalFits(statement, request.principal);
  if (fit === undefined) return undefined;
  const resourceIs = (pattern: string): boolean => matches(fillVariables(pattern, context), request.resource);
  if (statement.Resource !== undefined && !listOf(statement.Resource).some(resourceIs)) return undefined;
  if (statement.NotResource !== undefined && listOf(statement.NotResource).some(resourceIs)) return undefined;
  return conditionsHold(statement.Condition ?? {}, context) ? fit : undefined;
}

function actionFits({ Action, NotAction }: Statement, action: string): boolean {
  const wanted = action.toLowerCase();
  const isOf = (patterns: Many<string>): boolean =>
    listOf(patterns).some((pattern) => matches(pattern.toLowerCase(), wanted));
  return Action === undefined ? NotAction !== undefined && !isOf(NotAction) : isOf(Action);
}

function principalFits({ Principal, NotPrincipal }: Statement, principal: RequestPrincipal): Fit | undefined {
  if (Principal !== undefined) return named(Principal, principal);
  if (NotPrincipal !== undefined) return named(NotPrincipal, principal) === undefined ? "itself" : undefined;
  return "itself";
}

function named(element: PrincipalElement, principal: RequestPrincipal): Fit | undefined {
  if (element === "*") return "itself";
  const ids = listOf(element[principal.kind]);
  if (principal.kind !== "AWS") return ids.includes(principal.id) ? "itself" : undefined;
  const { arn, accountId, sourceId } = principal;
  let fit: Fit | undefined;
  for (const id of ids) {
    // A role stands for its sessions, by its ARN with or without the path that those do not have.
    if (id === "*" || id === arn || (sourceId !== undefined && id === sourceId) || isSame(id, arn)) return "itself";
    if (id === accountId || /^arn:[^:]+:iam::(\d{12}):root$/.exec(id)?.[1] === accountId) fit = "account";
  }
  return fit;
}

const isSame = (id: string, arn: string): boolean =>
  !id.includes(":sts:") && !id.endsWith(":root") && canonicalArn(id) === canonicalArn(arn);
