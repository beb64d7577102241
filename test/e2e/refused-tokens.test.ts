import { createHmac, createPublicKey, randomUUID } from "node:crypto";
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../src/clock/clock.js";
import { readConfig } from "../../src/config.js";
import { createEksToken } from "../../src/identity/sigv4-signer.js";
import { createLog } from "../../src/log.js";
import { type Emulator, startEmulator } from "../../src/main.js";
import { type Caller, eksCall } from "../../src/testkit/http.js";

/** Everything that is logged, at every level. */
const said: unknown[] = [];
/** Tokens and secrets that were used: none of them may turn up anywhere. */
const secrets: string[] = [];
let emulator: Emulator;
let caller: Caller;
let cluster: { endpoint: string; ca: string };

const SECRET = "a-secret-that-nobody-may-read";

beforeAll(async () => {
  const flags = { port: "0", "data-dir": ":memory:", clock: "stepped", seed: "1", "verify-signatures": "true" };
  const config = readConfig(flags, { EKSIM_CREDENTIALS: `admin:${SECRET},reader:${SECRET}` });
  const log = createLog(readConfig({ ...flags, "log-level": "silent" }, {}));
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal"] as const)
    log[level] = (...words: unknown[]) => void said.push(words.map(plain));
  emulator = await startEmulator({ config, log, version: "test" });
  caller = {
    endpoint: emulator.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "admin", secretAccessKey: SECRET },
    wallNow: () => emulator.clock.wallNow(),
  };
  for (const name of ["demo", "other"])
    await eksCall(caller, "POST", "/clusters", {
      name,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
      accessConfig: { authenticationMode: "API" },
    });
  await advance(1_000);
  cluster = await endpointOf("demo");
});
afterAll(() => emulator.stop());

/** Errors with all that is in them, which JSON would leave out. */
function plain(word: unknown): unknown {
  if (word instanceof Error) return `${word.stack}`;
  if (typeof word !== "object" || word === null) return word;
  return Object.fromEntries(Object.entries(word).map(([name, value]) => [name, plain(value)]));
}

async function advance(ms: number): Promise<void> {
  await emulator.idle();
  await (emulator.clock as SteppedClock).advance(ms);
  await emulator.idle();
}

async function endpointOf(name: string): Promise<{ endpoint: string; ca: string }> {
  const { cluster: described } = await eksCall<{
    cluster: { endpoint: string; certificateAuthority: { data: string } };
  }>(caller, "GET", `/clusters/${name}`);
  const ca = Buffer.from(described.certificateAuthority.data, "base64").toString();
  return { endpoint: described.endpoint, ca };
}

interface Answer {
  status: number;
  body: { message?: string; reason?: string; status?: Record<string, unknown>; [member: string]: unknown };
}

function ask(
  token: string,
  path: string,
  options: { body?: unknown; of?: typeof cluster; as?: object } = {},
): Promise<Answer> {
  const { endpoint, ca } = options.of ?? cluster;
  const text = options.body === undefined ? undefined : JSON.stringify(options.body);
  secrets.push(token);
  return new Promise((resolve, reject) => {
    const sent = request(
      endpoint + path,
      {
        method: text === undefined ? "GET" : "POST",
        ca,
        agent: false,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...options.as },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
        response.on("end", () => {
          const answer = Buffer.concat(chunks).toString();
          const body = answer.startsWith("{") ? (JSON.parse(answer) as Answer["body"]) : {};
          resolve({ status: response.statusCode ?? 0, body });
        });
      },
    );
    sent.on("error", reject);
    sent.end(text);
  });
}

const signed = (
  changes: { clusterName?: string; accessKeyId?: string; secret?: string; ageMs?: number; region?: string } = {},
): string => {
  const { clusterName = "demo", accessKeyId = "admin", secret = SECRET, ageMs = 0, region = "us-east-1" } = changes;
  const nowMs = Math.min(emulator.clock.now(), Date.now()) - ageMs;
  return createEksToken({ clusterName, region, credentials: { accessKeyId, secretAccessKey: secret }, nowMs });
};

const changed = (token: string, change: (url: string) => string): string => {
  const [prefix = "", text = ""] = token.split(/(?<=^k8s-aws-v1\.)/);
  return prefix + Buffer.from(change(Buffer.from(text, "base64url").toString())).toString("base64url");
};

/** What an API server says to whom it does not know: always the same, whatever is wrong. */
const UNAUTHORIZED = {
  status: 401,
  body: { kind: "Status", status: "Failure", message: "Unauthorized", reason: "Unauthorized", code: 401 },
};

const minutes = (n: number): number => n * 60_000;

