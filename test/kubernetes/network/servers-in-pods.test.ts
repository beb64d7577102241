/** What the API server asks of pods and nodes behind a broken network: webhooks, extension API servers, proxies. */
import { describe, expect, it } from "vitest";
import type { APIService, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { connect, tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { A, B, between, C, isolation } from "./zone-world.js";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
const RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: "things.example.com/v1",
  resources: [{ name: "things", singularName: "thing", namespaced: true, kind: "Thing", verbs: ["get", "list"] }],
};

/** A cluster with a pod in the first zone that is a webhook and an extension API server at once. */
async function withServer() {
  const tls = makeCertificates();
  const world = await startSimulated({
    tls,
    ...tokenUsers,
    images: {
      hook: {
        http(_port, { method, path, body }) {
          if (method === "GET") return { body: path.startsWith("/apis") ? JSON.stringify(RESOURCES) : "well" };
          const review = JSON.parse(Buffer.from(body).toString()) as { apiVersion: string; request: { uid: string } };
          const response = { uid: review.request.uid, allowed: true };
          return { body: JSON.stringify({ apiVersion: review.apiVersion, kind: "AdmissionReview", response }) };
        },
      },
    },
  });
  const { cluster, clock } = world;
  for (let i = 0; i < 3; i++) await cluster.addNode(nodeSpec(i));
  const { call } = await connect(cluster, tls.caCert);
  await clock.advance(5_000);
  await cluster.api.create<Pod>("pods", {
    metadata: { name: "hook", namespace: "default", labels: { app: "hook" } },
    spec: { nodeName: "node-0", containers: [{ name: "hook", image: "hook", ports: [{ containerPort: 443 }] }] },
  });
  await cluster.api.create("services", {
    metadata: { name: "hook", namespace: "default" },
    spec: { selector: { app: "hook" }, ports: [{ port: 443 }] },
  });
  await clock.advance(20_000);
  /** The answer, for which time is moved on. */
  const patiently = async <T>(work: Promise<T>): Promise<T> => {
    let done = false;
    const end = (): void => {
      done = true;
    };
    work.then(end, end);
    while (!done) {
      await clock.advance(250);
      await new Promise(setImmediate);
    }
    return work;
  };
  const create = (name: string) =>
    call(CONFIG_MAPS, { method: "POST", body: { metadata: { name, namespace: "default" } } });
  return { ...world, call, patiently, create };
}

const webhook = (timeoutSeconds: number) => ({
  metadata: { name: "guard" },
  webhooks: [
    {
      name: "guard.example.com",
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
      clientConfig: { service: { namespace: "default", name: "hook", path: "/review" } },
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      timeoutSeconds,
    },
  ],
});
const CONFIGURATIONS = "validatingwebhookconfigurations.admissionregistration.k8s.io";

describe("a webhook in a zone", () => {
  it("that is cut off lets requests fail after its time, until Kubernetes notices and after it is healed", async () => {
    const { cluster, clock, create, patiently } = await withServer();
    await cluster.api.create(CONFIGURATIONS, webhook(5));
    expect((await create("a")).code).toBe(201);
    cluster.setLinks(isolation(A));
    const before = clock.now();
    const failed = await patiently(create("b"));
    expect(failed.code).toBe(500);
    expect(failed.body.message).toMatch(
      /"https:\/\/hook.default.svc:443\/review\?timeout=5s": context deadline exceeded$/,
    );
    expect(clock.now() - before).toBeGreaterThanOrEqual(5_000);
    await clock.advance(60_000);
    expect((await patiently(create("b"))).body.message).toContain('no endpoints available for service "hook"');
    cluster.setLinks([]);
    await clock.advance(30_000);
    expect((await create("b")).code).toBe(201);
  });

  it("that is slow takes its time, and fails when that is more than it has", async () => {
    const { cluster, clock, create, patiently } = await withServer();
    await cluster.api.create(CONFIGURATIONS, webhook(2));
    cluster.setLinks([A, B, C].flatMap((zone) => between(zone, A, { latencyMs: 200 })));
    const before = clock.now();
    expect((await patiently(create("a"))).code).toBe(201);
    expect(clock.now() - before).toBeGreaterThanOrEqual(800);
    cluster.setLinks([A, B, C].flatMap((zone) => between(zone, A, { latencyMs: 900 })));
    expect((await patiently(create("b"))).body.message).toContain("context deadline exceeded");
  });

  it("that one of three masters cannot reach fails now and then", async () => {
    const { cluster, create, patiently } = await withServer();
    await cluster.api.create(CONFIGURATIONS, webhook(1));
    cluster.setLinks([{ from: { zone: B, of: "masters" }, to: { zone: A, of: "machines" }, cut: true }]);
    const codes: number[] = [];
    for (let i = 0; i < 20; i++) codes.push((await patiently(create(`c${i}`))).code);
    expect(new Set(codes)).toEqual(new Set([201, 500]));
  });
});

it("an extension API server in a zone that is cut off is not available, and is again", async () => {
  const { cluster, clock, call } = await withServer();
  await cluster.api.create<APIService>("apiservices.apiregistration.k8s.io", {
    metadata: { name: "v1.things.example.com" },
    spec: {
      group: "things.example.com",
      version: "v1",
      groupPriorityMinimum: 1000,
      versionPriority: 10,
      insecureSkipTLSVerify: true,
      service: { namespace: "default", name: "hook" },
    },
  });
  await clock.advance(31_000);
  const available = () =>
    cluster.api
      .get<APIService>("apiservices.apiregistration.k8s.io", { name: "v1.things.example.com" })
      ?.status?.conditions?.find(({ type }) => type === "Available");
  expect(available()).toMatchObject({ status: "True" });
  cluster.setLinks(isolation(A));
  await clock.advance(31_000);
  expect(available()).toMatchObject({ status: "False", reason: "FailedDiscoveryCheck" });
  expect((await call("/apis/things.example.com/v1/namespaces/default/things")).code).toBe(503);
  cluster.setLinks([]);
  await clock.advance(60_000);
  expect(available()).toMatchObject({ status: "True" });
});

it("proxies to nodes and pods end at a link that is cut", async () => {
  const { cluster, call } = await withServer();
  const [node, pod] = ["/api/v1/nodes/node-0/proxy/healthz", "/api/v1/namespaces/default/pods/hook:443/proxy/"];
  expect([(await call(node)).text, (await call(pod)).text]).toEqual(["ok", "well"]);
  cluster.setLinks(isolation(A));
  expect(await call(node)).toMatchObject({
    code: 503,
    body: { message: "error trying to reach service: dial tcp 10.0.0.10:10250: i/o timeout" },
  });
  expect(await call(pod)).toMatchObject({ code: 503, body: { message: expect.stringContaining("i/o timeout") } });
  cluster.setLinks([]);
});
