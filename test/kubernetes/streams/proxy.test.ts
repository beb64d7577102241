import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { rewriteLinks, rewriteUrl } from "../../../src/kubernetes/streams/proxy/html-links.js";
import { splitName } from "../../../src/kubernetes/streams/proxy/target.js";
import { startServer } from "../server/server-fixture.js";
import { fakePodStreams } from "./pod-streams-fake.js";

/** The proxies of pods, services and nodes: HTTP through the API server. */

let server: Awaited<ReturnType<typeof startServer>>;
const outside = createServer((request, response) =>
  response.end(`process ${request.url} ${request.headers.authorization}`),
);
const sockets = new WebSocketServer({ noServer: true });

const at = (path: string): string => `/api/v1/namespaces/default/${path}`;

beforeAll(async () => {
  const pod = fakePodStreams((request, response): unknown => {
    const { method, url = "", headers } = request;
    if (url.startsWith("/page")) {
      const html =
        '<a href="/next">n</a><a href="rel">r</a><a href=\'http://elsewhere/x\'>e</a><!-- <a href="/no"> -->';
      const zipped = url.endsWith("zip");
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        ...(zipped ? { "content-encoding": "gzip" } : {}),
      });
      return response.end(zipped ? gzipSync(html) : html);
    }
    if (url.startsWith("/moved")) return response.writeHead(302, { location: "/there/" }).end();
    if (url.startsWith("/headers")) return response.end(JSON.stringify(headers));
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    return request.on("end", () => {
      response.writeHead(url.startsWith("/teapot") ? 418 : 200, { "x-method": method });
      response.end(JSON.stringify({ method, url, body: Buffer.concat(chunks).toString() }));
    });
  });
  pod.server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (ws) => ws.on("message", (data) => ws.send(`echo ${data}`)));
  });
  server = await startServer({ real: true, podStreams: pod.streams });
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
  const { api } = server;
  const created = await api.create<KubeObject>("pods", {
    metadata: { name: "p", namespace: "default" },
    spec: { nodeName: "n", containers: [{ name: "main", image: "x", ports: [{ containerPort: 8080 }] }] },
  });
  await api.create("pods", {
    metadata: { name: "pending", namespace: "default" },
    spec: { containers: [{ name: "c", image: "x" }] },
  });
  await api.updateStatus("pods", { ...created, status: { phase: "Running", podIP: "10.0.0.9" } });
  const service = (name: string, ports: object[], annotations = {}) =>
    api.create("services", { metadata: { name, namespace: "default", annotations }, spec: { ports } });
  await service("web", [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "dead", port: 82, targetPort: 81 },
    { name: "https", port: 443, targetPort: 443 },
  ]);
  await service("empty", [{ port: 80 }]);
  await service("outside", [{ port: 80 }], {
    "eksim.dev/host-endpoint": `http://127.0.0.1:${(outside.address() as AddressInfo).port}/base`,
  });
  await api.create("endpointslices.discovery.k8s.io", {
    metadata: { name: "web-1", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [
      { name: "http", port: 8080, protocol: "TCP" },
      { name: "dead", port: 81, protocol: "TCP" },
      { name: "https", port: 443, protocol: "TCP" },
    ],
    endpoints: [
      { addresses: ["10.0.0.8"], conditions: { ready: false } },
      {
        addresses: ["10.0.0.9"],
        conditions: { ready: true },
        targetRef: { kind: "Pod", name: "p", namespace: "default" },
      },
    ],
  });
  const node = await api.create<KubeObject>("nodes", { metadata: { name: "n" } });
  await api.updateStatus("nodes", {
    ...node,
    status: {
      addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  });
});

afterAll(async () => {
  outside.close();
  await server.server.close();
});

describe("pods/proxy", () => {
  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "passes %s on with path, query and body",
    async (method) => {
      const body = method === "GET" ? undefined : "some text";
      const reply = await server.call(at("pods/p/proxy/some/path%20x?a=b"), { method, body });
      expect(reply.code).toBe(200);
      expect(reply.body).toEqual({ method, url: "/some/path%20x?a=b", body: body ?? "" });
    },
  );

  it("passes HEAD, status codes and headers on", async () => {
    expect((await server.call(at("pods/p/proxy/x"), { method: "HEAD" })).headers["x-method"]).toBe("HEAD");
    expect((await server.call(at("pods/p/proxy/teapot"))).code).toBe(418);
  });

  it.each(["p:80", "http:p:80", "https:p:443", "https:p:8080", "p:8080", ":p:80", "p"])(
    "understands the name %s",
    async (name) => {
      expect((await server.call(at(`pods/${name}/proxy/x`))).body.url).toBe("/x");
    },
  );

  it("keeps the caller's credentials to itself and tells where the request came from", async () => {
    const { body } = await server.call(at("pods/p/proxy/headers"));
    expect(body.authorization).toBeUndefined();
    expect(body).toMatchObject({ "x-forwarded-for": "127.0.0.1", "x-forwarded-uri": at("pods/p/proxy/headers") });
  });

  it("leads links and redirections through itself again", async () => {
    const here = at("pods/p/proxy");
    const page = `<a href="${here}/next">n</a><a href="rel">r</a><a href="http://elsewhere/x">e</a><!-- <a href="/no"> -->`;
    expect((await server.call(at("pods/p/proxy/page"))).text).toBe(page);
    expect((await server.call(at("pods/p/proxy/page.zip"))).text).toBe(page);
    expect((await server.call(at("pods/p/proxy/moved"))).headers.location).toBe(`${here}/there/`);
    const root = await server.call(at("pods/p/proxy?method=GET"));
    expect([root.code, root.headers.location]).toEqual([301, `${here}/?method=GET`]);
  });

  it("says what cannot be reached", async () => {
    expect((await server.call(at("pods/p:81/proxy/"))).body).toMatchObject({
      code: 503,
      reason: "ServiceUnavailable",
      message: "error trying to reach service: dial tcp 10.0.0.9:81: connect: connection refused",
    });
    expect((await server.call(at("pods/pending/proxy/"))).body).toMatchObject({
      code: 400,
      message: "address not allowed",
    });
    expect((await server.call(at("pods/missing/proxy/"))).code).toBe(404);
    expect((await server.call(at("pods/a:b:c:d/proxy/"))).body.message).toBe('invalid pod request "a:b:c:d"');
    expect((await server.call(at("pods/p/proxy/"), { token: "eve" })).code).toBe(403);
  });

  it("carries a WebSocket", async () => {
    const ws = new WebSocket(`wss://127.0.0.1:${server.port}${at("pods/p/proxy/chat")}`, {
      ca: server.certificates.caCert,
      headers: { authorization: "Bearer admin" },
    });
    await new Promise((resolve) => ws.on("open", resolve));
    ws.send("hi");
    expect(String(await new Promise((resolve) => ws.on("message", resolve)))).toBe("echo hi");
    const closed = new Promise((resolve) => ws.on("close", resolve));
    ws.close();
    await closed;
  });
});

