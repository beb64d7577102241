import { afterEach, describe, expect, it } from "vitest";
import type { ClusterBackend } from "../../../src/backends/backend.js";
import { createEmbeddedBackend } from "../../../src/backends/embedded/embedded-backend.js";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { State } from "../../../src/state/state.js";
import { makeWorld, type World } from "../../reconcile/world.js";
import { SCOPE } from "../../state/records.js";

let world: World;
const make = (clock: SteppedClock, state: State): ClusterBackend =>
  createEmbeddedBackend({
    clock,
    host: "127.0.0.1",
    log: { debug: () => {}, warn: () => {}, error: () => {} },
    persistenceFor: (clusterId) => state.objects(clusterId),
    secrets: state.secrets,
    accessFor: () => ({ authenticate: () => undefined, authorize: () => ({ decision: "no-opinion", reason: "" }) }),
  });
afterEach(() => world.stop());

describe("an EKS cluster on the simulated Kubernetes", () => {
  it("loses a zone, replaces its nodes elsewhere, and levels the zones when it is back", async () => {
    world = makeWorld(make);
    await world.createNodegroup(await world.createCluster(), "workers");
    expect(world.spread()).toEqual({ "us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2 });
    const zones = async (): Promise<string[]> =>
      (await world.faults.zones(SCOPE, "demo")).map(
        ({ name, state, membersUp, readyNodes, nodes }) => `${name} ${state} ${membersUp} ${readyNodes}/${nodes}`,
      );
    expect(await zones()).toEqual([
      "us-east-1a available 1 2/2",
      "us-east-1b available 1 2/2",
      "us-east-1c available 1 2/2",
    ]);
    const failedAtMs = world.clock.now();
    await world.faults.failZone(SCOPE, "us-east-1a", "demo");
    await world.until(() => world.spread()["us-east-1b"] === 3 && world.spread()["us-east-1c"] === 3);
    expect(world.clock.now() - failedAtMs).toBeLessThan(60_000);
    await world.clock.advance(120_000);
    expect(await zones()).toEqual([
      "us-east-1a failed 0 0/0",
      "us-east-1b available 1 3/3",
      "us-east-1c available 1 3/3",
    ]);
    await world.faults.restoreZone(SCOPE, "us-east-1a", "demo");
    await world.until(() => world.spread()["us-east-1a"] === 2 && world.instances().length === 6);
    await world.clock.advance(120_000);
    expect(await zones()).toEqual([
      "us-east-1a available 1 2/2",
      "us-east-1b available 1 2/2",
      "us-east-1c available 1 2/2",
    ]);
    expect(world.warnings).toEqual([]);
  });

  it("goes on after a restart: same endpoint, same authority, nodes Ready, pods where they were", async () => {
    world = makeWorld(make);
    await world.createNodegroup(await world.createCluster(), "workers");
    await world.clock.advance(60_000);
    const before = world.cluster();
    const pods = (await world.backend.summary("IDdemo")).zones;
    const { state, clock } = world;
    await world.stop();
    world = makeWorld(make, { state, startMs: clock.now() + 1_000 });
    const events = state.events.read({}).length;
    await world.clock.advance(120_000);
    expect(world.cluster()).toEqual(before);
    expect((await world.backend.summary("IDdemo")).zones).toEqual(pods);
    expect(world.instances().every(({ lifecycle, nodeReady }) => lifecycle === "InService" && nodeReady)).toBe(true);
    // Nothing happened to anyone, so there is nothing to tell.
    expect(state.events.read({}).slice(events)).toEqual([]);
  });

  it("moves its pods off a node before it goes, and off a node group that is deleted", async () => {
    world = makeWorld(make);
    const cluster = await world.createCluster();
    await world.createNodegroup(cluster, "workers");
    await world.clock.advance(30_000);
    expect((await world.backend.summary(cluster.id)).pendingPods).toBe(0);
    const group = world.group("workers");
    if (group) world.state.nodegroups.put({ ...group, status: "DELETING" });
    world.reconcilers.nudge("nodegroup", `${cluster.id}/workers`);
    // CoreDNS's budget cannot be kept without a node, so nobody waits for it.
    await world.until(() => world.group("workers") === undefined, 5_000);
    await world.clock.advance(60_000);
    const { zones, pendingPods } = await world.backend.summary(cluster.id);
    expect(Object.values(zones).every(({ nodes }) => nodes === 0)).toBe(true);
    // CoreDNS has nowhere to go, as on EKS.
    expect(pendingPods).toBe(2);
    world.state.clusters.put({ ...cluster, status: "DELETING" });
    world.reconcilers.nudge("cluster", cluster.id);
    await world.until(() => world.cluster() === undefined);
    expect([...world.state.objects(cluster.id).load().records]).toEqual([]);
  });

  it("stands still with two zones gone, for want of a quorum, and recovers by itself when they are back", async () => {
    world = makeWorld(make);
    const cluster = await world.createCluster();
    await world.createNodegroup(cluster, "workers");
    await world.faults.failZone(SCOPE, "us-east-1a");
    await world.faults.failZone(SCOPE, "us-east-1b");
    await world.clock.advance(20 * 60_000);
    expect((await world.backend.summary(cluster.id)).apiAvailable).toBe(false);
    expect(world.state.members.list(cluster.id).map(({ status }) => status)).toEqual(["FAILED", "FAILED", "READY"]);
    // New machines stand in the zone that is left, but no API server takes them in.
    expect(world.instances().map(({ zone }) => zone)).toEqual(Array(6).fill("us-east-1c"));
    expect(world.spread()).toEqual({ "us-east-1c": 2 });
    await world.faults.restoreZone(SCOPE, "us-east-1a");
    await world.faults.restoreZone(SCOPE, "us-east-1b");
    const level = JSON.stringify({ "us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2 });
    await world.until(() => JSON.stringify(world.spread()) === level && world.instances().length === 6);
    await world.clock.advance(120_000);
    const { zones, apiAvailable } = await world.backend.summary(cluster.id);
    expect(apiAvailable).toBe(true);
    expect(Object.values(zones).map(({ readyNodes, nodes }) => [readyNodes, nodes])).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
  });
});
