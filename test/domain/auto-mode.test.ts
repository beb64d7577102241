import { describe, expect, it } from "vitest";
import { decideLife, karpenterDurationMs } from "../../src/domain/auto-mode/life.js";
import { type NodePool, type PlanView, planNodes, type WaitingPod } from "../../src/domain/auto-mode/plan.js";

const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const GENERAL: NodePool = {
  name: "general-purpose",
  weight: 0,
  labels: {},
  taints: [],
  requirements: [
    { key: "karpenter.sh/capacity-type", operator: "In", values: ["on-demand"] },
    { key: "eks.amazonaws.com/instance-category", operator: "In", values: ["c", "m", "r"] },
    { key: "eks.amazonaws.com/instance-generation", operator: "Gt", values: ["4"] },
    { key: "kubernetes.io/arch", operator: "In", values: ["amd64"] },
  ],
};
const SYSTEM: NodePool = {
  ...GENERAL,
  name: "system",
  taints: [{ key: "CriticalAddonsOnly", effect: "NoSchedule" }],
};
const GIB = 1024 ** 3;
let count = 0;
const pod = (milliCpu: number, gib: number, more: Partial<WaitingPod> = {}): WaitingPod => ({
  uid: `pod-${String(count++).padStart(4, "0")}`,
  requests: { milliCpu, memory: gib * GIB },
  requirements: [],
  tolerations: [],
  ...more,
});
const plan = (pods: WaitingPod[], more: Partial<PlanView> = {}) =>
  planNodes({
    region: "us-east-1",
    zones: ZONES,
    pods,
    pools: [GENERAL, SYSTEM],
    overhead: { milliCpu: 0, memory: 0 },
    nodes: [],
    hasCapacity: () => true,
    ...more,
  });
const told = (pods: WaitingPod[], more: Partial<PlanView> = {}): string[] =>
  plan(pods, more).map(({ pool, instanceType, pods: uids }) => `${pool.name} ${instanceType} ${uids.length}`);

describe("nodes for pods that find none", () => {
  it("are as small as the pods allow, and hold as many of them as fit", () => {
    expect(told([pod(500, 1)])).toEqual([expect.stringMatching(/^general-purpose (c|m)\d\w*\.(large|medium) 1$/)]);
    expect(plan(Array.from({ length: 10 }, () => pod(500, 1)))).toHaveLength(1);
    expect(told([pod(3500, 12)])).toEqual([expect.stringMatching(/xlarge 1$/)]);
  });

  it("leave room for what every node has to run", () => {
    const small = { milliCpu: 1500, memory: GIB };
    const [without] = plan([pod(1500, 1)]);
    const [with_] = plan([pod(1500, 1)], { overhead: small });
    expect(without?.instanceType).toMatch(/\.large$/);
    expect(with_?.instanceType).toMatch(/\.xlarge$/);
  });

  it("come from a pool whose taints the pod tolerates; none comes from a pool that cannot give what it needs", () => {
    const tolerations = [{ key: "CriticalAddonsOnly", operator: "Exists" }];
    expect(told([pod(100, 1, { tolerations })], { pools: [SYSTEM] })).toHaveLength(1);
    expect(told([pod(100, 1)], { pools: [SYSTEM] })).toEqual([]);
    expect(told([pod(1_000_000, 1)])).toEqual([]);
    const arm = [{ key: "kubernetes.io/arch", operator: "In", values: ["arm64"] }];
    expect(told([pod(100, 1, { requirements: arm })])).toEqual([]);
  });

  it("are in the zone that a pod is held to, and spread where it must be", () => {
    const requirements = [{ key: "topology.kubernetes.io/zone", operator: "In", values: ["us-east-1b"] }];
    expect(plan([pod(100, 1, { requirements })])[0]?.zone).toBe("us-east-1b");
    const spread = { group: "web", zones: { "us-east-1a": 1 } };
    const zones = plan([0, 1].map(() => pod(100, 1, { spread }))).map(({ zone }) => zone);
    expect(zones.sort()).toEqual(["us-east-1b", "us-east-1c"]);
  });

  it("are one for each of the pods that must not share a node", () => {
    expect(plan([0, 1, 2].map(() => pod(100, 1, { apart: "web" })))).toHaveLength(3);
  });

  it("go where EC2 has room, and are not more than the pool's limits allow", () => {
    const [only] = plan([pod(100, 1)], { hasCapacity: (zone, type) => zone === "us-east-1c" && type === "r5.large" });
    expect(only).toMatchObject({ zone: "us-east-1c", instanceType: "r5.large" });
    const limited = { ...GENERAL, limits: { milliCpu: 2000 } };
    const apart = [0, 1].map(() => pod(100, 1, { apart: "x" }));
    expect(plan(apart, { pools: [limited] }).length).toBeLessThanOrEqual(2);
    expect(plan([pod(3000, 1)], { pools: [limited] })).toEqual([]);
  });
});

describe("nodes of node pools", () => {
  const HOUR_MS = 3_600_000;
  const view = (instance: object, more: object = {}) =>
    decideLife({
      instances: [
        {
          instanceId: "i-1",
          launchedAtMs: 0,
          version: "1.36",
          nodePool: { name: "p", amiType: "", labels: {}, taints: [], pods: [] },
          ...instance,
        },
      ],
      pools: new Map([["p", { expireAfter: "336h", consolidateAfter: "30s" }]]),
      counts: new Map([["p", { total: 1, disrupted: 0 }]]),
      version: "1.36",
      busy: false,
      nowMs: HOUR_MS,
      ...more,
    });

  it("go when they are as old as their pool says, and after 21 days whatever it says", () => {
    expect(view({})).toEqual({ retire: [], drifted: [], nextCheckMs: 336 * HOUR_MS });
    expect(view({}, { nowMs: 336 * HOUR_MS }).retire).toEqual([{ instanceId: "i-1", why: "expired" }]);
    const never = new Map([["p", { expireAfter: "Never" }]]);
    expect(view({}, { pools: never }).nextCheckMs).toBe(21 * 24 * HOUR_MS);
  });

  it("go when they have been empty for a while", () => {
    expect(view({ emptySinceMs: HOUR_MS - 29_000 }).retire).toEqual([]);
    expect(view({ emptySinceMs: HOUR_MS - 30_000 }).retire).toEqual([{ instanceId: "i-1", why: "empty" }]);
  });

  it("follow the control plane's version one at a time", () => {
    expect(view({ version: "1.35" })).toMatchObject({ retire: [], drifted: ["i-1"] });
    expect(view({ version: "1.35" }, { busy: true }).drifted).toEqual([]);
  });

  it.each([
    ["336h", 336 * HOUR_MS],
    ["1h30m", 1.5 * HOUR_MS],
    ["30s", 30_000],
    ["Never", Number.POSITIVE_INFINITY],
    ["soon", undefined],
  ])("read %s as %s milliseconds", (text, expected) => {
    expect(karpenterDurationMs(text)).toBe(expected);
  });
});
