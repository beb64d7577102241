import { describe, expect, it } from "vitest";
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
} from "../../../src/kubernetes/schema/generated/types.js";
import { startCluster } from "./cluster-fixture.js";

async function withScheduler() {
  const cluster = await startCluster();
  const stop = cluster.scheduler.start();
  const message = (pod: string) =>
    cluster.eventsAbout(pod).find((event) => event.reason === "FailedScheduling")?.message;
  return { ...cluster, stop, message, settle: () => cluster.clock.advance(0) };
}

const asking = (cpu: string, extra: Partial<PodSpec> = {}): Partial<PodSpec> => ({
  containers: [{ name: "app", image: "nginx:1.29", resources: { requests: { cpu } } }],
  ...extra,
});

const toleratingAll = { tolerations: [{ operator: "Exists" }] };

describe("placing a pod", () => {
  it("binds it and says so", async () => {
    const { createNode, createPod, nodeOf, settle, condition, eventsAbout } = await withScheduler();
    await createNode("node-1");
    await createPod("web");
    await settle();
    expect(nodeOf("web")).toBe("node-1");
    expect(condition("web", "PodScheduled")?.status).toBe("True");
    expect(eventsAbout("web")).toMatchObject([
      { reason: "Scheduled", type: "Normal", message: "Successfully assigned default/web to node-1" },
    ]);
  });

  it("leaves pods of other schedulers and gated pods alone until the gates are gone", async () => {
    const { api, createNode, createPod, nodeOf, settle, condition, getPod } = await withScheduler();
    await createNode("node-1");
    await createPod("theirs", { schedulerName: "other" });
    await createPod("gated", { schedulingGates: [{ name: "quota" }] });
    await settle();
    expect(nodeOf("theirs")).toBeUndefined();
    expect(nodeOf("gated")).toBeUndefined();
    expect(condition("gated", "PodScheduled")).toMatchObject({ status: "False", reason: "SchedulingGated" });
    const gated = getPod("gated");
    await api.update("pods", { ...gated, spec: { ...gated.spec, schedulingGates: undefined } } as typeof gated);
    await settle();
    expect(nodeOf("gated")).toBe("node-1");
  });

  it("takes higher priorities first", async () => {
    const { createNode, createPod, nodeOf, settle } = await withScheduler();
    for (const priority of [1, 5, 3])
      await createPod(`p${priority}`, asking("1", { priority, preemptionPolicy: "Never" }));
    await createNode("node-1", { cpu: "1" });
    await settle();
    expect([1, 5, 3].map((priority) => nodeOf(`p${priority}`))).toEqual([undefined, "node-1", undefined]);
  });

  it("prefers the emptier node", async () => {
    const { createNode, createPod, nodeOf, settle } = await withScheduler();
    await createNode("full");
    await createNode("empty");
    await createPod("first", asking("1500m", { nodeName: "full" }));
    await createPod("second", asking("100m"));
    await settle();
    expect(nodeOf("second")).toBe("empty");
  });

  it("gives the same placements for the same seed", async () => {
    const run = async (): Promise<unknown[]> => {
      const { createNode, createPod, nodeOf, settle } = await withScheduler();
      for (let i = 0; i < 6; i++) await createNode(`node-${i}`, { zone: "abc"[i % 3] });
      for (let i = 0; i < 12; i++) await createPod(`p${i}`);
      await settle();
      return Array.from({ length: 12 }, (_, i) => nodeOf(`p${i}`));
    };
    const first = await run();
    expect(first).not.toContain(undefined);
    expect(await run()).toEqual(first);
  });
});

describe("a node that reports nonsense", () => {
  it("offers nothing, and harms nobody", async () => {
    const { api, createNode, createPod, nodeOf, settle, getNode, problems } = await withScheduler();
    await createNode("sane");
    await createNode("odd");
    const odd = getNode("odd");
    const allocatable = { cpu: "lots", memory: "4Gi", pods: "many" };
    await api.updateStatus("nodes", { ...odd, status: { ...odd.status, allocatable } }).catch(() => {});
    await createPod("web", asking("100m"));
    await settle();
    expect(nodeOf("web")).toBeDefined();
    expect(problems).toEqual([]);
  });
});

