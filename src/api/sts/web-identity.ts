/** What AssumeRoleWithWebIdentity looks at beside the signature of a token: the account's OIDC provider, the audience, and the keys of trust conditions. */
import { iamScope, type OidcProviderRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import type { WebIdentity } from "../../identity/web-identity.js";
import type { QueryContext } from "../query/call.js";

/** Of all OIDC providers in a lenient emulator where nobody made one for a cluster's issuer. */
const STS_AUDIENCE = "sts.amazonaws.com";

/** How IAM keeps the URL of a provider. */
export const providerUrl = (issuer: string): string => issuer.replace(/^https?:\/\//, "").replace(/\/$/, "");

/**
 * The provider of the role's account for this issuer. A lenient emulator takes issuers of EKS for known, as `eksctl` and the guides make their providers
 * with the cluster. Throws InvalidIdentityToken.
 */
function providerOf(context: QueryContext, accountId: string, issuer: string): OidcProviderRecord {
  const url = providerUrl(issuer);
  const known = context.state.iam.oidcProviders.get(iamScope(accountId), url);
  if (known) return known;
  if (!context.directory.strict && /^oidc\.eks\.[a-z0-9-]+\.[a-z.]+\/id\/[0-9A-F]{32}$/.test(url)) {
    const arn = `arn:${url.includes(".amazonaws.com.cn") ? "aws-cn" : "aws"}:iam::${accountId}:oidc-provider/${url}`;
    return { ...iamScope(accountId), arn, url, clientIds: [STS_AUDIENCE], thumbprints: [], createdAtMs: 0, tags: {} };
  }
  throw new IamError("InvalidIdentityToken", `No OpenIDConnect provider found in your account for ${issuer}`);
}

/** Throws InvalidIdentityToken where none of the token's audiences is a client of the provider. */
function audienceOf(provider: OidcProviderRecord, { audience, claims }: WebIdentity): string {
  // OpenID Connect: where `azp` is there, it is the client.
  const candidates = typeof claims.azp === "string" ? [claims.azp, ...audience] : audience;
  const found = candidates.find((candidate) => provider.clientIds.includes(candidate));
  if (found !== undefined) return found;
  throw new IamError("InvalidIdentityToken", "Incorrect token audience");
}

/** Claims that are condition keys, `<provider>:<claim>`. */
function contextOf(
  provider: OidcProviderRecord,
  identity: WebIdentity,
  audience: string,
): Record<string, string | string[]> {
  const context: Record<string, string | string[]> = {
    [`${provider.url}:sub`.toLowerCase()]: identity.subject,
    [`${provider.url}:aud`.toLowerCase()]: audience,
    "aws:federatedprovider": provider.arn,
  };
  for (const [claim, value] of Object.entries(identity.claims)) {
    if (claim === "sub" || claim === "aud") continue;
    const key = `${provider.url}:${claim}`.toLowerCase();
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      context[key] = String(value);
    else if (Array.isArray(value) && value.every((item) => typeof item === "string")) context[key] = value;
  }
  return context;
}

/** Session tags that a token carries in AWS's own claim. */
function sessionTagsOf({ claims }: WebIdentity): { tags?: Record<string, string>; transitiveTagKeys?: string[] } {
  const { principal_tags: principalTags, transitive_tag_keys: transitive } = (claims["https://aws.amazon.com/tags"] ??
    {}) as { principal_tags?: Record<string, string[]>; transitive_tag_keys?: string[] };
  if (typeof principalTags !== "object" || principalTags === null) return {};
  return {
    tags: Object.fromEntries(Object.entries(principalTags).map(([key, values]) => [key, String(values[0] ?? "")])),
    ...(Array.isArray(transitive) ? { transitiveTagKeys: transitive } : {}),
  };
}

export const checkWebIdentity = { providerOf, audienceOf, contextOf, sessionTagsOf };
