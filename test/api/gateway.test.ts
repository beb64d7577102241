import { createServer } from "node:http";
import { connect } from "node:net";
import {
  CreateClusterCommand,
  EKSClient,
  ListClustersCommand,
  ListTagsForResourceCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-eks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operations } from "../../src/api/eks/index.js";
import { eksCoverage } from "../../src/api/services.js";
import { DomainError } from "../../src/domain/errors.js";
import { AUTHORIZATION, CLUSTER, type Raw, type Rig, refusal, startRig } from "./gateway-rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig(
    { hosts: ["eksim.test"] },
    {
      admin: (app) => {
        app.get("/_eksim/health", () => ({ status: "ok" }));
        app.post("/_eksim/echo", (request) => request.body);
        app.get("/_eksim/refuse", () => {
          throw new DomainError("InvalidParameterException", "no");
        });
      },
    },
  );
});
afterAll(() => rig.close());

const told = ({ status, headers, json }: Raw) => [status, headers.get("x-amzn-errortype"), json.message];

describe("who calls", () => {
  it.each([
    ["", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"],
    [
      "Basic dGVzdA==",
      403,
      "IncompleteSignatureException",
      "Unsupported authorization scheme 'Basic': eksim reads AWS4-HMAC-SHA256",
    ],
    [
      "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/eks/aws4_request",
      403,
      "IncompleteSignatureException",
      "Authorization header requires 'SignedHeaders' parameter. Authorization header requires 'Signature' parameter.",
    ],
    [
      "AWS4-HMAC-SHA256 nonsense",
      403,
      "IncompleteSignatureException",
      "'nonsense' not a valid key=value pair (missing equal-sign) in Authorization header",
    ],
    [
      AUTHORIZATION.replace("/aws4_request", ""),
      403,
      "IncompleteSignatureException",
      "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got 'test/20261122/us-east-1/eks'",
    ],
    [
      AUTHORIZATION.replace("us-east-1", "Mars"),
      403,
      "InvalidSignatureException",
      "Credential should be scoped to a valid region, not 'Mars'.",
    ],
    [
      AUTHORIZATION.replace("/eks/", "/sqs/"),
      501,
      "NotImplementedException",
      "eksim does not emulate the AWS service 'sqs' (AmazonSQS.ListQueues); it emulates eks, sts and iam",
    ],
  ])("is refused with the header %j", async (authorization, ...expected) => {
    const headers = { authorization, "x-amz-target": "AmazonSQS.ListQueues" };
    expect(told(await rig.raw("GET", "/clusters", { headers }))).toEqual(expected);
  });

  it("may sign in the query", async () => {
    const query = new URLSearchParams({
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": "test/20261122/us-east-1/eks/aws4_request",
      "X-Amz-SignedHeaders": "host",
      "X-Amz-Signature": "00",
    });
    const { status } = await rig.raw("GET", `/clusters?${query}`, { headers: { authorization: "" } });
    expect(status).toBe(200);
  });
});

describe("web pages", () => {
  const get = (headers: Record<string, string>) =>
    rig.app.inject({ url: "/clusters", headers: { authorization: AUTHORIZATION, ...headers } });

  it.each(["https://evil.example", "null", "https://localhost.evil.example", "http://127.0.0.1.evil.example"])(
    "of %s are refused",
    async (origin) => {
      const { statusCode, headers } = await get({ host: "localhost:4566", origin });
      expect([statusCode, headers["x-amzn-errortype"]]).toEqual([403, "AccessDeniedException"]);
    },
  );

  it.each(["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:1234", "http://eksim.test:4566"])(
    "of %s are served",
    async (origin) => {
      expect((await get({ host: "eksim.test:4566", origin })).statusCode).toBe(200);
    },
  );

  it.each(["evil.example", "localhost.evil.example:4566", "amazonaws.com.evil.example"])(
    "that reach here by the name %s are refused, on the emulator's own routes too",
    async (host) => {
      expect((await get({ host })).statusCode).toBe(403);
      expect((await rig.app.inject({ url: "/_eksim/health", headers: { host } })).statusCode).toBe(403);
    },
  );

  it.each([
    "localhost",
    "127.0.0.1:4566",
    "[::1]:4566",
    "192.168.1.5",
    "eks.us-east-1.amazonaws.com",
    "eks.localhost:4566",
    "EKSIM.test",
  ])("and programs that reach here by the name %s are served", async (host) => {
    expect((await get({ host })).statusCode).toBe(200);
  });
});

describe("the emulator's own routes", () => {
  it("need no signature, and answer refusals as the services do", async () => {
    const plain = { headers: { authorization: "" } };
    expect((await rig.raw("GET", "/_eksim/health", plain)).json).toEqual({ status: "ok" });
    expect(told(await rig.raw("GET", "/_eksim/refuse", plain))).toEqual([400, "InvalidParameterException", "no"]);
    expect(told(await rig.raw("GET", "/_eksim/none", plain)).slice(0, 2)).toEqual([404, "UnknownOperationException"]);
  });

  it("read JSON, and refuse what is none", async () => {
    const post = (body: string) =>
      rig.raw("POST", "/_eksim/echo", { body, headers: { "content-type": "application/json" } });
    expect((await post('{"a":1}')).json).toEqual({ a: 1 });
    expect(told(await post("{")).slice(0, 2)).toEqual([400, "SerializationException"]);
  });

  it("list every operation of the model, from the table that serves them", () => {
    const { eks } = eksCoverage();
    expect(Object.keys(eks)).toHaveLength(70);
    const implemented = Object.keys(eks).filter((name) => eks[name] === "implemented");
    expect(implemented.sort()).toEqual(Object.keys(operations).sort());
    expect(implemented).toHaveLength(70);
  });
});

describe("what is not HTTP", () => {
  it("is answered in JSON too", async () => {
    const { port } = new URL(rig.url);
    const text = await new Promise<string>((resolve, reject) => {
      let received = "";
      const socket = connect(Number(port), "127.0.0.1", () => socket.write("RUBBISH\r\n\r\n"));
      socket.on("data", (data) => {
        received += data;
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(received));
    });
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect(text).toContain("x-amzn-errortype: SerializationException");
    expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n")))).toEqual({ message: "Malformed HTTP request" });
  });
});

describe("signatures, when they are verified", () => {
  let strict: Rig;
  beforeAll(async () => {
    const secrets = new Map([["test", "test"]]);
    strict = await startRig({ verifySignatures: true, secretFor: (key) => secrets.get(key) });
    // Signatures are judged by the machine's time, which a stepped clock does not stop.
    const before = Date.now();
    const wallNow = strict.clock.wallNow();
    expect([before <= wallNow, wallNow <= Date.now()]).toEqual([true, true]);
  });
  afterAll(() => strict.close());
  const client = (accessKeyId: string, secretAccessKey: string, options = {}): EKSClient =>
    new EKSClient({
      endpoint: strict.url,
      region: "us-east-1",
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
      ...options,
    });

  it("are accepted over paths with encoded slashes, queries and bodies", async () => {
    const good = client("test", "test");
    const { cluster } = await good.send(new CreateClusterCommand({ ...CLUSTER, name: "signed" }));
    const resourceArn = cluster?.arn;
    await good.send(new UntagResourceCommand({ resourceArn, tagKeys: ["b c", "a/b", "ü*'()!"] }));
    expect(await good.send(new ListTagsForResourceCommand({ resourceArn }))).toMatchObject({ tags: {} });
    expect((await good.send(new ListClustersCommand({ maxResults: 5, include: ["all"] }))).clusters).toEqual([
      "signed",
    ]);
    good.destroy();
  });

  it.each([
    ["made with another secret", client, ["test", "wrong"], "InvalidSignatureException"],
    ["of a key that nobody knows", client, ["other", "test"], "UnrecognizedClientException"],
    ["made an hour ago", client, ["test", "test", { systemClockOffset: -3_600_000 }], "InvalidSignatureException"],
  ] as const)("%s are refused", async (_, make, parameters, name) => {
    const bad = (make as (...all: unknown[]) => EKSClient)(...parameters);
    expect(await refusal(bad.send(new ListClustersCommand({})))).toMatchObject({ name, status: 403 });
    bad.destroy();
  });

  it("cover the body", async () => {
    const { headers, body } = await capture(client, "test", "test");
    const send = (sent: string) => strict.raw("POST", "/clusters", { body: sent, headers });
    const tampered = body.replace("captured", "tampered");
    expect(told(await send(tampered))[1]).toBe("InvalidSignatureException");
  });
});

/** The headers and body that the SDK sends for a CreateCluster. */
async function capture(make: (key: string, secret: string, options: object) => EKSClient, key: string, secret: string) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const received = new Promise<{ headers: Record<string, string>; body: string }>((resolve) => {
    server.on("request", (request, response) => {
      let body = "";
      request.on("data", (data) => {
        body += data;
      });
      request.on("end", () => {
        const { authorization = "", "x-amz-date": date, "x-amz-content-sha256": hash } = request.headers;
        resolve({ headers: { authorization, "x-amz-date": String(date), "x-amz-content-sha256": String(hash) }, body });
        response.end("{}");
      });
    });
  });
  const address = server.address() as { port: number };
  const client = make(key, secret, { endpoint: `http://127.0.0.1:${address.port}` });
  await client.send(new CreateClusterCommand({ ...CLUSTER, name: "captured" }));
  client.destroy();
  server.close();
  return received;
}