describe("a binding that fails", () => {
  it("is tried again once the API server answers", async () => {
    const { registry, clock, createNode, createPod, nodeOf, stop, scheduler, eventsAbout } = await withScheduler();
    await createNode("node-1");
    stop();
    await createPod("web");
    registry.setAvailable(false);
    scheduler.start();
    await clock.advance(30_000);
    expect(nodeOf("web")).toBeUndefined();
    registry.setAvailable(true);
    await clock.advance(15_000);
    expect(nodeOf("web")).toBe("node-1");
    expect(eventsAbout("web").at(-1)?.reason).toBe("Scheduled");
  });
});

describe("pods that wait for other resources than they have", () => {
  it("are counted with the greater of both, and with what they have when they will never get more", async () => {
    const { api, createNode, createPod, nodeOf, settle, getPod } = await withScheduler();
    await createNode("node-1");
    await createPod("web", asking("1500m"));
    await settle();
    const becomes = async (cpu: string, allocated: string, reason: string | undefined) => {
      const resources = { requests: { cpu } };
      const pod = getPod("web");
      const containers = [{ ...pod.spec?.containers[0], name: "app", resources }];
      const changed = { ...pod, spec: { ...pod.spec, containers } } as Pod;
      const resized = await api.update("pods", changed, { subresource: "resize" });
      const conditions = reason ? [{ type: "PodResizePending", status: "True", reason }] : [];
      const containerStatuses = [{ name: "app", allocatedResources: { cpu: allocated } }];
      await api.updateStatus("pods", {
        ...resized,
        status: { ...resized.status, conditions, containerStatuses },
      } as unknown as Pod);
      await settle();
    };
    await becomes("500m", "1500m", "Deferred");
    await createPod("first", asking("1"));
    await settle();
    expect(nodeOf("first")).toBeUndefined();
    await becomes("500m", "500m", undefined);
    await api.delete("pods", { namespace: "default", name: "first" });
    await becomes("8", "500m", "Infeasible");
    await createPod("second", asking("1500m"));
    await settle();
    expect(nodeOf("second")).toBe("node-1");
  });
});

