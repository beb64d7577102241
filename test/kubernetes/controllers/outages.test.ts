import { describe, expect, it } from "vitest";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type {
  CoreEvent,
  EndpointSlice,
  Node,
  PersistentVolumeClaim,
  Pod,
} from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const SECOND = 1_000;
const MINUTE = 60_000;

/** Three zones with so many nodes each, whose kubelets are real and whose machines the cloud knows. */
async function zones(nodesAZone: number) {
  const machines = new Map<string, "stopped" | "missing">();
  const { cluster, clock } = await startSimulated({ cloud: { state: (id) => machines.get(id) ?? "running" } });
  const { api } = cluster;
  const specs = Array.from({ length: 3 * nodesAZone }, (_, index) => nodeSpec(index));
  for (const spec of specs) await cluster.addNode(spec);
  // Nodes that have been there for long: their heartbeats are no news any more.
  await clock.advance(10 * MINUTE);
  const node = (name: string): Node | undefined => api.get<Node>("nodes", { name });
  const ready = (name: string): string | undefined => conditionOf(node(name)?.status?.conditions, "Ready")?.status;
  const pods = (namespace = "default"): readonly Pod[] => api.list<Pod>("pods", { namespace });
  const isReady = (pod: Pod): boolean => conditionOf(pod.status?.conditions, "Ready")?.status === "True";
  return {
    cluster,
    clock,
    api,
    machines,
    node,
    ready,
    pods,
    podsOn: (name: string) => api.byIndex<Pod>("pods", "node", name),
    readyPods: () => pods().filter(isReady),
    inZone: (zone: string) => specs.filter((spec) => spec.zone === zone).map(({ name }) => name),
    taints: (name: string) =>
      (node(name)?.spec?.taints ?? []).map(({ key, effect }) => `${key.split("/")[1]}:${effect}`).sort(),
    terminating: () => pods().filter(({ metadata }) => metadata.deletionTimestamp !== undefined),
    reasons: (about: string) =>
      api
        .list<CoreEvent>("events")
        .flatMap((event) => (event.involvedObject.name === about ? (event.reason ?? "") : [])),
    endpoints: () =>
      api
        .list<EndpointSlice>("endpointslices.discovery.k8s.io", { namespace: "default" })
        .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready).length,
    /** A Deployment behind a Service, spread over the zones. */
    async serve(replicas: number) {
      const labels = { app: "web" };
      await api.create("deployments.apps", {
        metadata: { name: "web", namespace: "default" },
        spec: {
          replicas,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              containers: [{ name: "app", image: "nginx:1.29" }],
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: "topology.kubernetes.io/zone",
                  whenUnsatisfiable: "ScheduleAnyway",
                  labelSelector: { matchLabels: labels },
                },
              ],
            },
          },
        },
      });
      await api.create("services", {
        metadata: { name: "web", namespace: "default" },
        spec: { selector: labels, ports: [{ port: 80 }] },
      });
      await clock.advance(15 * SECOND);
      expect(pods().filter(isReady)).toHaveLength(replicas);
    },
    /** Simulated seconds until it is so; fails after the limit. */
    async until(done: () => boolean, limitMs = 20 * MINUTE): Promise<number> {
      const startMs = clock.now();
      expect(await clock.advanceUntil(done, limitMs)).toBe(true);
      return (clock.now() - startMs) / SECOND;
    },
  };
}

describe("an instance that is terminated", () => {
  it("is NotReady within a minute, its Node goes soon after, and its pods start elsewhere without waiting for any toleration", async () => {
    const { cluster, machines, until, ready, node, podsOn, serve, readyPods } = await zones(2);
    await serve(6);
    expect(podsOn("node-0").length).toBeGreaterThan(0);
    machines.set(nodeSpec(0).providerId, "missing");
    await cluster.removeNode("node-0", { graceful: false });
    expect(await until(() => ready("node-0") !== "True")).toBeLessThanOrEqual(50);
    expect(await until(() => node("node-0") === undefined)).toBeLessThanOrEqual(10);
    // Pod garbage collection gives the Node 40 s to come back, in rounds of 20 s.
    expect(await until(() => podsOn("node-0").length === 0)).toBeLessThanOrEqual(65);
    expect(await until(() => readyPods().length === 6)).toBeLessThanOrEqual(10);
  });
});

