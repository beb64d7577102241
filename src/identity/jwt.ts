/** JSON Web Tokens: reading them, and checking their signatures with keys of a JWKS (RFC 7515, 7517, 7518). */
import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";

/** A public key as a JWKS document has it. */
export interface Jwk {
  kty?: string;
  kid?: string;
  use?: string;
  alg?: string;
  /** RSA. */
  n?: string;
  e?: string;
  /** Elliptic curves. */
  crv?: string;
  x?: string;
  y?: string;
}

export interface Jwt {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
  /** What the signature is of. */
  signed: string;
  signature: Buffer;
}

/** The parts of a token; undefined when it is no JWT. Nothing is checked. */
export function parseJwt(token: string): Jwt | undefined {
  const [head, body, signature, ...rest] = token.split(".");
  if (!head || !body || !signature || rest.length > 0) return undefined;
  const [header, claims] = [objectIn(head), objectIn(body)];
  if (!header || !claims) return undefined;
  return { header, claims, signed: `${head}.${body}`, signature: Buffer.from(signature, "base64url") };
}

function objectIn(part: string): Record<string, unknown> | undefined {
  if (!/^[\w-]+=*$/.test(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

interface Algorithm {
  keyType: "rsa" | "ec";
  digest: string;
  /** Of the key of elliptic algorithms. */
  curve?: string;
  pss?: true;
}

/** Signatures with public keys; `none` and shared secrets are not among them. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  RS256: { keyType: "rsa", digest: "sha256" },
  RS384: { keyType: "rsa", digest: "sha384" },
  RS512: { keyType: "rsa", digest: "sha512" },
  PS256: { keyType: "rsa", digest: "sha256", pss: true },
  PS384: { keyType: "rsa", digest: "sha384", pss: true },
  PS512: { keyType: "rsa", digest: "sha512", pss: true },
  ES256: { keyType: "ec", digest: "sha256", curve: "prime256v1" },
  ES384: { keyType: "ec", digest: "sha384", curve: "secp384r1" },
  ES512: { keyType: "ec", digest: "sha512", curve: "secp521r1" },
};

/** A key of a JWKS that signatures can be checked with; undefined where it is none. */
function publicKeyOf(jwk: Jwk): KeyObject | undefined {
  if (jwk.kty !== "RSA" && jwk.kty !== "EC") return undefined;
  try {
    return createPublicKey({ key: { ...jwk }, format: "jwk" });
  } catch {
    return undefined;
  }
}

/** Whether the key made the token's signature, by the algorithm that its header names and that the key is for. */
function isSignedBy({ header, signed, signature }: Jwt, key: KeyObject): boolean {
  const name = String(header.alg);
  const algorithm = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined;
  if (!algorithm || algorithm.keyType !== key.asymmetricKeyType) return false;
  const { digest, curve, pss } = algorithm;
  if (curve !== key.asymmetricKeyDetails?.namedCurve) return false;
  const options = pss
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { key, dsaEncoding: "ieee-p1363" as const };
  return verify(digest, Buffer.from(signed), options, signature);
}

/** Whether one of the keys made the signature: that of the token's `kid`, or any where token or keys have none. */
export function isSignedByOneOf(jwt: Jwt, keys: readonly Jwk[]): boolean {
  const { kid } = jwt.header;
  return keys.some((jwk) => {
    if (typeof kid === "string" && jwk.kid !== undefined && jwk.kid !== kid) return false;
    if (jwk.use !== undefined && jwk.use !== "sig") return false;
    if (jwk.alg !== undefined && jwk.alg !== jwt.header.alg) return false;
    const key = publicKeyOf(jwk);
    return key !== undefined && isSignedBy(jwt, key);
  });
}

/** `aud` as a list. */
export function audiencesOf({ aud }: Jwt["claims"]): string[] {
  if (typeof aud === "string") return [aud];
  return Array.isArray(aud) ? aud.filter((item): item is string => typeof item === "string") : [];
}