describe("when no node will do", () => {
  it("counts the reasons as kube-scheduler does", async () => {
    const { createNode, createPod, settle, message, condition } = await withScheduler();
    for (const name of ["n1", "n2"])
      await createNode(name, { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } });
    for (const name of ["n3", "n4", "n5"]) await createNode(name, { cpu: "1" });
    await createNode("n6", { spec: { unschedulable: true } });
    await createPod("big", asking("1500m"));
    await settle();
    const text =
      "0/6 nodes are available: 1 node(s) were unschedulable, 2 node(s) had untolerated taint(s), 3 Insufficient cpu. no new claims to deallocate, " +
      "preemption: 0/6 nodes are available: 6 Preemption is not helpful for scheduling.";
    expect(message("big")).toBe(text);
    expect(condition("big", "PodScheduled")).toMatchObject({ status: "False", reason: "Unschedulable", message: text });
  });

  it.each<[string, Partial<PodSpec>, string]>([
    ["a selector", { nodeSelector: { disk: "ssd" } }, "1 node(s) didn't match Pod's node affinity/selector"],
    [
      "a claim that is not there",
      { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] },
      'persistentvolumeclaim "data" not found',
    ],
    [
      "a spread over a label that no node has",
      {
        topologySpreadConstraints: [
          { topologyKey: "rack", maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", labelSelector: {} },
        ],
      },
      "1 node(s) didn't match pod topology spread constraints (missing required label)",
    ],
    [
      "company that is not there",
      {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "db" } } },
            ],
          },
        },
      },
      "1 node(s) didn't match pod affinity rules",
    ],
    [
      "a resource that no node has",
      {
        containers: [
          {
            name: "app",
            image: "x:1",
            resources: { requests: { "nvidia.com/gpu": "1" }, limits: { "nvidia.com/gpu": "1" } },
          },
        ],
      },
      "1 Insufficient nvidia.com/gpu",
    ],
  ])("names %s", async (_what, spec, reason) => {
    const { createNode, createPod, settle, message } = await withScheduler();
    await createNode("n1");
    await createPod("web", spec);
    await settle();
    expect(message("web")).toContain(`0/1 nodes are available: ${reason}.`);
  });

  it("says when there are no nodes at all, and places the pod as soon as one comes", async () => {
    const { createNode, createPod, settle, message, nodeOf, clock } = await withScheduler();
    await createPod("web");
    await settle();
    expect(message("web")).toContain("no nodes available to schedule pods");
    await createNode("n1");
    await clock.advance(1_000);
    expect(nodeOf("web")).toBe("n1");
  });

  it("waits for a back-off that grows from one second to ten", async () => {
    const { api, clock, createNode, createPod, settle, getNode, condition, nodeOf } = await withScheduler();
    await createNode("n1");
    // Nodes that come and are full again at once wake the pod each time, but not before its back-off has passed.
    await createPod("web", { nodeSelector: { disk: "ssd" } });
    await settle();
    const attempts: number[] = [];
    api.watch("events", ({ object }) => {
      if ((object as unknown as { reason: string }).reason === "FailedScheduling") attempts.push(clock.now());
    });
    attempts[0] = clock.now();
    attempts.length = 1;
    const relabel = async (disk: string): Promise<void> => {
      const node = getNode("n1");
      const labels = { ...node.metadata.labels, disk };
      await api.update("nodes", { ...node, metadata: { ...node.metadata, labels } });
    };
    for (let i = 1; i <= 6; i++) {
      await relabel("ssd");
      await relabel("hdd");
      await clock.advanceUntil(() => attempts.length > i, 60_000);
    }
    const gaps = attempts.slice(1).map((atMs, i) => atMs - (attempts[i] as number));
    expect(gaps).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(condition("web", "PodScheduled")?.status).toBe("False");
    expect(nodeOf("web")).toBeUndefined();
  });

  it("is not disturbed by changes that cannot help", async () => {
    const { api, clock, createNode, createPod, settle, getNode, eventsAbout } = await withScheduler();
    await createNode("n1");
    await createPod("web", { nodeSelector: { disk: "ssd" } });
    await settle();
    const node = getNode("n1");
    await api.update("nodes", {
      ...node,
      metadata: { ...node.metadata, labels: { ...node.metadata.labels, colour: "red" } },
    });
    await createPod("other");
    await clock.advance(60_000);
    expect(eventsAbout("web").map((event) => event.count)).toEqual([1]);
    await clock.advance(300_000);
    expect(eventsAbout("web").map((event) => event.count)).toEqual([2]);
  });

  it("tries again when a pod leaves a node on which it would fit", async () => {
    const { api, clock, createNode, createPod, settle, nodeOf } = await withScheduler();
    await createNode("n1");
    await createPod("first", asking("1500m"));
    await createPod("second", asking("1"));
    await settle();
    expect([nodeOf("first"), nodeOf("second")]).toEqual(["n1", undefined]);
    await api.delete("pods", { namespace: "default", name: "first" }, { gracePeriodSeconds: 0 });
    await clock.advance(1_000);
    expect(nodeOf("second")).toBe("n1");
  });
});

