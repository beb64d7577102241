import { afterEach, describe, expect, it } from "vitest";
import { BackendError } from "../../src/backends/backend.js";
import type { FaultRequest } from "../../src/domain/faults/index.js";
import { NOTHING_WRONG } from "../../src/domain/impairments.js";
import type { ClusterRecord, FaultRecord } from "../../src/domain/model.js";
import { makeWorld, type World } from "../reconcile/world.js";
import { SCOPE } from "../state/records.js";
import { aPod, type BreakableBackend, broken, createBreakableBackend } from "./breakable-backend.js";

const worlds: World[] = [];
type W = World<BreakableBackend>;
const world = (options: Parameters<typeof makeWorld>[1] = {}): W => {
  const made = makeWorld(createBreakableBackend, options);
  worlds.push(made);
  return made;
};
/** The same state file and backend in the hands of another process, some time later. */
const restarted = (before: W, afterMs = 0): W => {
  const options = { profile: "aws", state: before.state, startMs: before.clock.now() + afterMs } as const;
  const made = makeWorld(() => before.backend, options);
  worlds.push(made);
  return made;
};
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.stop();
});

const [A, B, C] = ["us-east-1a", "us-east-1b", "us-east-1c"] as const;

/** A cluster with two nodes a zone; AWS takes its time, so that nothing is replaced at once. */
const six = async (): Promise<{ w: W; cluster: ClusterRecord }> => {
  const w = world({ profile: "aws" });
  const cluster = await w.createCluster();
  await w.createNodegroup(cluster, "workers");
  return { w, cluster };
};
const start = (w: W, fault: string, request: Omit<FaultRequest, "fault"> = {}) =>
  w.faults.start(SCOPE, { fault, ...request });
const powers = (w: W, zone: string): string[] =>
  [...w.backend.clusters.values()].flatMap(({ nodes }) =>
    [...nodes.values()].filter(({ spec }) => spec.zone === zone).map(({ power }) => power),
  );
/** The zone's two nodes have no power. */
const isDark = (w: W, zone: string): boolean =>
  powers(w, zone).length === 2 && powers(w, zone).every((power) => power === "stopped" || power === "off");
const nodesIn = (w: W, zone: string): string[] =>
  w
    .instances()
    .filter((instance) => instance.zone === zone)
    .map(({ privateDnsName }) => privateDnsName);
const downIn = (w: W, clusterId: string): string[] =>
  [...(w.backend.clusters.get(clusterId)?.members.values() ?? [])]
    .filter(({ state }) => state === "down")
    .map(({ zone }) => zone);
const minutes = (count: number): number => count * 60_000;

