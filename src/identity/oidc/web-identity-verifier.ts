/** Checks tokens of issuers outside this emulator, as STS does for the OIDC providers of an account: by the keys that the issuer publishes. */
import { audiencesOf, parseJwt } from "../jwt.js";
import type { WebIdentityRefusal, WebIdentityVerifier } from "../web-identity.js";
import { fetchDocument } from "./fetch-document.js";
import { createIssuerKeys, type IssuerKeys } from "./issuer-keys.js";

/** Issuers whose keys are remembered; others are merely asked anew. */
const MAX_ISSUERS = 100;
/** How far ahead of ours an issuer's clock may be. */
const LEEWAY_SECONDS = 300;

const invalid = (message: string): WebIdentityRefusal => ({ error: "InvalidIdentityToken", message });

/** `fetchJson` gets the JSON at a URL. Asked last: it knows every issuer. */
export function createWebIdentityVerifier(options: {
  clock: { kind: string; now(): number; wallNow(): number };
  fetchJson?: (url: string) => Promise<unknown>;
}): WebIdentityVerifier {
  const { clock, fetchJson = fetchDocument } = options;
  const known = new Map<string, IssuerKeys>();

  const keysOf = (issuer: string): IssuerKeys => {
    const found = known.get(issuer);
    if (found) return found;
    if (known.size >= MAX_ISSUERS) known.clear();
    const keys = createIssuerKeys(issuer, fetchJson);
    known.set(issuer, keys);
    return keys;
  };

  return async (token, issuer) => {
    const jwt = parseJwt(token);
    if (!jwt)
      return invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
    const { sub, exp, nbf, iat } = jwt.claims;
    if (typeof sub !== "string" || typeof exp !== "number" || typeof iat !== "number")
      return invalid("Missing a required claim: sub, exp or iat");
    // The issuer knows the machine's time only, where the simulated one runs apart from it.
    const clocks = (clock.kind === "real" ? [clock.now()] : [clock.now(), clock.wallNow()]).map((ms) => ms / 1000);
    if (!clocks.some((now) => exp > now)) {
      const message = `Token expired: current date/time ${Math.floor(clocks[0] ?? 0)} must be before the expiration date/time ${exp}`;
      return { error: "ExpiredTokenException", message };
    }
    if (!clocks.some((now) => exp > now && (typeof nbf === "number" ? nbf : iat) <= now + LEEWAY_SECONDS))
      return invalid("The token is not valid yet");
    try {
      if (!(await keysOf(issuer).hasSigned(jwt))) return invalid("The ID Token's signature is not that of its issuer");
    } catch (error) {
      const reason = error instanceof Error ? error.message : "";
      return {
        error: "IDPCommunicationError",
        message: `Couldn't retrieve verification key from your identity provider: ${reason}`,
      };
    }
    return { issuer, subject: sub, audience: audiencesOf(jwt.claims), claims: jwt.claims };
  };
}
