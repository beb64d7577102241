import { describe, expect, it } from "vitest";
import type { CallConverter } from "../../../src/kubernetes/custom-resources/conversion.js";
import { serveCustomResources } from "../../../src/kubernetes/custom-resources/serve.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { issueAuthority, issueServerCertificate } from "../../../src/kubernetes/pki/certificates.js";
import { type Review, startWebhookServer } from "../admission/webhook-server.js";
import { openWatch, startServer } from "../server/server-fixture.js";
import { nodeSpec } from "../simulated-cluster.js";
import { DEFINITIONS_PATH, definitionOf, startCluster } from "./fixture.js";

const text = (names: string[]) => Object.fromEntries(names.map((name) => [name, { type: "string" }]));
const version = (name: string, storage: boolean, fields: string[]) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: "object", properties: text(fields) } },
  selectableFields: fields.map((field) => ({ jsonPath: `.${field}` })),
});
const versions = (stored: "v1" | "v2") => [
  version("v1", stored === "v1", ["hostPort"]),
  version("v2", stored === "v2", ["host", "port"]),
];
const WEBHOOK = {
  strategy: "Webhook",
  webhook: { clientConfig: { url: "https://converter.test/convert" }, conversionReviewVersions: ["v1", "v1beta1"] },
};

type Endpoint = KubeObject & { hostPort?: string; host?: string; port?: string };

/** `hostPort: a:1` in v1 is `host: a` and `port: 1` in v2. */
function converted({ hostPort, host, port, ...rest }: Endpoint, apiVersion: string): Endpoint {
  const [first, second] = hostPort?.split(":") ?? [host, port];
  if (apiVersion.endsWith("/v1")) return { ...rest, apiVersion, hostPort: `${first ?? ""}:${second ?? ""}` };
  return { ...rest, apiVersion, ...(first ? { host: first } : {}), ...(second ? { port: second } : {}) };
}

/** A converter's answer to a review. */
function convertAll({ request }: Review): Record<string, unknown> {
  const convertedObjects = request.objects.map((object: Endpoint) =>
    converted(JSON.parse(JSON.stringify(object)), request.desiredAPIVersion),
  );
  return { uid: request.uid, result: { status: "Success" }, convertedObjects };
}

const reviewWith = (response: Record<string, unknown>) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "ConversionReview",
  response,
});

async function startWithConverter(
  change: (answer: Record<string, unknown>) => Record<string, unknown> = (same) => same,
) {
  const server = await startServer();
  const asked: number[] = [];
  const callConverter: CallConverter = async (_name, _client, review) => {
    asked.push((review as Review).request.objects.length);
    await new Promise((resolve) => setImmediate(resolve));
    return reviewWith(change(convertAll(review)));
  };
  const { api, registry, clock, call } = server;
  serveCustomResources({ api, catalogue: registry.catalogue, clock, callConverter });
  const definition = (stored: "v1" | "v2") =>
    definitionOf({
      versions: versions(stored),
      conversion: WEBHOOK,
      names: { singular: "widget", listKind: "WidgetList" },
    });
  await call(DEFINITIONS_PATH, { method: "POST", body: definition("v1") });
  const path = (name: "v1" | "v2") => `/apis/example.com/${name}/namespaces/default/widgets`;
  const create = (name: "v1" | "v2", object: string, fields: object) =>
    call(path(name), {
      method: "POST",
      body: { apiVersion: `example.com/${name}`, kind: "Widget", metadata: { name: object }, ...fields },
    });
  return { ...server, asked, path, create, definition };
}

