import { describe, expect, it } from "vitest";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { Deployment, ReplicaSet } from "../../../src/kubernetes/schema/generated/types.js";
import { deployment, startWorld, template, type World } from "./world.js";

const get = (world: World): Deployment => {
  const found = world.get<Deployment>("deployments.apps", "web", "default");
  if (!found) throw new Error("no deployment");
  return found;
};
const sets = (world: World): ReplicaSet[] => [...world.api.list<ReplicaSet>("replicasets.apps")];

async function rolledOut(spec: Partial<Deployment["spec"]> = {}, replicas = 4): Promise<World> {
  const world = await startWorld();
  for (const name of ["n1", "n2"]) await world.addNode(name);
  await world.api.create<Deployment>("deployments.apps", deployment("web", replicas, spec));
  await world.seconds(3);
  return world;
}

const setImage = async (world: World, image: string): Promise<void> => {
  const present = get(world);
  await world.api.update<Deployment>("deployments.apps", {
    ...present,
    spec: { ...present.spec, selector: { matchLabels: { app: "web" } }, template: template({ app: "web" }, image) },
  });
};

describe("deployment", () => {
  it("makes one ReplicaSet and becomes available, with upstream's status", async () => {
    const world = await rolledOut();
    const [set] = sets(world);
    expect(sets(world)).toHaveLength(1);
    expect(set?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]+$/);
    expect(set?.metadata.annotations).toEqual({
      "deployment.kubernetes.io/revision": "1",
      "deployment.kubernetes.io/desired-replicas": "4",
      "deployment.kubernetes.io/max-replicas": "5",
    });
    const { metadata, status } = get(world);
    expect(metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "1" });
    expect(status).toMatchObject({
      observedGeneration: 1,
      replicas: 4,
      updatedReplicas: 4,
      readyReplicas: 4,
      availableReplicas: 4,
    });
    expect(conditionOf(status?.conditions, "Available")).toMatchObject({
      status: "True",
      reason: "MinimumReplicasAvailable",
    });
    expect(conditionOf(status?.conditions, "Progressing")).toMatchObject({
      status: "True",
      reason: "NewReplicaSetAvailable",
      message: `ReplicaSet "${set?.metadata.name}" has successfully progressed.`,
    });
    expect(world.events("ScalingReplicaSet").map((event) => event.message)).toEqual([
      `Scaled up replica set ${set?.metadata.name} from 0 to 4`,
    ]);
    expect(world.warnings).toEqual([]);
  });

  it("stops writing once there is nothing to do", async () => {
    const world = await rolledOut();
    const { revision } = world.api;
    await world.seconds(600);
    expect(world.api.revision).toBe(revision);
  });

  it("never has fewer available or more pods than a rolling update allows", async () => {
    const world = await rolledOut({ strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: "25%" } } }, 8);
    let [fewest, most] = [8, 8];
    world.api.watch("pods", () => {
      const pods = world.pods().filter((pod) => !pod.metadata.deletionTimestamp);
      most = Math.max(most, pods.length);
      fewest = Math.min(
        fewest,
        pods.filter((pod) => conditionOf(pod.status?.conditions, "Ready")?.status === "True").length,
      );
    });
    await setImage(world, "nginx:2");
    await world.seconds(60);
    expect(get(world).status).toMatchObject({
      observedGeneration: 2,
      replicas: 8,
      updatedReplicas: 8,
      availableReplicas: 8,
    });
    expect(world.pods().every((pod) => pod.spec?.containers[0]?.image === "nginx:2")).toBe(true);
    expect([fewest, most]).toEqual([6, 9]);
    expect(
      sets(world)
        .map((set) => set.spec?.replicas)
        .sort(),
    ).toEqual([0, 8]);
    expect(world.warnings).toEqual([]);
  });

  it("goes back to the old ReplicaSet under a new revision when the template is put back", async () => {
    const world = await rolledOut();
    const [first] = sets(world);
    await setImage(world, "nginx:2");
    await world.seconds(30);
    await setImage(world, "nginx:1");
    await world.seconds(30);
    const back = sets(world).find((set) => set.metadata.name === first?.metadata.name);
    expect(back?.spec?.replicas).toBe(4);
    expect(back?.metadata.annotations).toMatchObject({
      "deployment.kubernetes.io/revision": "3",
      "deployment.kubernetes.io/revision-history": "1",
    });
    expect(get(world).metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
  });

  it("keeps no more old ReplicaSets than revisionHistoryLimit", async () => {
    const world = await rolledOut({ revisionHistoryLimit: 2 });
    for (let i = 2; i <= 6; i++) {
      await setImage(world, `nginx:${i}`);
      await world.seconds(30);
    }
    const revisions = sets(world).map((set) => set.metadata.annotations?.["deployment.kubernetes.io/revision"]);
    expect(revisions.sort()).toEqual(["4", "5", "6"]);
  });

  it("Recreate: starts the new pods only after the old ones are gone", async () => {
    const world = await rolledOut({ strategy: { type: "Recreate" } });
    const images = new Set<string>();
    world.api.watch("pods", () => {
      images.add([...new Set(world.pods().map((pod) => pod.spec?.containers[0]?.image))].sort().join("+"));
    });
    await setImage(world, "nginx:2");
    await world.seconds(30);
    expect(get(world).status).toMatchObject({ updatedReplicas: 4, availableReplicas: 4 });
    expect([...images].sort()).toEqual(["", "nginx:1", "nginx:2"]);
  });

  it("paused: takes a new size, but no new template until resumed", async () => {
    const world = await rolledOut();
    const present = get(world);
    await world.api.update<Deployment>("deployments.apps", {
      ...present,
      spec: {
        ...present.spec,
        paused: true,
        replicas: 6,
        selector: { matchLabels: { app: "web" } },
        template: template({ app: "web" }, "nginx:2"),
      },
    });
    await world.seconds(10);
    expect(sets(world)).toHaveLength(1);
    expect(world.pods()).toHaveLength(6);
    expect(conditionOf(get(world).status?.conditions, "Progressing")).toMatchObject({
      status: "Unknown",
      reason: "DeploymentPaused",
    });
    const paused = get(world);
    await world.api.update<Deployment>("deployments.apps", {
      ...paused,
      spec: {
        ...paused.spec,
        paused: false,
        selector: { matchLabels: { app: "web" } },
        template: paused.spec?.template ?? template(),
      },
    });
    await world.seconds(60);
    expect(get(world).status).toMatchObject({ updatedReplicas: 6, availableReplicas: 6 });
    expect(conditionOf(get(world).status?.conditions, "Progressing")?.reason).toBe("NewReplicaSetAvailable");
  });

  it("reports ProgressDeadlineExceeded when nothing gets ready", async () => {
    const world = await startWorld({ kubelets: false });
    await world.api.create<Deployment>("deployments.apps", deployment("web", 2, { progressDeadlineSeconds: 60 }));
    await world.seconds(59);
    expect(conditionOf(get(world).status?.conditions, "Progressing")).toMatchObject({ status: "True" });
    await world.seconds(5);
    const condition = conditionOf(get(world).status?.conditions, "Progressing");
    expect(condition).toMatchObject({ status: "False", reason: "ProgressDeadlineExceeded" });
    expect(condition?.message).toMatch(/^ReplicaSet "web-.*" has timed out progressing\.$/);
    expect(conditionOf(get(world).status?.conditions, "Available")).toMatchObject({
      status: "False",
      reason: "MinimumReplicasUnavailable",
    });
  });

  it("spreads a change of size in the midst of a rollout over both ReplicaSets", async () => {
    const world = await rolledOut({ strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }, 10);
    await world.stop();
    // What a half-done rollout looks like: 8 old, 5 new, and then the size goes to 20.
    const { planScale } = await import("../../../src/kubernetes/controllers/deployment/plan.js");
    const [set] = sets(world);
    if (!set?.spec) throw new Error("no set");
    const sized = (name: string, replicas: number): ReplicaSet => ({
      ...set,
      metadata: {
        ...set.metadata,
        name,
        annotations: {
          "deployment.kubernetes.io/max-replicas": "13",
          "deployment.kubernetes.io/desired-replicas": "10",
        },
      },
      spec: { selector: {}, ...set.spec, replicas },
    });
    const present = get(world);
    const larger = { ...present, spec: { selector: {}, template: template(), ...present.spec, replicas: 20 } };
    const plan = planScale(larger, sized("new", 5), [sized("old", 8)]);
    expect(plan.map(({ set, replicas }) => [set.metadata.name, replicas])).toEqual([
      ["old", 14],
      ["new", 9],
    ]);
  });

  it("goes on from the revision of a ReplicaSet that it adopts, however large", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    const labels = { app: "web", pod: "old" };
    await world.api.create<ReplicaSet>("replicasets.apps", {
      metadata: {
        name: "adopted",
        namespace: "default",
        labels,
        annotations: { "deployment.kubernetes.io/revision": "3546343826724305832" },
      },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: template(labels, "nginx:0") },
    });
    await world.api.create("deployments.apps", deployment("web", 1));
    await world.seconds(10);
    const web = world.get<Deployment>("deployments.apps", "web", "default");
    expect(web?.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3546343826724305833");
    expect(world.api.list("replicasets.apps")).toHaveLength(2);
  });
});