describe("a fault", () => {
  it("is written down with its undo before it acts", async () => {
    const { w, cluster } = await six();
    let known: FaultRecord[] = [];
    const original = w.backend.setNodePower;
    w.backend.setNodePower = (...args) => {
      known = w.state.faults.active(SCOPE);
      return original(...args);
    };
    await w.faults.failZone(SCOPE, A);
    expect(known).toMatchObject([
      {
        kind: "zone-power-loss",
        zone: A,
        phase: "starting",
        undo: {
          clusters: {
            [cluster.id]: {
              machines: Object.fromEntries(nodesIn(w, A).map((name) => [name, "off"])),
              mastersDown: ["master-1"],
              zonesWithoutPower: [A],
            },
          },
        },
      },
    ]);
  });

  it("of one cluster leaves the others alone", async () => {
    const w = world();
    const [one, two] = [await w.createCluster("one"), await w.createCluster("two")];
    await w.faults.failZone(SCOPE, B, "one");
    expect(downIn(w, one.id)).toEqual([B]);
    expect(downIn(w, two.id)).toEqual([]);
    const stateOf = async (cluster: string) =>
      (await w.faults.zones(SCOPE, cluster)).find(({ name }) => name === B)?.state;
    expect(await stateOf("one")).toBe("failed");
    expect(await stateOf("two")).toBe("available");
    await expect(w.faults.restoreZone(SCOPE, B, "two")).rejects.toThrow(/has power/);
  });

  it("of one account never touches another's", async () => {
    const w = world();
    await w.createCluster("mine");
    const other = { accountId: "111111111111", region: SCOPE.region };
    const theirs = await w.createCluster("mine", { ...other, id: "IDtheirs" }).catch(() => undefined);
    expect(theirs).toBeDefined();
    const fault = await start(w, "zone-power-loss", { target: { zone: A } });
    await start(w, "api-server-latency", { target: { cluster: "mine" } });
    expect(downIn(w, "IDtheirs")).toEqual([]);
    expect(w.backend.wrong.has("IDtheirs")).toBe(false);
    expect(w.faults.list(other)).toEqual([]);
    await expect(w.faults.stop(other, fault.id)).rejects.toThrow(/No fault found/);
    expect(await w.faults.stopAll(other)).toEqual([]);
    expect(w.faults.list(SCOPE)).toHaveLength(2);
  });

  it("that is on a second time in another way keeps its machines off until both have ended", async () => {
    const { w } = await six();
    await w.faults.failZone(SCOPE, A, "demo");
    await w.faults.failZone(SCOPE, A);
    await w.faults.restoreZone(SCOPE, A, "demo");
    expect(isDark(w, A)).toBe(true);
    await expect(w.faults.restoreZone(SCOPE, A, "demo")).rejects.toThrow(/without power for every cluster/);
    await w.faults.restoreZone(SCOPE, A);
    expect(powers(w, A)).toEqual(["running", "running"]);
  });

  it("asked for twice is one fault of a zone", async () => {
    const w = world();
    await w.createCluster();
    const { faultId } = await w.faults.failZone(SCOPE, A);
    expect(await w.faults.failZone(SCOPE, "use1-az1")).toEqual({
      faultId,
      message: expect.stringMatching(
        /^Zone us-east-1a is already without power\. Bring it back with: eksim fault stop fault-/,
      ),
    });
    expect(w.state.faults.all(SCOPE)).toHaveLength(1);
  });

  it("of a zone holds for clusters made while it is on", async () => {
    const w = world();
    await w.faults.failZone(SCOPE, C);
    const cluster = await w.createCluster();
    await w.createNodegroup(cluster, "workers");
    expect(w.spread()).toEqual({ [A]: 3, [B]: 3 });
    expect(w.state.members.list(cluster.id).map(({ status }) => status)).toEqual(["READY", "READY", "FAILED"]);
    await w.faults.restoreZone(SCOPE, C);
    expect(broken(w.backend)).toEqual([]);
  });

  it("tells of its beginning and its end", async () => {
    const { w } = await six();
    const [node = ""] = nodesIn(w, B);
    const { id } = await start(w, "node-isolation", { target: { nodes: [node] } });
    await w.faults.stop(SCOPE, id);
    const told = w.state.events.read({}).filter(({ source }) => source === "fault");
    const { instanceId } = w.instances().find(({ privateDnsName }) => privateDnsName === node) ?? {};
    const detail = { faultId: id, kind: "node-isolation", nodes: [node] };
    expect(told).toMatchObject([
      {
        type: "FaultStarted",
        subject: instanceId,
        zone: B,
        clusterName: "demo",
        message: `Node ${node} is cut off from the network.`,
        detail,
      },
      {
        type: "FaultEnded",
        subject: instanceId,
        zone: B,
        clusterName: "demo",
        message: `Node ${node} is reached again.`,
        detail,
      },
    ]);
  });
});