describe("conversion by webhook", () => {
  it("shows objects in the version that is asked for, and asks for each object once", async () => {
    const { create, call, path, asked } = await startWithConverter();
    expect((await create("v1", "a", { hostPort: "localhost:80" })).body).toMatchObject({ hostPort: "localhost:80" });
    expect(asked).toEqual([]);
    const { body } = await call(`${path("v2")}/a`);
    expect(body).toMatchObject({ apiVersion: "example.com/v2", host: "localhost", port: "80" });
    expect(body).not.toHaveProperty("hostPort");
    await call(`${path("v2")}/a`);
    expect(asked).toEqual([1]);
    expect((await create("v2", "b", { host: "there", port: "1" })).body).toMatchObject({ host: "there", port: "1" });
    const patched = await call(`${path("v2")}/b`, {
      method: "PATCH",
      body: { port: "2" },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(patched.body).toMatchObject({ host: "there", port: "2", metadata: { generation: 2 } });
    expect((await call(`${path("v1")}/b`)).body.hostPort).toBe("there:2");
    const read = await call(`${path("v2")}/b`);
    expect(read.body.metadata.resourceVersion).toBe(patched.body.metadata.resourceVersion);
  });

  it("lists objects that are stored in different versions", async () => {
    const { create, call, path, definition, asked } = await startWithConverter();
    await create("v1", "a", { hostPort: "localhost:80" });
    const at = `${DEFINITIONS_PATH}/widgets.example.com`;
    const present = (await call(at)).body;
    await call(at, { method: "PUT", body: { ...present, spec: definition("v2").spec } });
    await create("v1", "b", { hostPort: "localhost:81" });
    asked.length = 0;
    const items = async (name: "v1" | "v2") => (await call(path(name))).body.items;
    expect((await items("v1")).map(({ hostPort }: Endpoint) => hostPort)).toEqual(["localhost:80", "localhost:81"]);
    expect((await items("v2")).map(({ apiVersion, port }: Endpoint) => [apiVersion, port])).toEqual([
      ["example.com/v2", "80"],
      ["example.com/v2", "81"],
    ]);
    expect(asked.every((objects) => objects <= 2)).toBe(true);
  });

  it("selects, in lists and watches, by the fields of the version that is asked for", async () => {
    const server = await startWithConverter();
    const { create, call, path } = server;
    const host1 = await openWatch(server, `${path("v2")}?watch=true&fieldSelector=host%3Dhost1`);
    const first = await openWatch(server, `${path("v1")}?watch=true&fieldSelector=hostPort%3Dhost1:80`);
    await create("v2", "a", { host: "host1", port: "80" });
    await create("v2", "b", { host: "host1", port: "8080" });
    await create("v2", "c", { host: "host2" });
    const names = async (name: "v1" | "v2", selector: string) =>
      (await call(`${path(name)}?fieldSelector=${encodeURIComponent(selector)}`)).body.items.map(
        ({ metadata }: KubeObject) => metadata.name,
      );
    expect(await names("v2", "host=host1")).toEqual(["a", "b"]);
    expect(await names("v1", "hostPort=host1:8080")).toEqual(["b"]);
    await call(`${path("v2")}?fieldSelector=${encodeURIComponent("host=host1,port=80")}`, { method: "DELETE" });
    const b = (await call(`${path("v2")}/b`)).body;
    expect((await call(`${path("v2")}/b`, { method: "PUT", body: { ...b, host: "host2" } })).code).toBe(200);
    expect(await names("v2", "host=host1")).toEqual([]);
    await host1.received(4);
    expect(host1.summary()).toEqual(["ADDED a", "ADDED b", "DELETED a", "DELETED b"]);
    await first.received(2);
    expect(first.summary()).toEqual(["ADDED a", "DELETED a"]);
    host1.close();
    first.close();
  });

  it.each([
    ["a failure", { result: { status: "Failure", message: "not today" } }, "failed: not today"],
    ["too few objects", { convertedObjects: [] }, "returned 0 objects, expected 1"],
    ["another uid", { uid: "x" }, 'failed: expected response.uid="'],
    [
      "another version",
      { convertedObjects: [{ apiVersion: "example.com/v9", kind: "Widget", metadata: {} }] },
      "invalid groupVersion",
    ],
    [
      "another name",
      { convertedObjects: [{ apiVersion: "example.com/v2", kind: "Widget", metadata: { name: "z" } }] },
      "must have the same name: a != z",
    ],
  ])("refuses what a converter may not answer: %s", async (_what, wrong, message) => {
    const { create, call, path } = await startWithConverter((answer) => ({ ...answer, ...wrong }));
    await create("v1", "a", { hostPort: "localhost:80" });
    const { code, body } = await call(`${path("v2")}/a`);
    expect([code, body.message]).toEqual([
      500,
      expect.stringContaining("conversion webhook for example.com/v1, Kind=Widget "),
    ]);
    expect(body.message).toContain(message);
  });
});

describe("a converter's pod", () => {
  it("is called through its Service, with its own certificate", async () => {
    const { cluster, clock, define, create, call } = await startCluster();
    await cluster.addNode(nodeSpec(0));
    const authority = issueAuthority("ca", Date.now());
    const name = "convert.default.svc";
    const leaf = issueServerCertificate({
      authority,
      authorityName: "ca",
      commonName: name,
      names: [name],
      nowMs: Date.now(),
    });
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const labels = { app: "convert" };
    const { api } = cluster;
    const metadata = { name: "convert", namespace: "default", labels };
    await api.create("secrets", {
      metadata,
      type: "Opaque",
      data: { "tls.crt": base64(leaf.certificate), "tls.key": base64(leaf.key) },
    } as never);
    await api.create("services", {
      metadata,
      spec: { selector: labels, ports: [{ port: 9443, targetPort: 9444 }] },
    } as never);
    await api.create("pods", {
      metadata,
      spec: {
        containers: [
          {
            name: "c",
            image: "registry.k8s.io/e2e-test-images/agnhost:2.53",
            args: [
              "crd-conversion-webhook",
              "--tls-cert-file=/certificates/tls.crt",
              "--tls-private-key-file=/certificates/tls.key",
              "--alsologtostderr",
              "-v=4",
              "--port=9444",
            ],
            readinessProbe: { httpGet: { scheme: "HTTPS", port: 9444, path: "/readyz" }, periodSeconds: 1 },
            ports: [{ containerPort: 9444 }],
            volumeMounts: [{ name: "tls", mountPath: "/certificates", readOnly: true }],
          },
        ],
        volumes: [{ name: "tls", secret: { secretName: "convert" } }],
      },
    } as never);
    await clock.advance(10_000);
    const service = { namespace: "default", name: "convert", path: "/crdconvert", port: 9443 };
    const webhook = {
      clientConfig: { service, caBundle: base64(authority.certificate) },
      conversionReviewVersions: ["v1"],
    };
    const made = await define({
      group: "stable.example.com",
      versions: versions("v1"),
      conversion: { strategy: "Webhook", webhook },
    });
    expect(made.code).toBe(201);
    const path = (version: string) => `/apis/stable.example.com/${version}/namespaces/default/widgets`;
    const host = { apiVersion: "stable.example.com/v2", metadata: { name: "a" }, host: "host1", port: "80" };
    expect((await create(host, path("v2"))).body).toMatchObject({ host: "host1", port: "80" });
    expect((await call(`${path("v1")}?fieldSelector=hostPort%3Dhost1:80`)).body.items).toMatchObject([
      { apiVersion: "stable.example.com/v1", hostPort: "host1:80" },
    ]);
  });
});

describe("a converter's process", () => {
  it("is called over HTTPS, by its address or as a Service of the cluster", async () => {
    const process = await startWebhookServer(["127.0.0.1", "convert.default.svc"]);
    process.handlers["/convert"] = (review) => reviewWith(convertAll(review));
    try {
      const { define, create, call, patch } = await startCluster();
      const { caBundle, port } = process;
      const webhook = (clientConfig: object) => ({
        strategy: "Webhook",
        webhook: { clientConfig: { caBundle, ...clientConfig }, conversionReviewVersions: ["v1"] },
      });
      const byUrl = webhook({ url: `https://127.0.0.1:${port}/convert` });
      expect((await define({ versions: versions("v1"), conversion: byUrl })).code).toBe(201);
      const path = (name: string) => `/apis/example.com/${name}/namespaces/default/widgets`;
      await create({ metadata: { name: "a" }, hostPort: "localhost:80" });
      expect((await call(`${path("v2")}/a`)).body).toMatchObject({ host: "localhost", port: "80" });

      const service = { namespace: "default", name: "convert", path: "/convert" };
      await patch(`${DEFINITIONS_PATH}/widgets.example.com`, { spec: { conversion: null } });
      const moved = await patch(`${DEFINITIONS_PATH}/widgets.example.com`, {
        spec: { conversion: webhook({ service }) },
      });
      expect(moved.body.spec.conversion.webhook.clientConfig.service.port).toBe(443);
      const lost = await call(`${path("v2")}/a`);
      expect([lost.code, lost.body.message]).toEqual([
        500,
        'Internal error occurred: conversion webhook for example.com/v1, Kind=Widget failed: Post "https://convert.default.svc:443/convert?timeout=30s": service "convert" not found',
      ]);
      await call("/api/v1/namespaces/default/services", {
        method: "POST",
        body: {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "convert", annotations: { "eksim.dev/host-endpoint": `https://127.0.0.1:${port}` } },
          spec: { ports: [{ port: 443 }] },
        },
      });
      expect((await call(`${path("v2")}/a`)).body).toMatchObject({ host: "localhost", port: "80" });
    } finally {
      await process.close();
    }
  });
});
