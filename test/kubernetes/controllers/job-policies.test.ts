import { describe, expect, it } from "vitest";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { Job, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { refusal } from "../auth/simulated-api.js";
import { change, end, exit, get, job, ofIndex, running, worldOf } from "./job-fixture.js";
import { startWorld, type World } from "./world.js";

const conditionTypes = (world: World): string[] => (get(world).status?.conditions ?? []).map(({ type }) => type);
const verdict = (world: World, type: "Complete" | "Failed") => conditionOf(get(world).status?.conditions, type);
const disrupt = async (world: World, pod: Pod | undefined): Promise<void> => {
  if (!pod?.status) throw new Error("no pod");
  const condition = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" };
  await world.api.updateStatus<Pod>("pods", {
    ...pod,
    status: { ...pod.status, conditions: [...(pod.status.conditions ?? []), condition] },
  });
};
const indexed = (spec: Partial<Job["spec"]>): Partial<Job["spec"]> => ({ completionMode: "Indexed", ...spec });

describe("job: podFailurePolicy", () => {
  it("FailJob ends the whole job at the first matching exit code", async () => {
    const world = await worldOf({
      parallelism: 2,
      completions: 4,
      podFailurePolicy: {
        rules: [{ action: "FailJob", onExitCodes: { containerName: "c", operator: "In", values: [42] } }],
      },
    });
    const [first, second] = running(world);
    await exit(world, first, 42);
    expect(conditionTypes(world)).toEqual(["FailureTarget", "Failed"]);
    const message = `Container c for pod default/${first?.metadata.name} failed with exit code 42 matching FailJob rule at index 0`;
    expect(verdict(world, "Failed")).toMatchObject({ reason: "PodFailurePolicy", message });
    expect(world.get("pods", second?.metadata.name ?? "", "default")).toBeUndefined();
    expect(get(world).status).toMatchObject({ failed: 2, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
    expect(world.events("PodFailurePolicy")[0]).toMatchObject({ type: "Warning", message });
  });

  it("Ignore lets disrupted pods fail without counting them", async () => {
    const world = await worldOf({
      backoffLimit: 0,
      podFailurePolicy: {
        rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }],
      },
    });
    await disrupt(world, running(world)[0]);
    await exit(world, running(world)[0], 137);
    expect(get(world).status?.failed).toBeUndefined();
    await world.seconds(11);
    await exit(world, running(world)[0], 0);
    expect(conditionTypes(world)).toEqual(["SuccessCriteriaMet", "Complete"]);
  });

  it("the first rule that matches decides, and a failure that none matches counts", async () => {
    const world = await worldOf({
      backoffLimit: 0,
      podFailurePolicy: {
        rules: [
          { action: "Count", onExitCodes: { operator: "In", values: [3] } },
          { action: "Ignore", onExitCodes: { operator: "NotIn", values: [9] } },
        ],
      },
    });
    await exit(world, running(world)[0], 5);
    expect(get(world).status?.failed).toBeUndefined();
    await world.seconds(11);
    await exit(world, running(world)[0], 9);
    expect(verdict(world, "Failed")).toMatchObject({ reason: "BackoffLimitExceeded" });
  });

  it("waits for a pod to come to its end before it judges and replaces it", async () => {
    const world = await worldOf({
      podFailurePolicy: { rules: [{ action: "Ignore", onExitCodes: { operator: "In", values: [137] } }] },
    });
    const [pod] = running(world);
    world.silence("n1");
    await world.api.delete("pods", { namespace: "default", name: pod?.metadata.name ?? "" });
    await world.seconds(5);
    expect(get(world).status).toMatchObject({ ready: 0, terminating: 1 });
    expect(world.pods()).toHaveLength(1);
    await world.wake("n1");
    await world.seconds(1);
    // It went without an exit code: nothing to match, and podReplacementPolicy Failed sees no failure.
    expect(world.pods().filter((other) => !other.metadata.deletionTimestamp)).toHaveLength(0);
  });
});

describe("job: limits per index", () => {
  it("every index has its own retries; the others go on", async () => {
    const world = await worldOf(indexed({ completions: 2, parallelism: 2, backoffLimitPerIndex: 1 }));
    expect(get(world).spec?.backoffLimit).toBe(2_147_483_647);
    const count = (pod: Pod | undefined) => pod?.metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"];
    expect(count(ofIndex(world, 0))).toBe("0");
    await end(world, ofIndex(world, 0), "Failed");
    // The failed pod is held until its successor knows of it.
    expect(world.pods().find(({ status }) => status?.phase === "Failed")?.metadata.finalizers).toHaveLength(1);
    await world.seconds(10);
    expect(count(ofIndex(world, 0))).toBe("1");
    await world.seconds(2);
    await end(world, ofIndex(world, 0), "Failed");
    expect(get(world).status).toMatchObject({ failed: 2, failedIndexes: "0", active: 1 });
    await end(world, ofIndex(world, 1), "Succeeded");
    expect(verdict(world, "Failed")).toMatchObject({ reason: "FailedIndexes", message: "Job has failed indexes" });
    expect(get(world).status).toMatchObject({ completedIndexes: "1", failedIndexes: "0", succeeded: 1 });
    expect(world.pods().every(({ metadata }) => metadata.finalizers === undefined)).toBe(true);
  });

  it("FailIndex gives an index up at once, maxFailedIndexes the job", async () => {
    const world = await worldOf(
      indexed({
        completions: 4,
        parallelism: 4,
        backoffLimitPerIndex: 3,
        maxFailedIndexes: 1,
        podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [7] } }] },
      }),
    );
    await exit(world, ofIndex(world, 1), 7);
    expect(get(world).status).toMatchObject({ failedIndexes: "1", failed: 1, active: 3 });
    await exit(world, ofIndex(world, 2), 7);
    expect(verdict(world, "Failed")).toMatchObject({
      reason: "MaxFailedIndexesExceeded",
      message: "Job has exceeded the specified maximal number of failed indexes",
    });
    expect(get(world).status).toMatchObject({ failedIndexes: "1,2", failed: 4 });
    expect(running(world)).toEqual([]);
  });
});

