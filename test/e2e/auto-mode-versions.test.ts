import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { createAutoModeCluster } from "./auto-mode.js";

let eksim: Eksim;
beforeAll(async () => {
  eksim = await startEksim({ seed: 1 });
  await createAutoModeCluster(eksim, { version: "1.35", replicas: 2, cpu: "500m" });
});
afterAll(() => eksim.stop());

interface List {
  items: { status: { nodeInfo: { kubeletVersion: string } } }[];
}
interface Cluster {
  cluster: { status: string; version: string };
}
interface Update {
  update: { id: string; status: string; type: string };
}
const kubelets = async () =>
  (await eksim.kubernetes<List>("demo", "GET", "/api/v1/nodes")).items.map(({ status }) =>
    status.nodeInfo.kubeletVersion.slice(0, 5),
  );
const cluster = async () => (await eksim.eks<Cluster>("GET", "/clusters/demo")).cluster;
const toVersion = async (version: string) =>
  (await eksim.eks<Update>("POST", "/clusters/demo/updates", { version })).update;
const statusOf = async (id: string) => (await eksim.eks<Update>("GET", `/clusters/demo/updates/${id}`)).update.status;
const budget = (minAvailable: number) =>
  eksim.kubernetes("demo", "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "web" },
    spec: { minAvailable, selector: { matchLabels: { app: "web" } } },
  });

describe("the version of an Auto Mode cluster", () => {
  it("is followed by its nodes after an upgrade", async () => {
    expect(await kubelets()).toEqual(["v1.35"]);
    const { id } = await toVersion("1.36");
    await eksim.advanceUntil(async () => (await statusOf(id)) === "Successful", "30m");
    await eksim.advance("5m");
    expect(await kubelets()).toEqual(["v1.36"]);
  });

  it("goes back after its nodes: the cluster stays ACTIVE while they do, and the roll-back can be called off", async () => {
    await budget(2);
    const { id, type } = await toVersion("1.35");
    expect(type).toBe("VersionRollback");
    await eksim.advance("1h");
    expect(await statusOf(id)).toBe("InProgress");
    expect(await cluster()).toMatchObject({ status: "ACTIVE", version: "1.36" });
    await eksim.eks("POST", `/clusters/demo/updates/${id}/cancel-update`);
    expect(await statusOf(id)).toBe("Cancelled");
    await eksim.kubernetes("demo", "DELETE", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web");
    await eksim.advance("10m");
    expect(await kubelets()).toEqual(["v1.36"]);
  });

  it("goes back within a week, nodes first", async () => {
    const { id } = await toVersion("1.35");
    await eksim.advanceUntil(async () => (await statusOf(id)) === "Successful", "30m");
    expect(await cluster()).toMatchObject({ status: "ACTIVE", version: "1.35" });
    expect(await kubelets()).toEqual(["v1.35"]);
    const swaps = eksim.events({ cluster: "demo" }).filter(({ type }) => type === "MasterReplaced");
    expect(swaps.slice(-3).map(({ zone }) => zone)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
  });

  it("stays when the nodes do not go back in time: the roll-back fails", async () => {
    const { id } = await toVersion("1.36");
    await eksim.advanceUntil(async () => (await statusOf(id)) === "Successful", "30m");
    await eksim.advance("5m");
    await budget(2);
    const { update } = await eksim.eks<Update>("POST", "/clusters/demo/updates", {
      version: "1.35",
      rollbackConfig: { timeoutMinutes: 120 },
    });
    await eksim.advance("121m");
    expect(await statusOf(update.id)).toBe("Failed");
    expect(await cluster()).toMatchObject({ status: "ACTIVE", version: "1.36" });
  });
});
