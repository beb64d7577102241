import { describe, expect, it } from "vitest";
import type { ControllerRevision, DaemonSet, Node, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { startWorld, template, type World } from "./world.js";

const daemonSet = (extra: Partial<DaemonSet["spec"]> = {}) => ({
  metadata: { name: "agent", namespace: "default" },
  spec: { selector: { matchLabels: { app: "agent" } }, template: template({ app: "agent" }), ...extra },
});
const get = (world: World): DaemonSet => world.get<DaemonSet>("daemonsets.apps", "agent", "default") as DaemonSet;
const setImage = async (world: World, image: string): Promise<void> => {
  const present = get(world);
  await world.api.update<DaemonSet>("daemonsets.apps", {
    ...present,
    spec: { selector: {}, ...present.spec, template: template({ app: "agent" }, image) },
  });
};
const nodesOf = (world: World): string[] =>
  world
    .pods({ app: "agent" })
    .map((pod) => pod.spec?.nodeName ?? "")
    .sort();

async function worldOf(nodes: number, extra: Partial<DaemonSet["spec"]> = {}): Promise<World> {
  const world = await startWorld();
  for (let i = 1; i <= nodes; i++) await world.addNode(`n${i}`);
  await world.api.create<DaemonSet>("daemonsets.apps", daemonSet(extra));
  await world.seconds(3);
  return world;
}

describe("daemonset", () => {
  it("runs one pod on every node, also on nodes that join, and removes those of nodes that stop to fit", async () => {
    const world = await worldOf(2);
    expect(nodesOf(world)).toEqual(["n1", "n2"]);
    await world.addNode("n3");
    await world.seconds(3);
    expect(nodesOf(world)).toEqual(["n1", "n2", "n3"]);
    expect(get(world).status).toEqual({
      currentNumberScheduled: 3,
      desiredNumberScheduled: 3,
      numberAvailable: 3,
      numberMisscheduled: 0,
      numberReady: 3,
      observedGeneration: 1,
      updatedNumberScheduled: 3,
    });
    const node = world.get<Node>("nodes", "n3") as Node;
    await world.api.update<Node>("nodes", {
      ...node,
      spec: { ...node.spec, taints: [{ key: "only", effect: "NoExecute" }] },
    });
    await world.seconds(3);
    expect(nodesOf(world)).toEqual(["n1", "n2"]);
    expect(world.warnings).toEqual([]);
  });

  it("pins its pods by node affinity and tolerates what daemons must", async () => {
    const world = await worldOf(1);
    const [pod] = world.pods({ app: "agent" });
    expect(pod?.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution).toEqual({
      nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] }],
    });
    expect(pod?.spec?.tolerations?.map(({ key, effect }) => `${key}:${effect}`)).toEqual([
      "node.kubernetes.io/not-ready:NoExecute",
      "node.kubernetes.io/unreachable:NoExecute",
      "node.kubernetes.io/disk-pressure:NoSchedule",
      "node.kubernetes.io/memory-pressure:NoSchedule",
      "node.kubernetes.io/pid-pressure:NoSchedule",
      "node.kubernetes.io/unschedulable:NoSchedule",
    ]);
    expect(pod?.metadata.labels?.["controller-revision-hash"]).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/);
  });

  it("stays on a silent node for ever", async () => {
    const world = await worldOf(3);
    world.silence("n1");
    await world.seconds(1200);
    expect(nodesOf(world)).toEqual(["n1", "n2", "n3"]);
    expect(world.pods({ app: "agent" }).every((pod) => !pod.metadata.deletionTimestamp)).toBe(true);
    expect(get(world).status).toMatchObject({ desiredNumberScheduled: 2, numberReady: 2, numberMisscheduled: 1 });
  });

  it("keeps off nodes whose taints or labels do not fit", async () => {
    const world = await startWorld();
    await world.addNode("n1", "a", { labels: { disk: "ssd" } });
    await world.addNode("n2");
    await world.addNode("n3", "a", { labels: { disk: "ssd" }, taints: [{ key: "only", effect: "NoSchedule" }] });
    const wanted = template({ app: "agent" });
    await world.api.create<DaemonSet>(
      "daemonsets.apps",
      daemonSet({ template: { ...wanted, spec: { ...wanted.spec, nodeSelector: { disk: "ssd" } } } }),
    );
    await world.seconds(3);
    expect(nodesOf(world)).toEqual(["n1"]);
  });

  it("replaces one pod at a time and keeps the history of its template", async () => {
    const world = await worldOf(4);
    let fewest = 4;
    world.api.watch<Pod>("pods", () => {
      const alive = world
        .pods({ app: "agent" })
        .filter((pod) => !pod.metadata.deletionTimestamp && pod.status?.phase === "Running");
      fewest = Math.min(fewest, alive.length);
    });
    await setImage(world, "agent:2");
    await world.seconds(30);
    expect(fewest).toBe(3);
    expect(world.pods({ app: "agent" }).map((pod) => pod.spec?.containers[0]?.image)).toEqual(Array(4).fill("agent:2"));
    expect(get(world).status).toMatchObject({ updatedNumberScheduled: 4, numberAvailable: 4, observedGeneration: 2 });
    const revisions = world.api.list<ControllerRevision>("controllerrevisions.apps");
    expect(revisions.map(({ revision }) => revision).sort()).toEqual([1, 2]);
    await setImage(world, "nginx:1");
    await world.seconds(30);
    expect(
      world.api
        .list<ControllerRevision>("controllerrevisions.apps")
        .map(({ revision }) => revision)
        .sort(),
    ).toEqual([2, 3]);
  });

  it("with maxSurge: has the new pod available before the old one goes", async () => {
    const world = await worldOf(3, { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
    let fewest = 3;
    world.api.watch<Pod>("pods", () => {
      const nodes = new Set(
        world
          .pods({ app: "agent" })
          .filter((pod) => !pod.metadata.deletionTimestamp && pod.status?.phase === "Running")
          .map((pod) => pod.spec?.nodeName),
      );
      fewest = Math.min(fewest, nodes.size);
    });
    await setImage(world, "agent:2");
    await world.seconds(30);
    expect(fewest).toBe(3);
    expect(world.pods({ app: "agent" }).map((pod) => pod.spec?.containers[0]?.image)).toEqual(Array(3).fill("agent:2"));
  });

  it("OnDelete: waits for somebody to delete the pods", async () => {
    const world = await worldOf(2, { updateStrategy: { type: "OnDelete" } });
    await setImage(world, "agent:2");
    await world.seconds(10);
    expect(world.pods({ app: "agent" }).map((pod) => pod.spec?.containers[0]?.image)).toEqual(["nginx:1", "nginx:1"]);
    await world.api.delete("pods", world.pods({ app: "agent" })[0]?.metadata ?? { name: "" });
    await world.seconds(3);
    expect(
      world
        .pods({ app: "agent" })
        .map((pod) => pod.spec?.containers[0]?.image)
        .sort(),
    ).toEqual(["agent:2", "nginx:1"]);
  });

  it("replaces a failed pod, ever more slowly", async () => {
    const world = await worldOf(1);
    const times: number[] = [];
    world.api.watch<Pod>("pods", ({ type }) => void (type === "DELETED" && times.push(world.clock.now())));
    world.api.watch<Pod>("pods", ({ type, object }) => {
      if (type !== "MODIFIED" || object.status?.phase !== "Running" || object.metadata.deletionTimestamp) return;
      world.clock.defer(
        () =>
          void world.clock.track(
            world.api
              .updateStatus<Pod>("pods", { ...object, status: { ...object.status, phase: "Failed" } })
              .catch(() => {}),
          ),
      );
    });
    const [pod] = world.pods({ app: "agent" });
    if (pod) await world.api.updateStatus<Pod>("pods", { ...pod, status: { ...pod.status, phase: "Failed" } });
    await world.seconds(120);
    const gaps = times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / 1000));
    expect(gaps.slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
    expect(world.events("FailedDaemonPod").length).toBeGreaterThan(0);
  });

  it("keeps its history byte for byte as Go renders the template, which clients compare", async () => {
    const world = await startWorld();
    await world.api.create<DaemonSet>("daemonsets.apps", daemonSet());
    await world.seconds(1);
    const [revision] = world.api.list<ControllerRevision>("controllerrevisions.apps");
    expect(JSON.stringify(revision?.data)).toBe(
      `{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"agent"}},"spec":{"containers":[{"image":"nginx:1","imagePullPolicy":"IfNotPresent","name":"c","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}}}`,
    );
  });
});