describe("a kubelet that falls silent", () => {
  it.each(["frozen", "silent", "isolated"] as const)(
    "%s: endpoints drop after 40 s, pods are given up 300 s later, the Node stays, and all is as before when it is back",
    async (power) => {
      const { cluster, clock, until, ready, node, podsOn, serve, readyPods, endpoints, terminating } = await zones(2);
      await serve(6);
      const lost = podsOn("node-0").map(({ metadata }) => metadata.name);
      expect(lost).not.toEqual([]);
      cluster.setNodePower("node-0", power);
      expect(await until(() => ready("node-0") === "Unknown")).toBeLessThanOrEqual(50);
      await clock.advance(SECOND);
      expect(endpoints()).toBe(6 - lost.length);
      expect(terminating()).toEqual([]);
      const seconds = await until(() => terminating().length === lost.length);
      expect(seconds).toBeGreaterThanOrEqual(295);
      expect(seconds).toBeLessThanOrEqual(305);
      await until(() => readyPods().length === 6, MINUTE);
      await clock.advance(20 * MINUTE);
      expect(node("node-0")).toBeDefined();
      expect(terminating().map(({ metadata }) => metadata.name)).toEqual(lost);
      cluster.setNodePower("node-0", "running");
      expect(await until(() => ready("node-0") === "True" && terminating().length === 0)).toBeLessThanOrEqual(60);
      expect(readyPods()).toHaveLength(6);
    },
  );

  it.each(["isolated", "silent"] as const)("keeps its containers running where the machine is %s", async (power) => {
    const { cluster, clock, until, ready, podsOn, serve, terminating } = await zones(2);
    await serve(6);
    cluster.setNodePower("node-0", power);
    await until(() => ready("node-0") === "Unknown");
    await clock.advance(2 * MINUTE);
    cluster.setNodePower("node-0", "running");
    await until(() => ready("node-0") === "True");
    await clock.advance(5 * SECOND);
    expect(terminating()).toEqual([]);
    for (const pod of podsOn("node-0"))
      expect(pod.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true });
  });
});

describe("a zone that is lost", () => {
  it("is fully disrupted: its nodes are given up one every ten seconds while other zones live", async () => {
    const { cluster, clock, until, ready, inZone, taints, serve, readyPods, api } = await zones(3);
    await serve(9);
    const given: number[] = [];
    api.watch<Node>("nodes", ({ object, previous }) => {
      const isGiven = (which: Node | undefined): boolean =>
        which?.spec?.taints?.some(({ effect }) => effect === "NoExecute") ?? false;
      if (isGiven(object) && !isGiven(previous)) given.push(clock.now());
    });
    for (const name of inZone("us-east-1a")) cluster.setNodePower(name, "stopped");
    await until(() => inZone("us-east-1a").every((name) => ready(name) === "Unknown"));
    await clock.advance(MINUTE);
    expect(given.map((ms) => Math.round((ms - (given[0] ?? 0)) / SECOND))).toEqual([0, 10, 20]);
    for (const name of inZone("us-east-1b")) expect(taints(name)).toEqual([]);
    await until(() => readyPods().length === 9, 6 * MINUTE);
    for (const pod of readyPods()) expect(inZone("us-east-1a")).not.toContain(pod.spec?.nodeName);
  });

  it("partly, of more than two nodes and 55 %: nobody is evicted for as long as it lasts", async () => {
    const { cluster, clock, until, ready, inZone, taints, serve, terminating } = await zones(5);
    await serve(15);
    const lost = inZone("us-east-1a").slice(0, 3);
    for (const name of lost) cluster.setNodePower(name, "isolated");
    await until(() => lost.every((name) => ready(name) === "Unknown"));
    await clock.advance(40 * MINUTE);
    for (const name of lost) expect(taints(name)).toEqual(["unreachable:NoSchedule"]);
    expect(terminating()).toEqual([]);
  });

  it("partly, of two nodes only: they are given up as in a healthy zone", async () => {
    const { cluster, clock, inZone, taints } = await zones(3);
    const lost = inZone("us-east-1a").slice(0, 2);
    for (const name of lost) cluster.setNodePower(name, "isolated");
    await clock.advance(2 * MINUTE);
    for (const name of lost) expect(taints(name)).toContain("unreachable:NoExecute");
  });

  it("with all others: nobody is evicted, those that were to be no longer are, until one zone is back", async () => {
    const { cluster, clock, until, ready, inZone, taints, serve, terminating } = await zones(2);
    await serve(6);
    const names = ["us-east-1a", "us-east-1b", "us-east-1c"].flatMap(inZone);
    cluster.setNodePower("node-0", "isolated");
    await until(() => taints("node-0").includes("unreachable:NoExecute"));
    for (const name of names) cluster.setNodePower(name, "isolated");
    await until(() => names.every((name) => ready(name) === "Unknown"));
    await clock.advance(30 * MINUTE);
    for (const name of names) expect(taints(name)).toEqual(["unreachable:NoSchedule"]);
    expect(terminating()).toEqual([]);
    for (const name of inZone("us-east-1b")) cluster.setNodePower(name, "running");
    await clock.advance(2 * MINUTE);
    for (const name of inZone("us-east-1a")) expect(taints(name)).toContain("unreachable:NoExecute");
    for (const name of inZone("us-east-1b")) expect(taints(name)).toEqual([]);
  });
});

