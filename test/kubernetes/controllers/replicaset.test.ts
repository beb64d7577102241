import { describe, expect, it } from "vitest";
import { podsToDelete } from "../../../src/kubernetes/controllers/pod-ranking.js";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import { controllerOf } from "../../../src/kubernetes/runtime/owners.js";
import type {
  Pod,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
} from "../../../src/kubernetes/schema/generated/types.js";
import { START_MS, startWorld, template, type World } from "./world.js";

const replicaSet = (replicas: number, extra: object = {}) => ({
  metadata: { name: "web", namespace: "default" },
  spec: { replicas, selector: { matchLabels: { app: "web" } }, template: template(), ...extra },
});
const get = (world: World): ReplicaSet => {
  const found = world.get<ReplicaSet>("replicasets.apps", "web", "default");
  if (!found) throw new Error("no set");
  return found;
};
const scale = async (world: World, replicas: number): Promise<void> => {
  const present = get(world);
  await world.api.update<ReplicaSet>("replicasets.apps", {
    ...present,
    spec: { selector: {}, ...present.spec, replicas },
  });
};

describe("replicaset", () => {
  it("creates pods, replaces those that are deleted, and counts them", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<ReplicaSet>("replicasets.apps", replicaSet(3));
    await world.seconds(2);
    expect(get(world).status).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      terminatingReplicas: 0,
      observedGeneration: 1,
    });
    expect(world.events("SuccessfulCreate").map((event) => event.message)).toHaveLength(3);
    await world.api.delete("pods", world.pods()[0]?.metadata ?? { name: "" });
    await world.seconds(2);
    expect(world.pods()).toHaveLength(3);
    await scale(world, 1);
    await world.seconds(2);
    expect(world.pods()).toHaveLength(1);
    expect(get(world).status).toMatchObject({ replicas: 1, readyReplicas: 1, observedGeneration: 2 });
    expect(world.events("SuccessfulDelete")).toHaveLength(2);
    expect(world.warnings).toEqual([]);
  });

  it("tells how many of its pods are on their way out", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<ReplicaSet>("replicasets.apps", replicaSet(3));
    await world.seconds(2);
    world.silence("n1");
    await scale(world, 1);
    await world.seconds(2);
    expect(get(world).status).toMatchObject({ replicas: 1, terminatingReplicas: 2 });
    await world.wake("n1");
    await world.seconds(2);
    expect(get(world).status).toMatchObject({ replicas: 1, terminatingReplicas: 0 });
  });

  it("adopts matching orphans and lets go of pods whose labels no longer match", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<Pod>("pods", {
      metadata: { name: "lone", namespace: "default", labels: { app: "web" } },
      spec: template().spec,
    });
    await world.api.create<ReplicaSet>("replicasets.apps", replicaSet(2));
    await world.seconds(2);
    expect(world.pods()).toHaveLength(2);
    const lone = world.get<Pod>("pods", "lone", "default") as Pod;
    expect(controllerOf(lone)?.name).toBe("web");
    await world.api.update<Pod>("pods", { ...lone, metadata: { ...lone.metadata, labels: { app: "other" } } });
    await world.seconds(2);
    expect(world.pods({ app: "web" })).toHaveLength(2);
    expect(controllerOf(world.get<Pod>("pods", "lone", "default") as Pod)).toBeUndefined();
  });

  it("counts a pod as available only minReadySeconds after it became ready", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<ReplicaSet>("replicasets.apps", replicaSet(2, { minReadySeconds: 30 }));
    await world.seconds(20);
    expect(get(world).status).toMatchObject({ readyReplicas: 2 });
    expect(get(world).status?.availableReplicas).toBeUndefined();
    await world.seconds(15);
    expect(get(world).status).toMatchObject({ availableReplicas: 2 });
  });

  it("tells of refused pods in a condition and an event, tries again, and clears the condition", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<ResourceQuota>("resourcequotas", {
      metadata: { name: "q", namespace: "default" },
      spec: { hard: { pods: "2" } },
    });
    await world.api.create<ReplicaSet>("replicasets.apps", replicaSet(5));
    await world.seconds(2);
    expect(world.pods()).toHaveLength(2);
    expect(conditionOf(get(world).status?.conditions, "ReplicaFailure")).toMatchObject({
      status: "True",
      reason: "FailedCreate",
    });
    expect(world.events("FailedCreate")[0]).toMatchObject({
      type: "Warning",
      message: expect.stringMatching(/^Error creating: pods "web-.*exceeded quota/),
    });
    await world.api.delete("resourcequotas", { namespace: "default", name: "q" });
    await world.seconds(120);
    expect(world.pods()).toHaveLength(5);
    expect(get(world).status?.conditions).toBeUndefined();
  });

  it("replication controllers do the same with a plain selector", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<ReplicationController>("replicationcontrollers", {
      metadata: { name: "rc", namespace: "default" },
      spec: { replicas: 2, selector: { app: "web" }, template: template() },
    });
    await world.seconds(2);
    expect(world.pods()).toHaveLength(2);
    expect(world.get<ReplicationController>("replicationcontrollers", "rc", "default")?.status).toMatchObject({
      replicas: 2,
      readyReplicas: 2,
    });
  });
});

describe("which pods go first", () => {
  let uid = 0;
  const pod = (
    name: string,
    { node = "n1", phase = "Running", ready = true, readyAgoS = 100, cost = "", restarts = 0 } = {},
  ): Pod =>
    ({
      metadata: {
        name,
        uid: String(uid++),
        creationTimestamp: "2026-01-01T00:00:00Z",
        annotations: cost ? { "controller.kubernetes.io/pod-deletion-cost": cost } : {},
      },
      spec: { nodeName: node, containers: [] },
      status: {
        phase,
        conditions: [
          {
            type: "Ready",
            status: ready ? "True" : "False",
            lastTransitionTime: new Date(START_MS + 1000_000 - readyAgoS * 1000).toISOString(),
          },
        ],
        containerStatuses: [{ restartCount: restarts }],
      },
    }) as unknown as Pod;
  const first = (...pods: Pod[]): string | undefined =>
    podsToDelete(pods, pods, 1, START_MS + 1000_000)[0]?.metadata.name;

  it.each([
    ["unassigned", pod("a"), pod("first", { node: "" })],
    ["pending", pod("a"), pod("first", { phase: "Pending" })],
    ["not ready", pod("a"), pod("first", { ready: false })],
    ["cheaper", pod("a", { cost: "-1" }), pod("first", { cost: "-5" })],
    ["ready for a shorter time", pod("a", { readyAgoS: 900 }), pod("first", { readyAgoS: 2 })],
    ["restarted more often", pod("a", { ready: false }), pod("first", { ready: false, restarts: 3 })],
  ])("%s", (_, a, b) => {
    expect(first(a, b)).toBe("first");
    expect(first(b, a)).toBe("first");
  });

  it("doubled up on a node", () => {
    expect(first(pod("a", { node: "n1" }), pod("first", { node: "n2" }), pod("first", { node: "n2" }))).toBe("first");
  });
});
