import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import type { ClusterRecord } from "../../src/domain/model.js";
import { createClusterIssuers } from "../../src/identity/cluster-issuers.js";
import type { Jwk } from "../../src/identity/jwt.js";

const ID = "0123456789ABCDEF0123456789ABCDEF";
const ISSUER = `https://oidc.eks.eu-west-1.amazonaws.com/id/${ID}`;
const NOW = Date.parse("2026-11-22T09:00:00Z");
const cluster = { id: ID, region: "eu-west-1", endpoint: "https://127.0.0.1:1" } as ClusterRecord;

let sign: (claims: Record<string, unknown>) => Promise<string>;
let key: Jwk;
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  key = { ...(await exportJWK(publicKey)), kid: "k", alg: "RS256" } as Jwk;
  sign = (claims) =>
    new SignJWT({ iss: ISSUER, sub: "system:serviceaccount:a:b", aud: "x", exp: NOW / 1000 + 60, ...claims })
      .setProtectedHeader({ alg: "RS256", kid: "k" })
      .sign(privateKey);
});

const issuers = (keys: readonly Jwk[] | undefined) =>
  createClusterIssuers({
    cluster: (id) => (id === ID ? cluster : undefined),
    keysOf: async () => keys,
    clock: { now: () => NOW },
  });

describe("the issuer of a cluster", () => {
  it("is known by its whole URL, and by its id in any case", () => {
    const known = issuers([key]);
    expect(known.clusterOf(ISSUER)).toBe(cluster);
    expect(known.clusterOfId(ID.toLowerCase())).toBe(cluster);
    for (const url of [ISSUER.replace("eu-west-1", "us-east-1"), `${ISSUER}/`, ISSUER.replace("https", "http"), ID, ""])
      expect(known.clusterOf(url)).toBeUndefined();
    expect(known.clusterOfId("0".repeat(32))).toBeUndefined();
  });

  it("is none before there is an endpoint", () => {
    const { endpoint: _, ...young } = cluster;
    const options = { keysOf: async () => [key], clock: { now: () => NOW } };
    expect(
      createClusterIssuers({ cluster: () => young as ClusterRecord, ...options }).clusterOf(ISSUER),
    ).toBeUndefined();
  });

  it("tells STS who a token is of", async () => {
    expect(await issuers([key]).verify(await sign({}), ISSUER)).toMatchObject({
      issuer: ISSUER,
      subject: "system:serviceaccount:a:b",
      audience: ["x"],
    });
    expect(await issuers([key]).verify(await sign({}), "https://nobody.example")).toBeUndefined();
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["expired", { exp: NOW / 1000 }, "ExpiredTokenException"],
    ["of later", { nbf: NOW / 1000 + 1 }, "InvalidIdentityToken"],
    ["endless", { exp: undefined }, "InvalidIdentityToken"],
    ["of somebody else", { iss: "https://nobody.example" }, "InvalidIdentityToken"],
  ])("refuses tokens that are %s", async (_what, claims, error) => {
    expect(await issuers([key]).verify(await sign(claims), ISSUER)).toMatchObject({ error });
  });

  it("refuses what none of its keys has signed, and cannot judge without keys", async () => {
    expect(await issuers([]).verify(await sign({}), ISSUER)).toMatchObject({ error: "InvalidIdentityToken" });
    expect(await issuers(undefined).verify(await sign({}), ISSUER)).toMatchObject({ error: "IDPCommunicationError" });
    expect(await issuers([key]).verify("nonsense", ISSUER)).toMatchObject({ error: "InvalidIdentityToken" });
  });
});
