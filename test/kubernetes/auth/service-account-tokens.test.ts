import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type Jwks, signingKey } from "../../../src/kubernetes/auth/signing-key.js";
import type {
  AuthenticationTokenRequest,
  Node,
  Pod,
  ServiceAccount,
} from "../../../src/kubernetes/schema/generated/types.js";
import { rsaKey } from "../rsa-key.js";
import { ISSUER, pod, refusal, type SimulatedApi, startApi } from "./simulated-api.js";

let world: SimulatedApi;
let account: ServiceAccount;

beforeEach(async () => {
  world = await startApi();
  account = world.api.get<ServiceAccount>("serviceaccounts", {
    namespace: "default",
    name: "default",
  }) as ServiceAccount;
});

const request = (spec: AuthenticationTokenRequest["spec"] = {}) =>
  ({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: {},
    spec,
  }) as unknown as AuthenticationTokenRequest;

async function issue(
  spec?: AuthenticationTokenRequest["spec"],
): Promise<{ token: string; answer: AuthenticationTokenRequest }> {
  const answer = (await world.auth.createToken(account, request(spec))) as AuthenticationTokenRequest;
  return { token: answer.status?.token ?? "", answer };
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

/** How the API server takes a bearer token. */
async function login(token: string): Promise<string> {
  for (const authenticator of world.auth.tokenAuthenticators) {
    const result = await authenticator.authenticate(token);
    if (result) return "user" in result ? result.user.username : `refused: ${result.error}`;
  }
  return "unknown";
}

describe("TokenRequest", () => {
  it("issues an hour for the API server's own audiences unless asked otherwise", async () => {
    const { token, answer } = await issue();
    const claims = claimsOf(token);
    expect(claims).toMatchObject({
      aud: [ISSUER, "https://kubernetes.default.svc"],
      iss: ISSUER,
      sub: "system:serviceaccount:default:default",
      exp: claims.iat + 3600,
      nbf: claims.iat,
      "kubernetes.io": { namespace: "default", serviceaccount: { name: "default", uid: account.metadata.uid } },
    });
    expect(claims.jti).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.status?.expirationTimestamp).toBe("2026-01-01T01:00:00Z");
    expect(answer.spec).toMatchObject({
      expirationSeconds: 3600,
      audiences: [ISSUER, "https://kubernetes.default.svc"],
    });
  });

  it("signs so that the published key verifies it", async () => {
    const { token } = await issue({ audiences: ["sts.amazonaws.com"] });
    const [head = "", body = "", signature = ""] = token.split(".");
    const { keys } = (await world.auth.jwks()) as Jwks;
    const [jwk] = keys;
    expect(JSON.parse(Buffer.from(head, "base64url").toString())).toEqual({ alg: "RS256", kid: jwk?.kid });
    const publicKey = createPublicKey({ key: { ...jwk }, format: "jwk" });
    expect(verify("RSA-SHA256", Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, "base64url"))).toBe(
      true,
    );
    expect(world.auth.openidConfiguration()).toEqual({
      issuer: ISSUER,
      jwks_uri: `${ISSUER}/keys`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    });
  });

  it.each([
    [
      { expirationSeconds: 599 },
      "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
    ],
    [{ expirationSeconds: 2 ** 32 + 1 }, "may not specify a duration larger than 2^32 seconds"],
    [{ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "gone" } }, 'pods "gone" not found'],
    [
      { boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "x" } },
      "cannot bind token to object of type /v1, Kind=ConfigMap",
    ],
  ])("refuses %j", async (spec, message) => {
    expect(await refusal(issue(spec))).toContain(message);
  });

  it("binds to a pod and the node it runs on", async () => {
    const node = await world.api.create<Node>("nodes", { metadata: { name: "n1" }, spec: {} });
    const created = await world.api.create<Pod>("pods", pod("p", { nodeName: "n1" }) as never);
    const reference = { kind: "Pod", apiVersion: "v1", name: "p", uid: created.metadata.uid };
    const { token } = await issue({ boundObjectRef: reference, expirationSeconds: 3607 });
    const claims = claimsOf(token);
    expect(claims["kubernetes.io"]).toMatchObject({
      pod: { name: "p", uid: created.metadata.uid },
      node: { name: "n1", uid: node.metadata.uid },
    });
    // The kubelet's own tokens live on for clients that never read them again, and say when that begins.
    expect(claims.exp - claims.iat).toBe(365 * 24 * 3600);
    expect(claims["kubernetes.io"].warnafter).toBe(claims.iat + 3607);
    expect(await refusal(issue({ boundObjectRef: { ...reference, uid: "other" } }))).toContain(
      "does not match the UID in record",
    );
  });
});

