import { afterAll, beforeAll, expect, it } from "vitest";
import { KINDS } from "../server/kinds.js";
import { startServer } from "../server/server-fixture.js";

/** What clients find of objects that nobody has looked at yet: no controller runs here. */
let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.server.close();
});

const NAMESPACE = "/namespaces/default";
const create = async (apiVersion: string, resource: string, name: string) => {
  const { fields } = KINDS[apiVersion]?.find((kind) => kind.resource === resource) ?? {};
  const collection = `/apis/${apiVersion}${NAMESPACE}/${resource}`;
  const { code, body } = await server.call(collection, { method: "POST", body: { ...fields, metadata: { name } } });
  expect(code).toBe(201);
  return { path: `${collection}/${name}`, body };
};

it.each([
  ["apps/v1", "deployments", {}],
  ["apps/v1", "replicasets", { replicas: 0 }],
  ["apps/v1", "statefulsets", { replicas: 0, availableReplicas: 0 }],
  [
    "apps/v1",
    "daemonsets",
    { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
  ],
  ["batch/v1", "jobs", {}],
  [
    "policy/v1",
    "poddisruptionbudgets",
    { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
  ],
])("%s %s have a status, and nobody owns it", async (apiVersion, resource, status) => {
  const { path, body } = await create(apiVersion, resource, "new");
  expect(body.status).toEqual(status);
  expect((await server.call(path)).body.status).toEqual(status);
  expect(JSON.stringify(body.metadata.managedFields)).not.toContain("f:status");
});

it.each([
  ["strategic-merge-patch+json", { status: { allocation: {} } }],
  ["merge-patch+json", { status: { allocation: {} } }],
  ["json-patch+json", [{ op: "add", path: "/status/allocation", value: {} }]],
])("a claim of devices gets a status by %s that adds to an empty one", async (type, patch) => {
  const { path } = await create("resource.k8s.io/v1", "resourceclaims", type.replace("+", "."));
  const { code, body } = await server.call(`${path}/status`, {
    method: "PATCH",
    body: patch,
    headers: { "content-type": `application/${type}` },
  });
  expect([code, body.status]).toEqual([200, { allocation: {} }]);
});