describe("spread", () => {
  const spread = (whenUnsatisfiable: string): Partial<PodSpec> => ({
    topologySpreadConstraints: [
      {
        topologyKey: "topology.kubernetes.io/zone",
        maxSkew: 1,
        whenUnsatisfiable,
        labelSelector: { matchLabels: { app: "web" } },
      },
    ],
  });

  it("DoNotSchedule keeps zones within maxSkew and refuses what would break it", async () => {
    const { createNode, createPod, settle, getPod, message, getNode, api, clock } = await withScheduler();
    for (const zone of ["a", "b", "c"]) await createNode(`node-${zone}`, { zone });
    for (let i = 0; i < 9; i++) await createPod(`p${i}`, spread("DoNotSchedule"), { labels: { app: "web" } });
    await settle();
    const zones = Array.from({ length: 9 }, (_, i) => getPod(`p${i}`).spec?.nodeName).sort();
    expect(zones).toEqual([...Array(3).fill("node-a"), ...Array(3).fill("node-b"), ...Array(3).fill("node-c")]);
    const node = getNode("node-c");
    await api.update("nodes", { ...node, spec: { ...node.spec, unschedulable: true } });
    await createPod("next-1", spread("DoNotSchedule"), { labels: { app: "web" } });
    await createPod("next-2", spread("DoNotSchedule"), { labels: { app: "web" } });
    await createPod("next-3", spread("DoNotSchedule"), { labels: { app: "web" } });
    await settle();
    // A cordoned zone still counts (nodeTaintsPolicy Ignore): one more in each of the others, and no further.
    expect(message("next-3")).toContain("2 node(s) didn't match pod topology spread constraints");
    await clock.advance(1_000);
  });

  it("spreads the pods of a Service over zones and hosts without being told to", async () => {
    const { api, createNode, createPod, settle, nodeOf } = await withScheduler();
    for (let i = 0; i < 6; i++) await createNode(`node-${i}`, { zone: "abc"[i % 3], cpu: i === 0 ? "64" : "4" });
    await api.create("services", {
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    });
    for (let i = 0; i < 12; i++) await createPod(`p${i}`, {}, { labels: { app: "web" } });
    await settle();
    const counts = new Map<unknown, number>();
    for (let i = 0; i < 12; i++) counts.set(nodeOf(`p${i}`), (counts.get(nodeOf(`p${i}`)) ?? 0) + 1);
    expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
  });

  it("minDomains holds pods back until there are enough zones", async () => {
    const { createNode, createPod, settle, nodeOf, clock } = await withScheduler();
    await createNode("node-a", { zone: "a" });
    const [constraint] = spread("DoNotSchedule").topologySpreadConstraints ?? [];
    const spec = { topologySpreadConstraints: [{ ...constraint, minDomains: 2 }] } as Partial<PodSpec>;
    await createPod("p1", spec, { labels: { app: "web" } });
    await createPod("p2", spec, { labels: { app: "web" } });
    await settle();
    expect([nodeOf("p1"), nodeOf("p2")]).toEqual(["node-a", undefined]);
    await createNode("node-b", { zone: "b" });
    await clock.advance(1_000);
    expect(nodeOf("p2")).toBe("node-b");
  });
});

describe("company", () => {
  const near = (kind: "podAffinity" | "podAntiAffinity", app: string): Partial<PodSpec> => ({
    affinity: {
      [kind]: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app } } },
        ],
      },
    },
  });

  it("anti-affinity gives each pod its own host, and holds in both directions", async () => {
    const { createNode, createPod, settle, nodeOf, message } = await withScheduler();
    for (const name of ["n1", "n2"]) await createNode(name);
    for (const name of ["a", "b", "c"])
      await createPod(name, near("podAntiAffinity", "web"), { labels: { app: "web" } });
    await createPod("plain", {}, { labels: { app: "web" } });
    await settle();
    expect([nodeOf("a"), nodeOf("b")].sort()).toEqual(["n1", "n2"]);
    expect(message("c")).toContain("2 node(s) didn't match pod anti-affinity rules.");
    expect(message("plain")).toContain("2 node(s) didn't satisfy existing pods anti-affinity rules.");
  });

  it("affinity follows the others, and the first of a group goes anywhere", async () => {
    const { createNode, createPod, settle, nodeOf } = await withScheduler();
    for (const name of ["n1", "n2", "n3"]) await createNode(name);
    for (const name of ["a", "b", "c"]) await createPod(name, near("podAffinity", "web"), { labels: { app: "web" } });
    await settle();
    expect(nodeOf("a")).toBeDefined();
    expect([nodeOf("b"), nodeOf("c")]).toEqual([nodeOf("a"), nodeOf("a")]);
  });
});