describe("a service account token", () => {
  it("is its account's user", async () => {
    const { token } = await issue();
    expect(await login(token)).toBe("system:serviceaccount:default:default");
    const result = await world.auth.tokenAuthenticators.at(-1)?.authenticate(token);
    expect(result).toMatchObject({
      user: { uid: account.metadata.uid, groups: ["system:serviceaccounts", "system:serviceaccounts:default"] },
    });
  });

  it("ends with its time", async () => {
    const { token } = await issue({ expirationSeconds: 600 });
    await world.clock.advance(599_000);
    expect(await login(token)).toBe("system:serviceaccount:default:default");
    await world.clock.advance(1_000);
    expect(await login(token)).toBe("refused: service account token has expired");
  });

  it("is not taken for another audience", async () => {
    const { token } = await issue({ audiences: ["sts.amazonaws.com"] });
    expect(await login(token)).toContain("is invalid for the target audiences");
  });

  it("ends with its account, also when another one takes the name", async () => {
    const { token } = await issue();
    await login(token);
    await world.api.delete("serviceaccounts", { namespace: "default", name: "default" });
    expect(await login(token)).toBe("refused: serviceaccounts default no longer exists");
    await world.api.create("serviceaccounts", { metadata: { name: "default", namespace: "default" } });
    expect(await login(token)).toBe("refused: serviceaccounts default is another one than the token was made for");
  });

  it("ends with the pod it is bound to", async () => {
    await world.api.create("pods", pod("p") as never);
    const { token } = await issue({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } });
    expect(await login(token)).toBe("system:serviceaccount:default:default");
    await world.api.delete("pods", { namespace: "default", name: "p" }, { gracePeriodSeconds: 0 });
    expect(await login(token)).toBe("refused: pods p no longer exists");
  });

  it("is refused when anything in it has been changed", async () => {
    const { token } = await issue();
    const [head = "", body = "", signature = ""] = token.split(".");
    const claims = { ...claimsOf(token), sub: "system:serviceaccount:kube-system:default" };
    const forged = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const refused = "refused: the signature of this token is not this cluster's";
    expect(await login(`${head}.${forged}.${signature}`)).toBe(refused);
    expect(await login(`${head}.${body}.${Buffer.from("x").toString("base64url")}`)).toBe(refused);
    const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
    expect(await login(`${none}.${body}.`)).toBe(refused);
    const stranger = signingKey(
      generateKeyPairSync("rsa", { modulusLength: 2048 })
        .privateKey.export({ type: "pkcs8", format: "pem" })
        .toString(),
    );
    expect(await login(stranger.sign(claimsOf(token)))).toBe(refused);
  });

  it.each(["", "x", "a.b.c", "k8s-aws-v1.aHR0cHM6", "e30.e30.e30"])(
    "%j is somebody else's kind of token",
    async (token) => {
      expect(await login(token)).toBe("unknown");
    },
  );

  it("without the private claims is refused even when rightly signed", async () => {
    const key = signingKey(rsaKey());
    const seconds = world.clock.now() / 1000;
    expect(
      await login(key.sign({ iss: ISSUER, sub: "system:masters", exp: seconds + 60, nbf: 0, aud: [ISSUER] })),
    ).toBe("refused: service account token lacks claims");
  });
});
