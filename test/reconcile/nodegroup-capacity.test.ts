import { afterEach, describe, expect, it } from "vitest";
import type { NodegroupRecord } from "../../src/domain/model.js";
import { aFault, SCOPE } from "../state/records.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

let w: World<MemoryBackend>;
afterEach(() => w.stop());

const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const outOf = (zone: string, ...instanceTypes: string[]): void =>
  w.state.faults.put(aFault(`out-${zone}`, { kind: "insufficient-capacity", zone, parameters: { instanceTypes } }));
const types = (): Record<string, string[]> => {
  const found: Record<string, string[]> = {};
  for (const { zone, instanceType } of w.instances()) found[zone] = [...(found[zone] ?? []), instanceType].sort();
  return found;
};
const lifecycles = (): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { lifecycle, state } of w.instances()) {
    counts[`${lifecycle} ${state}`] = (counts[`${lifecycle} ${state}`] ?? 0) + 1;
  }
  return counts;
};
const zonesOf = (instances: readonly { zone: string }[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { zone } of instances) counts[zone] = (counts[zone] ?? 0) + 1;
  return counts;
};
const resize = async (desiredSize: number): Promise<void> => {
  w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: { minSize: 0, maxSize: 6, desiredSize } });
  await w.until(() => w.group("workers")?.status === "ACTIVE");
};

describe("instance types of a node group", () => {
  const group: Partial<NodegroupRecord> = {
    instanceTypes: ["m5.large", "m5a.large", "t3.large"],
    scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 },
  };

  it("are taken in their order: the next one where EC2 has none of the first", async () => {
    w = makeWorld(createMemoryBackend);
    const cluster = await w.createCluster();
    outOf("us-east-1a", "m5.large");
    outOf("us-east-1b", "m5.large", "m5a.large");
    await w.createNodegroup(cluster, "workers", group);
    expect(types()).toEqual({ "us-east-1a": ["m5a.large"], "us-east-1b": ["t3.large"], "us-east-1c": ["m5.large"] });
  });

  it("are mixed with Spot", async () => {
    w = makeWorld(createMemoryBackend);
    await w.createNodegroup(await w.createCluster(), "workers", { ...group, capacityType: "SPOT" });
    expect(Object.values(types()).flat().sort()).toEqual(["m5.large", "m5a.large", "t3.large"]);
  });

  it("move to other zones when a zone has none of them", async () => {
    w = makeWorld(createMemoryBackend);
    const cluster = await w.createCluster();
    outOf("us-east-1a");
    await w.createNodegroup(cluster, "workers", group);
    expect(w.group("workers")?.status).toBe("ACTIVE");
    expect(Object.keys(types()).sort()).toEqual(["us-east-1b", "us-east-1c"]);
    expect(w.state.members.list(cluster.id).every(({ status }) => status === "READY")).toBe(true);
  });

  it.each([
    ["ON_DEMAND", /^Could not launch On-Demand Instances\. InsufficientInstanceCapacity - .* m5\.large capacity/],
    ["SPOT", /^Could not launch Spot Instances\. UnfulfillableCapacity - /],
  ])(
    "that are nowhere to be had make a new %s group CREATE_FAILED after half an hour, with the issue only then",
    async (capacityType, message) => {
      w = makeWorld(createMemoryBackend);
      const cluster = await w.createCluster();
      for (const zone of ZONES) outOf(zone);
      const startMs = w.clock.now();
      await w.createNodegroup(cluster, "workers", { ...group, capacityType });
      expect(w.group("workers")).toMatchObject({
        status: "CREATE_FAILED",
        healthIssues: [{ code: "AsgInstanceLaunchFailures", message: expect.stringMatching(message) }],
      });
      expect(w.clock.now() - startMs).toBe(35 * 60_000);
    },
  );
});