describe("preemption", () => {
  it("evicts the least important pods that make room, and places the pod there", async () => {
    const { api, clock, createNode, createPod, settle, findPod, getPod, reasons, nodeOf } = await withScheduler();
    for (const name of ["n1", "n2"]) await createNode(name);
    await createPod("low-1", asking("1500m", { priority: 1, nodeName: "n1" }));
    await createPod("low-2", asking("1500m", { priority: 5, nodeName: "n2" }));
    await createPod("vip", asking("1500m", { priority: 100 }));
    await settle();
    expect(getPod("vip").status?.nominatedNodeName).toBe("n1");
    expect(findPod("low-1")?.metadata.deletionTimestamp).toBeDefined();
    expect(getPod("low-1").status?.conditions).toContainEqual(
      expect.objectContaining({ type: "DisruptionTarget", reason: "PreemptionByScheduler" }),
    );
    expect(reasons("low-1")).toContain("Preempted");
    expect(findPod("low-2")?.metadata.deletionTimestamp).toBeUndefined();
    // The room is kept: a pod of lower priority does not slip in.
    await createPod("sneaky", asking("1", { priority: 2, preemptionPolicy: "Never" }));
    await api.delete("pods", { namespace: "default", name: "low-1" }, { gracePeriodSeconds: 0 });
    await clock.advance(2_000);
    expect(nodeOf("vip")).toBe("n1");
    expect(nodeOf("sneaky")).toBeUndefined();
    expect(getPod("vip").status?.conditions?.find((c) => c.type === "PodScheduled")?.status).toBe("True");
  });

  it("spares pods that a disruption budget protects", async () => {
    const { api, createNode, createPod, settle, findPod } = await withScheduler();
    for (const name of ["n1", "n2"]) await createNode(name);
    await createPod("guarded", asking("1500m", { priority: 1, nodeName: "n1" }), { labels: { app: "db" } });
    await createPod("free", asking("1500m", { priority: 5, nodeName: "n2" }));
    await api.create("poddisruptionbudgets.policy", {
      metadata: { name: "db", namespace: "default" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "db" } } },
    });
    await createPod("vip", asking("1", { priority: 100 }));
    await settle();
    expect(findPod("guarded")?.metadata.deletionTimestamp).toBeUndefined();
    expect(findPod("free")?.metadata.deletionTimestamp).toBeDefined();
  });

  it("leaves the room that was promised to others alone", async () => {
    const { createNode, createPod, settle, getPod, reasons, message } = await withScheduler();
    await createNode("n1");
    await createPod("low", asking("1500m", { priority: 1, nodeName: "n1" }));
    await createPod("vip", asking("1500m", { priority: 100 }));
    await settle();
    await createPod("mid", asking("1", { priority: 50 }));
    await settle();
    expect(getPod("vip").status?.nominatedNodeName).toBe("n1");
    expect(getPod("mid").status?.nominatedNodeName).toBeUndefined();
    expect(message("mid")).toContain("preemption: 0/1 nodes are available: 1 Insufficient cpu.");
    expect(reasons("low").filter((reason) => reason === "Preempted")).toHaveLength(1);
  });

  it("explains why it did not help", async () => {
    const { createNode, createPod, settle, message } = await withScheduler();
    await createNode("n1");
    await createPod("first", asking("1500m", { nodeName: "n1" }));
    await createPod("second", asking("1"));
    await createPod("third", asking("1", { preemptionPolicy: "Never" }));
    await settle();
    expect(message("second")).toBe(
      "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    );
    expect(message("third")).toContain("preemption: not eligible due to preemptionPolicy=Never.");
  });
});

describe("volumes", () => {
  it("follow the zone of a bound volume, and ask for provisioning where the pod goes", async () => {
    const { api, clock, createNode, createPod, settle, nodeOf, message } = await withScheduler();
    await createNode("node-a", { zone: "a" });
    await createNode("node-b", { zone: "b" });
    await api.create("storageclasses.storage.k8s.io", {
      metadata: { name: "gp3" },
      provisioner: "ebs.csi.aws.com",
      volumeBindingMode: "WaitForFirstConsumer",
    } as never);
    const claim = (name: string, volumeName?: string) =>
      api.create("persistentvolumeclaims", {
        metadata: { name, namespace: "default" },
        spec: {
          accessModes: ["ReadWriteOnce"],
          storageClassName: "gp3",
          resources: { requests: { storage: "1Gi" } },
          volumeName,
        },
      });
    const volume = (name: string, zone: string) =>
      api.create("persistentvolumes", {
        metadata: { name },
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteOnce"],
          storageClassName: "gp3",
          csi: { driver: "ebs.csi.aws.com", volumeHandle: name },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: "topology.kubernetes.io/zone", operator: "In", values: [zone] }] },
              ],
            },
          },
        },
      });
    await volume("vol-b", "b");
    await volume("vol-x", "x");
    await claim("bound", "vol-b");
    await claim("lost", "vol-x");
    await claim("fresh");
    const using = (claimName: string) => ({ volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] });
    await createPod("follows", using("bound"));
    await createPod("stuck", using("lost"));
    await createPod("asks", using("fresh"));
    await settle();
    expect(nodeOf("follows")).toBe("node-b");
    expect(message("stuck")).toContain("2 node(s) didn't match PersistentVolume's node affinity");
    const fresh = api.get("persistentvolumeclaims", { namespace: "default", name: "fresh" });
    const chosen = fresh?.metadata.annotations?.["volume.kubernetes.io/selected-node"] ?? "";
    expect(chosen).toMatch(/^node-[ab]$/);
    expect(nodeOf("asks")).toBeUndefined();
    await volume("vol-new", chosen.slice(-1));
    await api.update("persistentvolumeclaims", {
      ...(fresh as NonNullable<typeof fresh>),
      spec: { ...(fresh?.spec as object), volumeName: "vol-new" },
    });
    await clock.advance(1_000);
    expect(nodeOf("asks")).toBe(chosen);
  });
});

