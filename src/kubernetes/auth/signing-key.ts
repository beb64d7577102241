/**
 * The RSA key behind service account tokens: RS256 signatures, their checking, and the public documents by which others check them (IAM's web identity
 * federation reads these from the issuer).
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

export interface SigningKey {
  kid: string;
  sign(claims: object): string;
  /** The claims of a token in JWT form that this key has signed; undefined for every other token. */
  verify(token: string): Record<string, unknown> | undefined;
  publicKey: KeyObject;
}

export interface Jwks {
  keys: { use: "sig"; kty: "RSA"; kid: string; alg: "RS256"; n: string; e: string }[];
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function decode(part: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? "", "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Claims of a JWT without checking its signature: only to see whose token it says to be. */
export const unverifiedClaims = (token: string): Record<string, unknown> | undefined => {
  const parts = token.split(".");
  return parts.length === 3 ? decode(parts[1]) : undefined;
};

/** Names a key by its public part (SPKI, DER), as kube-apiserver does. */
const keyIdOf = (publicKey: Buffer): string => createHash("sha256").update(publicKey).digest("base64url");

/** `pem`: private RSA key, PKCS#8. `nameOf`: how keys are named, where an external signer has a way of its own. */
export function signingKey(pem: string, nameOf: (publicKey: Buffer) => string = keyIdOf): SigningKey {
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const kid = nameOf(publicKey.export({ type: "spki", format: "der" }));
  const header = encode({ alg: "RS256", kid });
  return {
    kid,
    publicKey,
    sign(claims) {
      const text = `${header}.${encode(claims)}`;
      return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url")}`;
    },
    verify(token) {
      const [head, body, signature, ...rest] = token.split(".");
      if (!head || !body || !signature || rest.length > 0) return undefined;
      // The algorithm is this key's, whatever the token's header asks for.
      if (decode(head)?.alg !== "RS256") return undefined;
      return verify("RSA-SHA256", Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, "base64url"))
        ? decode(body)
        : undefined;
    },
  };
}

/** What /openid/v1/jwks answers. */
export function jwksOf(keys: readonly SigningKey[]): Jwks {
  return {
    keys: keys.map(({ kid, publicKey }) => {
      const { n = "", e = "" } = publicKey.export({ format: "jwk" });
      return { use: "sig", kty: "RSA", kid, alg: "RS256", n, e };
    }),
  };
}

/** What /.well-known/openid-configuration answers. */
export function openidConfigurationOf({
  issuer,
  jwksUri,
}: {
  issuer: string;
  jwksUri: string;
}): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
  };
}