describe("a node group that EC2 has no capacity for", () => {
  const failures = () => w.state.events.read({}).filter(({ type }) => type === "ScalingActivityFailed");
  const lose = (count: number): void => {
    for (const instance of w.instances().slice(0, count)) {
      w.state.instances.put({ ...instance, state: "stopped" });
      w.reconcilers.nudge("instance", instance.instanceId);
    }
  };
  const inService = (): number => w.instances().filter(({ lifecycle }) => lifecycle === "InService").length;
  const made = async (profile: "instant" | "aws", changes: Partial<NodegroupRecord> = {}) => {
    w = makeWorld(createMemoryBackend, { profile });
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers", {
      scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 },
      ...changes,
    });
    return cluster;
  };
  const endOf = (zone: string): void => {
    const fault = w.state.faults.get(`out-${zone}`);
    if (fault) w.state.faults.put({ ...fault, phase: "ended", endedAtMs: w.clock.now() });
  };

  it.each([
    ["aws", [1, 3, 7, 12, 17]],
    ["instant", [0.1, 0.3, 0.7, 1.2, 1.7]],
  ] as const)("asks again and again, less often each time (%s)", async (profile, minutes) => {
    await made(profile);
    for (const zone of ZONES) outOf(zone);
    lose(1);
    await w.until(() => failures().length === 1);
    const [first] = failures();
    await w.until(() => failures().length === 6);
    expect(
      failures()
        .slice(1)
        .map(({ atMs }) => (atMs - (first?.atMs ?? 0)) / 60_000),
    ).toEqual(minutes);
    expect(w.group("workers")?.status).toBe("DEGRADED");
  });

  it("tells of the zone that refused, and is well when another zone has what it wants", async () => {
    await made("instant");
    outOf("us-east-1a");
    lose(1);
    await w.until(() => inService() === 3 && w.instances().every(({ state }) => state === "running"));
    expect(failures()).toMatchObject([
      {
        zone: "us-east-1a",
        subject: "workers",
        message: expect.stringMatching(/\(us-east-1a\)\. .* choosing us-east-1b/),
      },
    ]);
    expect(w.group("workers")).toMatchObject({ status: "ACTIVE", healthIssues: [] });
  });

  it("finds capacity that is back at its next attempt, not before, and is ACTIVE without issues then", async () => {
    await made("aws");
    for (const zone of ZONES) outOf(zone);
    lose(1);
    await w.until(() => failures().length === 4);
    for (const zone of ZONES) endOf(zone);
    w.reconcilers.nudgeAll("IDdemo");
    await w.clock.advance(4 * 60_000);
    expect(w.instances().filter(({ lifecycle }) => lifecycle === "Pending")).toEqual([]);
    await w.until(() => inService() === 3, 4 * 60_000);
    expect(w.group("workers")).toMatchObject({ status: "ACTIVE", healthIssues: [] });
    expect(w.group("workers")?.launchBackoff).toBeUndefined();
  });

  it("goes on waiting over a restart", async () => {
    await made("aws");
    for (const zone of ZONES) outOf(zone);
    lose(1);
    await w.until(() => failures().length === 3);
    const lastMs = failures().at(-1)?.atMs ?? 0;
    await w.reconcilers.stop();
    const before = w;
    w = makeWorld(() => before.backend, { profile: "aws", state: before.state, startMs: before.clock.now() });
    await w.until(() => failures().length === 4);
    expect((failures().at(-1)?.atMs ?? 0) - lastMs).toBe(4 * 60_000);
  });

  it("asks at once when its size is changed", async () => {
    await made("aws");
    for (const zone of ZONES) outOf(zone);
    lose(1);
    await w.until(() => failures().length === 5);
    for (const zone of ZONES) endOf(zone);
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: { minSize: 0, maxSize: 6, desiredSize: 4 } });
    await w.until(() => w.instances().filter(({ lifecycle }) => lifecycle === "Pending").length === 2, 60_000);
  });

  it("says so with EC2's words in the issue, for Spot with Spot's", async () => {
    await made("instant", { capacityType: "SPOT" });
    for (const zone of ZONES) outOf(zone);
    lose(1);
    await w.until(() => w.group("workers")?.status === "DEGRADED");
    expect(w.group("workers")?.healthIssues).toMatchObject([
      {
        code: "AsgInstanceLaunchFailures",
        message: expect.stringMatching(/^Could not launch Spot Instances\. UnfulfillableCapacity - /),
      },
    ]);
  });

  it("launches its other instance types before it asks elsewhere", async () => {
    await made("instant", { instanceTypes: ["m5.large", "m5a.large"] });
    outOf("us-east-1a", "m5.large");
    lose(1);
    await w.until(() => inService() === 3 && w.instances().every(({ state }) => state === "running"));
    expect(types()).toEqual({ "us-east-1a": ["m5a.large"], "us-east-1b": ["m5.large"], "us-east-1c": ["m5.large"] });
    expect(failures()).toEqual([]);
  });
});