describe("pods that wait for their volumes", () => {
  const SELECTED = "volume.kubernetes.io/selected-node";
  const ZONE = "topology.kubernetes.io/zone";
  const spread = [
    {
      maxSkew: 1,
      topologyKey: ZONE,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "db" } },
    },
  ];

  /** `n1`, `n2`, ... in zones a, b, c by turns; pods `db-N` use claims `data-N`. */
  async function withClaims({ provisioner = "ebs.csi.aws.com", nodes = 3, cpu = "2" } = {}) {
    const cluster = await withScheduler();
    const { api, createPod, createNode } = cluster;
    for (let i = 0; i < nodes; i++) await createNode(`n${i + 1}`, { zone: "abc".charAt(i % 3), cpu });
    await api.create("storageclasses.storage.k8s.io", {
      metadata: { name: "zonal" },
      provisioner,
      volumeBindingMode: "WaitForFirstConsumer",
    } as never);
    const claimOf = (index: number) => {
      const claim = api.get<PersistentVolumeClaim>("persistentvolumeclaims", {
        namespace: "default",
        name: `data-${index}`,
      });
      if (!claim) throw new Error(`no claim data-${index}`);
      return claim;
    };
    return {
      ...cluster,
      claimOf,
      selected: (index: number) => claimOf(index).metadata.annotations?.[SELECTED],
      createClaim: (index: number) =>
        api.create("persistentvolumeclaims", {
          metadata: { name: `data-${index}`, namespace: "default" },
          spec: {
            accessModes: ["ReadWriteOnce"],
            storageClassName: "zonal",
            resources: { requests: { storage: "1Gi" } },
          },
        } as never),
      createDb: (index: number, spec: Partial<PodSpec> = { topologySpreadConstraints: spread }) =>
        createPod(
          `db-${index}`,
          { volumes: [{ name: "data", persistentVolumeClaim: { claimName: `data-${index}` } }], ...spec },
          { labels: { app: "db" } },
        ),
      createVolume: async (name: string, zone: string, phase?: string) => {
        const volume = await api.create<PersistentVolume>("persistentvolumes", {
          metadata: { name },
          spec: {
            capacity: { storage: "1Gi" },
            accessModes: ["ReadWriteOnce"],
            storageClassName: "zonal",
            csi: { driver: provisioner, volumeHandle: name },
            nodeAffinity: {
              required: { nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, operator: "In", values: [zone] }] }] },
            },
          },
        });
        if (phase) await api.updateStatus<PersistentVolume>("persistentvolumes", { ...volume, status: { phase } });
      },
      /** As the volume controllers do once the volume is there. */
      bindClaim: (index: number, volumeName: string) => {
        const claim = claimOf(index);
        return api.update("persistentvolumeclaims", { ...claim, spec: { ...claim.spec, volumeName } });
      },
    };
  }

  it("count on their nodes from the moment these are chosen: pods made at once get their volumes in different zones", async () => {
    const { clock, createClaim, createDb, createVolume, bindClaim, selected, nodeOf, settle } = await withClaims({
      nodes: 9,
    });
    for (const index of [0, 1, 2, 3, 4, 5]) await createClaim(index);
    await Promise.all([0, 1, 2, 3, 4, 5].map((index) => createDb(index)));
    await settle();
    const zones = [0, 1, 2, 3, 4, 5].map((index) => "abc".charAt((Number(selected(index)?.slice(1)) - 1) % 3));
    expect([...zones].sort()).toEqual(["a", "a", "b", "b", "c", "c"]);
    expect(nodeOf("db-0")).toBeUndefined();
    for (const [index, zone] of zones.entries()) {
      await createVolume(`vol-${index}`, zone);
      await bindClaim(index, `vol-${index}`);
    }
    await clock.advance(1_000);
    for (const index of zones.keys()) expect(nodeOf(`db-${index}`)).toBe(selected(index));
  });

  it("keep their room on the node, which goes to others when they are deleted", async () => {
    const { api, clock, createClaim, createDb, createPod, nodeOf, settle, selected } = await withClaims({ nodes: 1 });
    await createClaim(0);
    await createDb(0, asking("1500m"));
    await settle();
    expect(selected(0)).toBe("n1");
    await createPod("other", asking("1"));
    await settle();
    expect(nodeOf("other")).toBeUndefined();
    await api.delete("pods", { namespace: "default", name: "db-0" });
    await clock.advance(1_000);
    expect(nodeOf("other")).toBe("n1");
  });

  it("do not choose a volume that has been promised to another", async () => {
    const { api, createClaim, createDb, createVolume, settle } = await withClaims({
      provisioner: "kubernetes.io/no-provisioner",
    });
    for (const zone of ["a", "b"]) await createVolume(`disk-${zone}`, zone, "Available");
    for (const index of [0, 1]) await createClaim(index);
    await Promise.all([0, 1].map((index) => createDb(index, {})));
    await settle();
    const kept = api.list<PersistentVolume>("persistentvolumes").map(({ spec }) => spec?.claimRef?.name);
    expect(kept.sort()).toEqual(["data-0", "data-1"]);
  });

  it("choose again when the provisioner takes the choice back, or their node goes", async () => {
    const {
      api,
      clock,
      createClaim,
      createDb,
      claimOf,
      selected,
      nodeOf,
      settle,
      message,
      condition,
      createVolume,
      bindClaim,
    } = await withClaims({ nodes: 2 });
    await createClaim(0);
    await createDb(0, {});
    await settle();
    const first = selected(0) ?? "";
    const claim = claimOf(0);
    const { [SELECTED]: _chosen, ...annotations } = claim.metadata.annotations ?? {};
    await api.update("persistentvolumeclaims", { ...claim, metadata: { ...claim.metadata, annotations } });
    await clock.advance(1_000);
    const problem = `running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data-0": selectedNode annotation value "" not set to scheduled node "${first}"`;
    expect(message("db-0")).toBe(problem);
    expect(condition("db-0", "PodScheduled")).toMatchObject({ reason: "SchedulerError", message: problem });
    await clock.advance(2_000);
    const second = selected(0) ?? "";
    expect(second).not.toBe("");

    await api.delete("nodes", { name: second });
    await clock.advance(5_000);
    const third = selected(0) ?? "";
    expect(third).not.toBe(second);
    await createVolume("vol", third === "n1" ? "a" : "b");
    await bindClaim(0, "vol");
    await clock.advance(1_000);
    expect(nodeOf("db-0")).toBe(third);
  });

  it("give their node up after ten minutes without a volume, and try anew", async () => {
    const { clock, createClaim, createDb, createVolume, bindClaim, selected, nodeOf, eventsAbout } = await withClaims();
    await createClaim(0);
    await createDb(0);
    await clock.advance(599_000);
    expect(eventsAbout("db-0")).toEqual([]);
    await clock.advance(2_000);
    expect(eventsAbout("db-0").map(({ message }) => message)).toEqual([
      'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
    ]);
    await createVolume("vol", "abc".charAt(Number(selected(0)?.slice(1)) - 1));
    await bindClaim(0, "vol");
    await clock.advance(1_000);
    expect(nodeOf("db-0")).toBe(selected(0));
  });
});

