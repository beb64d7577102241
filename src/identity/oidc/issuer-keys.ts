/**
 * The signing keys of an OIDC issuer, by its discovery document. They are fetched with the first token, and again when a token names a key that is not
 * among them: that is how issuers change their keys.
 */
import { isSignedByOneOf, type Jwk, type Jwt } from "../jwt.js";
import { fetchDocument } from "./fetch-document.js";

export interface IssuerKeys {
  /** Whether the issuer has signed the token. Rejects where the issuer cannot be asked. */
  hasSigned(jwt: Jwt): Promise<boolean>;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `fetchJson` gets the JSON at a URL. */
export function createIssuerKeys(
  issuerUrl: string,
  fetchJson: (url: string) => Promise<unknown> = fetchDocument,
): IssuerKeys {
  let jwksUri: string | undefined;
  let keys: readonly Jwk[] = [];
  let fetching: Promise<void> | undefined;

  const discover = async (): Promise<string> => {
    const document = await fetchJson(`${issuerUrl.replace(/\/$/, "")}/.well-known/openid-configuration`);
    const { issuer, jwks_uri: uri } = isObject(document) ? document : {};
    // A document that speaks of somebody else could hand out that one's keys.
    if (issuer !== issuerUrl)
      throw new Error(
        `issuer did not match the issuer returned by provider, expected ${JSON.stringify(issuerUrl)} got ${JSON.stringify(issuer)}`,
      );
    if (typeof uri !== "string") throw new Error("the discovery document has no jwks_uri");
    return uri;
  };

  const refresh = async (): Promise<void> => {
    jwksUri ??= await discover();
    const document = await fetchJson(jwksUri);
    const found = isObject(document) ? document.keys : undefined;
    if (!Array.isArray(found)) throw new Error("the document of keys has no keys");
    keys = found.filter(isObject);
  };

  /** One request at a time, whoever waits. */
  const fetchOnce = (): Promise<void> => {
    fetching ??= refresh().finally(() => {
      fetching = undefined;
    });
    return fetching;
  };

  return {
    async hasSigned(jwt) {
      if (keys.length > 0 && isSignedByOneOf(jwt, keys)) return true;
      // With a key that is known the signature is wrong, and stays so.
      const { kid } = jwt.header;
      if (typeof kid === "string" && keys.some((key) => key.kid === kid)) return false;
      await fetchOnce();
      return isSignedByOneOf(jwt, keys);
    },
  };
}
