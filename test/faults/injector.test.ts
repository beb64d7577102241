import { afterEach, describe, expect, it } from "vitest";
import type { FaultRecord } from "../../src/domain/model.js";
import { createMemoryBackend, type MemoryBackend } from "../reconcile/memory-backend.js";
import { makeWorld, type World } from "../reconcile/world.js";
import { SCOPE } from "../state/records.js";

const worlds: World[] = [];
const world = (options: Parameters<typeof makeWorld>[1] = {}): World<MemoryBackend> => {
  const made = makeWorld(createMemoryBackend, options);
  worlds.push(made);
  return made;
};
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.stop();
});

const powerOf = (w: World<MemoryBackend>, zone: string): string[] =>
  [...w.backend.clusters.values()].flatMap(({ nodes }) =>
    [...nodes.values()].filter(({ spec }) => spec.zone === zone).map(({ power }) => power),
  );

describe("a fault", () => {
  it("is written down before it acts", async () => {
    const w = world({ profile: "aws" });
    await w.createNodegroup(await w.createCluster(), "workers");
    let known: FaultRecord[] = [];
    const original = w.backend.setNodePower;
    w.backend.setNodePower = (...args) => {
      known = w.state.faults.active(SCOPE);
      return original(...args);
    };
    await w.faults.failZone(SCOPE, "us-east-1a");
    expect(known).toMatchObject([{ kind: "zone-power-loss", zone: "us-east-1a" }]);
  });

  it("of one cluster leaves the others alone", async () => {
    const w = world();
    const [one, two] = [await w.createCluster("one"), await w.createCluster("two")];
    await w.faults.failZone(SCOPE, "us-east-1b", "one");
    const down = (id: string): string[] =>
      [...(w.backend.clusters.get(id)?.members.values() ?? [])]
        .filter(({ state }) => state === "down")
        .map(({ zone }) => zone);
    expect(down(one.id)).toEqual(["us-east-1b"]);
    expect(down(two.id)).toEqual([]);
    const stateOf = async (cluster: string) =>
      (await w.faults.zones(SCOPE, cluster)).find(({ name }) => name === "us-east-1b")?.state;
    expect(await stateOf("one")).toBe("failed");
    expect(await stateOf("two")).toBe("available");
    await expect(w.faults.restoreZone(SCOPE, "us-east-1b", "two")).rejects.toThrow(/has power/);
  });

  it("that is on a second time in another way keeps its machines off until both have ended", async () => {
    const w = world({ profile: "aws" });
    await w.createNodegroup(await w.createCluster(), "workers");
    await w.faults.failZone(SCOPE, "us-east-1a", "demo");
    await w.faults.failZone(SCOPE, "us-east-1a");
    await w.faults.restoreZone(SCOPE, "us-east-1a", "demo");
    expect(powerOf(w, "us-east-1a")).toEqual(["stopped", "stopped"]);
    await expect(w.faults.restoreZone(SCOPE, "us-east-1a", "demo")).rejects.toThrow(/without power for every cluster/);
    await w.faults.restoreZone(SCOPE, "us-east-1a");
    expect(powerOf(w, "us-east-1a")).toEqual(["running", "running"]);
  });

  it("asked for twice is one fault", async () => {
    const w = world();
    await w.createCluster();
    const { faultId } = await w.faults.failZone(SCOPE, "us-east-1a");
    expect(await w.faults.failZone(SCOPE, "use1-az1")).toEqual({
      faultId,
      message: "Zone us-east-1a is already without power.",
    });
    expect(w.state.faults.all(SCOPE)).toHaveLength(1);
  });

  it("holds for clusters made while it is on", async () => {
    const w = world();
    await w.faults.failZone(SCOPE, "us-east-1c");
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers");
    expect(w.spread()).toEqual({ "us-east-1a": 3, "us-east-1b": 3 });
    expect(w.state.members.list(cluster.id).map(({ status }) => status)).toEqual(["READY", "READY", "FAILED"]);
  });

  it("whose end was cut short by a crash is put right when the cluster is adopted", async () => {
    const before = world({ profile: "aws" });
    await before.createNodegroup(await before.createCluster(), "workers");
    const { faultId } = await before.faults.failZone(SCOPE, "us-east-1a");
    // As a kill between the end's being written down and its undoing leaves it.
    const fault = before.state.faults.get(faultId) as FaultRecord;
    before.state.faults.put({
      ...fault,
      phase: "ended",
      endedAtMs: before.clock.now(),
      undo: { ...fault.undo, pending: true },
    });
    await before.reconcilers.stop();
    const after = makeWorld(() => before.backend, { profile: "aws", state: before.state, startMs: before.clock.now() });
    worlds.push(after);
    await after.until(() => powerOf(before, "us-east-1a").every((power) => power === "running"), 60_000);
    expect(after.instances().every(({ unhealthySinceMs }) => unhealthySinceMs === undefined)).toBe(true);
  });
});
