import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { type Issuer, startIssuer } from "./oidc-issuer.js";

const NAMED = { identityProviderConfig: { type: "oidc", name: "corp" } };
const BASE = "/clusters/demo/identity-provider-configs";

describe("Users of an OIDC issuer that runs on this machine", () => {
  let eksim: Eksim;
  let issuer: Issuer;
  let server: { url: string; ca: string };
  const associate = async (more: object = {}) => {
    await eksim.eks("POST", `${BASE}/associate`, {
      oidc: {
        identityProviderConfigName: "corp",
        issuerUrl: issuer.url,
        clientId: "kubernetes",
        usernameClaim: "name",
        usernamePrefix: "corp:",
        groupsClaim: "groups",
        groupsPrefix: "corp:",
        requiredClaims: { hd: "example.com" },
        ...more,
      },
    });
  };

  beforeAll(async () => {
    [eksim, issuer] = await Promise.all([startEksim({ seed: 1, profile: "aws" }), startIssuer()]);
    await eksim.eks("POST", "/clusters", {
      name: "demo",
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    });
    await eksim.advance("12m");
    const { cluster } = await eksim.eks<{ cluster: { endpoint: string; certificateAuthority: { data: string } } }>(
      "GET",
      "/clusters/demo",
    );
    server = { url: cluster.endpoint, ca: Buffer.from(cluster.certificateAuthority.data, "base64").toString() };
  });
  afterAll(async () => {
    await eksim.stop();
    await issuer.close();
  });

  /** What the API server answers to a token: who it is, or the status. */
  const whoIs = (token: string): Promise<{ status: number; user?: { username: string; groups: string[] } }> =>
    new Promise((resolve, reject) => {
      const review = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" });
      const call = request(
        `${server.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`,
        {
          method: "POST",
          ca: server.ca,
          agent: false,
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => {
            text += part;
          });
          response.on("end", () => {
            const { status } = JSON.parse(text) as { status?: { userInfo?: { username: string; groups: string[] } } };
            const user = status?.userInfo;
            resolve({
              status: response.statusCode ?? 0,
              ...(user ? { user: { username: user.username, groups: user.groups } } : {}),
            });
          });
        },
      );
      call.on("error", reject).end(review);
    });
  const ANN = { aud: "kubernetes", name: "ann", groups: ["devs"], hd: "example.com" };
  const KNOWN = {
    status: 201,
    user: { username: "corp:ann", groups: ["corp:devs", "system:authenticated"] },
  };

  it("are let in from the end of the association on", async () => {
    const token = await issuer.token(ANN);
    expect(await whoIs(token)).toEqual({ status: 401 });
    await associate();
    expect(await whoIs(token)).toEqual({ status: 401 });
    expect(issuer.seen).toEqual([]);
    await eksim.advance("15m");
    expect(await whoIs(token)).toEqual(KNOWN);
    expect(await whoIs(token)).toEqual(KNOWN);
    expect(issuer.seen).toEqual(["/realm/.well-known/openid-configuration", "/realm/keys"]);
  });

  it("may do what RBAC gives to their names and groups", async () => {
    await eksim.kubernetes("demo", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "devs" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "corp:devs" }],
    });
    const review = await eksim.kubernetes<{ status: { authenticated: boolean; user: { username: string } } }>(
      "demo",
      "POST",
      "/apis/authentication.k8s.io/v1/tokenreviews",
      { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: await issuer.token(ANN) } },
    );
    expect(review.status).toMatchObject({ authenticated: true, user: { username: "corp:ann" } });
  });

  it("come with keys that change, of either kind", async () => {
    const before = await issuer.token(ANN);
    await issuer.rotate("ES256");
    expect(await whoIs(await issuer.token(ANN))).toEqual(KNOWN);
    // The key is gone from the issuer's document.
    expect(await whoIs(before)).toEqual({ status: 401 });
  });

  it.each<[string, () => Promise<string>]>([
    ["for another audience", () => issuer.token({ ...ANN, aud: "other" })],
    ["that is over", () => issuer.token({ ...ANN, exp: 1 })],
    ["without a claim that is required", () => issuer.token({ aud: "kubernetes", name: "ann" })],
    [
      "with a group of the system",
      () => issuer.token({ ...ANN, name: "ann", groups: ["x", 1] as unknown as string[] }),
    ],
    ["of another issuer", () => issuer.token({ ...ANN, iss: "https://idp.example.com" })],
    ["with an altered signature", async () => `${(await issuer.token(ANN)).slice(0, -8)}AAAAAAAA`],
    [
      "with altered claims",
      async () => {
        const [head, , signature] = (await issuer.token(ANN)).split(".");
        const claims = { ...ANN, iss: issuer.url, exp: 4e9, name: "eve" };
        return [head, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
      },
    ],
    [
      "without a signature",
      async () => {
        const parts = [{ alg: "none" }, { ...ANN, iss: issuer.url, exp: 4e9 }];
        return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;
      },
    ],
  ])("are refused with a token %s", async (_, token) => {
    expect(await whoIs(await token())).toEqual({ status: 401 });
  });

  it("are refused from the moment that the association is to end", async () => {
    const token = await issuer.token(ANN);
    expect(await whoIs(token)).toEqual(KNOWN);
    await eksim.eks("POST", `${BASE}/disassociate`, NAMED);
    expect(await whoIs(token)).toEqual({ status: 401 });
    await eksim.advance("15m");
    expect(await whoIs(token)).toEqual({ status: 401 });
  });

  it("of an issuer that does not answer are refused, and IAM's are not", async () => {
    const token = await issuer.token(ANN);
    await issuer.close();
    await associate();
    await eksim.advance("15m");
    expect(await whoIs(token)).toEqual({ status: 401 });
    await eksim.kubernetes("demo", "GET", "/api/v1/namespaces");
  });
});