describe("what a fault is aimed at", () => {
  it.each<[string, Omit<FaultRequest, "fault">, RegExp]>([
    ["node-isolation", { target: { cluster: "prod" } }, /No cluster found for name: prod. Clusters: demo\./],
    [
      "node-isolation",
      { target: { cluster: "demo", nodegroup: "x" } },
      /No node group found for name: x. Node groups: workers\./,
    ],
    ["node-isolation", { target: { nodes: ["ip-1"] } }, /There is no node ip-1. Nodes: ip-10-0-/],
    ["node-isolation", { target: { labels: { team: "none" } } }, /No node is meant by this target. Nodes: ip-/],
    ["node-isolation", { target: { zone: "us-east-1d" } }, /No node is meant/],
    ["node-isolation", { target: { zone: A, count: 3 } }, /count is 3, but only 2 nodes are meant/],
    ["spot-interruption", { target: { zone: A } }, /No node fits spot-interruption: Instance i-.* is On-Demand/],
    ["pod-kill", { target: { namespace: "default" } }, /No pod is meant by this target. There are no pods./],
    ["pod-kill", { target: { namespace: "default", pods: ["web-1"] } }, /no pod web-1 in namespace default/],
    ["master-loss", { target: { zone: "us-east-1d" } }, /no running master in us-east-1d/],
  ])("%s with %j is refused, and nothing remains", async (fault, request, why) => {
    const { w } = await six();
    await expect(start(w, fault, request)).rejects.toThrow(why);
    expect(w.state.faults.all()).toEqual([]);
    expect(broken(w.backend)).toEqual([]);
  });

  it.each<[string, Omit<FaultRequest, "fault">, string]>([
    ["zone-power-loss", { target: { zone: A } }, "It hits 1 master and 2 nodes now, and what comes."],
    [
      "zone-dns-failure",
      { target: { zone: "us-east-1d" } },
      "Nothing stands in us-east-1d now; what comes will be hit.",
    ],
    [
      "insufficient-capacity",
      { target: { zone: A } },
      "2 nodes in us-east-1a go on; what is launched there will be hit.",
    ],
    [
      "insufficient-capacity",
      { target: { zone: "use1-az6" } },
      "Nothing stands in us-east-1d now; what comes will be hit.",
    ],
    ["node-freeze", { target: { zone: A } }, "It hits 2 nodes now, and those that come."],
    ["pod-not-ready", { target: { zone: A, namespace: "default" } }, "It hits 1 pod now, and those that come."],
  ])("is said of %s with %j, where whoever comes is meant too", async (fault, request, said) => {
    const { w, cluster } = await six();
    w.backend.podsOf.set(cluster.id, [aPod("web", A)]);
    expect((await start(w, fault, request)).hits).toBe(said);
  });

  it("is said to be nothing yet where there is no cluster", async () => {
    const w = world();
    const { hits } = await start(w, "zone-power-loss", { target: { zone: B } });
    expect(hits).toBe(
      "Nothing stands in us-east-1b now, for there is no cluster in the region; what comes will be hit.",
    );
    await w.faults.stopAll(SCOPE);
    expect((await w.faults.failZone(SCOPE, B)).message).toContain("there is no cluster in the region");
  });

  it("has nothing to be said of where the targets say it all", async () => {
    const { w } = await six();
    for (const fault of ["node-isolation", "master-loss"])
      expect((await start(w, fault, { target: { zone: A, count: 1 } })).hits).toBeUndefined();
    expect((await start(w, "aws-api-throttling")).hits).toBeUndefined();
    expect((await start(w, "zone-power-loss", { target: { zone: B }, delay: "5m" })).hits).toBeUndefined();
  });

  it("shows in the zones where it stands, whatever it was named by", async () => {
    const { w } = await six();
    const shown = async (): Promise<Record<string, string[]>> =>
      Object.fromEntries(
        (await w.faults.zones(SCOPE)).map(({ name, state, faults }) => [
          name,
          [state, ...faults.map((one) => one.fault)],
        ]),
      );
    const { targets, id } = await start(w, "quorum-loss", { target: { cluster: "demo" } });
    const [first, second] = (targets.masters ?? []).map(({ zone = "" }) => zone);
    const spared = [A, B, C].find((zone) => zone !== first && zone !== second) ?? "";
    const lost = { [first ?? ""]: ["available", "quorum-loss"], [second ?? ""]: ["available", "quorum-loss"] };
    expect(await shown()).toEqual({ ...lost, [spared]: ["available"] });
    // Made anew elsewhere, they are still lost where they stood.
    await w.clock.advance(minutes(10));
    expect(await shown()).toMatchObject(lost);
    await w.faults.stop(SCOPE, id);
    await start(w, "master-loss");
    await start(w, "node-isolation", { target: { nodes: [nodesIn(w, A)[0] ?? ""] } });
    expect(
      Object.values(await shown())
        .flat()
        .filter((said) => said === "master-loss"),
    ).toHaveLength(1);
    expect((await shown())[A]).toContain("node-isolation");
  });

  it("may be nobody when that is skipped", async () => {
    const { w } = await six();
    const fault = await start(w, "node-isolation", { target: { zone: "us-east-1d" }, emptyTargets: "skip" });
    expect(fault).toMatchObject({ phase: "ended", reason: expect.stringMatching(/No node is meant/) });
    expect(w.events().at(-1)).toContain("FaultSkipped");
  });

  it("is the same for the same seed, and a share is rounded up", async () => {
    const { w } = await six();
    const chosen = async (seed: number): Promise<string[]> => {
      const { id, targets } = await start(w, "node-isolation", { target: { cluster: "demo", percent: 40 }, seed });
      await w.faults.stop(SCOPE, id);
      return (targets.nodes ?? []).map(({ name }) => name);
    };
    const first = await chosen(7);
    expect(first).toHaveLength(3);
    expect(await chosen(7)).toEqual(first);
    const others = [await chosen(1), await chosen(2), await chosen(3), await chosen(4)];
    expect(others.some((names) => JSON.stringify(names) !== JSON.stringify(first))).toBe(true);
  });

  it("may be named by node group, by label and by instance id", async () => {
    const { w, cluster } = await six();
    await w.createNodegroup(cluster, "gpu", {
      labels: { team: "ml" },
      scalingConfig: { minSize: 0, maxSize: 3, desiredSize: 2 },
    });
    const names = async (target: FaultRequest["target"]): Promise<string[]> => {
      const { id, targets } = await start(w, "node-isolation", { ...(target ? { target } : {}) });
      await w.faults.stop(SCOPE, id);
      return (targets.nodes ?? []).map(({ name }) => name).sort();
    };
    const gpu = w
      .instances("gpu")
      .map(({ privateDnsName }) => privateDnsName)
      .sort();
    expect(await names({ cluster: "demo", nodegroup: "gpu" })).toEqual(gpu);
    expect(await names({ labels: { team: "ml" } })).toEqual(gpu);
    const [first] = w.instances("gpu");
    expect(await names({ nodes: [first?.instanceId ?? ""] })).toEqual([first?.privateDnsName]);
  });

  it("is the pods of a node, by whichever of its names", async () => {
    const { w, cluster } = await six();
    const [instance] = w.instances();
    const { privateDnsName: nodeName = "", instanceId = "" } = instance ?? {};
    w.backend.podsOf.set(cluster.id, [aPod("here", A, { nodeName }), aPod("elsewhere", A)]);
    for (const node of [nodeName, instanceId]) await start(w, "pod-oom", { target: { nodes: [node] } });
    const names = w.backend.ended.map(({ how, pods }) => [how, ...pods.map(({ name }) => name)]);
    expect(names).toEqual(Array(2).fill(["oom", "here"]));
  });

  it("stays the chosen nodes: what replaces them is well", async () => {
    const { w } = await six();
    const [node = ""] = nodesIn(w, A);
    await start(w, "instance-stop", { target: { nodes: [node] } });
    await w.until(() => w.instances().every(({ privateDnsName }) => privateDnsName !== node) && w.spread()[A] === 2);
    expect(broken(w.backend)).toEqual([]);
  });

  it("is what EC2 was told of: instances that replace those stopped in a zone run", async () => {
    const w = world();
    await w.createNodegroup(await w.createCluster(), "workers");
    const before = nodesIn(w, A);
    await start(w, "instance-stop", { target: { zone: A } });
    await w.until(() => w.spread()[A] === 2 && nodesIn(w, A).every((name) => !before.includes(name)));
    await w.clock.advance(minutes(10));
    expect(w.spread()).toEqual({ [A]: 2, [B]: 2, [C]: 2 });
  });

  it("is every node of a zone when only the zone is named, those that come later too", async () => {
    const { w } = await six();
    await start(w, "node-pressure", { target: { zone: A }, parameters: { resource: "disk" } });
    w.startUpdate({ name: "workers" }, "ConfigUpdate", { scalingConfig: { minSize: 0, maxSize: 12, desiredSize: 9 } });
    await w.until(() => w.spread()[A] === 3);
    const { nodes } = w.backend.wrong.get(w.cluster()?.id ?? "") ?? NOTHING_WRONG;
    expect(Object.keys(nodes).sort()).toEqual(nodesIn(w, A).sort());
    expect(nodesIn(w, A)).toHaveLength(3);
  });

  it("is every pod of a zone when only the zone is named, those that come later too", async () => {
    const { w, cluster } = await six();
    w.backend.podsOf.set(cluster.id, [aPod("web-1", A), aPod("web-2", B)]);
    const { id } = await start(w, "pod-not-ready", { target: { zone: A, podLabels: { app: "web" } } });
    const names = (): string[] => (w.backend.wrong.get(cluster.id)?.pods ?? []).map(({ name }) => name);
    expect(names()).toEqual(["web-1"]);
    w.backend.podsOf.set(cluster.id, [aPod("web-1", A), aPod("web-3", A), aPod("db-1", A, { labels: { app: "db" } })]);
    w.backend.tellPods();
    await w.clock.advance(1000);
    expect(names()).toEqual(["web-1", "web-3"]);
    await w.faults.stop(SCOPE, id);
    w.backend.podsOf.set(cluster.id, [aPod("web-4", A)]);
    w.backend.tellPods();
    await w.clock.advance(1000);
    expect(names()).toEqual([]);
  });
});

