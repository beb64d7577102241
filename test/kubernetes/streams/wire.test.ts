import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { Attach, Exec, KubeConfig, Log, PortForward, type V1Status } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Draft, KubeObject } from "../../../src/kubernetes/object.js";
import { startServer } from "../server/server-fixture.js";
import { type FakePod, fakePodStreams } from "./pod-streams-fake.js";

/** exec, attach, port-forward and logs on the wire, by the clients that people have, against an API server with a pod of a few commands. */

let pod: FakePod;
let server: Awaited<ReturnType<typeof startServer>>;
let home: string;

/** kubectl of other versions lies beside it on machines with the Google Cloud SDK; 1.30 and older speak SPDY alone. */
const SDK = "/usr/lib/google-cloud-sdk/bin";
const kubectls = ["kubectl.1.27", "kubectl.1.30", "kubectl.1.32", "kubectl.1.33"].filter((name) =>
  existsSync(join(SDK, name)),
);

function client(token = "admin"): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [
      {
        name: "c",
        server: `https://127.0.0.1:${server.port}`,
        caData: Buffer.from(server.certificates.caCert).toString("base64"),
      },
    ],
    users: [{ name: "u", token }],
    contexts: [{ name: "x", cluster: "c", user: "u" }],
    currentContext: "x",
  });
  return config;
}

const podNamed = (name: string, containers = ["main"]): Draft<KubeObject> => ({
  metadata: { name, namespace: "default" },
  spec: { nodeName: "n", containers: containers.map((container) => ({ name: container, image: "busybox" })) },
});

/** A socket on a subresource of the pod, and everything that comes on it until it closes. */
async function socket(
  query: string,
  protocols: string[],
  headers: Record<string, string> = { authorization: "Bearer admin" },
) {
  const ws = new WebSocket(`wss://127.0.0.1:${server.port}/api/v1/namespaces/default/pods/p/${query}`, protocols, {
    ca: server.certificates.caCert,
    headers,
  });
  const messages: Buffer[] = [];
  ws.on("message", (data: Buffer) => messages.push(data));
  const closed = new Promise<number>((resolve) => ws.on("close", resolve));
  await new Promise<void>((resolve, reject) => {
    ws.on("open", resolve);
    ws.on("error", reject);
  });
  const channel = (number: number): string =>
    Buffer.concat(messages.filter((message) => message[0] === number).map((message) => message.subarray(1))).toString();
  return { ws, messages, closed, channel };
}

beforeAll(async () => {
  pod = fakePodStreams((request, response) => response.end(`${request.method} ${request.url}`));
  server = await startServer({ real: true, podStreams: pod.streams });
  const running = await server.api.create<KubeObject>("pods", podNamed("p"));
  await server.api.updateStatus("pods", { ...running, status: { phase: "Running", podIP: "10.0.0.9" } });
  await server.api.create("pods", podNamed("two", ["a", "b"]));
  home = mkdtempSync(join(tmpdir(), "eksim-streams-"));
  writeFileSync(join(home, "config"), client().exportConfig());
});

afterAll(async () => {
  await server.server.close();
  rmSync(home, { recursive: true, force: true });
});