describe("a machine that is switched off", () => {
  it("is tainted by the cloud controller, and its pods start again in place with its next boot", async () => {
    const { cluster, clock, machines, until, ready, node, podsOn, serve, taints, reasons } = await zones(1);
    await serve(3);
    const before = node("node-0")?.status?.nodeInfo?.bootID;
    const [pod] = podsOn("node-0");
    machines.set(nodeSpec(0).providerId, "stopped");
    cluster.setNodePower("node-0", "stopped");
    await until(() => ready("node-0") === "Unknown");
    await clock.advance(10 * SECOND);
    expect(taints("node-0")).toEqual(["shutdown:NoSchedule", "unreachable:NoExecute", "unreachable:NoSchedule"]);
    machines.delete(nodeSpec(0).providerId);
    cluster.setNodePower("node-0", "running");
    await until(() => ready("node-0") === "True");
    await clock.advance(10 * SECOND);
    expect(taints("node-0")).toEqual([]);
    expect(node("node-0")?.status?.nodeInfo?.bootID).not.toBe(before);
    expect(reasons("node-0")).toContain("Rebooted");
    expect(podsOn("node-0")).toMatchObject([
      {
        metadata: { uid: pod?.metadata.uid },
        status: { containerStatuses: [{ restartCount: 1, ready: true, lastState: { terminated: { exitCode: 255 } } }] },
      },
    ]);
  });

  it("is not tainted when it has lost its power, which the cloud does not know", async () => {
    const { cluster, clock, until, ready, serve, taints, podsOn } = await zones(1);
    await serve(3);
    cluster.setNodePower("node-0", "off");
    await until(() => ready("node-0") === "Unknown");
    await clock.advance(MINUTE);
    expect(taints("node-0")).toEqual(["unreachable:NoExecute", "unreachable:NoSchedule"]);
    cluster.setNodePower("node-0", "running");
    await until(() => ready("node-0") === "True");
    await clock.advance(10 * SECOND);
    expect(podsOn("node-0")[0]?.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, ready: true });
  });

  it("reboots faster than anybody notices: nothing is evicted", async () => {
    const { cluster, clock, node, podsOn, serve, reasons, terminating, taints } = await zones(1);
    await serve(3);
    const before = node("node-0")?.status?.nodeInfo?.bootID;
    cluster.setNodePower("node-0", "stopped");
    cluster.setNodePower("node-0", "running");
    await clock.advance(20 * SECOND);
    expect(node("node-0")?.status?.nodeInfo?.bootID).not.toBe(before);
    expect(reasons("node-0")).toContain("Rebooted");
    expect(podsOn("node-0")[0]?.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, ready: true });
    expect(terminating()).toEqual([]);
    expect(taints("node-0")).toEqual([]);
  });
});

