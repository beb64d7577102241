import { describe, expect, it } from "vitest";
import { allowedDisruptions } from "../../src/domain/auto-mode/budgets.js";
import {
  type ConsolidationView,
  consolidatableAtMs,
  decideConsolidation,
  type LoadedNode,
} from "../../src/domain/auto-mode/consolidation.js";
import { decideLife, type LifeView } from "../../src/domain/auto-mode/life.js";
import type { WaitingPod } from "../../src/domain/auto-mode/plan.js";
import { createOfferingFilter, SKIPPED_MS } from "../../src/domain/auto-mode/unavailable.js";

const GIB = 1024 ** 3;
const ZONE = "topology.kubernetes.io/zone";

describe("disruption budgets", () => {
  it.each([
    ["none named, of 10 nodes", undefined, 10, 0, 1],
    ["none named, of 11 nodes: rounded up", undefined, 11, 0, 2],
    ["one is going already", undefined, 10, 1, 0],
    ["a number", [{ nodes: "3" }], 10, 1, 2],
    ["the tightest counts", [{ nodes: "50%" }, { nodes: "1" }], 10, 0, 1],
    ["for another reason", [{ nodes: "0", reasons: ["Drifted"] }], 10, 0, Number.POSITIVE_INFINITY],
    ["for this reason", [{ nodes: "0", reasons: ["Empty"] }], 10, 0, 0],
    ["none active now", [], 10, 0, Number.POSITIVE_INFINITY],
    ["unreadable", [{ nodes: "many" }], 10, 0, 0],
  ])("allow: %s", (_, budgets, total, disrupted, allowed) => {
    expect(allowedDisruptions(budgets, "Empty", { total, disrupted })).toBe(allowed);
  });
});

describe("nodes that are given up", () => {
  const pool = {
    labels: { team: "blue" },
    taints: [],
    requirements: [{ key: "team", operator: "In", values: ["blue"] }],
  };
  const instance = (instanceId: string, changes: Partial<LifeView["instances"][number]> = {}) => ({
    instanceId,
    launchedAtMs: 0,
    version: "1.36",
    nodePool: { name: "p", amiType: "", labels: { team: "blue" }, taints: [], pods: [] },
    ...changes,
  });
  const retired = (instances: LifeView["instances"], changes: Partial<LifeView> = {}): string[] => {
    const { retire, drifted } = decideLife({
      instances,
      pools: new Map([["p", pool]]),
      counts: new Map([["p", { total: instances.length, disrupted: 0 }]]),
      version: "1.36",
      busy: false,
      nowMs: 1_000,
      ...changes,
    });
    return [
      ...retire.map(({ instanceId, why }) => `${instanceId} ${why}`),
      ...drifted.map((instanceId) => `${instanceId} when others serve`),
    ];
  };

  it("are as many empty ones at a time as the budget allows", () => {
    const empty = Array.from({ length: 20 }, (_, index) => instance(`i-${index}`, { emptySinceMs: 0 }));
    expect(retired(empty)).toEqual(["i-0 empty", "i-1 empty"]);
    expect(retired(empty, { counts: new Map([["p", { total: 20, disrupted: 1 }]]) })).toEqual(["i-0 empty"]);
  });

  it("are all that are too old, and all whose pool is gone, whatever budgets say", () => {
    const frozen = new Map([["p", { ...pool, budgets: [{ nodes: "0" }], expireAfter: "1s" }]]);
    const old = [instance("i-1"), instance("i-2")];
    expect(retired(old, { pools: frozen })).toEqual(["i-1 expired", "i-2 expired"]);
    expect(retired(old, { pools: new Map() })).toEqual(["i-1 drift", "i-2 drift"]);
  });

  it.each([
    ["labels", { labels: { team: "red" } }],
    ["taints", { taints: [{ key: "team", effect: "NoSchedule" }] }],
    ["requirements", { requirements: [{ key: "team", operator: "NotIn", values: ["blue"] }] }],
  ])("are, once others serve in their place, those that do not have their pool's %s any more", (_, changes) => {
    const pools = new Map([["p", { ...pool, ...changes }]]);
    expect(retired([instance("i-1"), instance("i-2")], { pools })).toEqual([
      "i-1 when others serve",
      "i-2 when others serve",
    ]);
    expect(
      retired([instance("i-1")], { pools: new Map([["p", { ...pool, ...changes, budgets: [{ nodes: "0" }] }]]) }),
    ).toEqual([]);
    expect(retired([instance("i-1")], { pools, busy: true })).toEqual([]);
  });

  it("are none during a zonal shift, but for those that are too old", () => {
    const some = [instance("i-1", { emptySinceMs: 0 }), instance("i-2", { version: "1.35" })];
    expect(retired(some, { isShifted: true })).toEqual([]);
    const pools = new Map([["p", { ...pool, expireAfter: "1s" }]]);
    expect(retired(some, { isShifted: true, pools })).toEqual(["i-1 expired", "i-2 expired"]);
  });
});

const pod = (uid: string, milliCpu: number, changes: Partial<WaitingPod> = {}): WaitingPod => ({
  uid,
  requests: { milliCpu, memory: GIB },
  requirements: [],
  tolerations: [],
  ...changes,
});

/** An m6i.2xlarge: 8 cores, 32 GiB. */
function node(name: string, pods: WaitingPod[], changes: Partial<LoadedNode> = {}): LoadedNode {
  const used = pods.reduce((sum, { requests }) => sum + requests.milliCpu, 0);
  return {
    name,
    zone: "us-east-1a",
    labels: { [ZONE]: "us-east-1a", "karpenter.sh/nodepool": "p" },
    taints: [],
    open: true,
    free: { milliCpu: 7_900 - used, memory: (28 - pods.length) * GIB, pods: 50 },
    pods,
    candidate: { instanceId: `i-${name}`, pool: "p", instanceType: "m6i.2xlarge", capacityType: "on-demand" },
    ...changes,
  };
}