describe("exec over a WebSocket", () => {
  it("sends output by channel and, on v4 and v5, how it ended as a Status", async () => {
    const { closed, channel, ws } = await socket("exec?command=complain&command=3&stdout=1&stderr=1", [
      "v4.channel.k8s.io",
    ]);
    expect(ws.protocol).toBe("v4.channel.k8s.io");
    expect(await closed).toBe(1000);
    expect([channel(1), channel(2)]).toEqual(["out", "err"]);
    expect(JSON.parse(channel(3))).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "3" }] },
    });
  });

  it("says nothing of success on the first protocol, and starts with an empty message", async () => {
    const { closed, messages } = await socket("exec?command=echo&command=hi&stdout=1", ["channel.k8s.io"]);
    await closed;
    expect(messages.map((message) => [...message])).toEqual([[1], [1, ...Buffer.from("hi\n")]]);
  });

  it("speaks base64, and no protocol at all", async () => {
    const coded = await socket("exec?command=echo&command=hi&stdout=1", ["base64.channel.k8s.io"]);
    await coded.closed;
    expect(coded.messages.map(String)).toEqual(["1", `1${Buffer.from("hi\n").toString("base64")}`]);
    const plain = await socket("exec?command=echo&command=hi&stdout=1", []);
    await plain.closed;
    expect(plain.channel(1)).toBe("hi\n");
  });

  it("ends standard input when v5 closes its channel, and tells the terminal's size", async () => {
    const counting = await socket("exec?command=count&stdout=1&stdin=1", ["v5.channel.k8s.io"]);
    counting.ws.send(Buffer.from([0, ...Buffer.from("four")]));
    counting.ws.send(Buffer.from([255, 0]));
    await counting.closed;
    expect([counting.channel(1), JSON.parse(counting.channel(3)).status]).toEqual(["4", "Success"]);
    const sizing = await socket("exec?command=size&stdout=1&stdin=1&tty=1", ["v5.channel.k8s.io"]);
    sizing.ws.send(Buffer.from([4, ...Buffer.from('{"Width":80,"Height":24}')]));
    await sizing.closed;
    expect(sizing.channel(1)).toBe("80x24");
  });

  it("ends the process when the client goes", async () => {
    const { ws, closed } = await socket("exec?command=forever&stdout=1", ["v5.channel.k8s.io"]);
    expect(pod.running()).toBe(1);
    ws.terminate();
    await closed;
    while (pod.running() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("passes ten megabytes of output on whole", async () => {
    const { closed, channel } = await socket("exec?command=big&command=10000000&stdout=1", ["v5.channel.k8s.io"]);
    await closed;
    expect(channel(1)).toHaveLength(10_000_000);
  });

  it("takes the token from a protocol's name, as browsers have to send it", async () => {
    const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from("admin").toString("base64url")}`;
    const { closed, channel } = await socket(
      "exec?command=echo&command=hi&stdout=1",
      [bearer, "v4.channel.k8s.io"],
      {},
    );
    await closed;
    expect(channel(1)).toBe("hi\n");
  });

  it("asks for the right to create, although a WebSocket begins with GET", async () => {
    const upgrade = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "x".repeat(22),
    };
    for (const subresource of ["exec?command=x&stdout=1", "attach?stdout=1", "portforward?ports=80"]) {
      const { body } = await server.call(`/api/v1/namespaces/default/pods/p/${subresource}`, {
        token: "reader",
        headers: upgrade,
      });
      expect(body).toMatchObject({ code: 403, reason: "Forbidden" });
    }
    expect((await server.call("/api/v1/namespaces/default/pods/p/log", { token: "reader" })).code).toBe(200);
  });

  it("refuses with a plain answer before the connection changes", async () => {
    const upgrade = { connection: "Upgrade", upgrade: "SPDY/3.1" };
    const at = (name: string, query: string, call = {}) =>
      server.call(`/api/v1/namespaces/default/pods/${name}/exec?${query}`, {
        method: "POST",
        headers: upgrade,
        ...call,
      });
    expect((await at("missing", "command=x&stdout=1")).body).toMatchObject({ code: 404, reason: "NotFound" });
    expect((await at("p", "command=x&stdout=1&container=z")).body.message).toBe("container z is not valid for pod p");
    expect((await at("two", "command=x&stdout=1")).body.message).toBe(
      "a container name must be specified for pod two, choose one of: [a b]",
    );
    expect((await at("p", "command=x")).body.message).toBe("you must specify at least 1 of stdin, stdout, stderr");
    expect((await at("p", "command=x&stdout=1", { headers: {} })).body).toMatchObject({
      code: 400,
      message: "Upgrade request required",
    });
    expect((await at("p", "command=x&stdout=1", { token: "eve" })).body).toMatchObject({ code: 403 });
    await expect(socket("exec?command=x&stdout=1", ["v9.channel.k8s.io"])).rejects.toThrow("403");
  });
});

describe("the JavaScript client", () => {
  const sink = () => {
    const chunks: Buffer[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        chunks.push(chunk);
        done();
      },
    });
    return { stream, text: () => Buffer.concat(chunks).toString() };
  };

  it("runs a command with input, and attaches", async () => {
    const out = sink();
    const status = await new Promise<V1Status>((resolve, reject) => {
      new Exec(client())
        .exec("default", "p", "main", ["cat"], out.stream, null, Readable.from([Buffer.from("typed")]), false, resolve)
        .catch(reject);
    });
    expect([status.status, out.text()]).toEqual(["Success", "typed"]);
    const attached = sink();
    const ws = await new Attach(client()).attach(
      "default",
      "p",
      "main",
      attached.stream,
      null,
      Readable.from([Buffer.from("hey")]),
      false,
    );
    await new Promise((resolve) => ws.on("close", resolve));
    expect(attached.text()).toBe("hey");
  });

  it("forwards a port", async () => {
    const output = new PassThrough();
    const input = new PassThrough();
    await new PortForward(client()).portForward("default", "p", [80], output, null, input);
    input.write("GET /some HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of output) {
      text += String(chunk);
      if (text.includes("GET /some")) break;
    }
    expect(text).toContain("200 OK");
  });

  it("is told what goes wrong with a port on its error channel", async () => {
    const errors = new PassThrough();
    await new PortForward(client()).portForward("default", "p", [81], new PassThrough(), errors, new PassThrough());
    const [message] = (await errors[Symbol.asyncIterator]().next()).value.toString().split("\n");
    expect(message).toBe(
      "error forwarding port 81 to pod default/p, uid : failed to connect to localhost:81 inside namespace: connection refused",
    );
  });
});

describe.each(kubectls)("%s", (name) => {
  const base = () => ["--kubeconfig", join(home, "config")];
  const kubectl = (args: string[], input = ""): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const child = execFile(
        join(SDK, name),
        [...base(), ...args],
        { env: { HOME: home, PATH: "" } },
        (error, out, err) => resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
      );
      child.stdin?.end(input);
    });

  it("runs commands, with input, output, exit codes and refusals", async () => {
    // What kubectl wants to know of a pod before it connects.
    const [plain, piped, failing, refused, big] = await Promise.all([
      kubectl(["exec", "p", "--", "echo", "hello", "there"]),
      kubectl(["exec", "-i", "p", "--", "cat"], "from stdin"),
      kubectl(["exec", "p", "--", "complain", "7"]),
      kubectl(["exec", "p", "--", "refuse"]),
      kubectl(["exec", "-i", "p", "--", "count"], "x".repeat(1_000_000)),
    ]);
    expect(plain).toMatchObject({ code: 0, out: "hello there\n" });
    expect(piped).toMatchObject({ code: 0, out: "from stdin" });
    expect(failing).toMatchObject({ code: 7, out: "out" });
    expect(failing.err).toContain("command terminated with exit code 7");
    expect(refused.err).toContain("Internal error occurred: no such container");
    expect(big.out).toBe("1000000");
  });

  it("forwards ports, many connections at once, in both directions", async () => {
    const child = spawn(join(SDK, name), [...base(), "port-forward", "pod/p", ":80", ":7", ":81"], {
      env: { HOME: home, PATH: "" },
    });
    try {
      let said = "";
      const ports = await new Promise<number[]>((resolve, reject) => {
        child.stdout.on("data", (chunk) => {
          said += chunk;
          const found = [...said.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map((match) => Number(match[1]));
          if (found.length === 3) resolve(found);
        });
        child.stderr.on("data", (chunk) => {
          said += chunk;
        });
        child.on("exit", () => reject(new Error(said)));
      });
      const [http = 0, echo = 0] = ports;
      const answers = await Promise.all(
        [1, 2, 3, 4].map(async (n) => (await fetch(`http://127.0.0.1:${http}/${n}`)).text()),
      );
      expect(answers).toEqual(["GET /1", "GET /2", "GET /3", "GET /4"]);
      const total = 3_000_000;
      const received = await new Promise<number>((resolve, reject) => {
        let bytes = 0;
        const tcp = connectTcp(echo, "127.0.0.1", () => tcp.end(Buffer.alloc(total)));
        tcp.on("data", (chunk) => {
          bytes += chunk.length;
        });
        tcp.on("end", () => resolve(bytes));
        tcp.on("error", reject);
      });
      expect(received).toBe(total);
    } finally {
      child.kill();
    }
  });
});

