import { afterEach, describe, expect, it } from "vitest";
import { resourceQuotaController } from "../../../src/kubernetes/controllers/resource-quota.js";
import type { Pod, ResourceQuota } from "../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { pod, type SimulatedApi, startApi } from "../auth/simulated-api.js";

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