describe("a token of IAM", () => {
  it("lets in who made it, for the cluster that it was made for", async () => {
    expect(await ask(signed(), "/api/v1/namespaces")).toMatchObject({ status: 200 });
    expect(await ask(signed({ ageMs: minutes(14) }), "/api/v1/namespaces")).toMatchObject({ status: 200 });
  });

  const refused: [what: string, token: () => string][] = [
    ["for another cluster", () => signed({ clusterName: "other" })],
    ["with another secret", () => signed({ secret: "guessed" })],
    ["of a key that nobody has", () => signed({ accessKeyId: "AKIAIOSFODNN7EXAMPLE" })],
    ["of a principal that no entry speaks of", () => signed({ accessKeyId: "reader" })],
    ["older than 15 minutes", () => signed({ ageMs: minutes(16) })],
    ["from the future", () => signed({ ageMs: -minutes(600) })],
    [
      "of another partition",
      () => changed(signed({ region: "cn-north-1" }), (url) => url.replace(".com/", ".com.cn/")),
    ],
    ["with an altered signature", () => changed(signed(), (url) => url.replace(/[0-9a-f]{8}$/, "00000000"))],
    ["without a signature", () => changed(signed(), (url) => url.replace(/&X-Amz-Signature=.*/, ""))],
    ["for another action", () => changed(signed(), (url) => url.replace("GetCallerIdentity", "GetSessionToken"))],
    ["with a session token that nobody gave out", () => changed(signed(), (url) => `${url}&X-Amz-Security-Token=x`)],
    ["that is huge", () => `${signed()}${"A".repeat(6_000)}`],
    ["that is none", () => "k8s-aws-v1."],
    ["that is something else", () => "abc"],
  ];
  it.each(refused)("is refused: one %s", async (_what, token) => {
    expect(await ask(token(), "/api/v1/namespaces")).toMatchObject(UNAUTHORIZED);
  });

  it("is refused by other clusters", async () => {
    const of = await endpointOf("other");
    expect(await ask(signed(), "/api/v1/namespaces", { of })).toMatchObject(UNAUTHORIZED);
    expect(await ask(signed({ clusterName: "other" }), "/api/v1/namespaces", { of })).toMatchObject({ status: 200 });
  });

  it("too large for a request is refused as such, and the server goes on", async () => {
    expect((await ask("A".repeat(100_000), "/api/v1/namespaces")).status).toBe(431);
    expect(await ask(signed(), "/api/v1/namespaces")).toMatchObject({ status: 200 });
  });

  it("stays good by the machine's time, which is all that its signer knows, however far simulated time moves", async () => {
    const token = signed({ ageMs: minutes(13) });
    await advance(minutes(60));
    expect((await ask(token, "/api/v1/namespaces")).status).toBe(200);
  });
});

describe("groups and names of the system", () => {
  const entry = (changes: object) =>
    eksCall(caller, "POST", "/clusters/demo/access-entries", {
      principalArn: `arn:aws:iam::000000000000:user/${randomUUID()}`,
      ...changes,
    }).then(
      () => "created",
      (error: Error) => error.message,
    );

  it.each(["system:masters", "system:nodes", "system:anything"])("no entry has the group %s", async (group) => {
    expect(await entry({ kubernetesGroups: [group] })).toMatch(/system:/);
  });

  it.each(["system:admin", "eks:support", "aws:x", "amazon:x", "iam:x"])(
    "no entry has the name %s",
    async (username) => {
      expect(await entry({ username })).not.toBe("created");
    },
  );

  it("nobody is impersonated by whom nobody allowed it", async () => {
    expect(await entry({ principalArn: "arn:aws:iam::000000000000:user/reader" })).toBe("created");
    const token = signed({ accessKeyId: "reader" });
    for (const as of [
      { "impersonate-user": "admin", "impersonate-group": "system:masters" },
      { "impersonate-user": "system:admin" },
      { "impersonate-user": "system:node:x" },
      { "impersonate-user": "system:serviceaccount:kube-system:default" },
    ])
      expect(await ask(token, "/api/v1/secrets", { as }), JSON.stringify(as)).toMatchObject({
        status: 403,
        body: { reason: "Forbidden" },
      });
  });

  it("a policy for one namespace is none for another, nor for the cluster", async () => {
    const arn = encodeURIComponent("arn:aws:iam::000000000000:user/reader");
    await eksCall(caller, "POST", `/clusters/demo/access-entries/${arn}/access-policies`, {
      policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy",
      accessScope: { type: "namespace", namespaces: ["default"] },
    });
    const token = signed({ accessKeyId: "reader" });
    expect((await ask(token, "/api/v1/namespaces/default/secrets")).status).toBe(200);
    for (const path of [
      "/api/v1/namespaces/kube-system/secrets",
      "/api/v1/namespaces/default-2/secrets",
      "/api/v1/secrets",
      "/api/v1/nodes",
      "/api/v1/namespaces",
      "/metrics",
    ])
      expect((await ask(token, path)).status, path).toBe(403);
  });
});

