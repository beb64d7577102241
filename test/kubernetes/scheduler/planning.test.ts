import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/clock/random.js";
import { describe as describeDiagnosis, nodesToFind, planPod } from "../../../src/kubernetes/scheduler/plan.js";
import { type PodInfo, podInfoOf } from "../../../src/kubernetes/scheduler/pod-info.js";
import { podAssumedRequests, podRequests } from "../../../src/kubernetes/scheduler/resources.js";
import { ClusterSnapshot } from "../../../src/kubernetes/scheduler/snapshot.js";
import type { Container, Node, Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";

const ZONE = "topology.kubernetes.io/zone";

const node = (name: string, zone: string, cpu = "4"): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name,
    uid: name,
    resourceVersion: "1",
    creationTimestamp: "",
    labels: { "kubernetes.io/hostname": name, [ZONE]: zone },
  },
  status: { allocatable: { cpu, memory: "8Gi", pods: "10" } },
});

const pod = (name: string, labels: Record<string, string>, spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name, resourceVersion: "1", creationTimestamp: "", labels },
  spec: { containers: [{ name: "app", resources: { requests: { cpu: "500m", memory: "512Mi" } } }], ...spec },
});

function cluster(nodes: readonly Node[]) {
  const snapshot = new ClusterSnapshot({
    namespaceLabels: () => ({}),
    claim: () => undefined,
    volume: () => undefined,
    volumes: () => [],
    storageClass: () => undefined,
    volumeLimits: () => new Map(),
    groupSelectors: (info) => (info.labels.app ? [{ matchLabels: { app: info.labels.app } }] : []),
  });
  for (const each of nodes) snapshot.setNode(each);
  const infoOf = (source: Pod): PodInfo => podInfoOf(source, (spec) => snapshot.podSets.make(spec));
  const options = { random: createRandom(1, "test"), cursor: { index: 0 } };
  const schedule = (source: Pod): string | undefined => {
    const info = infoOf(source);
    const plan = planPod(info, snapshot, options);
    if (!("node" in plan)) return undefined;
    snapshot.place(info, plan.node.name);
    return plan.node.name;
  };
  return { snapshot, infoOf, options, schedule };
}

const container = (cpu: string, extra: Partial<Container> = {}): Container => ({
  name: "c",
  resources: { requests: { cpu } },
  ...extra,
});

describe("requests of a pod", () => {
  const milliCpu = (spec: Partial<PodSpec>): number => podRequests({ containers: [], ...spec }).milliCpu;

  it("are those of its containers, or of the hungriest moment of its start", () => {
    expect(milliCpu({ containers: [container("100m"), container("200m")] })).toBe(300);
    expect(milliCpu({ containers: [container("100m")], initContainers: [container("1"), container("500m")] })).toBe(
      1000,
    );
    const sidecar = container("300m", { restartPolicy: "Always" });
    expect(milliCpu({ containers: [container("100m")], initContainers: [sidecar] })).toBe(400);
    expect(milliCpu({ containers: [container("100m")], initContainers: [sidecar, container("500m")] })).toBe(800);
    expect(milliCpu({ containers: [container("100m")], initContainers: [container("500m"), sidecar] })).toBe(500);
  });

  it("include the runtime's overhead, and give way to those of the pod as a whole", () => {
    expect(milliCpu({ containers: [container("100m")], overhead: { cpu: "250m" } })).toBe(350);
    expect(milliCpu({ containers: [container("100m")], resources: { requests: { cpu: "2" } } })).toBe(2000);
  });

  it("count for scores although there are none", () => {
    const spec = { containers: [{ name: "c" }] };
    expect(podRequests(spec)).toEqual({ milliCpu: 0, memory: 0, ephemeralStorage: 0 });
    expect(podAssumedRequests(spec)).toMatchObject({ milliCpu: 100, memory: 200 * 1024 * 1024 });
  });
});

