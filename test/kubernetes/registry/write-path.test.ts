import { describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import type { WatchEvent } from "../../../src/kubernetes/api.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import { strategyFor } from "../../../src/kubernetes/registry/strategies/index.js";
import type { Strategy } from "../../../src/kubernetes/registry/strategy.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createStore } from "../../../src/kubernetes/store/store.js";

const POD: Strategy = { deleteGracePeriodSeconds: (_pod, requested) => requested ?? 30 };

function fixture() {
  const clock = createClock({ kind: "stepped" }, { seed: 1 });
  const store = createStore({ clock });
  const catalogue = new ResourceCatalogue({
    infos: builtinResources(),
    strategyFor: (name) => (name === "pods" ? POD : undefined),
  });
  const registry = createRegistry({ store, catalogue, clock, admission: [] });
  const api = createKubeApi(registry, {
    user: { username: "test", groups: [] },
    fieldManager: "test",
    tracksOwnership: false,
  });
  return { api, registry, clock };
}

const configMap = (name: string, extra: Record<string, unknown> = {}) => ({
  metadata: { name, namespace: "default" },
  data: { a: "1" },
  ...extra,
});
const pod = (name: string) => ({
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }] },
});

describe("create", () => {
  it("fills in uid, creation time, revision, kind and apiVersion", async () => {
    const { api } = fixture();
    const created = await api.create("deployments.apps", {
      metadata: { name: "web", namespace: "default" },
      spec: { replicas: 1 },
      status: { replicas: 9 },
    });
    expect(created).toMatchObject({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { generation: 1, resourceVersion: "1" },
      spec: { replicas: 1 },
    });
    expect(created.status).toEqual({});
    expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it("keeps the status with which a kubelet registers its Node", async () => {
    const { clock } = fixture();
    const catalogue = new ResourceCatalogue({ infos: builtinResources(), strategyFor });
    const registry = createRegistry({ store: createStore({ clock }), catalogue, clock, admission: [] });
    const api = createKubeApi(registry, {
      user: { username: "n", groups: [] },
      fieldManager: "n",
      tracksOwnership: false,
    });
    const node = await api.create("nodes", { metadata: { name: "n" }, status: { capacity: { cpu: "2" } } });
    expect(node.status).toEqual({ capacity: { cpu: "2" }, allocatable: { cpu: "2" } });
  });

  it("writes synchronously, before the promise is awaited", () => {
    const { api } = fixture();
    void api.create("configmaps", configMap("a"));
    expect(api.get("configmaps", { namespace: "default", name: "a" })).toBeDefined();
  });

  it("makes up a name from generateName", async () => {
    const { api } = fixture();
    const created = await api.create("configmaps", { metadata: { generateName: "web-", namespace: "default" } });
    expect(created.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it("refuses a second object of the same name, and bad names, in the API server's words", async () => {
    const { api } = fixture();
    await api.create("configmaps", configMap("a"));
    await expect(api.create("configmaps", configMap("a"))).rejects.toMatchObject({
      code: 409,
      message: 'configmaps "a" already exists',
    });
    await expect(api.create("configmaps", configMap("A_b"))).rejects.toMatchObject({
      code: 422,
      message: expect.stringMatching(
        /^ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of/,
      ),
    });
    await expect(api.create("configmaps", { metadata: { namespace: "default" } })).rejects.toMatchObject({
      message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    });
  });

  it("writes nothing on a dry run", async () => {
    const { api } = fixture();
    const dry = await api.create("configmaps", configMap("a"), { dryRun: true });
    expect(dry.metadata.uid).toBeDefined();
    expect(api.list("configmaps")).toEqual([]);
    expect(api.revision).toBe(0);
  });
});

describe("update", () => {
  it("refuses a stale resourceVersion and takes an absent one as unconditional", async () => {
    const { api } = fixture();
    const first = await api.create("configmaps", configMap("a"));
    await api.update("configmaps", { ...first, data: { a: "2" } });
    await expect(api.update("configmaps", { ...first, data: { a: "3" } })).rejects.toMatchObject({
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    });
    const { resourceVersion: _, ...unconditional } = first.metadata;
    const third = await api.update("configmaps", {
      ...first,
      metadata: unconditional as typeof first.metadata,
      data: { a: "3" },
    });
    expect(third.data).toEqual({ a: "3" });
  });

  it("writes nothing and tells nobody when nothing changes", async () => {
    const { api } = fixture();
    const first = await api.create("configmaps", configMap("a"));
    const events: WatchEvent[] = [];
    api.watch("configmaps", (event) => events.push(event));
    const again = await api.update("configmaps", structuredClone(first));
    expect(again).toBe(first);
    expect(events).toHaveLength(1);
  });

  it("keeps status and spec apart, and counts generations only for the spec", async () => {
    const { api } = fixture();
    const first = await api.create("deployments.apps", {
      metadata: { name: "web", namespace: "default" },
      spec: { replicas: 1 },
    });
    const withStatus = await api.updateStatus("deployments.apps", {
      ...first,
      spec: { replicas: 7 },
      status: { replicas: 1 },
    });
    expect(withStatus).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1 }, metadata: { generation: 1 } });
    const scaled = await api.update("deployments.apps", {
      ...withStatus,
      spec: { replicas: 2 },
      status: { replicas: 5 },
    });
    expect(scaled).toMatchObject({ spec: { replicas: 2 }, status: { replicas: 1 }, metadata: { generation: 2 } });
    expect(scaled.status).toBe(withStatus.status);
    expect(first.metadata.resourceVersion).toBe("1");
  });
});

describe("delete", () => {
  it("removes at once what nothing holds, with the revision of the removal", async () => {
    const { api } = fixture();
    await api.create("configmaps", configMap("a"));
    const events: WatchEvent[] = [];
    api.watch("configmaps", (event) => events.push(event));
    const gone = await api.delete("configmaps", { namespace: "default", name: "a" });
    expect(gone.metadata.resourceVersion).toBe("2");
    expect(events.map(({ type }) => type)).toEqual(["ADDED", "DELETED"]);
    await expect(api.delete("configmaps", { namespace: "default", name: "a" })).rejects.toMatchObject({
      code: 404,
      message: 'configmaps "a" not found',
    });
  });

  it("marks an object with finalizers and removes it when the last one goes", async () => {
    const { api } = fixture();
    await api.create("configmaps", {
      ...configMap("a"),
      metadata: { name: "a", namespace: "default", finalizers: ["example.com/x"] },
    });
    const marked = await api.delete<KubeObject>("configmaps", { namespace: "default", name: "a" });
    expect(marked.metadata.deletionTimestamp).toBeDefined();
    await expect(
      api.update("configmaps", {
        ...marked,
        metadata: { ...marked.metadata, finalizers: ["example.com/x", "example.com/y"] },
      }),
    ).rejects.toMatchObject({ code: 422 });
    await api.update("configmaps", { ...marked, metadata: { ...marked.metadata, finalizers: [] } });
    expect(api.get("configmaps", { namespace: "default", name: "a" })).toBeUndefined();
  });

  it("gives a pod its grace period, which a second deletion can only shorten", async () => {
    const { api } = fixture();
    await api.create("pods", pod("p"));
    const key = { namespace: "default", name: "p" };
    expect((await api.delete("pods", key)).metadata.deletionGracePeriodSeconds).toBe(30);
    expect((await api.delete("pods", key, { gracePeriodSeconds: 60 })).metadata.deletionGracePeriodSeconds).toBe(30);
    expect((await api.delete("pods", key, { gracePeriodSeconds: 5 })).metadata.deletionGracePeriodSeconds).toBe(5);
    await api.delete("pods", key, { gracePeriodSeconds: 0 });
    expect(api.get("pods", key)).toBeUndefined();
  });

  it("asks for foreground deletion and orphaning by finalizers", async () => {
    const { api } = fixture();
    for (const [name, propagationPolicy, finalizer] of [
      ["a", "Foreground", "foregroundDeletion"],
      ["b", "Orphan", "orphan"],
    ] as const) {
      await api.create("configmaps", configMap(name));
      const marked = await api.delete("configmaps", { namespace: "default", name }, { propagationPolicy });
      expect(marked.metadata.finalizers).toEqual([finalizer]);
    }
  });

  it("honours preconditions", async () => {
    const { api } = fixture();
    await api.create("configmaps", configMap("a"));
    await expect(
      api.delete("configmaps", { namespace: "default", name: "a" }, { preconditions: { uid: "x" } }),
    ).rejects.toMatchObject({ code: 409 });
  });
});

describe("subresources", () => {
  it("binds a pod once", async () => {
    const { api } = fixture();
    await api.create("pods", pod("p"));
    const binding = { metadata: { name: "p", namespace: "default" }, target: { kind: "Node", name: "n1" } };
    await api.create("pods", binding, { subresource: "binding" });
    expect(api.byIndex("pods", "node", "n1")).toHaveLength(1);
    expect(api.list("pods", { fieldSelector: "spec.nodeName=n1" })).toHaveLength(1);
    await expect(api.create("pods", binding, { subresource: "binding" })).rejects.toMatchObject({
      code: 409,
      message: 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    });
  });

  it("refuses an eviction that a budget does not allow, and takes an allowed disruption", async () => {
    const { api } = fixture();
    for (const name of ["p", "q"]) {
      await api.create("pods", { ...pod(name), metadata: { name, namespace: "default", labels: { app: "web" } } });
      const created = api.get("pods", { namespace: "default", name }) as KubeObject;
      await api.updateStatus("pods", {
        ...created,
        status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
      });
    }
    const budget = await api.create("poddisruptionbudgets.policy", {
      metadata: { name: "web", namespace: "default" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } },
    });
    await api.updateStatus("poddisruptionbudgets.policy", {
      ...budget,
      status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
    });
    const evict = (name: string) =>
      api.create("pods", { metadata: { name, namespace: "default" } }, { subresource: "eviction" });
    await evict("p");
    expect(api.get("pods", { namespace: "default", name: "p" })).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      status: {
        conditions: [
          { type: "Ready" },
          {
            type: "DisruptionTarget",
            status: "True",
            reason: "EvictionByEvictionAPI",
            message: "Eviction API: evicting",
          },
        ],
      },
    });
    await expect(evict("q")).rejects.toMatchObject({
      code: 429,
      reason: "TooManyRequests",
      details: { causes: [{ message: "The disruption budget web does not allow evicting pods currently" }] },
    });
  });
});

describe("without a quorum", () => {
  it("every write fails as with an etcd that has no leader", async () => {
    const { api, registry } = fixture();
    registry.setAvailable(false);
    await expect(api.create("configmaps", configMap("a"))).rejects.toMatchObject({
      code: 500,
      message: "etcdserver: request timed out",
    });
    registry.setAvailable(true);
    await api.create("configmaps", configMap("a"));
  });
});
