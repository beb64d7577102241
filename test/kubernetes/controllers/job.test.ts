import { describe, expect, it } from "vitest";
import {
  countIndexes,
  firstFree,
  formatIndexes,
  hasIndex,
  indexesOf,
  overlap,
  parseIndexes,
} from "../../../src/kubernetes/controllers/job/indexes.js";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { change, end, get, running, worldOf } from "./job-fixture.js";

describe("job", () => {
  it("runs to completion with upstream's status", async () => {
    const world = await worldOf();
    expect(get(world).status).toMatchObject({ active: 1, ready: 1, terminating: 0 });
    expect(running(world)[0]?.metadata.finalizers).toEqual(["batch.kubernetes.io/job-tracking"]);
    await end(world, running(world)[0], "Succeeded");
    const { status } = get(world);
    expect(status).toMatchObject({
      succeeded: 1,
      ready: 0,
      uncountedTerminatedPods: {},
      startTime: "2026-01-01T00:00:00Z",
      completionTime: "2026-01-01T00:00:02Z",
    });
    expect(status?.active).toBeUndefined();
    expect(conditionOf(status?.conditions, "SuccessCriteriaMet")).toMatchObject({
      status: "True",
      reason: "CompletionsReached",
    });
    expect(conditionOf(status?.conditions, "Complete")).toMatchObject({
      status: "True",
      message: "Reached expected number of succeeded pods",
    });
    expect(world.pods()[0]?.metadata.finalizers).toBeUndefined();
    expect(world.events("Completed")[0]?.message).toBe("Job completed");
    expect(world.warnings).toEqual([]);
  });

  it("keeps `parallelism` pods at work until `completions` have succeeded", async () => {
    const world = await worldOf({ parallelism: 2, completions: 5 });
    let most = 0;
    for (let i = 0; i < 5; i++) {
      most = Math.max(most, running(world).length);
      await end(world, running(world)[0], "Succeeded");
      await world.seconds(2);
    }
    expect(most).toBe(2);
    expect(get(world).status).toMatchObject({ succeeded: 5 });
    expect(conditionOf(get(world).status?.conditions, "Complete")?.status).toBe("True");
    expect(world.pods()).toHaveLength(5);
  });

  it("tries again ever more slowly and fails beyond its backoffLimit", async () => {
    const world = await worldOf({ backoffLimit: 2 });
    const starts: number[] = [];
    world.api.watch<Pod>("pods", ({ type }) => void (type === "ADDED" && starts.push(world.clock.now())));
    for (let i = 0; i < 3; i++) {
      await end(world, running(world)[0], "Failed");
      await world.seconds(60);
    }
    expect(starts.map((at) => (at - (starts[0] ?? 0)) / 1000).slice(0, 4)).toEqual([0, 10, 81]);
    const { status } = get(world);
    expect(status).toMatchObject({ failed: 3 });
    expect(conditionOf(status?.conditions, "Failed")).toMatchObject({
      reason: "BackoffLimitExceeded",
      message: "Job has reached the specified backoff limit",
    });
    expect(conditionOf(status?.conditions, "FailureTarget")?.status).toBe("True");
  });

  it("fails and ends its pods when its deadline passes", async () => {
    const world = await worldOf({ activeDeadlineSeconds: 30, parallelism: 2, completions: 2 });
    await world.seconds(40);
    expect(running(world)).toEqual([]);
    expect(conditionOf(get(world).status?.conditions, "Failed")).toMatchObject({
      reason: "DeadlineExceeded",
      lastTransitionTime: "2026-01-01T00:00:30Z",
    });
  });

  it("suspended: has no pods and no start time until resumed", async () => {
    const world = await worldOf({ suspend: true });
    expect(world.pods()).toEqual([]);
    expect(get(world).status?.startTime).toBeUndefined();
    expect(conditionOf(get(world).status?.conditions, "Suspended")).toMatchObject({
      status: "True",
      reason: "JobSuspended",
    });
    await change(world, { suspend: false });
    expect(running(world)).toHaveLength(1);
    expect(conditionOf(get(world).status?.conditions, "Suspended")).toMatchObject({
      status: "False",
      reason: "JobResumed",
    });
  });

  it("Indexed: has each index succeed once", async () => {
    const world = await worldOf({ completionMode: "Indexed", completions: 3, parallelism: 3 });
    expect(
      running(world)
        .map((pod) => pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"])
        .sort(),
    ).toEqual(["0", "1", "2"]);
    expect(running(world)[0]?.metadata.name).toMatch(/^work-\d-[a-z0-9]{5}$/);
    const byIndex = (index: string) =>
      running(world).find((pod) => pod.metadata.labels?.["batch.kubernetes.io/job-completion-index"] === index);
    await end(world, byIndex("1"), "Succeeded");
    await end(world, byIndex("0"), "Failed");
    await world.seconds(15);
    expect(get(world).status).toMatchObject({ completedIndexes: "1", failed: 1, succeeded: 1 });
    expect(
      running(world)
        .map((pod) => pod.spec?.hostname)
        .sort(),
    ).toEqual(["work-0", "work-2"]);
    await end(world, byIndex("0"), "Succeeded");
    await end(world, byIndex("2"), "Succeeded");
    expect(get(world).status).toMatchObject({ completedIndexes: "0-2", succeeded: 3 });
    expect(conditionOf(get(world).status?.conditions, "Complete")?.status).toBe("True");
  });

  it("goes with its pods after ttlSecondsAfterFinished", async () => {
    const world = await worldOf({ ttlSecondsAfterFinished: 60 });
    await end(world, running(world)[0], "Succeeded");
    await world.seconds(50);
    expect(get(world)).toBeDefined();
    await world.seconds(15);
    expect(get(world)).toBeUndefined();
    expect(world.pods()).toEqual([]);
  });

  it.each([
    ["", []],
    ["0", [0]],
    ["0,1", [0, 1]],
    ["1,3-5,7", [1, 3, 4, 5, 7]],
  ])("index text %j", (text, numbers) => {
    expect(formatIndexes(indexesOf(numbers))).toBe(text);
    expect(formatIndexes(parseIndexes(text))).toBe(text);
    expect(countIndexes(parseIndexes(text))).toBe(numbers.length);
    for (let index = 0; index < 9; index++)
      expect(hasIndex(parseIndexes(text), index)).toBe((numbers as number[]).includes(index));
  });

  it("index arithmetic: what is shared, what is free, what a smaller job forgets", () => {
    expect(overlap(parseIndexes("0-4,8"), parseIndexes("3-9"))).toBe(3);
    expect(firstFree(parseIndexes("0,2-3"), 7, 3)).toEqual([1, 4, 5]);
    expect(firstFree(parseIndexes("0,2-3"), 5, 3)).toEqual([1, 4]);
    expect(formatIndexes(parseIndexes("0-5,8", 3))).toBe("0-2");
  });
});