describe("claims", () => {
  const claim = (name: string, accessMode: string, volumeName: string) => ({
    metadata: { name, namespace: "default" },
    spec: {
      accessModes: [accessMode],
      storageClassName: "",
      resources: { requests: { storage: "1Gi" } },
      volumeName,
    },
  });
  const volume = (name: string, accessMode: string, labels: Record<string, string> = {}) => ({
    metadata: { name, labels },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: [accessMode],
      csi: { driver: "ebs.csi.aws.com", volumeHandle: name },
    },
  });
  const using = (claimName: string) => ({ volumes: [{ name: "data", persistentVolumeClaim: { claimName } }] });

  it("for one pod only are given to the next when the first has gone", async () => {
    const { api, clock, createNode, createPod, settle, nodeOf, message } = await withScheduler();
    for (const name of ["n1", "n2"]) await createNode(name);
    await api.create("persistentvolumes", volume("vol", "ReadWriteOncePod"));
    await api.create("persistentvolumeclaims", claim("alone", "ReadWriteOncePod", "vol"));
    await createPod("first", using("alone"));
    await settle();
    expect(nodeOf("first")).toBeDefined();
    await createPod("second", using("alone"));
    await settle();
    expect(message("second")).toContain(
      "2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.",
    );
    await api.delete("pods", { namespace: "default", name: "first" }, { gracePeriodSeconds: 0 });
    await clock.advance(2_000);
    expect(nodeOf("second")).toBeDefined();
  });

  it("go no further than the driver can attach, counting a shared volume once", async () => {
    const { api, clock, createNode, createPod, settle, nodeOf, message } = await withScheduler();
    await createNode("n1");
    await api.create("csinodes.storage.k8s.io", {
      metadata: { name: "n1" },
      spec: { drivers: [{ name: "ebs.csi.aws.com", nodeID: "i-1", allocatable: { count: 2 } }] },
    } as never);
    for (const name of ["v1", "v2", "v3"]) {
      await api.create("persistentvolumes", volume(name, "ReadWriteOnce"));
      await api.create("persistentvolumeclaims", claim(name, "ReadWriteOnce", name));
    }
    for (const name of ["v1", "v2"]) await createPod(`pod-${name}`, using(name));
    await settle();
    await createPod("shares", using("v1"));
    await createPod("third", using("v3"));
    await settle();
    expect([nodeOf("pod-v1"), nodeOf("pod-v2"), nodeOf("shares")]).toEqual(["n1", "n1", "n1"]);
    expect(message("third")).toContain("0/1 nodes are available: 1 node(s) exceed max volume count.");
    await api.delete("pods", { namespace: "default", name: "pod-v2" }, { gracePeriodSeconds: 0 });
    await clock.advance(2_000);
    expect(nodeOf("third")).toBe("n1");
  });

  it("follow the zone that their volume is labelled with", async () => {
    const { api, createNode, createPod, settle, nodeOf, message } = await withScheduler();
    for (const zone of ["a", "b"]) await createNode(`n-${zone}`, { zone });
    await api.create("persistentvolumes", volume("old", "ReadWriteOnce", { "topology.kubernetes.io/zone": "b__c" }));
    await api.create("persistentvolumes", volume("far", "ReadWriteOnce", { "topology.kubernetes.io/zone": "x" }));
    await api.create("persistentvolumeclaims", claim("old", "ReadWriteOnce", "old"));
    await api.create("persistentvolumeclaims", claim("far", "ReadWriteOnce", "far"));
    await createPod("near", using("old"));
    await createPod("lost", using("far"));
    await settle();
    expect(nodeOf("near")).toBe("n-b");
    expect(message("lost")).toContain("2 node(s) had no available volume zone.");
  });
});

describe("with kubelets", () => {
  it("new nodes take pods once their taints are gone", async () => {
    const { kubelets, clock, createPod, nodeOf, getNode, api, message } = await withScheduler();
    const { nodeSpec } = await import("./cluster-fixture.js");
    kubelets.start();
    await kubelets.addNode(nodeSpec("node-1"));
    await createPod("web");
    await createPod("agent", toleratingAll);
    await clock.advance(5_000);
    expect(message("web")).toContain("1 node(s) had untolerated taint(s)");
    expect(nodeOf("agent")).toBe("node-1");
    const node = getNode("node-1");
    await api.update("nodes", { ...node, spec: { ...node.spec, taints: [] } });
    await clock.advance(5_000);
    expect(nodeOf("web")).toBe("node-1");
  });
});