const decide = (loads: LoadedNode[], changes: Partial<ConsolidationView> = {}) =>
  decideConsolidation({
    region: "us-east-1",
    zones: ["us-east-1a", "us-east-1b"],
    pools: [{ name: "p", weight: 0, requirements: [], labels: {}, taints: [] }],
    overhead: { milliCpu: 0, memory: 0 },
    nodes: [],
    hasCapacity: () => true,
    waiting: [],
    loads,
    budgets: new Map([["p", [{ nodes: "1" }]]]),
    counts: new Map([["p", { total: loads.length, disrupted: 0 }]]),
    ...changes,
  });

describe("consolidation", () => {
  it("gives up a node whose pods fit elsewhere", () => {
    expect(decide([node("a", [pod("1", 1_000)]), node("b", [pod("2", 6_000)])])).toEqual({ instanceIds: ["i-a"] });
  });

  it("replaces a node by a smaller one when its pods fit nowhere", () => {
    const found = decide([node("a", [pod("1", 1_000)]), node("b", [pod("2", 7_500)])]);
    expect(found?.instanceIds).toEqual(["i-a"]);
    expect(found?.replacement?.pods).toEqual(["1"]);
    expect(found?.replacement?.instanceType).toMatch(/\.(medium|large)$/);
  });

  it("replaces several nodes by one", () => {
    const loads = ["a", "b", "c"].map((name) => node(name, [pod(name, 4_500)]));
    const found = decide(loads, { budgets: new Map([["p", [{ nodes: "100%" }]]]) });
    expect(found?.instanceIds.length).toBeGreaterThan(1);
    expect(found?.replacement?.pods.length).toBe(found?.instanceIds.length);
  });

  it("leaves nodes alone that are well used, that must not be touched, or that are Spot and would need another", () => {
    const nothing = { hasCapacity: () => false };
    expect(decide([node("a", [pod("1", 7_500)]), node("b", [pod("2", 7_500)])], nothing)).toBeUndefined();
    const { candidate: _, ...full } = node("b", [pod("2", 7_500)]);
    const { candidate: __, ...kept } = node("a", [pod("1", 1_000)]);
    expect(decide([kept, full])).toBeUndefined();
    const spot = { instanceId: "i-a", pool: "p", instanceType: "m6i.2xlarge", capacityType: "spot" };
    expect(decide([node("a", [pod("1", 1_000)], { candidate: spot }), full])).toBeUndefined();
  });

  it("keeps pods where they may be: zones of spread pods, selectors, taints, cordons, hosts apart, pods that wait for the room", () => {
    const other = node("b", [pod("2", 1_000, { apart: "g" })], {
      zone: "us-east-1b",
      labels: { [ZONE]: "us-east-1b" },
    });
    const { candidate: _, ...room } = other;
    const cannot = (uid: Partial<WaitingPod>, there: LoadedNode = room, waiting: WaitingPod[] = []) =>
      decide([node("a", [pod("1", 1_000, uid)]), there], { hasCapacity: () => false, waiting });
    expect(cannot({})).toEqual({ instanceIds: ["i-a"] });
    expect(cannot({ spread: { group: "g", zones: {} } })).toBeUndefined();
    expect(cannot({ requirements: [{ key: ZONE, operator: "In", values: ["us-east-1a"] }] })).toBeUndefined();
    expect(cannot({ apart: "g" })).toBeUndefined();
    expect(cannot({}, { ...room, taints: [{ key: "x", effect: "NoSchedule" }] })).toBeUndefined();
    expect(cannot({}, { ...room, open: false })).toBeUndefined();
    expect(cannot({}, room, [pod("9", 6_500)])).toBeUndefined();
  });

  it("obeys budgets", () => {
    const loads = [node("a", [pod("1", 1_000)]), node("b", [pod("2", 6_000)])];
    expect(decide(loads, { budgets: new Map([["p", [{ nodes: "0" }]]]) })).toBeUndefined();
    expect(decide(loads, { budgets: new Map([["p", [{ nodes: "0", reasons: ["Drifted"] }]]]) })).toBeDefined();
  });

  it.each([
    [{}, 100],
    [{ consolidateAfter: "30s" }, 30_100],
    [{ consolidateAfter: "Never" }, undefined],
    [{ consolidationPolicy: "WhenEmpty", consolidateAfter: "30s" }, undefined],
  ])("waits as the pool says: %o", (pool, expected) => {
    expect(consolidatableAtMs(pool, 100)).toBe(expected);
  });
});

describe("offerings that EC2 has no capacity for", () => {
  it("are skipped for three minutes, even when there is capacity again", () => {
    const refused = createOfferingFilter({}, 0, (zone) => zone !== "a");
    expect([refused.hasCapacity("a", "m5.large"), refused.hasCapacity("b", "m5.large")]).toEqual([false, true]);
    expect(refused.refusedIn()).toEqual(["a"]);
    const later = (nowMs: number) => createOfferingFilter(refused.unavailable(), nowMs, () => true);
    expect(later(SKIPPED_MS - 1).hasCapacity("a", "m5.large")).toBe(false);
    expect(later(SKIPPED_MS - 1).refusedIn()).toEqual([]);
    expect(later(SKIPPED_MS - 1).hasCapacity("a", "m5.xlarge")).toBe(true);
    expect(later(SKIPPED_MS).hasCapacity("a", "m5.large")).toBe(true);
    expect(later(SKIPPED_MS).unavailable()).toEqual({});
  });
});
