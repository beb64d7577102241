import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, type Drill, isReady, type Node, startDrill } from "./drill.js";

let drill: Drill;
beforeEach(async () => {
  drill = await startDrill();
});
afterEach(() => drill.eksim.stop());

const isOld = ({ status }: Node): boolean => status.nodeInfo.kubeletVersion.startsWith("v1.35.");
const scaling = (desiredSize: number) => ({ scalingConfig: { minSize: 0, maxSize: 12, desiredSize } });

interface Sample {
  old: number;
  cordonedOld: number;
  fresh: number;
  ready: number;
}

/** Follows an update of `workers` to its end, looking every second. */
async function follow(id: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  await drill.until(async () => {
    const nodes = await drill.nodes();
    const old = nodes.filter(isOld);
    samples.push({
      old: old.length,
      cordonedOld: old.filter(({ spec }) => spec.unschedulable).length,
      fresh: nodes.length - old.length,
      ready: nodes.filter(isReady).length,
    });
    return (await drill.update(id, "workers")).status !== "InProgress";
  }, "20m");
  return samples;
}

const most = (samples: readonly Sample[], of: (sample: Sample) => number): number => Math.max(...samples.map(of));
const least = (samples: readonly Sample[], of: (sample: Sample) => number): number => Math.min(...samples.map(of));

