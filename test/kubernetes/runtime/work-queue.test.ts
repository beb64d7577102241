import { describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import type { ClusterLog } from "../../../src/kubernetes/cluster.js";
import { notFound, StatusError } from "../../../src/kubernetes/errors.js";
import { createWorkQueue, type WorkQueueOptions } from "../../../src/kubernetes/runtime/work-queue.js";

function setup(reconcile: WorkQueueOptions["reconcile"]) {
  const clock = createClock({ kind: "stepped" }, { startMs: 0 });
  const warnings: string[] = [];
  const log: ClusterLog = { debug: () => {}, warn: (_fields, message) => warnings.push(message), error: () => {} };
  return { clock, warnings, queue: createWorkQueue({ clock, log, name: "test", reconcile }) };
}

describe("work queue", () => {
  it("reconciles a key once however often it was added, in order of addition", async () => {
    const seen: string[] = [];
    const { clock, queue } = setup((key) => void seen.push(key));
    for (const key of ["b", "a", "b", "c", "a"]) queue.add(key);
    expect(seen).toEqual([]);
    await clock.settled();
    expect(seen).toEqual(["b", "a", "c"]);
  });

  it("reconciles a key again when it was added while it ran, never twice at once", async () => {
    let running = 0;
    let runs = 0;
    const { clock, queue } = setup(async (key) => {
      expect(++running).toBe(1);
      if (++runs === 1) queue.add(key);
      await Promise.resolve();
      running--;
    });
    queue.add("a");
    await clock.settled();
    expect(runs).toBe(2);
  });

  it("retries failures after 5 ms, doubling up to 1000 s, and starts over after a success", async () => {
    const times: number[] = [];
    let fail = true;
    const { clock, queue } = setup(() => {
      times.push(clock.now());
      if (fail) throw new Error("no");
    });
    queue.add("a");
    await clock.advance(155);
    expect(times).toEqual([0, 5, 15, 35, 75, 155]);
    await clock.advance(10_000_000);
    const gaps = times.map((time, i) => time - (times[i - 1] ?? 0));
    expect(Math.max(...gaps)).toBe(1_000_000);
    fail = false;
    await clock.advance(2_000_000);
    times.length = 0;
    fail = true;
    const startMs = clock.now();
    queue.add("a");
    await clock.advance(5);
    expect(times.map((time) => time - startMs)).toEqual([0, 5]);
  });

  it("warns of an object that is not found only when it stays so", async () => {
    let runs = 0;
    let goneFor = 1;
    const { clock, queue, warnings } = setup(() => {
      if (runs++ < goneFor) throw notFound("", "pods", "p");
    });
    queue.add("a");
    await clock.advance(100);
    expect(runs).toBe(2);
    expect(warnings).toEqual([]);
    runs = 0;
    goneFor = 2;
    queue.add("a");
    await clock.advance(100);
    expect(warnings).toEqual(["reconcile failed"]);
  });

  it("retries a rejected promise like a throw", async () => {
    let runs = 0;
    const { clock, queue } = setup(async () => {
      if (++runs < 3) throw new Error("no");
    });
    queue.add("a");
    await clock.advance(15);
    expect(runs).toBe(3);
    await clock.advance(1_000_000);
    expect(runs).toBe(3);
  });

  it("tries again every five seconds at least while the API server is away", async () => {
    let runs = 0;
    let away = true;
    const { clock, queue } = setup(() => {
      runs++;
      if (away) throw new StatusError(500, "InternalError", "etcdserver: request timed out");
    });
    queue.add("a");
    await clock.advance(1_800_000);
    away = false;
    const before = runs;
    await clock.advance(5_000);
    expect(runs).toBe(before + 1);
  });

  it("keeps the earliest of several delayed additions", async () => {
    const times: number[] = [];
    const { clock, queue } = setup(() => void times.push(clock.now()));
    queue.addAfter("a", 300);
    queue.addAfter("a", 100);
    queue.addAfter("a", 200);
    await clock.advance(1000);
    expect(times).toEqual([100]);
  });

  it("goes on through thousands of synchronous and asynchronous keys", async () => {
    let runs = 0;
    const { clock, queue } = setup((key) => {
      runs++;
      return Number(key) % 2 ? Promise.resolve() : undefined;
    });
    for (let i = 0; i < 5000; i++) queue.add(String(i));
    await clock.settled();
    expect(runs).toBe(5000);
    expect(queue.length).toBe(0);
  });

  it("does nothing after stop, not even what waited on a timer", async () => {
    let runs = 0;
    const { clock, queue } = setup(() => void runs++);
    queue.add("a");
    queue.addAfter("b", 10);
    queue.stop();
    queue.add("c");
    await clock.advance(100);
    expect(runs).toBe(0);
  });
});