describe("planning", () => {
  it("looks at fewer nodes the more there are", () => {
    expect([10, 100, 1000, 5000, 20_000].map(nodesToFind)).toEqual([10, 100, 420, 500, 1000]);
  });

  it("looks only at the node that matchFields names", () => {
    const { schedule, infoOf, snapshot, options } = cluster([
      node("n1", "a"),
      node("n2", "b"),
      node("n3", "c", "100m"),
    ]);
    const on = (name: string): Partial<PodSpec> => ({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] }],
          },
        },
      },
    });
    expect(schedule(pod("agent", {}, on("n2")))).toBe("n2");
    const plan = planPod(infoOf(pod("big", {}, on("n3"))), snapshot, options);
    expect("diagnosis" in plan && describeDiagnosis(plan.diagnosis)).toBe(
      "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
  });

  it("never puts more on a node than fits, and leaves no pod out that would fit", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 40 }), (requests) => {
        const { schedule, snapshot } = cluster(["a", "b", "c"].map((zone) => node(`n-${zone}`, zone)));
        requests.forEach((tenths, i) => {
          const spec = { containers: [container(`${tenths * 100}m`)] };
          const placed = schedule(pod(`p${i}`, {}, spec));
          const fits = snapshot
            .nodes()
            .some((info) => info.pods.size < 10 && info.requested.milliCpu + tenths * 100 <= 4000);
          if (!placed) expect(fits).toBe(false);
        });
        for (const info of snapshot.nodes()) {
          expect(info.requested.milliCpu).toBeLessThanOrEqual(4000);
          expect(info.pods.size).toBeLessThanOrEqual(10);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("keeps every zone within maxSkew whatever comes and goes elsewhere", () => {
    const constraint = {
      topologyKey: ZONE,
      maxSkew: 2,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "web" } },
    };
    fc.assert(
      fc.property(fc.array(fc.constantFrom("web", "other"), { maxLength: 40 }), (apps) => {
        const { schedule, snapshot } = cluster(["a", "a", "b", "c"].map((zone, i) => node(`n${i}`, zone)));
        apps.forEach((app, i) => {
          schedule(pod(`p${i}`, { app }, app === "web" ? { topologySpreadConstraints: [constraint] } : {}));
        });
        const zones = new Map<string, number>(["a", "b", "c"].map((zone) => [zone, 0]));
        for (const info of snapshot.nodes())
          for (const placed of info.pods.values())
            if (placed.labels.app === "web") zones.set(info.zone, (zones.get(info.zone) ?? 0) + 1);
        expect(Math.max(...zones.values()) - Math.min(...zones.values())).toBeLessThanOrEqual(2);
      }),
      { numRuns: 50 },
    );
  });
});

describe("the snapshot", () => {
  const step = fc.record({
    pod: fc.integer({ min: 0, max: 9 }),
    node: fc.integer({ min: 0, max: 2 }),
    app: fc.constantFrom("web", "db"),
    leaves: fc.boolean(),
  });

  it("counts incrementally what counting afresh would give", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { snapshot, infoOf } = cluster(["a", "b", "c"].map((zone, i) => node(`n${i}`, zone)));
        const sets = (["web", "db"] as const).map((app) =>
          snapshot.podSets.make({ namespaces: ["default"], selectors: [{ matchLabels: { app } }] }),
        );
        for (const set of sets) snapshot.podSets.count(set);
        for (const { pod: number, node: place, app, leaves } of steps) {
          if (leaves) snapshot.remove(`default/p${number}`);
          else snapshot.place(infoOf(pod(`p${number}`, { app })), `n${place}`);
        }
        for (const info of snapshot.nodes()) {
          const placed = [...info.pods.values()];
          expect(info.requested.milliCpu).toBe(500 * placed.length);
          for (const set of sets)
            expect(snapshot.podSets.count(set).get(info) ?? 0).toBe(placed.filter(set.matches).length);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("is as before after supposing something", () => {
    const { snapshot, infoOf } = cluster([node("n1", "a")]);
    const present = infoOf(pod("present", { app: "web" }));
    snapshot.place(present, "n1");
    const info = snapshot.node("n1");
    if (!info) throw new Error("no node");
    const set = snapshot.podSets.make({ namespaces: ["default"], selectors: [{ matchLabels: { app: "web" } }] });
    const seen = snapshot.supposing(info, [present], [infoOf(pod("x", {})), infoOf(pod("y", {}))], () => [
      info.requested.milliCpu,
      snapshot.podSets.count(set).get(info),
    ]);
    expect(seen).toEqual([1000, undefined]);
    expect(info.requested.milliCpu).toBe(500);
    expect(snapshot.podSets.count(set).get(info)).toBe(1);
  });

  it("lets zones take turns among the nodes", () => {
    const { snapshot } = cluster([node("a1", "a"), node("a2", "a"), node("a3", "a"), node("b1", "b"), node("c1", "c")]);
    expect(snapshot.nodes().map(({ name }) => name)).toEqual(["a1", "b1", "c1", "a2", "a3"]);
  });
});
