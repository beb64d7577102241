import { describe, expect, it } from "vitest";
import type {
  ConfigMap,
  Deployment,
  PersistentVolumeClaim,
  Pod,
  ReplicaSet,
} from "../../../src/kubernetes/schema/generated/types.js";
import { deployment, startWorld, type World } from "./world.js";

const configMap = (name: string, owners: ConfigMap[] = [], extra: object = {}) => ({
  metadata: {
    name,
    namespace: "default",
    ...(owners.length
      ? {
          ownerReferences: owners.map(({ metadata }) => ({
            apiVersion: "v1",
            kind: "ConfigMap",
            name: metadata.name,
            uid: metadata.uid,
            blockOwnerDeletion: true,
          })),
        }
      : {}),
    ...extra,
  },
});
const get = (world: World, name: string) => world.get<ConfigMap>("configmaps", name, "default");
const key = (name: string) => ({ namespace: "default", name });

describe("garbage collection", () => {
  it("Background: dependents go after their owner, down the whole tree", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create("deployments.apps", deployment("web", 3));
    await world.seconds(3);
    await world.api.delete("deployments.apps", key("web"));
    await world.seconds(2);
    expect(world.api.list("replicasets.apps")).toEqual([]);
    expect(world.pods()).toEqual([]);
    expect(world.warnings).toEqual([]);
  });

  it("Foreground: the owner stays until the last blocking dependent is gone", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create("deployments.apps", deployment("web", 3));
    await world.seconds(3);
    const order: string[] = [];
    for (const resource of ["deployments.apps", "replicasets.apps", "pods"]) {
      world.api.watch(resource, ({ type }) => void (type === "DELETED" && order.push(resource)));
    }
    await world.api.delete("deployments.apps", key("web"), { propagationPolicy: "Foreground" });
    expect(world.get<Deployment>("deployments.apps", "web", "default")?.metadata.finalizers).toEqual([
      "foregroundDeletion",
    ]);
    await world.seconds(2);
    expect(order).toEqual(["pods", "pods", "pods", "replicasets.apps", "deployments.apps"]);
  });

  it("Foreground: owners in a circle all go", async () => {
    const world = await startWorld();
    const names = ["a", "b", "c"];
    for (const name of names) await world.api.create<ConfigMap>("configmaps", configMap(name));
    for (const [i, name] of names.entries()) {
      const owner = get(world, names[(i + 2) % 3] as string) as ConfigMap;
      const object = get(world, name) as ConfigMap;
      const { ownerReferences } = configMap(name, [owner]).metadata;
      await world.api.update("configmaps", { ...object, metadata: { ...object.metadata, ownerReferences } });
    }
    await world.api.delete("configmaps", key("a"), { propagationPolicy: "Foreground" });
    await world.seconds(2);
    expect(names.filter((name) => get(world, name))).toEqual([]);
  });

  it("Orphan: dependents stay without the reference", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create("deployments.apps", deployment("web", 2));
    await world.seconds(3);
    await world.api.delete("deployments.apps", key("web"), { propagationPolicy: "Orphan" });
    await world.seconds(2);
    expect(world.get("deployments.apps", "web", "default")).toBeUndefined();
    const sets = world.api.list<ReplicaSet>("replicasets.apps");
    expect(sets).toHaveLength(1);
    expect(sets[0]?.metadata.ownerReferences ?? []).toEqual([]);
    expect(world.pods()).toHaveLength(2);
  });

  it("keeps an object while one of its owners lives, and drops the reference to the other", async () => {
    const world = await startWorld();
    const [a, b] = [
      await world.api.create<ConfigMap>("configmaps", configMap("a")),
      await world.api.create<ConfigMap>("configmaps", configMap("b")),
    ];
    await world.api.create<ConfigMap>("configmaps", configMap("child", [a, b]));
    await world.api.delete("configmaps", key("a"));
    await world.seconds(1);
    expect(get(world, "child")?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(["b"]);
    await world.api.delete("configmaps", key("b"));
    await world.seconds(1);
    expect(get(world, "child")).toBeUndefined();
  });

  it("collects what is created for an owner that does not exist, or that is another of the same name", async () => {
    const world = await startWorld();
    const a = await world.api.create<ConfigMap>("configmaps", configMap("a"));
    await world.api.create<ConfigMap>(
      "configmaps",
      configMap("wrong", [{ ...a, metadata: { ...a.metadata, uid: "00000000-0000-4000-8000-000000000000" } }]),
    );
    await world.api.create<ConfigMap>("configmaps", configMap("right", [a]));
    await world.seconds(1);
    expect(get(world, "wrong")).toBeUndefined();
    expect(get(world, "right")).toBeDefined();
  });
});

describe("events", () => {
  it("are gone about an hour after they were last written", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.seconds(1);
    expect(world.events("RegisteredNode")).toHaveLength(1);
    await world.seconds(3500);
    expect(world.events("RegisteredNode")).toHaveLength(1);
    await world.seconds(200);
    expect(world.api.list("events")).toEqual([]);
  });
});

describe("claims", () => {
  it("that are deleted stay until no pod uses them", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    const claim = await world.api.create<PersistentVolumeClaim>("persistentvolumeclaims", {
      metadata: { name: "data", namespace: "default" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    });
    const pod = await world.api.create<Pod>("pods", {
      metadata: { name: "p", namespace: "default" },
      spec: {
        containers: [{ name: "c", image: "i" }],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      },
    });
    expect(claim.metadata.finalizers).toEqual(["kubernetes.io/pvc-protection"]);
    await world.api.delete("persistentvolumeclaims", claim.metadata);
    await world.seconds(5);
    expect(world.get("persistentvolumeclaims", "data", "default")).toBeDefined();
    await world.api.delete("pods", pod.metadata);
    await world.seconds(1);
    expect(world.get("persistentvolumeclaims", "data", "default")).toBeUndefined();
  });

  it("Foreground: owners in a circle all go", async () => {
    const world = await startWorld();
    const names = ["a", "b", "c"];
    const made = await Promise.all(names.map((name) => world.api.create<ConfigMap>("configmaps", configMap(name))));
    for (const [index, object] of made.entries()) {
      const owner = made[(index + 2) % 3] as ConfigMap;
      const { ownerReferences } = configMap("", [owner]).metadata;
      await world.api.update<ConfigMap>("configmaps", { ...object, metadata: { ...object.metadata, ownerReferences } });
    }
    await world.api.delete("configmaps", key("a"), { propagationPolicy: "Foreground" });
    await world.seconds(2);
    expect(names.map((name) => get(world, name))).toEqual([undefined, undefined, undefined]);
  });

  it("an owner in another namespace counts as absent, and the dependent is told", async () => {
    const world = await startWorld();
    const owner = await world.api.create<ConfigMap>("configmaps", {
      metadata: { name: "owner", namespace: "kube-system" },
    });
    await world.api.create<ConfigMap>("configmaps", configMap("stray", [owner]));
    await world.seconds(1);
    expect(get(world, "stray")).toBeUndefined();
    expect(world.events("OwnerRefInvalidNamespace")[0]?.message).toBe(
      `ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: ${owner.metadata.uid}] does not exist in namespace "default"`,
    );
  });

  it("an object of no namespace is not collected for an owner in one", async () => {
    const world = await startWorld();
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "gone", uid: "u-1" }];
    await world.api.create("priorityclasses.scheduling.k8s.io", { metadata: { name: "p", ownerReferences } });
    await world.seconds(1);
    expect(world.get("priorityclasses.scheduling.k8s.io", "p")).toBeDefined();
  });
});
