/** JWTs that stand for somebody outside IAM: what STS needs to know of one, whoever checks it. */

export interface WebIdentity {
  /** `iss` as it is in the token. */
  issuer: string;
  /** `sub` */
  subject: string;
  /** `aud` */
  audience: readonly string[];
  claims: Readonly<Record<string, unknown>>;
}

/** Why a token is none, as STS's error codes put it. */
export interface WebIdentityRefusal {
  error: "InvalidIdentityToken" | "ExpiredTokenException" | "IDPCommunicationError" | "IDPRejectedClaim";
  message: string;
}

/** Checks signature and times of a token of one issuer. Undefined where the issuer is not one that this verifier knows keys of. */
export type WebIdentityVerifier = (
  token: string,
  issuer: string,
) => WebIdentity | WebIdentityRefusal | undefined | Promise<WebIdentity | WebIdentityRefusal | undefined>;

/** Members of a JWT's payload, unchecked; undefined when it is none. */
export function unverifiedClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] as string, "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Asks one verifier after the other. */
export async function verifyWith(
  verifiers: readonly WebIdentityVerifier[],
  token: string,
  issuer: string,
): Promise<WebIdentity | WebIdentityRefusal> {
  for (const verify of verifiers) {
    const result = await verify(token, issuer);
    if (result) return result;
  }
  return {
    error: "InvalidIdentityToken",
    message:
      "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
  };
}
