import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { warningHeader } from "../../../src/kubernetes/server/respond.js";
import { startServer } from "./server-fixture.js";

let server: Awaited<ReturnType<typeof startServer>>;

beforeAll(async () => {
  server = await startServer({ admission: true });
  await server.api.create("namespaces", { metadata: { name: "default" } });
  await server.api.create("serviceaccounts", { metadata: { name: "default", namespace: "default" } });
});
afterAll(() => server.server.close());

const CORE = "/api/v1/namespaces/default";
const APPS = "/apis/apps/v1/namespaces/default";

async function warningsOf(path: string, body: object, method = "POST", type = "application/json"): Promise<string[]> {
  const { code, headers, text } = await server.call(path, { method, body, headers: { "content-type": type } });
  expect(code, text).toBeLessThan(300);
  const { warning = [] } = headers;
  return [warning].flat();
}

const container = (extra: object = {}) => ({ name: "c", image: "nginx", ...extra });
const deployment = (name: string, extra: object = {}) => ({
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [container(extra)] } },
  },
});
const resources = { requests: { storage: "1Gi" } };
const claim = (name: string, extra: object = {}) => ({
  metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], resources, ...extra },
});
const httpGet = { path: "/", port: 80 };

describe("a warning", () => {
  it("travels whole, whatever a client wrote into what it is about", () => {
    expect(warningHeader('unknown field "a\\b"')).toBe('299 - "unknown field \\"a\\\\b\\""');
    expect(Buffer.from(warningHeader("☃\u0000\r\n☃"), "latin1").toString()).toBe('299 - "☃ ☃"');
  });
});

describe("a client that writes what nothing acts upon", () => {
  it("is told so", async () => {
    const body = {
      metadata: { name: "p" },
      spec: { containers: [container({})], resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }] },
    };
    expect(await warningsOf(`${CORE}/pods`, body)).toEqual([
      expect.stringContaining("spec: devices are not allocated"),
    ]);
  });

  it("hears nothing of what is simulated", async () => {
    const ready = {
      readinessProbe: { httpGet },
      livenessProbe: { httpGet },
      lifecycle: { preStop: { sleep: { seconds: 5 } } },
    };
    expect(await warningsOf(`${APPS}/deployments`, deployment("ready", ready))).toEqual([]);
    expect(await warningsOf(`${CORE}/persistentvolumeclaims`, claim("c"))).toEqual([]);
    expect(await warningsOf(`${CORE}/services`, { metadata: { name: "s" }, spec: { ports: [{ port: 80 }] } })).toEqual(
      [],
    );
  });

  it("is warned by PodSecurity on create, update and patch, once each", async () => {
    await server.api.create("namespaces", {
      metadata: { name: "warned", labels: { "pod-security.kubernetes.io/warn": "baseline" } },
    });
    const deployments = "/apis/apps/v1/namespaces/warned/deployments";
    const body = deployment("web", { securityContext: { privileged: true } });
    const warned = [expect.stringContaining('would violate PodSecurity \\"baseline:latest\\": privileged')];
    expect(await warningsOf(deployments, body)).toEqual(warned);
    const changed = { ...body, metadata: { ...body.metadata, labels: { a: "1" } } };
    expect(await warningsOf(`${deployments}/web`, changed, "PUT")).toEqual(warned);
    const patch = { metadata: { labels: { a: "2" } } };
    const merge = "application/merge-patch+json";
    expect(await warningsOf(`${deployments}/web`, patch, "PATCH", merge)).toEqual(warned);
    expect(
      await warningsOf(`${APPS}/deployments`, deployment("free", { securityContext: { privileged: true } })),
    ).toEqual([]);
  });
});