it("sends the events of a watch as messages of a WebSocket, as browsers ask for it", async () => {
  const ws = new WebSocket(`wss://127.0.0.1:${server.port}/api/v1/namespaces/watched/configmaps?watch=1`, {
    ca: server.certificates.caCert,
    headers: { authorization: "Bearer admin" },
  });
  const messages: string[] = [];
  const two = new Promise<void>((resolve) => {
    ws.on("message", (data) => {
      if (messages.push(String(data)) === 2) resolve();
    });
  });
  await new Promise((resolve) => ws.on("open", resolve));
  for (const name of ["a", "b"]) await server.api.create("configmaps", { metadata: { name, namespace: "watched" } });
  await two;
  expect(messages.map((text) => JSON.parse(text)).map(({ type, object }) => [type, object.metadata.name])).toEqual([
    ["ADDED", "a"],
    ["ADDED", "b"],
  ]);
  const closed = new Promise((resolve) => ws.on("close", resolve));
  ws.close();
  await closed;
});

describe("the log", () => {
  const before = "container is alive\n";

  it("is followed until the container ends", async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    await new Log(client()).log("default", "p", "main", stream, { follow: true, timestamps: true });
    while (pod.followers() === 0) await new Promise((resolve) => setImmediate(resolve));
    pod.say("one");
    pod.say("two");
    pod.endLog();
    await new Promise((resolve) => stream.on("close", resolve));
    expect(lines.join("")).toBe(`${before}1970-01-01T00:00:01.000000000Z one\n1970-01-01T00:00:01.000000000Z two\n`);
    expect(pod.followers()).toBe(0);
  });

  it("comes over a WebSocket without channels", async () => {
    const { closed, messages } = await socket("log?container=main", ["binary.k8s.io"]);
    expect(await closed).toBe(1000);
    expect(Buffer.concat(messages).toString()).toBe(before);
  });

  it("stops following when the client goes, and when it has as much as it wanted", async () => {
    const leaving = await socket("log?follow=true", ["binary.k8s.io"]);
    expect(pod.followers()).toBe(1);
    leaving.ws.terminate();
    while (pod.followers() > 0) await new Promise((resolve) => setImmediate(resolve));
    const limited = server.call("/api/v1/namespaces/default/pods/p/log?follow=1&limitBytes=22");
    while (pod.followers() === 0) await new Promise((resolve) => setImmediate(resolve));
    pod.say("hello");
    expect((await limited).text).toBe(`${before}hel`);
    expect(pod.followers()).toBe(0);
  });

  it("refuses options that mean nothing", async () => {
    const at = async (query: string) =>
      (await server.call(`/api/v1/namespaces/default/pods/p/log?${query}`)).body.message;
    expect(await at("tailLines=-1")).toBe(
      'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    );
    expect(await at("limitBytes=0")).toContain("limitBytes: Invalid value: 0: must be greater than 0");
    expect(await at("sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z")).toContain(
      "at most one of `sinceTime` or `sinceSeconds`",
    );
  });
});