describe("job: successPolicy", () => {
  it.each([
    ["chosen indexes", { succeededIndexes: "1" }],
    ["a number of them", { succeededCount: 1 }],
    ["a number among chosen ones", { succeededIndexes: "1-2", succeededCount: 1 }],
  ])("%s are enough; pods that still run are stopped and not counted", async (_, rule) => {
    const world = await worldOf(indexed({ completions: 3, parallelism: 3, successPolicy: { rules: [rule] } }));
    await end(world, ofIndex(world, 1), "Succeeded");
    expect(conditionTypes(world)).toEqual(["SuccessCriteriaMet", "Complete"]);
    expect(verdict(world, "Complete")).toMatchObject({ reason: "SuccessPolicy", message: "Matched rules at index 0" });
    const { status } = get(world);
    expect(status).toMatchObject({ succeeded: 1, completedIndexes: "1", terminating: 0, ready: 0 });
    expect(status?.failed).toBeUndefined();
    expect(running(world)).toEqual([]);
  });

  it("without a matching rule all indexes are needed", async () => {
    const world = await worldOf(
      indexed({ completions: 2, parallelism: 2, successPolicy: { rules: [{ succeededIndexes: "0-1" }] } }),
    );
    await end(world, ofIndex(world, 0), "Succeeded");
    expect(conditionTypes(world)).toEqual([]);
    await end(world, ofIndex(world, 1), "Succeeded");
    expect(verdict(world, "Complete")).toMatchObject({ reason: "SuccessPolicy" });
  });
});