describe("several faults", () => {
  it("leave what the others broke when they end", async () => {
    const { w, cluster } = await six();
    const [node = ""] = nodesIn(w, A);
    const cut = await start(w, "node-isolation", { target: { nodes: [node] } });
    const dark = await start(w, "zone-power-loss", { target: { zone: A } });
    expect(isDark(w, A)).toBe(true);
    await w.faults.stop(SCOPE, dark.id);
    expect(powers(w, A).sort()).toEqual(["isolated", "running"]);
    expect(w.instances().every(({ unhealthySinceMs }) => unhealthySinceMs === undefined)).toBe(true);
    await start(w, "api-server-latency", { target: { cluster: "demo" }, parameters: { latency: "1s" } });
    const slow = await start(w, "api-server-latency", { target: { cluster: "demo" }, parameters: { latency: "2s" } });
    expect(w.backend.wrong.get(cluster.id)?.apiServer).toEqual({ latencyMs: 3000 });
    await w.faults.stop(SCOPE, slow.id);
    expect(w.backend.wrong.get(cluster.id)?.apiServer).toEqual({ latencyMs: 1000 });
    await w.faults.stop(SCOPE, cut.id);
    await w.faults.stopAll(SCOPE);
    expect(broken(w.backend)).toEqual([]);
  });

  it("that are asked for in the same moment are several", async () => {
    const { w } = await six();
    const both = await Promise.all([A, B].map((zone) => start(w, "node-isolation", { target: { zone } })));
    expect(new Set(both.map(({ id }) => id)).size).toBe(2);
    expect(powers(w, A)).toEqual(["isolated", "isolated"]);
    expect(powers(w, B)).toEqual(["isolated", "isolated"]);
  });

  it("end together, and everything is as before", async () => {
    const { w } = await six();
    await start(w, "zone-power-loss", { target: { zone: A } });
    await start(w, "zone-isolation", { target: { zone: B } });
    await start(w, "quorum-loss", { target: { cluster: "demo" } });
    await start(w, "node-clock-skew", { target: { zone: C } });
    await start(w, "health-issue", { target: { cluster: "demo" }, parameters: { code: "KmsKeyDisabled" } });
    await start(w, "instance-stop", { target: { zone: C, count: 1 } });
    expect(w.cluster()?.healthIssues).toMatchObject([{ code: "KmsKeyDisabled" }]);
    expect(broken(w.backend)).not.toEqual([]);
    expect((await w.faults.stopAll(SCOPE)).map(({ phase }) => phase)).toEqual(Array(6).fill("ended"));
    expect(broken(w.backend)).toEqual([]);
    expect(w.cluster()?.healthIssues).toEqual([]);
    expect(w.instances().map(({ state, unhealthySinceMs }) => [state, unhealthySinceMs])).toEqual(
      Array(6).fill(["running", undefined]),
    );
    expect(w.state.faults.unfinished()).toEqual([]);
  });
});

