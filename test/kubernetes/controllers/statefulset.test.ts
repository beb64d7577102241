import { describe, expect, it } from "vitest";
import type { PersistentVolumeClaim, Pod, StatefulSet } from "../../../src/kubernetes/schema/generated/types.js";
import { startWorld, template, type World } from "./world.js";

const statefulSet = (replicas: number, extra: Partial<StatefulSet["spec"]> = {}) => ({
  metadata: { name: "db", namespace: "default" },
  spec: {
    replicas,
    serviceName: "db",
    selector: { matchLabels: { app: "db" } },
    template: template({ app: "db" }),
    ...extra,
  },
});
const get = (world: World): StatefulSet => world.get<StatefulSet>("statefulsets.apps", "db", "default") as StatefulSet;
const change = async (world: World, extra: Partial<StatefulSet["spec"]>): Promise<void> => {
  const present = get(world);
  await world.api.update<StatefulSet>("statefulsets.apps", {
    ...present,
    spec: { selector: {}, template: template({ app: "db" }), ...present.spec, ...extra },
  });
};
const pods = (world: World) => world.pods({ app: "db" });
const names = (world: World): string[] => pods(world).map((pod) => pod.metadata.name);
const images = (world: World) => pods(world).map((pod) => pod.spec?.containers[0]?.image);

async function worldOf(replicas: number, extra: Partial<StatefulSet["spec"]> = {}): Promise<World> {
  const world = await startWorld();
  for (const name of ["n1", "n2"]) await world.addNode(name);
  await world.api.create<StatefulSet>("statefulsets.apps", statefulSet(replicas, extra));
  return world;
}

