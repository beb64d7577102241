import { afterEach, describe, expect, it } from "vitest";
import { resourceQuotaController } from "../../../src/kubernetes/controllers/resource-quota.js";
import type { Pod, ResourceQuota } from "../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { pod, refusal, type SimulatedApi, startApi } from "../auth/simulated-api.js";

const log = { debug: () => {}, warn: () => {}, error: () => {} };
let stop: () => void = () => {};
afterEach(() => stop());

async function startWithQuota(hard: Record<string, string>): Promise<SimulatedApi & { used(): Promise<unknown> }> {
  const world = await startApi({ bare: true });
  const { api, clock } = world;
  stop = resourceQuotaController().start({
    api,
    clock,
    log,
    heartbeats: { lastRenewalMs: () => undefined },
    cloud: { state: () => "running" },
    caCert: "",
    resources: builtinResources,
  });
  await api.create("resourcequotas", { metadata: { name: "q", namespace: "default" }, spec: { hard } } as never);
  return {
    ...world,
    used: async () => {
      await clock.advance(200);
      return api.get<ResourceQuota>("resourcequotas", { namespace: "default", name: "q" })?.status?.used;
    },
  };
}

describe("a ResourceQuota's status", () => {
  it("follows pods as they come, finish and go", async () => {
    const { api, used } = await startWithQuota({ pods: "5", "requests.cpu": "2" });
    expect(await used()).toEqual({ pods: "0", "requests.cpu": "0" });
    const resources = { requests: { cpu: "250m" } };
    const containers = [{ name: "a", image: "a", resources }];
    const first = await api.create<Pod>("pods", pod("one", { containers }) as never);
    await api.create("pods", pod("two", { containers }) as never);
    expect(await used()).toEqual({ pods: "2", "requests.cpu": "500m" });
    await api.updateStatus<Pod>("pods", { ...first, status: { ...first.status, phase: "Failed" } });
    expect(await used()).toEqual({ pods: "1", "requests.cpu": "250m" });
    await api.delete("pods", { namespace: "default", name: "two" });
    expect(await used()).toEqual({ pods: "0", "requests.cpu": "0" });
  });

  it("makes pods say what they want of processor and memory, and of nothing else", async () => {
    const { api } = await startWithQuota({
      cpu: "1",
      "limits.memory": "1Gi",
      "ephemeral-storage": "1Gi",
      "requests.example.com/dongle": "1",
    });
    expect(await refusal(api.create("pods", pod("silent") as never))).toBe(
      'pods "silent" is forbidden: failed quota: q: must specify cpu for: app; limits.memory for: app',
    );
    const resources = { requests: { cpu: "100m" }, limits: { memory: "1Mi" } };
    await api.create("pods", pod("outspoken", { containers: [{ name: "app", image: "a", resources }] }) as never);
  });

  it("counts the devices that claims ask for, by class", async () => {
    const { api, used } = await startWithQuota({
      "count/resourceclaims.resource.k8s.io": "3",
      "gold.deviceclass.resource.k8s.io/devices": "4",
    });
    const claim = (name: string, request: object) =>
      api.create("resourceclaims.resource.k8s.io", {
        metadata: { name, namespace: "default" },
        spec: { devices: { requests: [{ name: "r", ...request }] } },
      } as never);
    await claim("one", { exactly: { deviceClassName: "gold" } });
    await claim("either", {
      firstAvailable: [
        { name: "a", deviceClassName: "gold", allocationMode: "ExactCount", count: 2 },
        { name: "b", deviceClassName: "silver" },
      ],
    });
    expect(await used()).toEqual({
      "count/resourceclaims.resource.k8s.io": "2",
      "gold.deviceclass.resource.k8s.io/devices": "3",
    });
    expect(await refusal(claim("all", { exactly: { deviceClassName: "gold", allocationMode: "All" } }))).toContain(
      "requested: gold.deviceclass.resource.k8s.io/devices=32",
    );
  });

  it("refuses limits that its scopes cannot be about", async () => {
    const { api } = await startWithQuota({ pods: "1" });
    const quota = (hard: object, scopes: string[]) =>
      refusal(
        api.create("resourcequotas", {
          metadata: { name: "scoped", namespace: "default" },
          spec: { hard, scopes },
        } as never),
      );
    expect(await quota({ services: "1" }, ["BestEffort"])).toBe(
      'ResourceQuota "scoped" is invalid: spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
    );
    expect(await quota({ "requests.example.com/dongle": "1" }, ["NotBestEffort"])).toBe("(no refusal)");
  });

  it("of a scope counts claims by the attributes of their volumes, and pods that look into other namespaces", async () => {
    const { api, used } = await startWithQuota({ persistentvolumeclaims: "5" });
    const claim = (name: string, volumeAttributesClassName?: string) =>
      api.create("persistentvolumeclaims", {
        metadata: { name, namespace: "default" },
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: "1Gi" } },
          volumeAttributesClassName,
        },
      } as never);
    const term = { topologyKey: "zone", labelSelector: {}, namespaceSelector: {} };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    const quota = (name: string, hard: object, scopeName: string, values?: string[]) =>
      api.create("resourcequotas", {
        metadata: { name, namespace: "default" },
        spec: {
          hard,
          scopeSelector: { matchExpressions: [{ scopeName, operator: values ? "In" : "Exists", values }] },
        },
      } as never);
    await quota("gold", { persistentvolumeclaims: "2" }, "VolumeAttributesClass", ["gold"]);
    await quota("far", { pods: "1" }, "CrossNamespacePodAffinity");
    await claim("plain");
    await claim("precious", "gold");
    await api.create("pods", pod("near") as never);
    await api.create("pods", pod("far", { affinity }) as never);
    expect(await used()).toEqual({ persistentvolumeclaims: "2" });
    const usedOf = (name: string) =>
      api.get<ResourceQuota>("resourcequotas", { namespace: "default", name })?.status?.used;
    expect([usedOf("gold"), usedOf("far")]).toEqual([{ persistentvolumeclaims: "1" }, { pods: "1" }]);
  });

  it("puts right within five minutes what others write into it", async () => {
    const { api, clock } = await startWithQuota({ pods: "5" });
    await clock.advance(200);
    const quota = api.get<ResourceQuota>("resourcequotas", { namespace: "default", name: "q" }) as ResourceQuota;
    await api.updateStatus<ResourceQuota>("resourcequotas", { ...quota, status: { hard: { pods: "7" } } });
    await clock.advance(60_000);
    const status = () => api.get<ResourceQuota>("resourcequotas", quota.metadata)?.status;
    expect(status()).toEqual({ hard: { pods: "7" } });
    await clock.advance(4 * 60_000);
    expect(status()).toEqual({ hard: { pods: "5" }, used: { pods: "0" } });
  });

  it("shows the limits as they are after a change", async () => {
    const { api, clock } = await startWithQuota({ pods: "5" });
    await clock.advance(200);
    const quota = api.get<ResourceQuota>("resourcequotas", { namespace: "default", name: "q" }) as ResourceQuota;
    await api.update<ResourceQuota>("resourcequotas", { ...quota, spec: { hard: { configmaps: "3" } } });
    await clock.advance(200);
    expect(api.get<ResourceQuota>("resourcequotas", quota.metadata)?.status).toEqual({
      hard: { configmaps: "3" },
      used: { configmaps: "0" },
    });
  });
});
