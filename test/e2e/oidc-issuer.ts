import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { issueAuthority, issueServerCertificate } from "../../src/kubernetes/pki/certificates.js";

/** An OIDC issuer as a user runs one on this machine, over TLS with a certificate of its own. */
export interface Issuer {
  url: string;
  /** Requests so far, by path. */
  seen: string[];
  /** An ID token by the present key, valid for an hour unless the claims say else. */
  token(claims: JWTPayload & Record<string, unknown>, options?: { algorithm?: string; kid?: string }): Promise<string>;
  /** Another key from now on; the former one is gone from the document. */
  rotate(algorithm?: string): Promise<void>;
  close(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  const nowMs = Date.now();
  const authority = issueAuthority("idp-ca", nowMs);
  const leaf = issueServerCertificate({
    authority,
    authorityName: "idp-ca",
    commonName: "idp",
    names: ["127.0.0.1"],
    nowMs,
  });
  const seen: string[] = [];
  let generation = 0;
  let algorithm = "RS256";
  let pair = await generateKeyPair(algorithm);
  const kid = () => `key-${generation}`;
  const server: Server = createServer({ cert: leaf.certificate, key: leaf.key }, (request, answer) => {
    const path = request.url ?? "";
    seen.push(path);
    const send = (value: object): void => void answer.end(JSON.stringify(value));
    if (path === "/realm/.well-known/openid-configuration") send({ issuer: url, jwks_uri: `${url}/keys` });
    else if (path === "/realm/keys")
      void exportJWK(pair.publicKey).then((jwk) =>
        send({ keys: [{ ...jwk, kid: kid(), use: "sig", alg: algorithm }] }),
      );
    else answer.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/realm`;
  return {
    url,
    seen,
    token: (claims, options = {}) =>
      new SignJWT({ iss: url, exp: Math.floor(Date.now() / 1000) + 3600, ...claims })
        .setProtectedHeader({ alg: options.algorithm ?? algorithm, kid: options.kid ?? kid() })
        .sign(pair.privateKey),
    async rotate(next = "RS256") {
      generation += 1;
      algorithm = next;
      pair = await generateKeyPair(algorithm);
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