describe("UpdateNodegroupVersion", () => {
  it("follows an upgrade of the cluster: new nodes first, old ones cordoned and replaced, then the size from before", async () => {
    await drill.cluster("1.35");
    await drill.nodegroup("workers");
    // Pods that take their time to end let every phase be seen.
    await drill.deploy("web", 6, {
      containers: [{ name: "app", image: "nginx", lifecycle: { preStop: { sleep: { seconds: 3 } } } }],
    });
    const upgrade = await drill.eksim.eks<{ update: { id: string } }>("POST", `/clusters/${CLUSTER}/updates`, {
      version: "1.36",
    });
    expect(await drill.updateEnds(upgrade.update.id, undefined, "1m")).toMatchObject({ status: "Successful" });
    // The control plane alone changes: nodes keep their version until they are updated.
    expect((await drill.nodes()).every(isOld)).toBe(true);

    const id = await drill.updateVersion("workers", { version: "1.36" });
    expect((await drill.describe("workers"))?.status).toBe("UPDATING");
    const samples = await follow(id);
    expect(await drill.update(id, "workers")).toMatchObject({ status: "Successful", errors: [] });
    // Two more nodes a zone: 3 old ones and 6 new ones.
    expect(most(samples, ({ old, fresh }) => old + fresh)).toBe(9);
    expect(most(samples, ({ cordonedOld }) => cordonedOld)).toBe(3);
    expect(least(samples, ({ ready }) => ready)).toBe(3);
    await drill.eksim.advance("2m");
    const nodes = await drill.nodes();
    expect(nodes.map((node) => [isOld(node), isReady(node), node.spec.unschedulable ?? false])).toEqual(
      Array(3).fill([false, true, false]),
    );
    expect(await drill.spread()).toEqual({ "us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1 });
    expect(await drill.describe("workers")).toMatchObject({
      status: "ACTIVE",
      version: "1.36",
      scalingConfig: { desiredSize: 3 },
    });
    expect((await drill.pods()).filter(isReady)).toHaveLength(6);
  });

  it.each([
    { updateConfig: { maxUnavailable: 1 }, atOnce: 1 },
    { updateConfig: { maxUnavailable: 2 }, atOnce: 2 },
    { updateConfig: { maxUnavailablePercentage: 50 }, atOnce: 3 },
  ])(
    "with MINIMAL and $updateConfig lacks at most $atOnce of six nodes, and never has more",
    async ({ updateConfig, atOnce }) => {
      await drill.cluster();
      await drill.nodegroup("workers", {
        version: "1.35",
        ...scaling(6),
        updateConfig: { ...updateConfig, updateStrategy: "MINIMAL" },
      });
      const samples = await follow(await drill.updateVersion("workers", { version: "1.36" }));
      expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", version: "1.36" });
      expect(least(samples, ({ old, fresh }) => old + fresh)).toBeGreaterThanOrEqual(6 - atOnce);
      expect(most(samples, ({ ready }) => ready)).toBe(6);
      expect((await drill.nodes()).filter(isOld)).toEqual([]);
    },
  );

  it.each([
    { updateConfig: { maxUnavailable: 1 }, atOnce: 1 },
    { updateConfig: { maxUnavailable: 4 }, atOnce: 4 },
    { updateConfig: { maxUnavailablePercentage: 34 }, atOnce: 3 },
  ])("replaces $atOnce of six nodes at once with $updateConfig", async ({ updateConfig, atOnce }) => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35", ...scaling(6), updateConfig });
    // A pod that takes its time to end shows how many nodes are being drained at once.
    await drill.deploy("slow", 6, {
      terminationGracePeriodSeconds: 60,
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app: "slow" } },
        },
      ],
      containers: [{ name: "app", image: "nginx", lifecycle: { preStop: { sleep: { seconds: 20 } } } }],
    });
    const id = await drill.updateVersion("workers", { version: "1.36" });
    let busiest = 0;
    await drill.until(async () => {
      const old = new Set((await drill.nodes()).filter(isOld).map(({ metadata }) => metadata.name));
      const draining = new Set(
        (await drill.pods())
          .filter(({ metadata, spec }) => metadata.deletionTimestamp && old.has(spec.nodeName ?? ""))
          .map(({ spec }) => spec.nodeName),
      );
      busiest = Math.max(busiest, draining.size);
      return (await drill.update(id, "workers")).status !== "InProgress";
    }, "20m");
    expect(await drill.update(id, "workers")).toMatchObject({ status: "Successful" });
    expect(busiest).toBe(atOnce);
  });

  it("gives up after 15 minutes of evictions that a disruption budget forbids, and says on which nodes, which pods and which budget", async () => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35", updateConfig: { maxUnavailable: 2 } });
    await drill.deploy("web", 3);
    await drill.guard("web", { minAvailable: 3 });
    const guarded = [...new Set((await drill.pods()).map(({ spec }) => spec.nodeName))];
    const before = drill.eksim.now();
    const id = await drill.updateVersion("workers", { version: "1.36" });
    await drill.eksim.advance("14m");
    expect((await drill.update(id, "workers")).status).toBe("InProgress");
    const update = await drill.updateEnds(id, "workers", "30m");
    expect(drill.eksim.now() - before).toBeGreaterThanOrEqual(15 * 60_000);
    expect(drill.eksim.now() - before).toBeLessThan(17 * 60_000);
    expect(update).toMatchObject({ status: "Failed", errors: [{ errorCode: "PodEvictionFailure" }] });
    const { resourceIds = [] } = update.errors[0] ?? {};
    expect(resourceIds).toHaveLength(2);
    expect(guarded).toEqual(expect.arrayContaining(resourceIds));
    expect(update.errors[0]?.errorMessage).toMatch(
      /^Reached max retries while trying to evict pods from nodes in node group workers; default\/web-\w+-\w+: .*The disruption budget web needs 3 healthy pods and has 3 currently/,
    );
    expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", version: "1.35" });
    await drill.eksim.advance("2m");
    const left = await drill.nodes();
    expect(left).toHaveLength(3);
    expect(left.filter(({ spec }) => spec.unschedulable)).toEqual([]);
    expect((await drill.pods()).filter(isReady)).toHaveLength(3);
  });

  it("goes on regardless of disruption budgets when forced", async () => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35" });
    await drill.deploy("web", 3);
    await drill.guard("web", { minAvailable: 3 });
    const id = await drill.updateVersion("workers", { version: "1.36", force: true });
    await drill.eksim.advance("45m");
    expect(await drill.updateEnds(id, "workers", "60m")).toMatchObject({ status: "Successful" });
    expect((await drill.nodes()).filter(isOld)).toEqual([]);
    await drill.until(async () => (await drill.pods()).filter(isReady).length === 3);
  });

  it("respects a disruption budget that can be kept", async () => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35" });
    await drill.deploy("web", 3);
    await drill.guard("web", { maxUnavailable: 1 });
    const id = await drill.updateVersion("workers", { version: "1.36" });
    let fewest = 3;
    await drill.until(async () => {
      fewest = Math.min(
        fewest,
        (await drill.pods()).filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp).length,
      );
      return (await drill.update(id, "workers")).status !== "InProgress";
    }, "30m");
    expect(await drill.update(id, "workers")).toMatchObject({ status: "Successful" });
    expect(fewest).toBe(2);
  });

  it("takes no longer than pods and kubelets need, because AWS's own work takes no time in this profile", async () => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35" });
    const samples = await follow(await drill.updateVersion("workers", { version: "1.36" }));
    expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", version: "1.36" });
    expect(samples.length).toBeLessThan(8);
  });

  it("of a group without nodes takes no time, and later nodes have the new version", async () => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35", ...scaling(0) });
    const id = await drill.updateVersion("workers", { version: "1.36" });
    expect(await drill.updateEnds(id, "workers", "1m")).toMatchObject({ status: "Successful" });
    await drill.eksim.eks("POST", `/clusters/${CLUSTER}/node-groups/workers/update-config`, scaling(2));
    await drill.until(async () => (await drill.nodes()).filter(isReady).length === 2);
    expect((await drill.nodes()).some(isOld)).toBe(false);
  });

  it("of a DEGRADED group is taken on, and ends where the group can be whole again", async () => {
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35", subnets: ["subnet-a", "subnet-b"], ...scaling(2) });
    await drill.eksim.failZone("us-east-1a");
    await drill.eksim.failZone("us-east-1b");
    await drill.until(async () => (await drill.describe("workers"))?.status === "DEGRADED", "20m");
    const id = await drill.updateVersion("workers", { version: "1.36" });
    expect((await drill.describe("workers"))?.status).toBe("UPDATING");
    await drill.eksim.restoreZone("us-east-1a");
    await drill.eksim.restoreZone("us-east-1b");
    expect(await drill.updateEnds(id, "workers", "20m")).toMatchObject({ status: "Successful" });
    await drill.eksim.advance("2m");
    expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", health: { issues: [] } });
    expect(await drill.spread()).toEqual({ "us-east-1a": 1, "us-east-1b": 1 });
    expect((await drill.nodes()).some(isOld)).toBe(false);
  });
});
