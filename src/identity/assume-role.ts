/**
 * Assuming a role, whoever asks: STS's AssumeRole and AssumeRoleWithWebIdentity, and EKS Auth for pods. The role's trust policy decides, together with the
 * caller's own policies where that one leaves it to the caller's account.
 */
import { parseArn } from "../domain/eks/arns.js";
import type { RoleRecord, SessionRecord } from "../domain/iam.js";
import { accessDenied, IamError } from "../domain/iam-errors.js";
import type { Directory } from "./directory.js";
import { authorize, type PolicyState } from "./policy/authorize.js";
import { readPolicy } from "./policy/document.js";
import { evaluate, type PolicyRequest, type RequestPrincipal } from "./policy/evaluate.js";
import type { Context } from "./policy/matching.js";

export interface AssumeRoleDependencies {
  directory: Directory;
  policies: PolicyState;
  clock: { now(): number };
}

export interface AssumeRoleRequest {
  roleArn: string;
  sessionName: string;
  by: RequestPrincipal;
  /** The temporary credentials that the caller signs with: what it inherits of them. */
  session?: SessionRecord | undefined;
  action: "sts:AssumeRole" | "sts:AssumeRoleWithWebIdentity";
  /** Seconds; an hour when absent. */
  durationSeconds?: number | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
  transitiveTagKeys?: readonly string[] | undefined;
  externalId?: string | undefined;
  sourceIdentity?: string | undefined;
  policies?: readonly string[] | undefined;
  policyArns?: readonly string[] | undefined;
  /** More condition keys, names in lower case: `<issuer>:sub`, `aws:sourcearn`, ... */
  context?: Context | undefined;
}

/** Throws IamError: AccessDenied, ValidationError, InvalidParameterValue. Writes the session, so that its keys are good at once. */
export function assumeRole(
  dependencies: AssumeRoleDependencies,
  request: AssumeRoleRequest,
): { role: RoleRecord; session: SessionRecord } {
  const { directory, clock } = dependencies;
  const role = directory.roleToAssume(request.roleArn);
  if (!role) throw refused(request);
  const inherited = inheritedTags(request.session);
  const tags = { ...request.tags };
  for (const key of Object.keys(tags)) {
    if (key in inherited)
      throw new IamError(
        "InvalidParameterValue",
        `One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.`,
      );
  }
  const sourceIdentity = request.session?.sourceIdentity ?? request.sourceIdentity;
  const all = { ...inherited, ...tags };
  const caller =
    request.by.kind === "AWS" ? (directory.role(request.by.arn) ?? directory.user(request.by.arn)) : undefined;
  const principalTags = { ...caller?.tags, ...request.session?.tags };
  const context = contextOf(request, role, { nowMs: clock.now(), tags, sourceIdentity, principalTags });
  const actions = [
    request.action,
    // Tags that the caller's session hands on count as much as those it asks for: chained roles stumble over it after EKS Pod Identity.
    ...(Object.keys(all).length > 0 ? ["sts:TagSession"] : []),
    ...(request.sourceIdentity === undefined ? [] : ["sts:SetSourceIdentity"]),
  ];
  for (const action of actions)
    checkAllowed(dependencies, request, role, { principal: request.by, action, resource: role.arn, context });
  const durationSeconds = checkedDuration(request, role);
  const session = directory.openSession({
    accountId: role.accountId,
    kind: "role",
    arn: `arn:${parseArn(role.arn)?.partition ?? "aws"}:sts::${role.accountId}:assumed-role/${role.name}/${request.sessionName}`,
    userId: `${role.id}:${request.sessionName}`,
    sessionName: request.sessionName,
    source: { arn: role.arn, id: role.id },
    durationSeconds,
    tags: all,
    transitiveTagKeys: [...new Set([...Object.keys(inherited), ...(request.transitiveTagKeys ?? [])])],
    policies: [...(request.policies ?? [])],
    policyArns: [...(request.policyArns ?? [])],
    ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
  });
  return { role, session };
}

/** STS says the same whether there is no such role, or it does not trust the caller. */
function refused({ by, action, roleArn }: AssumeRoleRequest): IamError {
  if (by.kind === "AWS") return accessDenied(by.arn, action, roleArn);
  return new IamError("AccessDenied", `Not authorized to perform ${action}`);
}