describe("what EC2 shows of it", () => {
  it("an instance that is stopped is stopping, then stopped, and runs again at the end", async () => {
    const { w } = await six();
    const [node = ""] = nodesIn(w, B);
    const state = () => w.instances().find(({ privateDnsName }) => privateDnsName === node)?.state;
    const { id } = await start(w, "instance-stop", { target: { nodes: [node] } });
    expect(state()).toBe("stopping");
    await w.clock.advance(10_000);
    expect(state()).toBe("stopped");
    await w.faults.stop(SCOPE, id);
    expect(state()).toBe("running");
    await w.clock.advance(minutes(10));
    expect(w.instances().map(({ lifecycle }) => lifecycle)).toEqual(Array(6).fill("InService"));
  });

  const spotGroup = async (w: W, cluster: ClusterRecord): Promise<string> => {
    const scalingConfig = { minSize: 0, maxSize: 3, desiredSize: 1 };
    await w.createNodegroup(cluster, "spot", { capacityType: "SPOT", scalingConfig });
    return w.instances("spot")[0]?.instanceId ?? "";
  };

  it("a Spot instance is warned, and taken two minutes later at the latest", async () => {
    const { w, cluster } = await six();
    const instanceId = await spotGroup(w, cluster);
    await start(w, "spot-interruption", { target: { nodes: [instanceId] } });
    const takenAtMs = w.clock.now() + minutes(2);
    expect(w.state.instances.get(instanceId)).toMatchObject({ lifecycle: "InService", interruptionAtMs: takenAtMs });
    expect(w.events().at(-1)).toContain(`SpotInterruptionWarning ${instanceId}`);
    await w.clock.advance(minutes(2));
    expect(w.state.instances.get(instanceId)?.lifecycle).toMatch(/^Terminat/);
    expect(w.faults.list(SCOPE)).toEqual([]);
    await w.until(() => w.instances("spot").filter(({ lifecycle }) => lifecycle === "InService").length === 1);
  });

  it("a Spot instance is at risk before it is warned when a lead is asked for", async () => {
    const { w, cluster } = await six();
    const instanceId = await spotGroup(w, cluster);
    // Nobody replaces it in time: there is no room.
    for (const zone of [A, B, C]) await start(w, "insufficient-capacity", { target: { zone } });
    const atMs = w.clock.now();
    await start(w, "spot-interruption", { target: { nodes: [instanceId] }, parameters: { rebalanceLead: "5m" } });
    const row = () => w.state.instances.get(instanceId);
    expect(row()).toMatchObject({ rebalanceRecommendedAtMs: atMs });
    expect(row()).not.toHaveProperty("interruptionAtMs");
    await w.clock.advance(minutes(5));
    expect(row()).toMatchObject({ interruptionAtMs: atMs + minutes(7) });
  });

  it("an interruption that is called off in time leaves the instance", async () => {
    const { w, cluster } = await six();
    const instanceId = await spotGroup(w, cluster);
    const { id } = await start(w, "spot-interruption", {
      target: { nodes: [instanceId] },
      parameters: { rebalanceLead: "1h" },
    });
    await w.faults.stop(SCOPE, id);
    expect(w.state.instances.get(instanceId)).not.toHaveProperty("rebalanceRecommendedAtMs");
  });

  it("instances that cannot join run, and join when the fault has ended", async () => {
    const { w, cluster } = await six();
    const { id } = await start(w, "node-join-failure", { target: { cluster: "demo" } });
    const group = { createdAtMs: w.clock.now(), scalingConfig: { minSize: 0, maxSize: 3, desiredSize: 2 } };
    await w.createNodegroup(cluster, "more", group);
    expect(w.group("more")).toMatchObject({ status: "CREATE_FAILED", healthIssues: [{ code: "NodeCreationFailure" }] });
    expect(w.instances("more").map(({ state, lifecycle }) => [state, lifecycle])).toEqual(
      Array(2).fill(["running", "Pending"]),
    );
    await w.faults.stop(SCOPE, id);
    await w.until(() => w.instances("more").every(({ lifecycle }) => lifecycle === "InService"));
  });
});

