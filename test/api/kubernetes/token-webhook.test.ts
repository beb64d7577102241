import { request as httpsRequest } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import { readConfig } from "../../../src/config.js";
import { createEksToken } from "../../../src/identity/sigv4-signer.js";
import { createLog } from "../../../src/log.js";
import { type Emulator, startEmulator } from "../../../src/main.js";
import { type Caller, eksCall } from "../../../src/testkit/http.js";

const said: unknown[] = [];
let emulator: Emulator;
let caller: Caller;
let webhook: { url: string; ca: string };

beforeAll(async () => {
  const config = readConfig(
    { port: "0", "data-dir": ":memory:", clock: "stepped", "log-level": "silent", "token-webhook-port": "0" },
    {},
  );
  const log = createLog(config);
  const listening = { ...log, debug: (...words: unknown[]) => void said.push(words) } as unknown as typeof log;
  Object.setPrototypeOf(listening, log);
  emulator = await startEmulator({ config, log: listening, version: "test" });
  caller = {
    endpoint: emulator.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    wallNow: () => emulator.clock.wallNow(),
  };
  await eksCall(caller, "POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" },
  });
  await emulator.idle();
  await (emulator.clock as SteppedClock).advance(1_000);
  await emulator.idle();
  const answer = await fetch(`${emulator.endpoint}/_eksim/token-webhook?cluster=demo`);
  const { url, kubeconfig } = (await answer.json()) as { url: string; kubeconfig: string };
  const { cluster } = JSON.parse(kubeconfig).clusters[0];
  expect(cluster.server).toBe(url);
  webhook = { url, ca: Buffer.from(cluster["certificate-authority-data"], "base64").toString() };
});
afterAll(() => emulator.stop());

