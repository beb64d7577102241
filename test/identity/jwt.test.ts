import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { audiencesOf, isSignedByOneOf, type Jwk, parseJwt } from "../../src/identity/jwt.js";

async function signed(alg: string, kid = "one"): Promise<{ token: string; key: Jwk }> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const token = await new SignJWT({ sub: "me", aud: ["a", "b"] }).setProtectedHeader({ alg, kid }).sign(privateKey);
  const jwk: JWK = await exportJWK(publicKey);
  return { token, key: { ...jwk, kid, alg } as Jwk };
}

const accepts = (token: string, ...keys: Jwk[]): boolean => {
  const jwt = parseJwt(token);
  return jwt !== undefined && isSignedByOneOf(jwt, keys);
};

describe("a JSON Web Token", () => {
  it.each(["RS256", "RS384", "RS512", "PS256", "PS512", "ES256", "ES384", "ES512"])(
    "of %s is known by its key alone",
    async (alg) => {
      const [mine, other] = [await signed(alg), await signed(alg)];
      expect(accepts(mine.token, other.key, mine.key)).toBe(true);
      expect(accepts(mine.token, other.key)).toBe(false);
      expect(accepts(mine.token)).toBe(false);
      const [head, body, signature] = mine.token.split(".");
      const claims = Buffer.from(JSON.stringify({ sub: "you" })).toString("base64url");
      expect(accepts(`${head}.${claims}.${signature}`, mine.key)).toBe(false);
      expect(accepts(`${head}.${body}.AAAA`, mine.key)).toBe(false);
    },
  );

  it("is not taken for another algorithm, key id or use", async () => {
    const { token, key } = await signed("RS256");
    expect(accepts(token, { ...key, kid: "two" })).toBe(false);
    expect(accepts(token, { ...key, use: "enc" })).toBe(false);
    expect(accepts(token, { ...key, alg: "PS256" })).toBe(false);
    const { kid: _, alg: _alg, ...bare } = key;
    expect(accepts(token, bare)).toBe(true);
    const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
    expect(accepts(`${none}.${token.split(".")[1]}.AA`, bare)).toBe(false);
    const secret = Buffer.from(JSON.stringify({ alg: "HS256" })).toString("base64url");
    expect(accepts(`${secret}.${token.split(".")[1]}.AA`, bare)).toBe(false);
  });

  it("passes over keys that are none", async () => {
    const { token, key } = await signed("ES256");
    expect(accepts(token, { kty: "oct" }, { kty: "RSA", n: "!" }, { kty: "EC", crv: "P-0", x: "a", y: "b" }, key)).toBe(
      true,
    );
  });

  it.each(["", "a", "a.b", "a.b.c", "e30.e30.", "e30.W10.AA", "e30.e30.AA.AA", "e 30.e30.AA"])("is not %j", (text) => {
    expect(parseJwt(text)).toBeUndefined();
  });

  it("names one audience, several or none", () => {
    expect([{ aud: "a" }, { aud: ["a", 1, "b"] }, {}, { aud: 1 }].map(audiencesOf)).toEqual([
      ["a"],
      ["a", "b"],
      [],
      [],
    ]);
  });
});