describe("what a backend cannot do", () => {
  it("ends for masters also while nothing else can be told to a cluster without a leader", async () => {
    const { w, cluster } = await six();
    await start(w, "api-server-latency", { target: { cluster: cluster.name } });
    for (const zone of [A, B]) await w.faults.failZone(SCOPE, zone);
    expect(downIn(w, cluster.id)).toEqual([A, B]);
    const { impair } = w.backend;
    w.backend.impair = async (...args) => {
      if (downIn(w, cluster.id).length > 1) throw new BackendError("unavailable", "no leader");
      await impair?.(...args);
    };
    await w.faults.stopAll(SCOPE);
    await w.clock.advance(minutes(1));
    expect(broken(w.backend)).toEqual([]);
    expect(w.state.faults.unfinished()).toEqual([]);
  });

  it("is refused in its words, and nothing remains", async () => {
    const { w, cluster } = await six();
    await start(w, "api-server-errors", { target: { cluster: "demo" } });
    const before = w.backend.wrong.get(cluster.id);
    w.backend.unsupported = ({ links }) => (links.length > 0 ? "this machine has no tc" : undefined);
    await expect(start(w, "zone-isolation", { target: { zone: A } })).rejects.toThrow(
      /zone-isolation cannot be brought about: this machine has no tc/,
    );
    expect(w.faults.list(SCOPE, { all: true }).map(({ fault }) => fault)).toEqual(["api-server-errors"]);
    expect(w.backend.wrong.get(cluster.id)).toEqual(before);
    expect(w.events().filter((event) => event.includes("Fault"))).toHaveLength(1);
  });

  it("is asked of it again until it can when it only failed", async () => {
    const { w } = await six();
    w.backend.failNext("setNodePower", new BackendError("failed", "docker is busy"));
    const { id } = await start(w, "node-isolation", { target: { zone: A } });
    await w.clock.advance(2000);
    expect(powers(w, A)).toEqual(["isolated", "isolated"]);
    w.backend.failNext("setNodePower", new BackendError("failed", "docker is busy"));
    await w.faults.stop(SCOPE, id);
    expect(w.state.faults.unfinished()).toHaveLength(1);
    await w.clock.advance(2000);
    expect(broken(w.backend)).toEqual([]);
    expect(w.state.faults.unfinished()).toEqual([]);
  });
});

