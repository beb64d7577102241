import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { createWebIdentityVerifier } from "../../../src/identity/oidc/web-identity-verifier.js";

const ISSUER = "https://issuer.example/realm";
const NOW_MS = Date.UTC(2026, 10, 22);
const NOW = NOW_MS / 1000;
const clock = { kind: "real", now: () => NOW_MS, wallNow: () => NOW_MS };

let verify: ReturnType<typeof createWebIdentityVerifier>;
let token: (claims?: JWTPayload) => Promise<string>;
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "k", alg: "RS256", use: "sig" };
  token = (claims = {}) =>
    new SignJWT({ iss: ISSUER, sub: "job", aud: "clients", iat: NOW, exp: NOW + 60, ...claims })
      .setProtectedHeader({ alg: "RS256", kid: "k" })
      .sign(privateKey);
  verify = createWebIdentityVerifier({
    clock,
    fetchJson: async (url) => {
      if (url === `${ISSUER}/.well-known/openid-configuration`) return { issuer: ISSUER, jwks_uri: `${ISSUER}/keys` };
      if (url === `${ISSUER}/keys`) return { keys: [jwk] };
      throw new Error(`${url} answered 404`);
    },
  });
});

describe("a token of an issuer outside", () => {
  it("is taken for what it says when its issuer has signed it", async () => {
    expect(await verify(await token(), ISSUER)).toMatchObject({
      issuer: ISSUER,
      subject: "job",
      audience: ["clients"],
      claims: { exp: NOW + 60 },
    });
  });

  it("is refused with STS's codes", async () => {
    const altered = (await token()).replace(
      /\.[^.]+\./,
      `.${Buffer.from(JSON.stringify({ iss: ISSUER, sub: "root", iat: NOW, exp: NOW + 60 })).toString("base64url")}.`,
    );
    expect(await verify(altered, ISSUER)).toMatchObject({ error: "InvalidIdentityToken" });
    expect(await verify(await token({ exp: NOW - 1 }), ISSUER)).toEqual({
      error: "ExpiredTokenException",
      message: `Token expired: current date/time ${NOW} must be before the expiration date/time ${NOW - 1}`,
    });
    expect(await verify(await token({ nbf: NOW + 3600, exp: NOW + 7200 }), ISSUER)).toMatchObject({
      error: "InvalidIdentityToken",
    });
    expect(await verify("a.b.c", ISSUER)).toMatchObject({ error: "InvalidIdentityToken" });
    expect(await verify(await token(), "https://other.example")).toMatchObject({ error: "IDPCommunicationError" });
  });
});
