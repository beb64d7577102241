import { afterEach, describe, expect, it } from "vitest";
import { BackendError } from "../../src/backends/backend.js";
import type { ClusterRecord, NodegroupRecord } from "../../src/domain/model.js";
import { aNodegroup, SCOPE } from "../state/records.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

const worlds: World[] = [];
const world = (options: Parameters<typeof makeWorld>[1] = {}): World<MemoryBackend> => {
  const made = makeWorld(createMemoryBackend, options);
  worlds.push(made);
  return made;
};
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.stop();
});

const SCALING = (desiredSize: number) => ({ minSize: 0, maxSize: 20, desiredSize });
const EVEN = { "us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2 };

describe("a cluster", () => {
  it("is brought up with three masters, one a zone, and taken down again without a trace", async () => {
    const w = world();
    const cluster = await w.createCluster();
    expect(cluster).toMatchObject({ endpoint: "https://127.0.0.1:1", certificateAuthorityPem: "CA", port: 1 });
    expect(w.state.members.list(cluster.id).map(({ zone, status }) => [zone, status])).toEqual([
      ["us-east-1a", "READY"],
      ["us-east-1b", "READY"],
      ["us-east-1c", "READY"],
    ]);
    w.state.clusters.put({ ...cluster, status: "DELETING" });
    w.reconcilers.nudge("cluster", cluster.id);
    await w.until(() => w.cluster() === undefined);
    expect(w.backend.clusters.size).toBe(0);
    expect(w.state.members.list(cluster.id)).toEqual([]);
  });

  it("takes the typical time of EKS with the profile aws", async () => {
    const w = world({ profile: "aws" });
    const startMs = w.clock.now();
    await w.createCluster();
    expect(w.clock.now() - startMs).toBe(8 * 60_000);
  });

  it("comes up although its backend refuses a few times", async () => {
    const w = world();
    w.backend.failNext("createCluster", new BackendError("unavailable", "no room"));
    const cluster = await w.createCluster();
    expect(cluster.status).toBe("ACTIVE");
    expect(w.warnings[0]).toContain("no room");
  });

  it("is FAILED, with the reason, when its backend cannot make it", async () => {
    const w = world();
    w.backend.createCluster = () => Promise.reject(new BackendError("failed", "no image"));
    await expect(w.createCluster()).rejects.toThrow();
    expect(w.cluster()).toMatchObject({ status: "FAILED", healthIssues: [{ message: "no image" }] });
  });

  it("gets its new version and reports the update successful", async () => {
    const w = world();
    const cluster = await w.createCluster();
    w.state.updates.put({
      ...SCOPE,
      id: "u",
      clusterName: cluster.name,
      clusterId: cluster.id,
      status: "InProgress",
      type: "VersionUpdate",
      params: [],
      createdAtMs: w.clock.now(),
      errors: [],
      plan: { version: "1.37", platformVersion: "eks.1" },
    });
    w.reconcilers.nudge("cluster", cluster.id);
    await w.until(() => w.state.updates.get(cluster.id, "u")?.status === "Successful");
    expect(w.cluster()).toMatchObject({ version: "1.37", platformVersion: "eks.1", status: "ACTIVE" });
    expect(w.backend.calls).toContain("upgradeControlPlane 1.37");
  });
});

describe("a node group", () => {
  it("is ACTIVE once its nodes have joined, spread evenly over the zones", async () => {
    const w = world();
    await w.createNodegroup(await w.createCluster(), "workers");
    expect(w.group("workers")?.status).toBe("ACTIVE");
    expect(w.spread()).toEqual(EVEN);
    const [first] = w.instances();
    expect(first?.privateDnsName).toMatch(/^ip-10-0-\d+-\d+\.ec2\.internal$/);
  });

  it("is taken down with its nodes drained", async () => {
    const w = world();
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers");
    w.state.nodegroups.put({ ...(w.group("workers") as NodegroupRecord), status: "DELETING" });
    w.reconcilers.nudge("nodegroup", `${cluster.id}/workers`);
    await w.until(() => w.group("workers") === undefined);
    expect(w.backend.calls.filter((call) => call.startsWith("drainNode"))).toHaveLength(6);
    expect(w.instances()).toEqual([]);
  });

  it("grows and shrinks, taking the oldest from the fullest zone", async () => {
    const w = world();
    await w.createNodegroup(await w.createCluster(), "workers");
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: SCALING(7) });
    await w.until(() => w.instances().filter(({ lifecycle }) => lifecycle === "InService").length === 7);
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: SCALING(3) });
    await w.until(() => w.instances().length === 3);
    expect(w.spread()).toEqual({ "us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1 });
    expect(w.group("workers")).toMatchObject({ status: "ACTIVE", scalingConfig: { desiredSize: 3 } });
  });

  it.each([
    { profile: "aws", keepsMs: 15 * 60_000 },
    { profile: "instant", keepsMs: 10_000 },
  ] as const)(
    "keeps a node for $keepsMs ms at most for the sake of a disruption budget when it shrinks ($profile)",
    async ({ profile, keepsMs }) => {
      const w = world({ profile });
      const cluster = await w.createCluster();
      await w.createNodegroup(cluster, "workers", { scalingConfig: SCALING(1) });
      const node = [...(w.backend.clusters.get(cluster.id)?.nodes.values() ?? [])][0];
      node?.stuckPods.push("default/guarded");
      w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: SCALING(0) });
      await w.until(() => w.instances()[0]?.lifecycle === "Terminating");
      const startMs = w.clock.now();
      await w.until(() => w.instances()[0]?.state !== "running");
      expect(w.clock.now() - startMs).toBe(keepsMs);
    },
  );

  it("passes changed labels on to the nodes that live", async () => {
    const w = world();
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers", { labels: { old: "1" } });
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { labels: { team: "blue" } });
    await w.until(() => w.group("workers")?.status === "ACTIVE");
    for (const { spec } of w.backend.clusters.get(cluster.id)?.nodes.values() ?? []) {
      expect(spec.labels).toMatchObject({ team: "blue" });
      expect(spec.labels).not.toHaveProperty("old");
    }
  });

  it("is DEGRADED while nothing can be launched anywhere, and heals", async () => {
    const w = world();
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers", { subnets: ["subnet-a"], scalingConfig: SCALING(2) });
    await w.faults.failZone(SCOPE, "us-east-1a", "demo");
    await w.until(() => w.group("workers")?.status === "DEGRADED");
    expect(w.group("workers")?.healthIssues[0]?.code).toBe("AsgInstanceLaunchFailures");
    await w.faults.restoreZone(SCOPE, "us-east-1a", "demo");
    await w.until(() => w.group("workers")?.status === "ACTIVE");
    await w.until(() => w.spread()["us-east-1a"] === 2);
  });
});