describe("time", () => {
  it("begins a fault after its delay, with the targets of then, and ends it after its duration", async () => {
    const { w, cluster } = await six();
    w.backend.podsOf.set(cluster.id, [aPod("old", A)]);
    const request = { target: { namespace: "default" }, delay: "10m", duration: "5m" };
    const { id, phase } = await start(w, "pod-crash-loop", request);
    expect(phase).toBe("scheduled");
    const names = (): string[] => (w.backend.wrong.get(cluster.id)?.pods ?? []).map(({ name }) => name);
    w.backend.podsOf.set(cluster.id, [aPod("new", A)]);
    await w.clock.advance(minutes(10) - 1);
    expect(names()).toEqual([]);
    await w.clock.advance(1);
    expect(names()).toEqual(["new"]);
    await w.clock.advance(minutes(5));
    expect(names()).toEqual([]);
    expect(w.faults.list(SCOPE, { all: true })).toMatchObject([{ id, phase: "ended", endedAtMs: w.clock.now() }]);
  });

  it("that comes for nobody ends a fault with the reason", async () => {
    const { w } = await six();
    await start(w, "pod-kill", { target: { namespace: "default" }, delay: "1m" });
    await w.clock.advance(minutes(1));
    expect(w.faults.list(SCOPE, { all: true })).toMatchObject([
      { phase: "ended", reason: "No pod is meant by this target. There are no pods." },
    ]);
  });

  it("may be called off before it comes", async () => {
    const { w } = await six();
    const { id } = await start(w, "zone-power-loss", { target: { zone: A }, delay: "1m" });
    const ended = await w.faults.stop(SCOPE, id);
    expect(ended).toMatchObject({ phase: "ended", reason: "it was called off before it began" });
    await w.clock.advance(minutes(5));
    expect(broken(w.backend)).toEqual([]);
    expect(w.events().some((event) => event.includes("ZoneFailed"))).toBe(false);
  });

  it("goes on over a restart: what is scheduled begins, what is on ends", async () => {
    const { w: before } = await six();
    await start(before, "node-isolation", { target: { zone: A }, duration: "10m" });
    await start(before, "node-isolation", { target: { zone: B }, delay: "5m", duration: "10m" });
    await before.reconcilers.stop();
    const after = restarted(before, minutes(1));
    await after.clock.advance(1000);
    expect(powers(after, A)).toEqual(["isolated", "isolated"]);
    await after.clock.advance(minutes(4));
    expect(powers(after, B)).toEqual(["isolated", "isolated"]);
    await after.clock.advance(minutes(5));
    expect(powers(after, A)).toEqual(["running", "running"]);
    await after.clock.advance(minutes(5));
    expect(broken(after.backend)).toEqual([]);
  });

  it("that passed while nobody ran ends what was on, and passes over what never began", async () => {
    const { w: before } = await six();
    await start(before, "node-isolation", { target: { zone: A }, duration: "10m" });
    await start(before, "zone-power-loss", { target: { zone: B }, delay: "5m", duration: "10m" });
    await before.reconcilers.stop();
    const after = restarted(before, minutes(60));
    await after.clock.advance(2000);
    expect(broken(after.backend)).toEqual([]);
    expect(after.faults.list(SCOPE, { all: true })).toMatchObject([
      { fault: "node-isolation", phase: "ended" },
      { fault: "zone-power-loss", phase: "ended", reason: "its time passed while eksim did not run" },
    ]);
  });
});