describe("a StatefulSet whose zone is lost", () => {
  const CSI_DRIVER = "ebs.csi.aws.com";

  /** One replica with a volume that is bound to the zone in which it first ran. */
  async function stateful() {
    const world = await zones(2);
    const { api, clock } = world;
    await api.create("csidrivers.storage.k8s.io", { metadata: { name: CSI_DRIVER }, spec: { attachRequired: true } });
    await api.create("storageclasses.storage.k8s.io", {
      metadata: { name: "gp3" },
      provisioner: CSI_DRIVER,
      volumeBindingMode: "WaitForFirstConsumer",
    });
    const labels = { app: "db" };
    await api.create("statefulsets.apps", {
      metadata: { name: "db", namespace: "default" },
      spec: {
        replicas: 1,
        serviceName: "db",
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [{ name: "app", image: "postgres:17", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: "data" },
            spec: {
              storageClassName: "gp3",
              accessModes: ["ReadWriteOnce"],
              resources: { requests: { storage: "1Gi" } },
            },
          },
        ],
      },
    });
    await clock.advance(30 * SECOND);
    const db = (): Pod | undefined => api.get<Pod>("pods", { namespace: "default", name: "db-0" });
    expect(db()?.status?.phase).toBe("Running");
    const home = db()?.spec?.nodeName ?? "";
    const zone = world.node(home)?.metadata.labels?.["topology.kubernetes.io/zone"] ?? "";
    return { ...world, db, home, zone };
  }

  it("has no other pod as long as its node may come back", async () => {
    const { cluster, clock, db, home, ready, until } = await stateful();
    const { uid } = (db() as Pod).metadata;
    cluster.setNodePower(home, "isolated");
    await clock.advance(30 * MINUTE);
    expect(db()?.metadata).toMatchObject({ uid, deletionTimestamp: expect.any(String) });
    cluster.setNodePower(home, "running");
    await until(() => ready(home) === "True" && db() !== undefined && db()?.metadata.uid !== uid, 2 * MINUTE);
    await clock.advance(30 * SECOND);
    expect(db()?.status?.phase).toBe("Running");
  });

  it("waits for its zone with its volume, and runs on another node of the zone once one is there", async () => {
    const { cluster, clock, api, machines, db, inZone, zone, reasons, until } = await stateful();
    const names = inZone(zone);
    for (const name of names) {
      machines.set(nodeSpec(Number(name.slice("node-".length))).providerId, "missing");
      await cluster.removeNode(name, { graceful: false });
    }
    await until(() => db()?.status?.phase === "Pending", 10 * MINUTE);
    await clock.advance(30 * MINUTE);
    expect(db()?.status?.phase).toBe("Pending");
    expect(reasons("db-0")).toContain("FailedScheduling");
    expect(conditionOf(db()?.status?.conditions, "PodScheduled")).toMatchObject({
      status: "False",
      reason: "Unschedulable",
      message: expect.stringContaining("didn't match PersistentVolume's node affinity"),
    });
    expect(
      api.get<PersistentVolumeClaim>("persistentvolumeclaims", { namespace: "default", name: "data-db-0" })?.status
        ?.phase,
    ).toBe("Bound");
    const index = Number((names[0] ?? "").slice("node-".length)) + 6;
    await cluster.addNode(nodeSpec(index));
    await until(() => db()?.status?.phase === "Running", 10 * MINUTE);
    expect(db()?.spec?.nodeName).toBe(`node-${index}`);
  });

  it("gets its volume on another node six minutes after its pod is gone, at once when its node is called out of service", async () => {
    for (const [outOfService, most, least] of [
      [false, 7 * 60, 5.5 * 60],
      [true, 60, 0],
    ] as const) {
      const { cluster, clock, api, db, home, until } = await stateful();
      const { uid } = (db() as Pod).metadata;
      cluster.setNodePower(home, "stopped");
      await clock.advance(7 * MINUTE);
      const present = api.get<Node>("nodes", { name: home }) as Node;
      if (outOfService) {
        const taint = { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" };
        await api.update<Node>("nodes", {
          ...present,
          spec: { ...present.spec, taints: [...(present.spec?.taints ?? []), taint] },
        });
      } else await api.delete("pods", { namespace: "default", name: "db-0" }, { gracePeriodSeconds: 0 });
      const seconds = await until(() => db()?.metadata.uid !== uid && db()?.status?.phase === "Running");
      expect(seconds).toBeGreaterThanOrEqual(least);
      expect(seconds).toBeLessThanOrEqual(most);
      await cluster.close();
    }
  });
});