describe("a version update of a node group", () => {
  const target = { version: "1.36", releaseVersion: "1.36.2-20990101", force: false };

  it("adds new nodes first, replaces the old ones, and ends at the size from before", async () => {
    const w = world();
    await w.createNodegroup(await w.createCluster(), "workers", { scalingConfig: SCALING(3) });
    const before = w.instances().map(({ instanceId }) => instanceId);
    let most = 0;
    let least = 99;
    w.state.events.subscribe(() => {
      const serving = w.instances().filter(({ lifecycle }) => lifecycle === "InService").length;
      most = Math.max(most, w.instances().length);
      least = Math.min(least, serving);
    });
    w.startUpdate({ name: "workers" }, "VersionUpdate", target);
    await w.until(() => w.group("workers")?.status === "ACTIVE");
    await w.until(() => w.instances().length === 3);
    expect(w.instances().every(({ releaseVersion }) => releaseVersion === target.releaseVersion)).toBe(true);
    expect(w.instances().some(({ instanceId }) => before.includes(instanceId))).toBe(false);
    expect(w.group("workers")?.releaseVersion).toBe(target.releaseVersion);
    expect(most).toBeGreaterThanOrEqual(9);
    expect(least).toBeGreaterThanOrEqual(3);
    expect(w.spread()).toEqual({ "us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1 });
  });

  it("with MINIMAL never has more nodes than before", async () => {
    const w = world();
    const updateConfig = { maxUnavailable: 1, updateStrategy: "MINIMAL" };
    await w.createNodegroup(await w.createCluster(), "workers", { scalingConfig: SCALING(3), updateConfig });
    let most = 0;
    w.state.events.subscribe(() => {
      most = Math.max(most, w.instances().filter(({ lifecycle }) => lifecycle !== "Terminating").length);
    });
    w.startUpdate({ name: "workers" }, "VersionUpdate", target);
    await w.until(() => w.group("workers")?.status === "ACTIVE");
    expect(most).toBe(3);
    expect(w.instances().every(({ releaseVersion }) => releaseVersion === target.releaseVersion)).toBe(true);
  });

  it("fails with PodEvictionFailure after 15 minutes, and leaves the old nodes schedulable", async () => {
    const w = world();
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers", { scalingConfig: SCALING(3) });
    const nodes = w.backend.clusters.get(cluster.id)?.nodes;
    for (const node of nodes?.values() ?? []) node.stuckPods.push("default/guarded");
    w.startUpdate({ name: "workers" }, "VersionUpdate", target);
    await w.until(() => w.state.updates.get(cluster.id, "update-1")?.status === "Failed");
    expect(w.state.updates.get(cluster.id, "update-1")?.errors[0]).toMatchObject({
      errorCode: "PodEvictionFailure",
      errorMessage: "Reached max retries while trying to evict pods from nodes in node group workers",
    });
    expect(w.group("workers")).toMatchObject({ status: "ACTIVE", releaseVersion: "1.36.2-20260714" });
    const kept = w.instances().filter(({ lifecycle }) => lifecycle === "InService");
    expect(kept).toHaveLength(3);
    expect(kept.every(({ privateDnsName }) => nodes?.get(privateDnsName)?.unschedulable === false)).toBe(true);
  });

  it("goes on regardless when forced", async () => {
    const w = world();
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers", { scalingConfig: SCALING(1) });
    for (const node of w.backend.clusters.get(cluster.id)?.nodes.values() ?? []) node.stuckPods.push("default/guarded");
    w.startUpdate({ name: "workers" }, "VersionUpdate", { ...target, force: true });
    await w.until(() => w.state.updates.get(cluster.id, "update-1")?.status === "Successful");
  });
});

describe("a zone without power", () => {
  it("loses its nodes to the other zones, and gets its share back afterwards without a dip", async () => {
    const w = world();
    await w.createNodegroup(await w.createCluster(), "workers");
    await w.faults.failZone(SCOPE, "us-east-1a", "demo");
    await w.until(() => w.spread()["us-east-1b"] === 3 && w.spread()["us-east-1c"] === 3);
    expect(w.spread()["us-east-1a"]).toBeUndefined();
    const zones = await w.faults.zones(SCOPE, "demo");
    expect(zones.map(({ name, state, membersUp }) => [name, state, membersUp])).toEqual([
      ["us-east-1a", "failed", 0],
      ["us-east-1b", "available", 1],
      ["us-east-1c", "available", 1],
    ]);
    await w.clock.advance(60_000);
    let least = 99;
    let most = 0;
    w.state.events.subscribe(() => {
      const serving = w.instances().filter(({ lifecycle }) => lifecycle === "InService").length;
      least = Math.min(least, serving);
      most = Math.max(most, w.instances().filter(({ lifecycle }) => lifecycle !== "Terminating").length);
    });
    await w.faults.restoreZone(SCOPE, "us-east-1a", "demo");
    await w.until(() => JSON.stringify(w.spread()) === JSON.stringify(EVEN));
    expect(least).toBe(6);
    expect(most).toBe(7);
    const kinds = w.state.events.read({ clusterName: "demo" }).map(({ type }) => type);
    for (const type of [
      "ZoneFailed",
      "MasterFailed",
      "InstanceImpaired",
      "NodeNotReady",
      "NodeRemoved",
      "ZoneRestored",
      "MasterReady",
    ]) {
      expect(kinds).toContain(type);
    }
  });

  it("restored before EC2 notices costs no instance", async () => {
    const w = world({ profile: "aws" });
    await w.createNodegroup(await w.createCluster(), "workers");
    const before = w.instances().map(({ instanceId }) => instanceId);
    await w.faults.failZone(SCOPE, "us-east-1a", "demo");
    await w.clock.advance(90_000);
    expect(w.instances().filter(({ nodeReady }) => !nodeReady)).toHaveLength(2);
    await w.faults.restoreZone(SCOPE, "us-east-1a", "demo");
    await w.clock.advance(600_000);
    expect(w.instances().map(({ instanceId }) => instanceId)).toEqual(before);
    expect(w.instances().every(({ nodeReady, statusCheck }) => nodeReady && statusCheck === "ok")).toBe(true);
  });

  it("for long has its master made anew elsewhere, which comes home afterwards", async () => {
    const w = world();
    const cluster = await w.createCluster();
    const zones = (): string[] =>
      w.state.members
        .list(cluster.id)
        .map(({ zone }) => zone)
        .sort();
    await w.faults.failZone(SCOPE, "us-east-1a");
    await w.clock.advance(299_000);
    expect(w.state.members.list(cluster.id).filter(({ status }) => status === "FAILED")).toHaveLength(1);
    await w.clock.advance(2_000);
    expect(zones()).toEqual(["us-east-1b", "us-east-1b", "us-east-1c"]);
    await w.faults.restoreZone(SCOPE, "us-east-1a");
    await w.until(() => zones().join() === "us-east-1a,us-east-1b,us-east-1c");
    expect(w.state.members.list(cluster.id).every(({ status }) => status === "READY")).toBe(true);
  });

  it("is refused by name, and by cluster, when there is no such thing", async () => {
    const w = world();
    await w.createCluster();
    await expect(w.faults.failZone(SCOPE, "us-east-1z")).rejects.toThrow(
      /no zone us-east-1z .*us-east-1a \(use1-az1\)/,
    );
    await expect(w.faults.failZone(SCOPE, "us-east-1a", "other")).rejects.toThrow(
      /No cluster found for name: other\. Clusters: demo\./,
    );
    await expect(w.faults.restoreZone(SCOPE, "us-east-1a")).rejects.toThrow(/has power/);
    await expect(w.faults.killNode(SCOPE, "nobody", "demo")).rejects.toThrow(/no node nobody/);
  });

  it("gives the same story for the same seed, byte for byte", async () => {
    const story = async (): Promise<string> => {
      const w = world();
      await w.createNodegroup(await w.createCluster(), "workers");
      await w.faults.failZone(SCOPE, "use1-az2");
      await w.clock.advance(600_000);
      await w.faults.restoreZone(SCOPE, "us-east-1b");
      await w.clock.advance(600_000);
      return JSON.stringify(w.state.events.read({}));
    };
    expect(await story()).toBe(await story());
  });
});

describe("a terminated instance", () => {
  it("is replaced in its own zone", async () => {
    const w = world();
    await w.createNodegroup(await w.createCluster(), "workers");
    const victim = w.instances().find(({ zone }) => zone === "us-east-1b");
    await w.faults.killNode(SCOPE, victim?.privateDnsName ?? "", "demo");
    await w.until(
      () => w.instances().length === 6 && w.instances().every(({ lifecycle }) => lifecycle === "InService"),
    );
    expect(w.spread()).toEqual(EVEN);
    expect(w.state.instances.get(victim?.instanceId ?? "")?.lifecycle).toBe("Terminated");
    await w.clock.advance(3_700_000);
    expect(w.state.instances.get(victim?.instanceId ?? "")).toBeUndefined();
  });
});

describe("a restart", () => {
  it("goes on with what was half done", async () => {
    const before = world();
    const cluster = await before.createCluster();
    before.state.nodegroups.put(aNodegroup(cluster, "workers", { createdAtMs: before.clock.now() }));
    before.reconcilers.nudge("nodegroup", `${cluster.id}/workers`);
    await before.until(() => before.instances().length === 6);
    // Killed here: two nodes never came to be.
    await before.reconcilers.stop();
    const nodes = before.backend.clusters.get(cluster.id)?.nodes;
    for (const name of [...(nodes?.keys() ?? [])].slice(0, 2)) nodes?.delete(name);
    const after = makeWorld(() => before.backend, { state: before.state, startMs: before.clock.now() });
    worlds.push(after);
    await before.clock.advance(10_000);
    await after.until(() => after.backend.calls.filter((call) => call.startsWith("addNode")).length >= 8, 60_000);
    await before.clock.advance(10_000);
    await after.until(() => after.group("workers")?.status === "ACTIVE", 60_000);
    expect(after.spread()).toEqual(EVEN);
  });

  it("brings a fault that is on into effect again, and can still undo it", async () => {
    const before = world();
    const cluster: ClusterRecord = await before.createCluster();
    await before.faults.failZone(SCOPE, "us-east-1a");
    await before.reconcilers.stop();
    const member = before.backend.clusters.get(cluster.id)?.members.get("master-1");
    if (member) member.state = "up";
    const after = makeWorld(() => before.backend, { state: before.state, startMs: before.clock.now() });
    worlds.push(after);
    await after.until(() => member?.state === "down", 10_000);
    await after.faults.restoreZone(SCOPE, "us-east-1a");
    expect(member?.state).toBe("up");
  });
});
