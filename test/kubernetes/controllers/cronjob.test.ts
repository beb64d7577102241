import { describe, expect, it } from "vitest";
import { parseSchedule } from "../../../src/kubernetes/controllers/cronjob/schedule.js";
import type { CronJob, Job, Pod, ResourceQuota } from "../../../src/kubernetes/schema/generated/types.js";
import { startWorld, template, type World } from "./world.js";

const cronJob = (spec: Partial<CronJob["spec"]> = {}) => ({
  metadata: { name: "tick", namespace: "default" },
  spec: {
    schedule: "*/5 * * * *",
    jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } } },
    ...spec,
  },
});
const get = (world: World): CronJob => world.get<CronJob>("cronjobs.batch", "tick", "default") as CronJob;
const jobs = (world: World) => world.api.list<Job>("jobs.batch");
const endAll = async (world: World, phase: string): Promise<void> => {
  for (const pod of world.pods()) {
    if (pod.status?.phase === "Running")
      await world.api.updateStatus<Pod>("pods", { ...pod, status: { ...pod.status, phase } });
  }
  await world.seconds(1);
};

async function worldOf(spec: Partial<CronJob["spec"]> = {}): Promise<World> {
  const world = await startWorld();
  await world.addNode("n1");
  await world.api.create<CronJob>("cronjobs.batch", cronJob(spec));
  return world;
}

describe("cronjob", () => {
  it("starts a job at each due time, named after it, and keeps three that succeeded", async () => {
    const world = await worldOf();
    for (let i = 0; i < 5; i++) {
      await world.seconds(290 - (i === 0 ? 0 : 1));
      await world.seconds(12 - (i === 0 ? 0 : 1));
      await endAll(world, "Succeeded");
    }
    const minute = Date.parse("2026-01-01T00:00:00Z") / 60_000;
    expect(jobs(world).map((job) => job.metadata.name)).toEqual([
      `tick-${minute + 15}`,
      `tick-${minute + 20}`,
      `tick-${minute + 25}`,
    ]);
    expect(jobs(world)[0]?.metadata.annotations).toEqual({
      "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:15:00Z",
    });
    expect(get(world).status).toMatchObject({
      lastScheduleTime: "2026-01-01T00:25:00Z",
      lastSuccessfulTime: expect.stringMatching(/^2026-01-01T00:25/),
    });
    expect(get(world).status?.active).toBeUndefined();
    expect(world.events("SawCompletedJob")).toHaveLength(5);
    expect(world.warnings).toEqual([]);
  });

  it.each([
    ["Allow", 3],
    ["Forbid", 1],
    ["Replace", 1],
  ])("%s: with jobs that never end there are %i after three due times", async (concurrencyPolicy, count) => {
    const world = await worldOf({ concurrencyPolicy });
    await world.seconds(905);
    expect(jobs(world)).toHaveLength(count);
    expect(get(world).status?.active).toHaveLength(count);
    expect(world.events("JobAlreadyActive").length > 0).toBe(concurrencyPolicy === "Forbid");
  });

  it("does nothing while suspended, and then starts only what the deadline allows", async () => {
    const world = await worldOf({ suspend: true, startingDeadlineSeconds: 30 });
    await world.seconds(620);
    expect(jobs(world)).toEqual([]);
    await world.api.update<CronJob>("cronjobs.batch", { ...get(world), spec: { ...get(world).spec, suspend: false } });
    await world.seconds(1);
    expect(jobs(world)).toHaveLength(1);
    expect(get(world).status?.lastScheduleTime).toBe("2026-01-01T00:10:00Z");
  });

  it("does not count a job that somebody made from it among its own", async () => {
    const world = await worldOf({ concurrencyPolicy: "Forbid" });
    const { uid } = get(world).metadata;
    const owner = { apiVersion: "batch/v1", kind: "CronJob", name: "tick", uid, controller: true };
    await world.api.create<Job>("jobs.batch", {
      metadata: {
        name: "manual",
        namespace: "default",
        annotations: { "cronjob.kubernetes.io/instantiate": "manual" },
        ownerReferences: [owner],
      },
      spec: cronJob().spec.jobTemplate.spec,
    });
    await world.seconds(302);
    expect(jobs(world)).toHaveLength(2);
    expect(get(world).status?.active).toHaveLength(1);
    expect(world.events("UnexpectedJob")[0]?.message).toContain("manual");
  });

  it("tells of an active job that somebody deleted, and goes on", async () => {
    const world = await worldOf({ concurrencyPolicy: "Forbid" });
    await world.seconds(302);
    const [job] = jobs(world);
    await world.api.delete("jobs.batch", { namespace: "default", name: job?.metadata.name ?? "" });
    await world.seconds(2);
    expect(get(world).status?.active).toBeUndefined();
    expect(world.events("MissingJob")[0]?.message).toBe(`Active job went missing: ${job?.metadata.name}`);
    await world.seconds(300);
    expect(jobs(world)).toHaveLength(1);
  });

  it("@every keeps its beat, whatever wakes the controller in between", async () => {
    const world = await worldOf({ schedule: "@every 10m" });
    const started: number[] = [];
    world.api.watch<Job>("jobs.batch", ({ type }) => void (type === "ADDED" && started.push(world.clock.now())));
    await world.seconds(605);
    await endAll(world, "Succeeded");
    await world.api.update<CronJob>("cronjobs.batch", {
      ...get(world),
      spec: { ...get(world).spec, successfulJobsHistoryLimit: 2 },
    });
    await world.seconds(600);
    await world.seconds(600);
    expect(started.map((ms) => (ms - (started[0] ?? 0)) / 1000)).toEqual([0, 600, 1200]);
  });
});

