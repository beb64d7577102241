import type { Job, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { startWorld, type World } from "./world.js";

/** One Job named `work` in a world with one node, and what its pods can come to. */
export const job = (spec: Partial<Job["spec"]> = {}) => ({
  metadata: { name: "work", namespace: "default" },
  spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } }, ...spec },
});

export const get = (world: World): Job => world.get<Job>("jobs.batch", "work", "default") as Job;

export const running = (world: World): Pod[] =>
  world
    .pods()
    .filter(
      (pod) => pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed" && !pod.metadata.deletionTimestamp,
    );

const INDEX = "batch.kubernetes.io/job-completion-index";

/** The pod at work on an index. */
export const ofIndex = (world: World, index: number): Pod | undefined =>
  running(world).find((pod) => pod.metadata.labels?.[INDEX] === String(index));

/** Ends a pod with an exit code, as its kubelet would; a second passes. */
export async function exit(world: World, pod: Pod | undefined, exitCode: number): Promise<void> {
  const present = pod && world.get<Pod>("pods", pod.metadata.name, "default");
  if (!present) throw new Error("no pod to end");
  const terminated = { exitCode, finishedAt: new Date(world.clock.now()).toISOString() };
  const container = { name: "c", image: "i", imageID: "i", ready: false, restartCount: 0, state: { terminated } };
  await world.api.updateStatus<Pod>("pods", {
    ...present,
    status: { ...present.status, phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [container] },
  });
  await world.seconds(1);
}

export const end = (world: World, pod: Pod | undefined, phase: "Succeeded" | "Failed"): Promise<void> =>
  exit(world, pod, phase === "Succeeded" ? 0 : 1);

export async function worldOf(spec: Partial<Job["spec"]> = {}): Promise<World> {
  const world = await startWorld();
  await world.addNode("n1");
  await world.api.create<Job>("jobs.batch", job(spec));
  await world.seconds(2);
  return world;
}

export async function change(world: World, spec: Partial<Job["spec"]>): Promise<void> {
  const present = get(world);
  if (!present.spec) throw new Error("no job");
  await world.api.update<Job>("jobs.batch", { ...present, spec: { ...present.spec, ...spec } });
  await world.seconds(2);
}