function post(body: string, { url = webhook.url, method = "POST" } = {}): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(url, { method, ca: webhook.ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const tokenFor = (clusterName: string, accessKeyId = "test"): string =>
  createEksToken({
    clusterName,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey: "test" },
    nowMs: Date.now(),
  });

const reviewOf = (token: string, apiVersion = "authentication.k8s.io/v1"): string =>
  JSON.stringify({ apiVersion, kind: "TokenReview", metadata: { creationTimestamp: null }, spec: { token } });

describe("the token webhook", () => {
  it.each(["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"])("answers reviews of %s", async (version) => {
    const { status, text } = await post(reviewOf(tokenFor("demo"), version));
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      apiVersion: version,
      kind: "TokenReview",
      status: {
        authenticated: true,
        user: expect.objectContaining({
          username: "arn:aws:iam::000000000000:user/test",
          uid: expect.stringMatching(/^aws-iam-authenticator:000000000000:AIDA/),
          extra: expect.objectContaining({ canonicalArn: ["arn:aws:iam::000000000000:user/test"] }),
        }),
      },
    });
  });

  it("knows access entries and the aws-auth ConfigMap as the embedded API server does", async () => {
    await eksCall(caller, "POST", "/clusters/demo/access-entries", {
      principalArn: "arn:aws:iam::000000000000:user/alice",
      username: "alice",
      kubernetesGroups: ["readers"],
    });
    const { text } = await post(reviewOf(tokenFor("demo", "alice")));
    expect(JSON.parse(text).status.user).toMatchObject({ username: "alice", groups: ["readers"] });
  });

  it("says that others are not authenticated, and why, without the token", async () => {
    for (const token of ["", "abc", "k8s-aws-v1.", `k8s-aws-v1.${"a".repeat(5000)}`, `${tokenFor("demo")}=`]) {
      const { status, text } = await post(reviewOf(token));
      expect(status).toBe(200);
      const answer = JSON.parse(text);
      expect(answer.status).toEqual({ authenticated: false, error: expect.any(String) });
      if (token.length > 20) expect(text).not.toContain(token.slice(0, 20));
    }
  });

  it("refuses what is no review, and says what it is for", async () => {
    const cases: [body: string, options: { url?: string; method?: string }, status: number][] = [
      ["", {}, 400],
      ["{}", {}, 400],
      ["null", {}, 400],
      ["[1]", {}, 400],
      ["not json", {}, 400],
      [reviewOf("x", "authentication.k8s.io/v2"), {}, 400],
      [JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: 7 } }), {}, 400],
      [reviewOf("x".repeat(70_000)), {}, 413],
      ["", { method: "PUT" }, 405],
      [reviewOf("x"), { url: webhook.url.replace(/clusters\/[^/]+/, "clusters/NONE") }, 404],
      [reviewOf("x"), { url: new URL("/", webhook.url).href }, 404],
    ];
    for (const [body, options, status] of cases)
      expect((await post(body, options)).status, `${body.slice(0, 60)} ${JSON.stringify(options)}`).toBe(status);
    expect(await post("", { url: new URL("/healthz", webhook.url).href })).toEqual({ status: 200, text: "ok" });
  });

  it("takes reviews that say in the query how long the API server waits", async () => {
    const { status } = await post(reviewOf(tokenFor("demo")), { url: `${webhook.url}?timeout=30s` });
    expect(status).toBe(200);
  });

  it("says what access policies allow, to a user that it has authenticated", async () => {
    await eksCall(caller, "POST", "/clusters/demo/access-entries", {
      principalArn: "arn:aws:iam::000000000000:user/viewer",
    });
    await eksCall(
      caller,
      "POST",
      "/clusters/demo/access-entries/arn%3Aaws%3Aiam%3A%3A000000000000%3Auser%2Fviewer/access-policies",
      {
        policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
        accessScope: { type: "namespace", namespaces: ["default"] },
      },
    );
    const { user } = JSON.parse((await post(reviewOf(tokenFor("demo", "viewer")))).text).status;
    const url = webhook.url.replace(/authenticate$/, "authorize");
    const ask = async (spec: Record<string, unknown>, apiVersion = "authorization.k8s.io/v1") => {
      const body = {
        apiVersion,
        kind: "SubjectAccessReview",
        spec: { user: user.username, groups: user.groups, extra: user.extra, ...spec },
      };
      const { status, text } = await post(JSON.stringify(body), { url });
      return status === 200 ? JSON.parse(text).status : status;
    };
    const pods = { verb: "list", version: "v1", resource: "pods", namespace: "default" };
    expect(await ask({ resourceAttributes: pods })).toEqual({
      allowed: true,
      reason: expect.stringContaining("AmazonEKSViewPolicy"),
    });
    expect(await ask({ resourceAttributes: pods }, "authorization.k8s.io/v1beta1")).toMatchObject({ allowed: true });
    // Neither allowed nor denied: RBAC has been asked before.
    for (const refused of [
      { ...pods, verb: "delete" },
      { ...pods, namespace: "kube-system" },
      { ...pods, resource: "secrets" },
    ])
      expect(await ask({ resourceAttributes: refused })).toMatchObject({ allowed: false });
    expect(await ask({ nonResourceAttributes: { path: "/metrics", verb: "get" } })).toMatchObject({ allowed: false });
    expect(await ask({ resourceAttributes: pods, extra: {} })).toMatchObject({ allowed: false });
    expect(await ask({})).toBe(400);
    expect(await ask({ resourceAttributes: pods }, "v7")).toBe(400);
  });

  it("is certified by an authority of its own, and so by no cluster's", async () => {
    const clusterCa = Buffer.from(
      (await eksCall<{ cluster: { certificateAuthority: { data: string } } }>(caller, "GET", "/clusters/demo")).cluster
        .certificateAuthority.data,
      "base64",
    ).toString();
    const failed = new Promise((resolve) => {
      httpsRequest(webhook.url, { method: "POST", ca: clusterCa, agent: false }, () => resolve("answered"))
        .on("error", ({ code }: NodeJS.ErrnoException) => resolve(code))
        .end();
    });
    expect(await failed).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  it("puts no token and no signature into the log", async () => {
    const token = tokenFor("demo").slice(0, -4);
    await post(reviewOf(token));
    const log = JSON.stringify(said);
    expect(log).toContain("refused a token");
    expect(log).not.toMatch(/k8s-aws-v1\.|X-Amz-Signature=[0-9a-f]{8}/);
  });
});

it("there is none unless it is asked for", async () => {
  const config = readConfig({ port: "0", "data-dir": ":memory:", clock: "stepped", "log-level": "silent" }, {});
  expect(config.tokenWebhookPort).toBeUndefined();
});
