import { describe, expect, it } from "vitest";
import type { Node, Pod, PodSpec, ReplicaSet } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

/** What upstream's conformance tests of preemption and taints do, step by step, on a whole cluster. */
const FOO = "scheduling.k8s.io/foo";

async function withNodes(count: number) {
  const { cluster, clock } = await startSimulated();
  const { api } = cluster;
  for (let i = 0; i < count; i++) await cluster.addNode(nodeSpec(i));
  await clock.advance(20_000);
  for (const [name, value] of Object.entries({ low: 1, p2: 2, p3: 3, p4: 4, medium: 100, high: 1000 }))
    await api.create("priorityclasses.scheduling.k8s.io", { metadata: { name }, value } as never);
  const advertise = (node: string, amount: string) =>
    api.patch<Node>(
      "nodes",
      { name: node },
      "strategic",
      { status: { capacity: { [FOO]: amount }, allocatable: { [FOO]: amount } } },
      { subresource: "status" },
    );
  const spec = (amount: string, priorityClassName: string, extra: Partial<PodSpec> = {}): PodSpec => ({
    priorityClassName,
    terminationGracePeriodSeconds: 0,
    containers: [
      { name: "pause", image: "pause", resources: { requests: { [FOO]: amount }, limits: { [FOO]: amount } } },
    ],
    ...extra,
  });
  const create = (name: string, podSpec: PodSpec, metadata: Partial<Pod["metadata"]> = {}, namespace = "default") =>
    api.create<Pod>("pods", { metadata: { name, namespace, ...metadata }, spec: podSpec });
  const find = (name: string, namespace = "default") => api.get<Pod>("pods", { namespace, name });
  return { api, clock, advertise, spec, create, find };
}

const onNode = (name: string): Partial<PodSpec> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] }],
      },
    },
  },
});

describe("a pod of higher priority", () => {
  for (const { preemptor, namespace } of [
    { preemptor: "high", namespace: "default" },
    { preemptor: "system-cluster-critical", namespace: "kube-system" },
  ])
    it(`takes the place of the one of lowest priority: ${preemptor}`, async () => {
      const { clock, advertise, spec, create, find } = await withNodes(2);
      for (const node of [0, 1]) {
        await advertise(`node-${node}`, "5");
        for (const i of [0, 1])
          await create(`pod${node}-${i}`, spec("2", node === 0 && i === 0 ? "low" : "medium", onNode(`node-${node}`)));
      }
      await clock.advance(5_000);
      await create("preemptor", spec("2", preemptor), {}, namespace);
      await clock.advance(15_000);
      expect(find("preemptor", namespace)).toMatchObject({
        spec: { nodeName: "node-0" },
        status: { phase: "Running" },
      });
      expect(find("pod0-0")).toBeUndefined();
      for (const name of ["pod0-1", "pod1-0", "pod1-1"])
        expect(find(name)).toMatchObject({ status: { phase: "Running" } });
    });

  it("leaves a mark on a victim that a finalizer holds", async () => {
    const { clock, advertise, spec, create, find } = await withNodes(1);
    await advertise("node-0", "1");
    await create("victim", spec("1", "low", onNode("node-0")), { finalizers: ["example.com/test-finalizer"] });
    await clock.advance(5_000);
    await create("preemptor", spec("1", "high", onNode("node-0")));
    await clock.advance(15_000);
    expect(find("victim")?.metadata.deletionTimestamp).toBeDefined();
    expect(find("victim")?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }),
    );
  });

  it("evicts no more pods of ReplicaSets than it must, and each only once", async () => {
    const { api, clock, advertise, spec } = await withNodes(1);
    await advertise("node-0", "1000");
    const seen = new Map<string, number>();
    api.watch<Pod>("pods", ({ type, object }) => {
      const set = object.metadata.name.slice(0, 7);
      if (type === "ADDED") seen.set(set, (seen.get(set) ?? 0) + 1);
    });
    for (const [index, amount] of ["200", "300", "450"].entries()) {
      const labels = { name: `pod${index + 1}` };
      await api.create<ReplicaSet>("replicasets.apps", {
        metadata: { name: `rs-pod${index + 1}`, namespace: "default" },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: spec(amount, ["low", "p2", "p3"][index] as string, {
              nodeSelector: { "kubernetes.io/hostname": "node-0" },
            }),
          },
        },
      });
      await clock.advance(5_000);
    }
    await api.create("pods", { metadata: { name: "pod4", namespace: "default" }, spec: spec("500", "p4") });
    await clock.advance(120_000);
    expect(api.get<Pod>("pods", { namespace: "default", name: "pod4" })?.spec?.nodeName).toBe("node-0");
    expect(["rs-pod1", "rs-pod2", "rs-pod3"].map((set) => seen.get(set))).toEqual([2, 2, 1]);
  });
});

describe("a NoExecute taint", () => {
  const KEY = "kubernetes.io/e2e-evict-taint-key";
  const tolerating = (seconds: number): PodSpec => ({
    containers: [{ name: "pause", image: "pause" }],
    terminationGracePeriodSeconds: 1,
    tolerations: [{ key: KEY, value: "evictTaintVal", effect: "NoExecute", tolerationSeconds: seconds }],
  });
  const setTaint = async (api: Awaited<ReturnType<typeof withNodes>>["api"], on: boolean): Promise<void> => {
    const node = api.get<Node>("nodes", { name: "node-0" });
    if (!node) throw new Error("no node");
    const others = (node.spec?.taints ?? []).filter(({ key }) => key !== KEY);
    const taint = { key: KEY, value: "evictTaintVal", effect: "NoExecute" };
    await api.update<Node>("nodes", { ...node, spec: { ...node.spec, taints: on ? [...others, taint] : others } });
  };

  it("evicts pods when their tolerations end, and not those whose taint has gone before", async () => {
    const { api, clock, create, find } = await withNodes(1);
    await create("short", tolerating(5));
    await create("long", tolerating(25));
    await create("spared", tolerating(60));
    await clock.advance(5_000);
    await setTaint(api, true);
    await clock.advance(4_000);
    expect(["short", "long", "spared"].map((name) => find(name) !== undefined)).toEqual([true, true, true]);
    await clock.advance(6_000);
    expect(["short", "long", "spared"].map((name) => find(name) !== undefined)).toEqual([false, true, true]);
    await clock.advance(20_000);
    expect(["short", "long", "spared"].map((name) => find(name) !== undefined)).toEqual([false, false, true]);
    await setTaint(api, false);
    await clock.advance(120_000);
    expect(find("spared")?.metadata.deletionTimestamp).toBeUndefined();
  });
});
