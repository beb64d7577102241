/** Authenticates the ID tokens of the OIDC providers that a cluster is associated with, as kube-apiserver does. */
import { type Jwt, parseJwt } from "../jwt.js";
import { fetchDocument } from "./fetch-document.js";
import { createIssuerKeys, type IssuerKeys } from "./issuer-keys.js";
import { type OidcProvider, type OidcUser, oidcUser, refuteValidity } from "./oidc-user.js";

export type OidcAuthentication = { user: OidcUser } | { error: string };

/**
 * `providers` is asked with every token: only what is associated then counts. The answer is undefined for what is no token of any of them, and never
 * rejects.
 */
export function createOidcAuthenticator(options: {
  providers: () => readonly OidcProvider[];
  clock: { kind: string; now(): number; wallNow(): number };
  fetchJson?: (url: string) => Promise<unknown>;
}): (token: string) => Promise<OidcAuthentication> | undefined {
  const { providers, clock, fetchJson = fetchDocument } = options;
  const keysOf = new Map<string, IssuerKeys>();

  const keys = (issuerUrl: string, present: readonly OidcProvider[]): IssuerKeys => {
    for (const known of keysOf.keys())
      if (!present.some((provider) => provider.issuerUrl === known)) keysOf.delete(known);
    let found = keysOf.get(issuerUrl);
    if (!found) {
      found = createIssuerKeys(issuerUrl, fetchJson);
      keysOf.set(issuerUrl, found);
    }
    return found;
  };

  const authenticate = async (
    jwt: Jwt,
    provider: OidcProvider,
    issuerKeys: IssuerKeys,
  ): Promise<OidcAuthentication> => {
    const clocksMs = clock.kind === "real" ? [clock.now()] : [clock.now(), clock.wallNow()];
    const invalid = refuteValidity(jwt.claims, provider, clocksMs);
    if (invalid) return invalid;
    try {
      if (!(await issuerKeys.hasSigned(jwt)))
        return { error: "oidc: verify token: failed to verify signature: failed to verify id token signature" };
    } catch (error) {
      // Only the reason: what the issuer says beyond that is not ours to repeat.
      return { error: `oidc: fetching keys of ${provider.issuerUrl}: ${reasonOf(error)}` };
    }
    return oidcUser(jwt.claims, provider);
  };

  return (token) => {
    const present = providers();
    if (present.length === 0) {
      keysOf.clear();
      return undefined;
    }
    const jwt = parseJwt(token);
    const provider = jwt && present.find(({ issuerUrl }) => issuerUrl === jwt.claims.iss);
    return provider && authenticate(jwt, provider, keys(provider.issuerUrl, present));
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const { code } = (error.cause ?? error) as { code?: string };
  return code ? `${error.message} (${code})` : error.message;
}