describe("a token of a service account", () => {
  const request = async (
    audiences?: string[],
    of?: typeof cluster,
    clusterName = "demo",
    expirationSeconds = 600,
  ): Promise<string> => {
    const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences, expirationSeconds },
    };
    const answer = await ask(signed({ clusterName }), path, { body, ...(of ? { of } : {}) });
    expect(answer.status).toBe(201);
    return String((answer.body.status as { token: string }).token);
  };
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claimsOf = (token: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  const NAMESPACE = "/api/v1/namespaces/default/pods";
  /** 403: it is known who asks, and that they may not. */
  const KNOWN = 403;

  it("is known by the cluster that made it", async () => {
    const answer = await ask(await request(), NAMESPACE);
    expect(answer).toMatchObject({
      status: KNOWN,
      body: { message: expect.stringContaining("system:serviceaccount:default:default") },
    });
  });

  it("is refused for another audience, by another cluster and when it is over", async () => {
    expect(await ask(await request(["sts.amazonaws.com"]), NAMESPACE)).toMatchObject(UNAUTHORIZED);
    expect(await ask(await request(["pods.eks.amazonaws.com"]), NAMESPACE)).toMatchObject(UNAUTHORIZED);
    const other = await request(undefined, await endpointOf("other"), "other");
    expect(await ask(other, NAMESPACE)).toMatchObject(UNAUTHORIZED);
    const short = await request();
    await advance(minutes(11));
    expect(await ask(short, NAMESPACE)).toMatchObject(UNAUTHORIZED);
  });

  it("is refused where anything in it is another, by whatever key and algorithm it is signed", async () => {
    const token = await request();
    const [header = "", claims = "", signature = ""] = token.split(".");
    const admin = part({ ...claimsOf(token), sub: "system:serviceaccount:kube-system:admin" });
    const keys = await ask(signed(), "/openid/v1/jwks");
    const [jwk] = (keys.body as unknown as { keys: object[] }).keys;
    // The public key taken for a shared secret.
    const pem = createPublicKey({ key: jwk as never, format: "jwk" }).export({ type: "spki", format: "pem" });
    const hs256 = `${part({ alg: "HS256", typ: "JWT", kid: (jwk as { kid: string }).kid })}.${claims}`;
    const forged = [
      `${header}.${admin}.${signature}`,
      `${header}.${claims}.${signature.slice(0, -8)}AAAAAAAA`,
      `${header}.${claims}.`,
      `${header}.${claims}`,
      `${part({ alg: "none" })}.${claims}.`,
      `${part({ alg: "none" })}.${admin}.${signature}`,
      `${hs256}.${createHmac("sha256", pem).update(hs256).digest("base64url")}`,
      `${header}.${claims}.${signature}.x`,
      `${header}.${part("text")}.${signature}`,
      `.${claims}.${signature}`,
      "..",
    ];
    for (const one of forged) expect(await ask(one, NAMESPACE), one.slice(0, 60)).toMatchObject(UNAUTHORIZED);
    expect((await ask(token, NAMESPACE)).status).toBe(KNOWN);
  });
});

describe("what was said meanwhile", () => {
  const hidden = (): string[] => [
    SECRET,
    ...secrets.flatMap((token) => [token.slice(12, 60), token.slice(-40)]).filter((text) => text.length >= 40),
    ...secrets.flatMap((token) => {
      const url = Buffer.from(token.slice("k8s-aws-v1.".length), "base64url").toString();
      return /X-Amz-Signature=([0-9a-f]{64})/.exec(url)?.slice(1) ?? [];
    }),
  ];

  it("tells the reasons, and no token, signature or secret, in the log", () => {
    const log = JSON.stringify(said);
    expect(log).toContain("refused a token");
    for (const text of hidden()) expect(log).not.toContain(text);
  });

  it("tells none in events, neither in AWS's nor in the cluster's", async () => {
    const events = JSON.stringify(
      emulator.state.events.read({ accountId: "000000000000", region: "us-east-1", limit: 10_000 }),
    );
    const inCluster = JSON.stringify(await ask(signed(), "/api/v1/events"));
    for (const text of hidden()) {
      expect(events).not.toContain(text);
      expect(inCluster).not.toContain(text);
    }
  });
});
