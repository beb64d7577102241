import { describe, expect, it } from "vitest";
import type { Persistence, StoreRecord } from "../../src/kubernetes/persistence.js";
import type { Deployment, Lease, Node, Pod } from "../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "./simulated-cluster.js";

/** A database in memory: what a restart finds again. */
function memoryPersistence(): Persistence & { commits: number } {
  const records = new Map<string, StoreRecord>();
  let revision = 0;
  return {
    commits: 0,
    load: () => ({ revision, records: [...records.values()].sort((a, b) => a.revision - b.revision) }),
    commit(batch) {
      this.commits++;
      for (const record of batch) {
        const id = `${record.resource} ${record.key}`;
        if (record.json === undefined) records.delete(id);
        else records.set(id, record);
        revision = Math.max(revision, record.revision);
      }
    },
  };
}

const isReady = (node: Node): boolean =>
  node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

const DEPLOYMENT = {
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: 6,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
  },
};

describe("a simulated cluster", () => {
  it("runs a deployment on nodes in three zones", async () => {
    const { cluster, clock } = await startSimulated();
    for (let i = 0; i < 3; i++) await cluster.addNode(nodeSpec(i));
    await clock.advanceUntil(() => cluster.api.list<Node>("nodes").every(isReady), 60_000);
    await cluster.api.create<Deployment>("deployments.apps", DEPLOYMENT);
    const available = () =>
      cluster.api.get<Deployment>("deployments.apps", { namespace: "default", name: "web" })?.status
        ?.availableReplicas === 6;
    expect(await clock.advanceUntil(available, 120_000)).toBe(true);
    const perNode = new Map<string, number>();
    for (const pod of cluster.api.list<Pod>("pods", { namespace: "default" })) {
      expect(pod.status?.phase).toBe("Running");
      const node = pod.spec?.nodeName as string;
      perNode.set(node, (perNode.get(node) ?? 0) + 1);
    }
    expect([...perNode.values()]).toEqual([2, 2, 2]);
  });

  it("shows lease renewals without ever writing them", async () => {
    const { cluster, clock } = await startSimulated();
    await cluster.addNode(nodeSpec(0));
    const key = { namespace: "kube-node-lease", name: "node-0" };
    await clock.advanceUntil(() => cluster.api.list<Node>("nodes").every(isReady), 60_000);
    const before = cluster.api.get<Lease>("leases.coordination.k8s.io", key);
    await clock.advance(60_000);
    const after = cluster.api.get<Lease>("leases.coordination.k8s.io", key);
    expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
    expect(Date.parse(after?.spec?.renewTime ?? "") - Date.parse(before?.spec?.renewTime ?? "")).toBe(60_000);
  });

  it("forgets events after an hour", async () => {
    const { cluster, clock } = await startSimulated();
    await cluster.addNode(nodeSpec(0));
    await clock.advance(60_000);
    const early = cluster.api.list("events").length;
    expect(early).toBeGreaterThan(0);
    await clock.advance(50 * 60_000);
    expect(cluster.api.list("events").length).toBeGreaterThanOrEqual(early);
    await clock.advance(20 * 60_000);
    expect(cluster.api.list("events")).toEqual([]);
  });

  it("works with one of three members down, and fails like etcd without a leader with two", async () => {
    const { cluster } = await startSimulated();
    const create = (name: string) => cluster.api.create("configmaps", { metadata: { name, namespace: "default" } });
    cluster.setMember("m0", "down");
    await create("a");
    cluster.setMember("m1", "down");
    await expect(create("b")).rejects.toMatchObject({ code: 500, message: "etcdserver: request timed out" });
    cluster.setMember("m0", "up");
    await create("b");
    expect(cluster.members().map(({ state }) => state)).toEqual(["up", "down", "up"]);
  });

  it("comes back after a restart with its objects, and tells old watchers that they are too old", async () => {
    const persistence = memoryPersistence();
    const first = await startSimulated({ persistence });
    for (let i = 0; i < 3; i++) await first.cluster.addNode(nodeSpec(i));
    await first.cluster.api.create<Deployment>("deployments.apps", DEPLOYMENT);
    await first.clock.advance(60_000);
    const running = first.cluster.api
      .list<Pod>("pods", { namespace: "default" })
      .map(({ metadata }) => metadata.uid)
      .sort();
    await first.cluster.close();

    const second = await startSimulated({ persistence });
    expect(second.cluster.api.revision).toBeGreaterThan(first.cluster.api.revision);
    for (let i = 0; i < 3; i++) await second.cluster.addNode(nodeSpec(i));
    await second.clock.advance(60_000);
    const pods = second.cluster.api.list<Pod>("pods", { namespace: "default" });
    expect(pods.map(({ metadata }) => metadata.uid).sort()).toEqual(running);
    expect(pods.every(({ status }) => status?.containerStatuses?.[0]?.restartCount === 0)).toBe(true);
  });
});