it("leaves nothing behind when the server is closed", async () => {
  const own = fakePodStreams();
  const closing = await startServer({ real: true, podStreams: own.streams });
  const created = await closing.api.create<KubeObject>("pods", podNamed("p"));
  await closing.api.updateStatus("pods", { ...created, status: { phase: "Running", podIP: "10.0.0.9" } });
  const open = (query: string, protocol: string): Promise<{ closed: Promise<unknown> }> =>
    new Promise((resolve) => {
      const ws = new WebSocket(`wss://127.0.0.1:${closing.port}/api/v1/namespaces/default/pods/p/${query}`, protocol, {
        ca: closing.certificates.caCert,
        headers: { authorization: "Bearer admin" },
      });
      ws.on("error", () => {});
      const closed = new Promise((done) => ws.on("close", done));
      ws.on("open", () => resolve({ closed }));
    });
  const sessions = await Promise.all([
    open("exec?command=forever&stdout=1", "v5.channel.k8s.io"),
    open("log?follow=1", "binary.k8s.io"),
    open("portforward?ports=7", "v4.channel.k8s.io"),
  ]);
  expect([own.running(), own.followers()]).toEqual([1, 1]);
  await closing.server.close();
  await Promise.all(sessions.map(({ closed }) => closed));
  while (own.running() + own.followers() > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(closing.errors).toEqual([]);
});