describe("a crash", () => {
  it("between a fault's end and its undoing is put right when the cluster is adopted", async () => {
    const { w: before } = await six();
    const { faultId } = await before.faults.failZone(SCOPE, A);
    // As a kill between the end's being written down and its undoing leaves it.
    const fault = before.state.faults.get(faultId) as FaultRecord;
    before.state.faults.put({
      ...fault,
      phase: "ended",
      endedAtMs: before.clock.now(),
      undo: { ...fault.undo, pending: true },
    });
    await before.reconcilers.stop();
    const after = restarted(before);
    await after.until(() => broken(before.backend).length === 0, minutes(1));
    expect(after.instances().every(({ unhealthySinceMs }) => unhealthySinceMs === undefined)).toBe(true);
  });

  const deaths = Array.from({ length: 30 }, (_, command) => command + 1).flatMap((command) => [
    [command, "before"] as const,
    [command, "after"] as const,
  ]);

  it("at any command leaves what was on, ends what had not begun, and nothing is broken after stop-all", async () => {
    let deadliest = 0;
    for (const [command, when] of deaths) {
      const { w: before } = await six();
      const death = before.backend.dieAt(command, when).then(() => "dead" as const);
      const life = async (): Promise<"alive"> => {
        await start(before, "zone-power-loss", { target: { zone: A } });
        const { id } = await start(before, "node-isolation", { target: { zone: B } });
        await start(before, "zone-isolation", { target: { zone: C } });
        await start(before, "quorum-loss", { target: { cluster: "demo" } });
        await before.faults.stop(SCOPE, id);
        await before.faults.restoreZone(SCOPE, A);
        return "alive";
      };
      if ((await Promise.race([life(), death])) === "alive") break;
      deadliest = command;
      await before.reconcilers.stop();
      worlds.splice(worlds.indexOf(before), 1);
      before.backend.revive();
      const active = before.state.faults.active().filter(({ phase }) => phase === "active");
      const after = restarted(before);
      await after.clock.advance(1000);
      expect(after.faults.list(SCOPE).map(({ id }) => id)).toEqual(active.map(({ id }) => id));
      expect(after.state.faults.unfinished()).toEqual([]);
      for (const { zone, kind } of active) {
        if (kind === "zone-power-loss") expect(isDark(after, zone ?? "")).toBe(true);
      }
      await after.faults.stopAll(SCOPE);
      expect(broken(after.backend), `death ${when} command ${command}`).toEqual([]);
      expect(after.instances().every(({ unhealthySinceMs }) => unhealthySinceMs === undefined)).toBe(true);
    }
    expect(deadliest).toBeGreaterThan(15);
  });
});
