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
});