describe("services/proxy", () => {
  it.each(["web:http", "http:web:http", "https:web:https", "web:80"])("finds a ready endpoint for %s", async (name) => {
    expect((await server.call(at(`services/${name}/proxy/x`))).body.url).toBe("/x");
  });

  it.each([
    ["empty", 'no endpoints available for service "empty"'],
    ["web", 'no endpoints available for service "web"'],
    ["web:99", 'no service port 99 found for service "web"'],
    ["web:dead", "error trying to reach service: dial tcp 10.0.0.9:81: connect: connection refused"],
  ])("answers 503 for %s", async (name, message) => {
    expect((await server.call(at(`services/${name}/proxy/`))).body).toMatchObject({ code: 503, message });
  });

  it("reaches a process of this machine that is named by an annotation", async () => {
    expect((await server.call(at("services/outside/proxy/x?y"))).text).toBe("process /base/x?y undefined");
  });
});

it("tells names that begin with proxy from the proxy itself", async () => {
  const { api } = server;
  const created = await api.create<KubeObject>("pods", {
    metadata: { name: "proxy-pod", namespace: "proxy-ns" },
    spec: { nodeName: "n", containers: [{ name: "c", image: "x" }] },
  });
  await api.updateStatus("pods", { ...created, status: { phase: "Running", podIP: "10.0.0.7" } });
  const at = "/api/v1/namespaces/proxy-ns/pods/http:proxy-pod:80/proxy";
  expect((await server.call(`${at}/proxy/x?y=/proxy`)).body.url).toBe("/proxy/x?y=/proxy");
  expect((await server.call(`${at}?a=/proxy/`)).headers.location).toBe(`${at}/?a=/proxy/`);
  await api.delete("pods", { namespace: "proxy-ns", name: "proxy-pod" }, { gracePeriodSeconds: 0 });
});

describe("nodes/proxy", () => {
  it("shows pages of the kubelet", async () => {
    expect((await server.call("/api/v1/nodes/n/proxy/healthz")).text).toBe("ok");
    expect((await server.call("/api/v1/nodes/n:10250/proxy/logs/")).code).toBe(200);
    const { body } = await server.call("/api/v1/nodes/n/proxy/pods");
    expect(body.items.map(({ metadata }: KubeObject) => metadata.name)).toEqual(["p"]);
    expect((await server.call("/api/v1/nodes/n/proxy/metrics")).text).toContain("kubelet_running_pods 1");
    const { body: summary } = await server.call("/api/v1/nodes/n/proxy/stats/summary");
    expect(summary.node).toMatchObject({ nodeName: "n", cpu: { usageNanoCores: expect.any(Number) } });
    expect((await server.call("/api/v1/nodes/n/proxy/metrics/resource")).text).toMatch(
      /^node_memory_working_set_bytes \d+ \d+$/m,
    );
    expect((await server.call("/api/v1/nodes/n/proxy/nothing")).code).toBe(404);
    expect((await server.call("/api/v1/nodes/n:1/proxy/healthz")).code).toBe(503);
    expect((await server.call("/api/v1/nodes/none/proxy/healthz")).code).toBe(404);
  });
});

it.each([
  ["web", { scheme: "http", name: "web", port: "" }],
  ["web:80", { scheme: "http", name: "web", port: "80" }],
  ["https:web:", { scheme: "https", name: "web", port: "" }],
  ["ftp:web:80", undefined],
  [":80", undefined],
])("the name %s of a proxied object is split as upstream does", (text, split) => {
  expect(splitName(text)).toEqual(split);
});

it.each([
  ["/a?b#c", "/proxy/a?b#c"],
  ["/proxy/a", "/proxy/a"],
  ["a/b", "a/b"],
  ["http://10.0.0.9:80/a", "/proxy/a"],
  ["http://api:6443/a", "http://api:6443/proxy/a"],
  ["//other/a", "//other/a"],
  ["", ""],
])("the address %j leads through the proxy as %j", (address, rewritten) => {
  expect(rewriteUrl(address, { prefix: "/proxy", targetHost: "10.0.0.9:80", requestHost: "api:6443" })).toBe(rewritten);
});

it("changes addresses in the attributes that hold them alone", () => {
  const upper = (url: string) => url.toUpperCase();
  expect(rewriteLinks('<img alt="/a" src=/b><p title="/c"><form action = "/d?x&amp;y">', upper)).toBe(
    '<img alt="/a" src="/B"><p title="/c"><form action = "/D?X&amp;Y">',
  );
});