describe("cron schedules", () => {
  const next = (schedule: string, after: string, timeZone?: string): string | undefined => {
    const atMs = parseSchedule(schedule, timeZone).next(Date.parse(after));
    return atMs === undefined ? undefined : new Date(atMs).toISOString();
  };

  it.each([
    ["* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00.000Z"],
    ["*/15 * * * *", "2026-01-01T00:46:10Z", "2026-01-01T01:00:00.000Z"],
    ["5/20 * * * *", "2026-01-01T00:06:00Z", "2026-01-01T00:25:00.000Z"],
    ["0 9-17/4 * * mon-fri", "2026-01-02T18:00:00Z", "2026-01-05T09:00:00.000Z"],
    ["0 0 29 feb *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    // Both day fields: either is enough.
    ["0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.000Z"],
    ["@monthly", "2026-01-15T00:00:00Z", "2026-02-01T00:00:00.000Z"],
    ["@every 1h30m", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00.000Z"],
  ])("%s after %s is %s", (schedule, after, expected) => {
    expect(next(schedule, after)).toBe(expected);
  });

  it("never comes for a day that does not exist", () => {
    expect(next("0 0 30 2 *", "2026-01-01T00:00:00Z")).toBeUndefined();
  });

  it.each([
    ["30 8 * * *", "2026-01-01T00:00:00Z", "Asia/Kolkata", "2026-01-01T03:00:00.000Z"],
    ["0 12 * * *", "2026-07-01T00:00:00Z", "Europe/Berlin", "2026-07-01T10:00:00.000Z"],
    ["0 12 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin", "2026-03-29T10:00:00.000Z"],
    // 02:30 does not exist on that day.
    ["30 2 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin", "2026-03-30T00:30:00.000Z"],
  ])("%s after %s in %s is %s", (schedule, after, timeZone, expected) => {
    expect(next(schedule, after, timeZone)).toBe(expected);
  });
});

describe("resource quota", () => {
  it("shows what is used, up and down", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<ResourceQuota>("resourcequotas", {
      metadata: { name: "q", namespace: "default" },
      spec: { hard: { pods: "3", configmaps: "10" } },
    });
    const pod = await world.api.create<Pod>("pods", {
      metadata: { name: "p", namespace: "default" },
      spec: template().spec,
    });
    await world.seconds(1);
    const used = () => world.get<ResourceQuota>("resourcequotas", "q", "default")?.status?.used;
    expect(used()).toEqual({ pods: "1", configmaps: "1" });
    await world.api.delete("pods", pod.metadata);
    await world.seconds(1);
    expect(used()).toEqual({ pods: "0", configmaps: "1" });
    expect(world.warnings).toEqual([]);
  });
});
