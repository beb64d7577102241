import { describe, expect, it } from "vitest";
import { judgeZones, type ZoneState, zoneState } from "../../../src/kubernetes/controllers/node/zones.js";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { Node, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { deployment, START_MS, startWorld, type World } from "./world.js";

const node = (world: World, name: string): Node => {
  const found = world.get<Node>("nodes", name);
  if (!found) throw new Error(`no node ${name}`);
  return found;
};
const taints = (world: World, name: string): string[] =>
  (node(world, name).spec?.taints ?? []).map(({ key, effect }) => `${key.split("/")[1]}:${effect}`).sort();
const isEvicted = (world: World, name: string): boolean =>
  taints(world, name).some((taint) => taint.endsWith(":NoExecute"));
const readyOf = (object: Node | Pod) =>
  conditionOf<{ type: string; status: string; reason?: string; message?: string }>(object.status?.conditions, "Ready");

/** Seconds from now until `done`, at most `limit`. */
async function secondsUntil(world: World, limit: number, done: () => boolean): Promise<number | undefined> {
  const startMs = world.clock.now();
  return (await world.clock.advanceUntil(done, limit * 1000)) ? (world.clock.now() - startMs) / 1000 : undefined;
}

async function worldOf(zones: Record<string, number>): Promise<World> {
  const world = await startWorld();
  for (const [zone, count] of Object.entries(zones))
    for (let i = 1; i <= count; i++) await world.addNode(`${zone}${i}`, zone);
  await world.seconds(12);
  return world;
}

describe("a silent node", () => {
  it("becomes Unknown 40 to 45 s after its last sign of life, with upstream's conditions, taints and event", async () => {
    const world = await worldOf({ a: 2, b: 2 });
    world.silence("a1");
    const seconds = await secondsUntil(world, 120, () => readyOf(node(world, "a1"))?.status === "Unknown");
    expect(seconds).toBeGreaterThanOrEqual(35);
    expect(seconds).toBeLessThanOrEqual(45);
    expect(readyOf(node(world, "a1"))).toMatchObject({
      reason: "NodeStatusUnknown",
      message: "Kubelet stopped posting node status.",
    });
    expect(conditionOf(node(world, "a1").status?.conditions, "MemoryPressure")?.status).toBe("Unknown");
    expect(conditionOf(node(world, "a1").status?.conditions, "DiskPressure")?.reason).toBe("NodeStatusNeverUpdated");
    await world.clock.settled();
    await world.seconds(1);
    expect(taints(world, "a1")).toEqual(["unreachable:NoExecute", "unreachable:NoSchedule"]);
    expect(world.events("NodeNotReady")[0]?.message).toBe("Node a1 status is now: NodeNotReady");
    expect(taints(world, "a2")).toEqual([]);
    expect(world.warnings).toEqual([]);
  });

  it("makes its pods unready at once, has them deleted after their 300 s, and keeps them Terminating", async () => {
    const world = await worldOf({ a: 2, b: 2 });
    await world.api.create("deployments.apps", deployment("web", 4));
    await world.seconds(5);
    const [lost] = world.api.byIndex<Pod>("pods", "node", "a1");
    if (!lost) throw new Error("no pod on a1");
    world.silence("a1");
    await secondsUntil(world, 120, () => readyOf(node(world, "a1"))?.status === "Unknown");
    await world.seconds(1);
    const pod = (): Pod => world.get<Pod>("pods", lost.metadata.name, "default") as Pod;
    expect(readyOf(pod())?.status).toBe("False");
    const seconds = await secondsUntil(world, 600, () => pod().metadata.deletionTimestamp !== undefined);
    expect(seconds).toBeGreaterThan(295);
    expect(seconds).toBeLessThan(302);
    await world.seconds(600);
    expect(pod().metadata.deletionTimestamp).toBeDefined();
    expect(conditionOf(pod().status?.conditions, "DisruptionTarget")?.reason).toBe("DeletionByTaintManager");
    expect(world.events("TaintManagerEviction")[0]?.message).toBe(
      `Marking for deletion Pod default/${lost.metadata.name}`,
    );
    expect(world.pods().filter((other) => readyOf(other)?.status === "True")).toHaveLength(4);
    await world.wake("a1");
    await world.seconds(10);
    expect(world.get("pods", lost.metadata.name, "default")).toBeUndefined();
    expect(taints(world, "a1")).toEqual([]);
  });

  it("calls off the deletion when it comes back in time", async () => {
    const world = await worldOf({ a: 2, b: 2 });
    await world.api.create("deployments.apps", deployment("web", 4));
    await world.seconds(5);
    world.silence("a1");
    await world.seconds(120);
    expect(isEvicted(world, "a1")).toBe(true);
    await world.wake("a1");
    await world.seconds(600);
    expect(world.events("TaintManagerEviction").map((event) => event.message)).toEqual([
      expect.stringMatching(/^Cancelling deletion of Pod default\/web-/),
    ]);
    expect(world.pods()).toHaveLength(4);
  });
});

describe("evictions by zone", () => {
  it("takes one node every ten seconds in a normal zone", async () => {
    const world = await worldOf({ a: 10, b: 1 });
    for (const name of ["a1", "a2", "a3"]) world.silence(name);
    const times: number[] = [];
    world.api.watch<Node>("nodes", ({ object, previous }) => {
      const count = (which: Node | undefined): number =>
        (which?.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute").length;
      if (previous && count(object) > count(previous)) times.push(world.clock.now());
    });
    await world.seconds(120);
    expect(times.map((time) => (time - (times[0] ?? 0)) / 1000)).toEqual([0, 10, 20]);
  });

  it("evicts nobody in a zone where more than two nodes and 55 % are down", async () => {
    const world = await worldOf({ a: 5, b: 3 });
    for (const name of ["a1", "a2", "a3"]) world.silence(name);
    await world.seconds(1800);
    expect(["a1", "a2", "a3"].filter((name) => isEvicted(world, name))).toEqual([]);
    expect(taints(world, "a1")).toEqual(["unreachable:NoSchedule"]);
  });

  it("goes on with the evictions when enough nodes of the zone are back", async () => {
    const world = await worldOf({ a: 5, b: 3 });
    for (const name of ["a1", "a2", "a3"]) world.silence(name);
    await world.seconds(300);
    await world.wake("a3");
    await world.seconds(60);
    expect(["a1", "a2", "a3"].filter((name) => isEvicted(world, name))).toEqual(["a1", "a2"]);
  });

  it("evicts a zone that is down altogether at the normal rate while another lives", async () => {
    const world = await worldOf({ a: 3, b: 3 });
    for (const name of ["a1", "a2", "a3"]) world.silence(name);
    await world.seconds(90);
    expect(["a1", "a2", "a3"].filter((name) => isEvicted(world, name))).toHaveLength(3);
  });

  it("stops all evictions and takes the NoExecute taints away when every zone is down", async () => {
    const world = await worldOf({ a: 2, b: 2 });
    world.silence("a1");
    await world.seconds(60);
    expect(isEvicted(world, "a1")).toBe(true);
    for (const name of ["a2", "b1", "b2"]) world.silence(name);
    await world.seconds(1800);
    for (const name of ["a1", "a2", "b1", "b2"]) expect(taints(world, name)).toEqual(["unreachable:NoSchedule"]);
    await world.wake("b1");
    await world.wake("b2");
    await world.seconds(30);
    expect(["a1", "a2"].filter((name) => isEvicted(world, name))).toEqual(["a1", "a2"]);
    expect(taints(world, "b1")).toEqual([]);
  });

  it.each([
    [3, 0, "Normal"],
    [1, 2, "Normal"],
    [0, 1, "FullDisruption"],
    [2, 3, "PartialDisruption"],
    [3, 3, "Normal"],
    [4, 5, "PartialDisruption"],
  ])("%i ready and %i not ready: %s", (ready, notReady, state) => {
    expect(zoneState({ ready, notReady })).toBe(state);
  });

  it("sets a rate only for zones whose state has changed", () => {
    const states = new Map<string, ZoneState>([["a", "Normal"]]);
    const down = { ready: 0, notReady: 3 };
    const up = { ready: 3, notReady: 0 };
    expect(judgeZones(states, new Map([["a", up]]))).toEqual({ kind: "steady", rates: new Map() });
    expect(
      judgeZones(
        states,
        new Map([
          ["a", down],
          ["b", up],
        ]),
      ).kind,
    ).toBe("steady");
    expect(
      judgeZones(
        states,
        new Map([
          ["a", down],
          ["b", down],
        ]),
      ).kind,
    ).toBe("all-disrupted");
    expect(
      judgeZones(
        states,
        new Map([
          ["a", up],
          ["b", down],
        ]),
      ),
    ).toEqual({
      kind: "recovered",
      rates: new Map([
        ["a", 0.1],
        ["b", 0.1],
      ]),
    });
  });
});

describe("taints by condition", () => {
  it("follow pressure, cordoning and a kubelet that says it is not ready", async () => {
    const world = await worldOf({ a: 2 });
    const present = node(world, "a1");
    await world.api.update<Node>("nodes", { ...present, spec: { ...present.spec, unschedulable: true } });
    await world.seconds(1);
    expect(taints(world, "a1")).toEqual(["unschedulable:NoSchedule"]);
    const cordoned = node(world, "a1");
    await world.api.updateStatus<Node>("nodes", {
      ...cordoned,
      status: {
        ...cordoned.status,
        conditions: (cordoned.status?.conditions ?? []).map((condition) =>
          condition.type === "MemoryPressure" ? { ...condition, status: "True" } : condition,
        ),
      },
    });
    await world.seconds(1);
    expect(taints(world, "a1")).toEqual(["memory-pressure:NoSchedule", "unschedulable:NoSchedule"]);
    await world.setReady("a1", "False");
    await world.seconds(1);
    expect(taints(world, "a1")).toEqual(["not-ready:NoExecute", "not-ready:NoSchedule", "unschedulable:NoSchedule"]);
    await world.setReady("a1", "True");
    await world.seconds(1);
    expect(taints(world, "a1")).toEqual(["unschedulable:NoSchedule"]);
  });
});

describe("a machine that is gone", () => {
  it("has its Node deleted five seconds after it is not ready, its pods out of service before and gone a minute later", async () => {
    const world = await worldOf({ a: 2, b: 2 });
    await world.api.create("deployments.apps", deployment("web", 4));
    await world.seconds(5);
    const lost = world.api.byIndex<Pod>("pods", "node", "a1").map((pod) => pod.metadata.name);
    expect(lost).toHaveLength(1);
    world.silence("a1");
    world.missing.add("aws:///a/a1");
    const isUnknown = (): boolean =>
      world.get<Node>("nodes", "a1")?.status?.conditions?.find(({ type }) => type === "Ready")?.status === "Unknown";
    expect(await secondsUntil(world, 120, isUnknown)).toBeLessThanOrEqual(46);
    expect(readyOf(world.get<Pod>("pods", lost[0] ?? "", "default") as Pod)?.status).toBe("False");
    expect(await secondsUntil(world, 20, () => world.get("nodes", "a1") === undefined)).toBe(5);
    expect(world.events("DeletingNode")[0]?.message).toBe(
      "Deleting node a1 because it does not exist in the cloud provider",
    );
    await world.seconds(1);
    expect(world.events("RemovingNode")).toHaveLength(1);
    const gone = await secondsUntil(world, 120, () => world.get("pods", lost[0] ?? "", "default") === undefined);
    expect(gone).toBeGreaterThanOrEqual(38);
    expect(gone).toBeLessThanOrEqual(60);
    await world.seconds(5);
    expect(world.pods().filter((pod) => readyOf(pod)?.status === "True")).toHaveLength(4);
  });

  it("goes at once when its kubelet has said that it shuts down", async () => {
    const world = await worldOf({ a: 2, b: 2 });
    world.missing.add("aws:///a/a1");
    await world.setReady("a1", "False");
    expect(await secondsUntil(world, 20, () => world.get("nodes", "a1") === undefined)).toBeLessThanOrEqual(1);
    await world.seconds(1);
    expect(world.warnings).toEqual([]);
  });

  it("stopped, it is tainted; running again, the taint goes", async () => {
    const world = await worldOf({ a: 2, b: 1 });
    world.silence("a1");
    world.stoppedMachines.add("aws:///a/a1");
    await world.seconds(60);
    expect(taints(world, "a1")).toContain("shutdown:NoSchedule");
    world.stoppedMachines.clear();
    await world.wake("a1");
    await world.seconds(2);
    expect(taints(world, "a1")).toEqual([]);
  });

  it("takes the uninitialized taint off a new node", async () => {
    const world = await startWorld();
    await world.addNode("n1", "a", {
      taints: [{ key: "node.cloudprovider.kubernetes.io/uninitialized", effect: "NoSchedule" }],
    });
    await world.seconds(1);
    expect(taints(world, "n1")).toEqual([]);
    expect(START_MS).toBeLessThan(world.clock.now());
  });
});