describe("statefulset", () => {
  it("starts pods in order, each after the one before is ready", async () => {
    const world = await worldOf(3);
    const counts: number[] = [];
    for (let i = 0; i < 4; i++) {
      await world.seconds(1);
      counts.push(pods(world).length);
    }
    expect(counts).toEqual([2, 3, 3, 3]);
    expect(names(world)).toEqual(["db-0", "db-1", "db-2"]);
    expect(pods(world)[0]?.metadata.labels).toMatchObject({
      "statefulset.kubernetes.io/pod-name": "db-0",
      "apps.kubernetes.io/pod-index": "0",
    });
    expect(pods(world)[0]?.spec).toMatchObject({ hostname: "db-0", subdomain: "db" });
    const { status } = get(world);
    expect(status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      availableReplicas: 3,
      observedGeneration: 1,
    });
    expect(status?.currentRevision).toBe(status?.updateRevision);
    expect(world.warnings).toEqual([]);
  });

  it("shrinks from the highest ordinal, one at a time, and replaces a pod under its own name", async () => {
    const world = await worldOf(3);
    await world.seconds(5);
    const gone: string[] = [];
    world.api.watch<Pod>("pods", ({ type, object }) => void (type === "DELETED" && gone.push(object.metadata.name)));
    await change(world, { replicas: 1 });
    await world.seconds(2);
    expect(gone).toEqual(["db-2", "db-1"]);
    await world.api.delete("pods", { namespace: "default", name: "db-0" });
    await world.seconds(3);
    expect(names(world)).toEqual(["db-0"]);
  });

  it("Parallel: starts all at once", async () => {
    const world = await worldOf(3, { podManagementPolicy: "Parallel" });
    await world.clock.settled();
    expect(names(world)).toEqual(["db-0", "db-1", "db-2"]);
  });

  it("updates from the highest ordinal down to the partition", async () => {
    const world = await worldOf(3, { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } });
    await world.seconds(5);
    const order: string[] = [];
    world.api.watch<Pod>("pods", ({ type, object }) => void (type === "DELETED" && order.push(object.metadata.name)));
    await change(world, { template: template({ app: "db" }, "db:2") });
    await world.seconds(20);
    expect(order).toEqual(["db-2", "db-1"]);
    expect(images(world)).toEqual(["nginx:1", "db:2", "db:2"]);
    expect(get(world).status?.currentRevision).not.toBe(get(world).status?.updateRevision);
    // A pod below the partition comes back as it was.
    await world.api.delete("pods", { namespace: "default", name: "db-0" });
    await world.seconds(5);
    expect(images(world)).toEqual(["nginx:1", "db:2", "db:2"]);
    await change(world, { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } } });
    await world.seconds(10);
    expect(images(world)).toEqual(["db:2", "db:2", "db:2"]);
    expect(get(world).status).toMatchObject({ updatedReplicas: 3, currentReplicas: 3 });
    expect(get(world).status?.currentRevision).toBe(get(world).status?.updateRevision);
  });

  it("makes claims that stay when the pod or the set goes, unless told otherwise", async () => {
    const volumeClaimTemplates = [
      {
        metadata: { name: "data" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ] as unknown as PersistentVolumeClaim[];
    const world = await worldOf(2, { volumeClaimTemplates });
    await world.seconds(5);
    const claims = (): string[] =>
      world.api.list<PersistentVolumeClaim>("persistentvolumeclaims").map(({ metadata }) => metadata.name);
    expect(claims()).toEqual(["data-db-0", "data-db-1"]);
    expect(pods(world)[1]?.spec?.volumes).toContainEqual({
      name: "data",
      persistentVolumeClaim: { claimName: "data-db-1" },
    });
    await change(world, { replicas: 1 });
    await world.seconds(5);
    expect(claims()).toEqual(["data-db-0", "data-db-1"]);
  });

  it("does not replace a pod of a silent node, whose twin might still run", async () => {
    const world = await worldOf(2);
    await world.seconds(5);
    const node = pods(world)[0]?.spec?.nodeName ?? "";
    world.silence(node);
    await world.seconds(1200);
    expect(names(world)).toEqual(["db-0", "db-1"]);
    expect(pods(world)[0]?.metadata.deletionTimestamp).toBeDefined();
    expect(get(world).status).toMatchObject({ replicas: 2, readyReplicas: 1 });
  });

  const claimTemplate = {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  } as unknown as PersistentVolumeClaim;
  const claims = (world: World) =>
    world.api.list<PersistentVolumeClaim>("persistentvolumeclaims").map(({ metadata }) => metadata.name);
  const setReady = async (world: World, name: string, status: "True" | "False"): Promise<void> => {
    const pod = world.get<Pod>("pods", name, "default") as Pod;
    const lastTransitionTime = new Date(world.clock.now()).toISOString();
    await world.api.updateStatus<Pod>("pods", {
      ...pod,
      status: { ...pod.status, conditions: [{ type: "Ready", status, lastTransitionTime }] },
    });
    await world.seconds(2);
  };

  it("whenScaled Delete: a claim goes with its pod, and a later pod of that name gets a new one", async () => {
    const world = await worldOf(2, {
      volumeClaimTemplates: [claimTemplate],
      persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete", whenDeleted: "Retain" },
    });
    await world.seconds(6);
    expect(claims(world)).toEqual(["data-db-0", "data-db-1"]);
    const before = world.get("persistentvolumeclaims", "data-db-1", "default")?.metadata.uid;
    await change(world, { replicas: 1 });
    await world.clock.settled();
    await change(world, { replicas: 2 });
    await world.seconds(10);
    expect(names(world)).toEqual(["db-0", "db-1"]);
    expect(claims(world)).toEqual(["data-db-0", "data-db-1"]);
    expect(world.get("persistentvolumeclaims", "data-db-1", "default")?.metadata.uid).not.toBe(before);
    await change(world, { replicas: 1 });
    await world.seconds(5);
    expect(claims(world)).toEqual(["data-db-0"]);
    await world.api.delete("statefulsets.apps", { namespace: "default", name: "db" });
    await world.seconds(5);
    expect(claims(world)).toEqual(["data-db-0"]);
  });

  it("whenDeleted Delete: the claims go with the set", async () => {
    const world = await worldOf(2, {
      volumeClaimTemplates: [claimTemplate],
      persistentVolumeClaimRetentionPolicy: { whenScaled: "Retain", whenDeleted: "Delete" },
    });
    await world.seconds(6);
    await change(world, { replicas: 1 });
    await world.seconds(3);
    expect(claims(world)).toEqual(["data-db-0", "data-db-1"]);
    await world.api.delete("statefulsets.apps", { namespace: "default", name: "db" });
    await world.seconds(5);
    expect(claims(world)).toEqual([]);
  });

  it("halts while a pod below is not ready, growing and shrinking", async () => {
    const world = await worldOf(2);
    await world.seconds(5);
    await setReady(world, "db-0", "False");
    await change(world, { replicas: 3 });
    await world.seconds(5);
    expect(names(world)).toEqual(["db-0", "db-1"]);
    await change(world, { replicas: 1 });
    await world.seconds(5);
    expect(names(world)).toEqual(["db-0", "db-1"]);
    await setReady(world, "db-0", "True");
    await world.seconds(2);
    expect(names(world)).toEqual(["db-0"]);
  });

  it("Parallel: replaces what does not work at once, and of the rest no more than maxUnavailable at a time", async () => {
    const world = await worldOf(4, {
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 2 } },
    });
    await world.seconds(3);
    await setReady(world, "db-0", "False");
    const gone: string[] = [];
    world.api.watch<Pod>("pods", ({ type, object }) => void (type === "DELETED" && gone.push(object.metadata.name)));
    await change(world, { template: template({ app: "db" }, "nginx:2") });
    await world.clock.settled();
    expect(gone.slice(0, 2).sort()).toEqual(["db-0", "db-3"]);
    await world.seconds(10);
    expect(images(world)).toEqual(["nginx:2", "nginx:2", "nginx:2", "nginx:2"]);
    expect(get(world).status?.currentRevision).toBe(get(world).status?.updateRevision);
  });

  it("OnDelete: leaves pods alone until somebody deletes them", async () => {
    const world = await worldOf(2, { updateStrategy: { type: "OnDelete" } });
    await world.seconds(5);
    await change(world, { template: template({ app: "db" }, "nginx:2") });
    await world.seconds(5);
    expect(images(world)).toEqual(["nginx:1", "nginx:1"]);
    await world.api.delete("pods", { namespace: "default", name: "db-0" });
    await world.seconds(5);
    expect(images(world)).toEqual(["nginx:2", "nginx:1"]);
    expect(get(world).status).toMatchObject({ updatedReplicas: 1, currentReplicas: 1 });
  });

  it("counts from ordinals.start, and follows when that moves", async () => {
    const world = await worldOf(2, { ordinals: { start: 3 } });
    await world.seconds(5);
    expect(names(world)).toEqual(["db-3", "db-4"]);
    await change(world, { ordinals: { start: 2 } });
    await world.seconds(10);
    expect(names(world)).toEqual(["db-2", "db-3"]);
  });

  it("a new set waits for the pods of an earlier one of its name", async () => {
    const world = await worldOf(1);
    await world.seconds(3);
    const node = pods(world)[0]?.spec?.nodeName ?? "";
    world.silence(node);
    await world.api.delete("statefulsets.apps", { namespace: "default", name: "db" });
    await world.seconds(1);
    const { metadata } = await world.api.create<StatefulSet>("statefulsets.apps", statefulSet(1));
    await world.seconds(5);
    expect(pods(world)[0]?.metadata.deletionTimestamp).toBeDefined();
    await world.wake(node);
    await world.seconds(3);
    expect(pods(world)[0]?.metadata.ownerReferences?.[0]?.uid).toBe(metadata.uid);
    expect(world.warnings).toEqual([]);
  });
});