/** Tags that sessions hand on to the sessions made with them. */
function inheritedTags(session: SessionRecord | undefined): Record<string, string> {
  if (!session) return {};
  const keys = new Set(session.transitiveTagKeys);
  return Object.fromEntries(Object.entries(session.tags).filter(([key]) => keys.has(key)));
}

function checkAllowed(
  { directory, policies }: AssumeRoleDependencies,
  request: AssumeRoleRequest,
  role: RoleRecord,
  asked: PolicyRequest,
): void {
  const trust = readPolicy(role.trustPolicy, "trust");
  if ("error" in trust) throw refused(request);
  const verdict = evaluate([{ name: "trust policy", document: trust.document }], asked);
  if (verdict.decision !== "allow") throw refused({ ...request, action: asked.action as typeof request.action });
  const { by } = request;
  if (by.kind !== "AWS" || by.arn.endsWith(":root")) return;
  const caller = directory.role(by.arn) ?? directory.user(by.arn);
  // Nobody made the caller, so that no policy speaks for or against it.
  if (!caller) return;
  const own = authorize(policies, caller, request.session, asked);
  const named = verdict.throughAccount !== true && by.accountId === role.accountId;
  const needed = directory.strict && !named;
  if (own.decision === "explicit-deny" || (needed && own.decision !== "allow"))
    throw accessDenied(by.arn, asked.action, role.arn);
}

/** Roles that are assumed by a role's session: an hour at most. */
const CHAINED_MAX_SECONDS = 3600;

function checkedDuration({ durationSeconds = 3600, session, by }: AssumeRoleRequest, role: RoleRecord): number {
  if (session?.kind === "role" && durationSeconds > CHAINED_MAX_SECONDS) {
    throw new IamError(
      "ValidationError",
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    );
  }
  // AWS's own services decide by themselves how long theirs live.
  if (by.kind !== "Service" && durationSeconds > role.maxSessionDuration) {
    throw new IamError(
      "ValidationError",
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
  }
  return durationSeconds;
}

function contextOf(
  { by, session, sessionName, externalId, transitiveTagKeys, context }: AssumeRoleRequest,
  role: RoleRecord,
  {
    nowMs,
    tags,
    sourceIdentity,
    principalTags,
  }: {
    nowMs: number;
    tags: Record<string, string>;
    sourceIdentity: string | undefined;
    principalTags: Record<string, string>;
  },
): Context {
  const prefixed = (prefix: string, values: Readonly<Record<string, string>>): [string, string][] =>
    Object.entries(values).map(([key, value]) => [`${prefix}/${key}`.toLowerCase(), value]);
  return {
    ...timeContext(nowMs),
    ...(by.kind === "AWS" ? principalContext(by, session) : {}),
    "sts:rolesessionname": sessionName,
    ...(externalId === undefined ? {} : { "sts:externalid": externalId }),
    ...(sourceIdentity === undefined ? {} : { "sts:sourceidentity": sourceIdentity }),
    ...(transitiveTagKeys?.length ? { "sts:transitivetagkeys": transitiveTagKeys } : {}),
    ...(Object.keys(tags).length === 0 ? {} : { "aws:tagkeys": Object.keys(tags) }),
    ...Object.fromEntries([
      ...prefixed("aws:requesttag", tags),
      ...prefixed("aws:resourcetag", role.tags),
      ...prefixed("iam:resourcetag", role.tags),
      ...(by.kind === "AWS" ? prefixed("aws:principaltag", principalTags) : []),
    ]),
    ...context,
  };
}

const timeContext = (nowMs: number): Context => ({
  "aws:currenttime": new Date(nowMs).toISOString(),
  "aws:epochtime": String(Math.floor(nowMs / 1000)),
});

/** What condition keys say about an AWS principal. */
function principalContext(by: RequestPrincipal & { kind: "AWS" }, session: SessionRecord | undefined): Context {
  const { resource = "" } = parseArn(by.arn) ?? {};
  const [kind, ...names] = resource.split("/");
  return {
    // Sessions of a role are known by the role.
    "aws:principalarn": session?.kind === "role" ? session.source.arn : by.arn,
    "aws:principalaccount": by.accountId,
    "aws:principaltype": kind === "root" ? "Account" : kind === "assumed-role" ? "AssumedRole" : "User",
    ...(kind === "user" ? { "aws:username": names.at(-1) ?? "" } : {}),
    ...(session ? { "aws:userid": session.userId } : by.sourceId === undefined ? {} : { "aws:userid": by.sourceId }),
  };
}
