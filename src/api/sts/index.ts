/** STS: who a caller is, and temporary credentials. */
import { partitionOf } from "../../domain/eks/arns.js";
import type { SessionRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import { accountOfAccessKey } from "../../identity/access-keys.js";
import { type AssumeRoleRequest, assumeRole } from "../../identity/assume-role.js";
import { userIdOf } from "../../identity/directory.js";
import { readPolicy } from "../../identity/policy/document.js";
import { DEFAULT_ACCOUNT } from "../../identity/principal.js";
import { unverifiedClaims, verifyWith } from "../../identity/web-identity.js";
import type { AssumeRoleRequest as AssumeRoleInput, Credentials, Operations, Tag } from "../model/generated/sts.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { callerOf, signer } from "../query/caller.js";
import { checkWebIdentity } from "./web-identity.js";

const credentialsOf = (session: SessionRecord): Credentials => ({
  AccessKeyId: session.accessKeyId,
  SecretAccessKey: session.secretAccessKey,
  SessionToken: session.sessionToken,
  Expiration: session.expiresAtMs,
});

const MAX_SESSION_TAGS = 50;
/** Characters of a policy given with a call. */
const MAX_POLICY_LENGTH = 2048;

function tagsOf(tags: readonly Tag[] = []): Record<string, string> {
  const found: Record<string, string> = {};
  if (tags.length > MAX_SESSION_TAGS) {
    throw new IamError(
      "ValidationError",
      `1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to ${MAX_SESSION_TAGS}`,
    );
  }
  const keys = new Set<string>();
  for (const { Key, Value } of tags) {
    if (keys.has(Key.toLowerCase()))
      throw new IamError(
        "InvalidParameterValue",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
      );
    if (/^aws:/i.test(Key)) throw new IamError("InvalidParameterValue", "Tag keys may not begin with 'aws:'");
    keys.add(Key.toLowerCase());
    found[Key] = Value;
  }
  return found;
}

function sessionPolicies(text: string | undefined): string[] {
  if (text === undefined || text === "") return [];
  if (text.length > MAX_POLICY_LENGTH)
    throw new IamError(
      "PackedPolicyTooLarge",
      "Packed policy consumes more than 100% of allotted space, please use smaller policy.",
    );
  const read = readPolicy(text, "identity");
  if ("error" in read) throw new IamError("MalformedPolicyDocument", read.error);
  return [text];
}

type RoleInput = Pick<AssumeRoleInput, "RoleArn" | "RoleSessionName" | "DurationSeconds" | "Policy" | "PolicyArns">;

const common = (input: RoleInput): Omit<AssumeRoleRequest, "by" | "action"> => ({
  roleArn: input.RoleArn,
  sessionName: input.RoleSessionName,
  durationSeconds: input.DurationSeconds,
  policies: sessionPolicies(input.Policy),
  policyArns: (input.PolicyArns ?? []).flatMap(({ arn }) => arn ?? []),
});

/** STS refuses what is no role's ARN before it asks anybody. */
function checkRoleArn(arn: string): void {
  if (!/^arn:aws[\w-]*:iam::\d{12}:role\/.+$/.test(arn)) throw new IamError("ValidationError", `${arn} is invalid`);
}

const dependenciesOf = ({ directory, state, clock }: QueryContext) => ({ directory, policies: state.iam, clock });

const sourceIpOf = ({ sourceIp }: QueryContext): Record<string, string> =>
  sourceIp === undefined ? {} : { "aws:sourceip": sourceIp.replace(/^::ffff:/, "") };

/** Longest life of a session of root itself, in seconds. */
const ROOT_MAX_SECONDS = 3600;

export const stsOperations = {
  GetCallerIdentity(_input, context) {
    const principal = signer(context);
    return { UserId: userIdOf(principal), Account: principal.accountId, Arn: principal.arn };
  },

  AssumeRole(input, context) {
    checkRoleArn(input.RoleArn);
    const by = callerOf(context);
    if (context.directory.strict && by.arn.endsWith(":root"))
      throw new IamError("AccessDenied", "Roles may not be assumed by root accounts.");
    const { session } = assumeRole(dependenciesOf(context), {
      ...common(input),
      action: "sts:AssumeRole",
      by,
      session: context.session,
      tags: tagsOf(input.Tags),
      transitiveTagKeys: input.TransitiveTagKeys,
      externalId: input.ExternalId,
      sourceIdentity: input.SourceIdentity,
      context: sourceIpOf(context),
    });
    return {
      Credentials: credentialsOf(session),
      AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
      ...(session.sourceIdentity === undefined ? {} : { SourceIdentity: session.sourceIdentity }),
    };
  },

  async AssumeRoleWithWebIdentity(input, context) {
    checkRoleArn(input.RoleArn);
    const issuer = unverifiedClaims(input.WebIdentityToken)?.iss;
    if (typeof issuer !== "string")
      throw new IamError(
        "InvalidIdentityToken",
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
      );
    const accountId = input.RoleArn.split(":")[4] ?? "";
    const provider = checkWebIdentity.providerOf(context, accountId, issuer);
    const verified = await verifyWith(context.webIdentityVerifiers, input.WebIdentityToken, issuer);
    if ("error" in verified) throw new IamError(verified.error, verified.message);
    const audience = checkWebIdentity.audienceOf(provider, verified);
    const { session } = assumeRole(dependenciesOf(context), {
      ...common(input),
      action: "sts:AssumeRoleWithWebIdentity",
      by: { kind: "Federated", id: provider.arn },
      context: { ...sourceIpOf(context), ...checkWebIdentity.contextOf(provider, verified, audience) },
      ...checkWebIdentity.sessionTagsOf(verified),
    });
    return {
      Credentials: credentialsOf(session),
      SubjectFromWebIdentityToken: verified.subject,
      AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
      Provider: provider.arn,
      Audience: audience,
    };
  },

  GetSessionToken({ DurationSeconds = 43_200 }, context) {
    const principal = signer(context);
    if (context.session) throw new IamError("AccessDenied", "Cannot call GetSessionToken with session credentials");
    const isRoot = principal.arn.endsWith(":root");
    const session = context.directory.openSession({
      accountId: principal.accountId,
      kind: "user",
      arn: principal.arn,
      userId: principal.userId,
      source: { arn: principal.arn, id: principal.userId },
      durationSeconds: isRoot ? Math.min(DurationSeconds, ROOT_MAX_SECONDS) : DurationSeconds,
    });
    return { Credentials: credentialsOf(session) };
  },

  GetFederationToken({ Name, Policy, PolicyArns, DurationSeconds = 43_200, Tags }, context) {
    const { accountId, arn, userId } = signer(context);
    if (context.session) throw new IamError("AccessDenied", "Cannot call GetFederationToken with session credentials");
    const federated = `arn:${partitionOf(context.scope)}:sts::${accountId}:federated-user/${Name}`;
    const session = context.directory.openSession({
      accountId,
      kind: "federated",
      arn: federated,
      userId: `${accountId}:${Name}`,
      sessionName: Name,
      source: { arn, id: userId },
      durationSeconds: DurationSeconds,
      tags: tagsOf(Tags),
      policies: sessionPolicies(Policy),
      policyArns: (PolicyArns ?? []).flatMap(({ arn: policyArn }) => policyArn ?? []),
    });
    return {
      Credentials: credentialsOf(session),
      FederatedUser: { FederatedUserId: session.userId, Arn: federated },
    };
  },

  GetAccessKeyInfo({ AccessKeyId }, context) {
    const identified = context.directory.identify(AccessKeyId);
    const known = "principal" in identified ? identified.principal.accountId : undefined;
    return { Account: accountOfAccessKey(AccessKeyId) ?? known ?? DEFAULT_ACCOUNT };
  },
} satisfies QueryOperations<Operations<QueryContext>>;