describe("job: life of its pods", () => {
  it("the last word waits until no pod is ending any more", async () => {
    const world = await worldOf({ parallelism: 2, completions: 2, backoffLimit: 0 });
    world.silence("n1");
    await end(world, running(world)[0], "Failed");
    expect(conditionTypes(world)).toEqual(["FailureTarget"]);
    expect(get(world).status).toMatchObject({ terminating: 1, failed: 2 });
    await world.wake("n1");
    await world.seconds(1);
    expect(conditionTypes(world)).toEqual(["FailureTarget", "Failed"]);
  });

  it("podReplacementPolicy: a pod on its way out is replaced at once, or only when it has ended", async () => {
    for (const [podReplacementPolicy, pods] of [
      ["TerminatingOrFailed", 2],
      ["Failed", 1],
    ] as const) {
      const world = await worldOf({ podReplacementPolicy });
      world.silence("n1");
      await world.api.delete("pods", { namespace: "default", name: running(world)[0]?.metadata.name ?? "" });
      await world.seconds(12);
      expect(world.pods(), podReplacementPolicy).toHaveLength(pods);
    }
  });

  it("suspension stops pods without counting them, and its time does not run against the deadline", async () => {
    const world = await worldOf({ activeDeadlineSeconds: 60, parallelism: 2, completions: 2 });
    await world.seconds(40);
    await change(world, { suspend: true });
    expect(world.pods()).toEqual([]);
    expect(get(world).status).toMatchObject({ ready: 0, terminating: 0 });
    expect(get(world).status?.failed).toBeUndefined();
    expect(world.events("Suspended")).toHaveLength(1);
    await world.seconds(600);
    await change(world, { suspend: false });
    expect(world.events("Resumed")).toHaveLength(1);
    await world.seconds(50);
    expect(running(world)).toHaveLength(2);
    await world.seconds(10);
    expect(verdict(world, "Failed")).toMatchObject({ reason: "DeadlineExceeded" });
  });

  it("fewer at a time: the surplus goes uncounted, those that have got least far first", async () => {
    const world = await worldOf({ parallelism: 3, completions: 9 });
    await change(world, { parallelism: 1 });
    expect(get(world).status).toMatchObject({ active: 1 });
    expect(get(world).status?.failed).toBeUndefined();
  });

  it("an Indexed job can be made smaller and larger in tandem", async () => {
    const world = await worldOf(indexed({ completions: 3, parallelism: 3 }));
    await end(world, ofIndex(world, 2), "Succeeded");
    await change(world, { completions: 2, parallelism: 2 });
    expect(get(world).status?.completedIndexes).toBeUndefined();
    expect(running(world)).toHaveLength(2);
    await change(world, { completions: 4, parallelism: 4 });
    expect(running(world).map((pod) => pod.spec?.hostname)).toEqual(["work-0", "work-1", "work-2", "work-3"]);
    expect(await refusal(change(world, { completions: 5 }))).toContain("in tandem with spec.parallelism");
  });

  it("adopts a pod that was let go, with the finalizer, and lets go of one that it no longer selects", async () => {
    const world = await worldOf({ parallelism: 1, completions: 2 });
    const name = running(world)[0]?.metadata.name ?? "";
    const pod = (): Pod => world.get<Pod>("pods", name, "default") as Pod;
    await world.api.update<Pod>("pods", { ...pod(), metadata: { ...pod().metadata, ownerReferences: undefined } });
    await world.seconds(1);
    expect(pod().metadata).toMatchObject({
      finalizers: ["batch.kubernetes.io/job-tracking"],
      ownerReferences: [{ kind: "Job", name: "work", controller: true }],
    });
    await world.api.update<Pod>("pods", { ...pod(), metadata: { ...pod().metadata, labels: undefined } });
    await world.seconds(1);
    expect(pod().metadata.ownerReferences).toBeUndefined();
    expect(pod().metadata.finalizers).toBeUndefined();
    expect(running(world)).toHaveLength(2);
  });

  it("deleted: its pods are not held back", async () => {
    for (const propagationPolicy of ["Background", "Foreground"] as const) {
      const world = await worldOf({ parallelism: 2, completions: 2 });
      await world.api.delete("jobs.batch", { namespace: "default", name: "work" }, { propagationPolicy });
      await world.seconds(3);
      expect(world.pods()).toEqual([]);
      expect(get(world)).toBeUndefined();
    }
  });

  it("orphaned: the pods stay, without the finalizer", async () => {
    const world = await worldOf({ parallelism: 2, completions: 2 });
    await world.api.delete("jobs.batch", { namespace: "default", name: "work" }, { propagationPolicy: "Orphan" });
    await world.seconds(3);
    expect(running(world).map(({ metadata }) => [metadata.finalizers, metadata.ownerReferences])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  it("managed by another controller: left alone, and the field stays", async () => {
    const world = await worldOf({ managedBy: "kueue.x-k8s.io/multikueue" });
    expect(world.pods()).toEqual([]);
    expect(get(world).status?.startTime).toBeUndefined();
    expect(await refusal(change(world, { managedBy: undefined }))).toContain("field is immutable");
  });

  it("a second failure waits twice as long even when the first pod is gone", async () => {
    const world = await worldOf();
    const [first] = running(world);
    await end(world, first, "Failed");
    await world.seconds(11);
    await world.api.delete("pods", { namespace: "default", name: first?.metadata.name ?? "" });
    await end(world, running(world)[0], "Failed");
    await world.seconds(15);
    expect(running(world)).toEqual([]);
    await world.seconds(5);
    expect(running(world)).toHaveLength(1);
  });

  it("many pods that end at once are all counted", async () => {
    const world = await startWorld({ kubelets: false });
    await world.api.create<Job>("jobs.batch", job({ parallelism: 600, completions: 600 }));
    await world.seconds(2);
    expect(world.pods()).toHaveLength(600);
    for (const pod of world.pods())
      await world.api.updateStatus<Pod>("pods", { ...pod, status: { ...pod.status, phase: "Succeeded" } });
    await world.seconds(2);
    expect(get(world).status).toMatchObject({ succeeded: 600, uncountedTerminatedPods: {} });
    expect(verdict(world, "Complete")?.status).toBe("True");
  });
});

describe("job: status writes of others", () => {
  it("may add conditions but not undo what is final", async () => {
    const world = await worldOf();
    await end(world, running(world)[0], "Succeeded");
    const write = (status: Partial<Job["status"]>) =>
      world.api.updateStatus<Job>("jobs.batch", { ...get(world), status: { ...get(world).status, ...status } });
    const conditions = get(world).status?.conditions ?? [];
    await write({ conditions: [...conditions, { type: "Custom", status: "True" }] });
    expect(conditionTypes(world)).toContain("Custom");
    expect(await refusal(write({ conditions: [] }))).toContain("cannot disable the terminal Complete=True condition");
    expect(await refusal(write({ succeeded: 0 }))).toContain("cannot decrease the succeeded counter");
    expect(await refusal(write({ active: 1 }))).toContain("active>0 is invalid for finished job");
    expect(await refusal(write({ completedIndexes: "0" }))).toContain("when non-indexed completion mode");
  });
});