describe("the warm pool of a node group", () => {
  const group = (warmPoolConfig: Record<string, unknown>): Partial<NodegroupRecord> => ({
    scalingConfig: { minSize: 0, maxSize: 6, desiredSize: 2 },
    warmPoolConfig: { enabled: true, minSize: 0, poolState: "STOPPED", reuseOnScaleIn: false, ...warmPoolConfig },
  });
  const made = async (warmPoolConfig: Record<string, unknown>, profile: "instant" | "aws" = "instant") => {
    w = makeWorld(createMemoryBackend, { profile });
    await w.createNodegroup(await w.createCluster(), "workers", group(warmPoolConfig));
    await w.until(() => w.instances().every(({ state }) => state !== "pending"));
  };

  it("holds stopped instances that are no nodes, up to the prepared capacity", async () => {
    await made({ maxGroupPreparedCapacity: 5 });
    expect(lifecycles()).toEqual({ "InService running": 2, "Warmed stopped": 3 });
    expect(w.backend.calls.filter((call) => call.startsWith("addNode"))).toHaveLength(2);
  });

  it("never holds fewer than its minimum, and keeps them running if told", async () => {
    await made({ maxGroupPreparedCapacity: 2, minSize: 1, poolState: "RUNNING" });
    expect(lifecycles()).toEqual({ "InService running": 2, "Warmed running": 1 });
  });

  it.each([
    // Half a minute for the update, five seconds for the kubelets, and no minute of booting; machines that stood still have to be started.
    ["STOPPED", 55_000],
    ["HIBERNATED", 55_000],
    ["RUNNING", 35_000],
  ])(
    "gives its instances, %s, to a group that grows, sooner than EC2 would boot new ones",
    async (poolState, tookMs) => {
      await made({ maxGroupPreparedCapacity: 4, poolState }, "aws");
      const warm = w.instances().filter(({ lifecycle }) => lifecycle === "Warmed");
      const startMs = w.clock.now();
      w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: { minSize: 0, maxSize: 6, desiredSize: 4 } });
      await w.until(() => warm.every(({ instanceId }) => w.state.instances.get(instanceId)?.lifecycle === "InService"));
      expect(w.clock.now() - startMs).toBe(tookMs);
      expect(lifecycles()).toEqual({ "InService running": 4 });
    },
  );

  it("takes back what the group gives up, when instances are reused, and starts them again as nodes", async () => {
    await made({ maxGroupPreparedCapacity: 2, reuseOnScaleIn: true });
    const ids = w.instances().map(({ instanceId }) => instanceId);
    await resize(0);
    await w.until(() => lifecycles()["Warmed stopped"] === 2);
    await w.clock.advance(60_000);
    await resize(2);
    await w.until(() => lifecycles()["InService running"] === 2);
    expect(w.instances().map(({ instanceId }) => instanceId)).toEqual(ids);
  });

  it("lets instances go that are not reused, and prepares others", async () => {
    await made({ maxGroupPreparedCapacity: 2 });
    const ids = w.instances().map(({ instanceId }) => instanceId);
    await resize(0);
    await w.until(() => lifecycles()["Warmed stopped"] === 2 && w.instances().length === 2);
    expect(w.instances().some(({ instanceId }) => ids.includes(instanceId))).toBe(false);
  });

  it("is emptied when it is disabled, and goes with its group", async () => {
    await made({ maxGroupPreparedCapacity: 5 });
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { warmPoolConfig: { enabled: false } });
    await w.until(() => w.instances().length === 2);
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { warmPoolConfig: { enabled: true, minSize: 2 } });
    await w.until(() => w.instances().length === 6);
    const present = w.group("workers") as NodegroupRecord;
    w.state.nodegroups.put({ ...present, status: "DELETING" });
    w.reconcilers.nudge("nodegroup", `${present.clusterId}/workers`);
    await w.until(() => w.group("workers") === undefined);
    expect(w.instances()).toEqual([]);
  });

  it("replaces an instance that was lost from the pool in the same zone, and is filled up again there", async () => {
    await made({ maxGroupPreparedCapacity: 6 }, "aws");
    const [lost] = w.instances().filter(({ lifecycle }) => lifecycle === "InService");
    const pool = w.instances().filter(({ lifecycle }) => lifecycle === "Warmed");
    await w.faults.killNode(SCOPE, lost?.instanceId ?? "");
    await w.until(() => lifecycles()["InService running"] === 2 && lifecycles()["Warmed stopped"] === 4, 600_000);
    const [taken] = pool.filter(({ instanceId }) => w.state.instances.get(instanceId)?.lifecycle === "InService");
    expect(taken?.zone).toBe(lost?.zone);
    expect(Object.values(zonesOf(w.instances())).sort()).toEqual([2, 2, 2]);
  });

  it("stands in the zones that have power while one has none, and in all of them afterwards", async () => {
    await made({ maxGroupPreparedCapacity: 6 });
    await w.faults.failZone(SCOPE, ZONES[0] as string);
    const powered = () => w.instances().filter(({ zone, state }) => zone !== ZONES[0] && state !== "pending");
    await w.until(() => powered().length === 6);
    expect(zonesOf(powered())).toEqual({ "us-east-1b": 3, "us-east-1c": 3 });
    await w.faults.restoreZone(SCOPE, ZONES[0] as string);
    await w.until(() => w.instances().length === 6);
    await w.clock.advance(600_000);
    expect(lifecycles()).toEqual({ "InService running": 2, "Warmed stopped": 4 });
    expect(w.instances().every(({ unhealthySinceMs }) => unhealthySinceMs === undefined)).toBe(true);
  });

  it("survives a restart", async () => {
    await made({ maxGroupPreparedCapacity: 5, poolState: "RUNNING" });
    await w.reconcilers.stop();
    const before = w;
    w = makeWorld(() => before.backend, { state: before.state, startMs: before.clock.now() });
    await w.clock.advance(60_000);
    expect(lifecycles()).toEqual({ "InService running": 2, "Warmed running": 3 });
    expect(w.backend.calls.filter((call) => call.startsWith("addNode"))).toHaveLength(2);
  });
});
