/** Which Kubernetes user the claims of an ID token are, by a cluster's identity provider config (kube-apiserver's --oidc-* flags and their defaults). */
import type { IdentityProviderConfigRecord } from "../../domain/identity-provider-config.js";
import { audiencesOf, type Jwt } from "../jwt.js";

export type OidcProvider = Pick<
  IdentityProviderConfigRecord,
  "issuerUrl" | "clientId" | "usernameClaim" | "usernamePrefix" | "groupsClaim" | "groupsPrefix" | "requiredClaims"
>;

export interface OidcUser {
  username: string;
  groups: string[];
  extra: Record<string, string[]>;
}

/** How far ahead of ours an issuer's clock may be, in seconds. */
const LEEWAY_SECONDS = 300;
/** What names of Kubernetes' own begin with: no issuer may give them. */
const RESERVED = "system:";
const CREDENTIAL_ID = "authentication.kubernetes.io/credential-id";

const refused = (why: string): { error: string } => ({ error: `oidc: ${why}` });
const quoted = (value: unknown): string => JSON.stringify(value);

/** For whom the token is, and whether it is now. `clocksMs`: simulated time and, where it runs apart from it, the machine's, which the issuer knows. */
export function refuteValidity(
  claims: Jwt["claims"],
  { clientId }: OidcProvider,
  clocksMs: readonly number[],
): { error: string } | undefined {
  const audiences = audiencesOf(claims);
  if (!audiences.includes(clientId))
    return refused(`verify token: oidc: expected audience ${quoted(clientId)} got ${quoted(audiences)}`);
  const { exp, nbf } = claims;
  if (typeof exp !== "number") return refused("verify token: oidc: token has no expiry");
  const started = (nowMs: number): boolean => typeof nbf !== "number" || nbf <= nowMs / 1000 + LEEWAY_SECONDS;
  if (clocksMs.some((nowMs) => exp > nowMs / 1000 && started(nowMs))) return undefined;
  return clocksMs.some(started)
    ? refused(`verify token: oidc: token is expired (Token Expiry: ${dateOf(exp)})`)
    : refused(`verify token: oidc: current time is before the nbf (not before) time: ${dateOf(Number(nbf))}`);
}

const dateOf = (seconds: number): string => {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "never" : date.toISOString();
};

/** The claims are the issuer's: the token has been checked. */
export function oidcUser(claims: Jwt["claims"], provider: OidcProvider): { user: OidcUser } | { error: string } {
  const name = usernameOf(claims, provider);
  if ("error" in name) return name;
  const groups = groupsOf(claims, provider);
  if ("error" in groups) return groups;
  for (const [claim, wanted] of Object.entries(provider.requiredClaims ?? {})) {
    if (!Object.hasOwn(claims, claim)) return refused(`required claim ${claim} not present in ID token`);
    if (claims[claim] !== wanted)
      return refused(`required claim ${claim} value does not match. Got = ${String(claims[claim])}, want = ${wanted}`);
  }
  // EKS refuses such prefixes; a claim must not bring one in either.
  const reserved = [name.username, ...groups.groups].find((text) => text.startsWith(RESERVED));
  if (reserved !== undefined)
    return refused(`${quoted(reserved)} begins with ${RESERVED}, which Kubernetes keeps to itself`);
  const { jti } = claims;
  return {
    user: {
      username: name.username,
      groups: groups.groups,
      extra: typeof jti === "string" && jti !== "" ? { [CREDENTIAL_ID]: [`JTI=${jti}`] } : {},
    },
  };
}

function usernameOf(
  claims: Jwt["claims"],
  { usernameClaim: claim = "sub", usernamePrefix, issuerUrl }: OidcProvider,
): { username: string } | { error: string } {
  const value = claims[claim];
  if (value === undefined) return refused(`parse username claims ${quoted(claim)}: claim not present`);
  if (typeof value !== "string" || value === "")
    return refused(`parse username claims ${quoted(claim)}: the claim is not a text`);
  // An address that is not known to be the user's could be anybody's.
  if (claim === "email" && claims.email_verified !== undefined && claims.email_verified !== true)
    return refused("email not verified");
  // Addresses are their own; everything else is only unique for its issuer.
  const prefix = usernamePrefix || (claim === "email" ? "-" : `${issuerUrl}#`);
  return { username: prefix === "-" ? value : prefix + value };
}

function groupsOf(
  claims: Jwt["claims"],
  { groupsClaim, groupsPrefix }: OidcProvider,
): { groups: string[] } | { error: string } {
  const value = groupsClaim ? claims[groupsClaim] : undefined;
  if (value === undefined || value === null) return { groups: [] };
  const list = Array.isArray(value) ? value : [value];
  if (list.some((group) => typeof group !== "string"))
    return refused(`parse groups claim ${quoted(groupsClaim)}: the claim is neither a text nor a list of texts`);
  const prefix = !groupsPrefix || groupsPrefix === "-" ? "" : groupsPrefix;
  return { groups: list.map((group) => `${prefix}${String(group)}`) };
}
