import { describe, expect, it } from "vitest";
import { createClock } from "../../src/clock/create-clock.js";

describe("stepped clock", () => {
  it("moves only when told, and runs timers in order of due time and then of creation", async () => {
    const clock = createClock({ kind: "stepped" }, { startMs: 1000 });
    const seen: string[] = [];
    clock.timer(20, () => seen.push(`b@${clock.now()}`));
    clock.timer(10, () => seen.push(`a@${clock.now()}`));
    clock.timer(20, () => seen.push(`c@${clock.now()}`));
    clock.timer(31, () => seen.push("late"));
    await clock.settled();
    expect(seen).toEqual([]);
    await clock.advance(30);
    expect(seen).toEqual(["a@1010", "b@1020", "c@1020"]);
    expect(clock.now()).toBe(1030);
  });

  it("waits for tracked and deferred work before it moves on", async () => {
    const clock = createClock({ kind: "stepped" }, { startMs: 0 });
    const times: number[] = [];
    clock.timer(10, () => {
      void clock.track(
        (async () => {
          await new Promise((resolve) => setImmediate(resolve));
          times.push(clock.now());
          clock.defer(() => times.push(clock.now()));
        })(),
      );
    });
    clock.timer(11, () => times.push(clock.now()));
    await clock.advance(100);
    expect(times).toEqual([10, 10, 11]);
  });

  it("runs a timer without delay although time stands still", async () => {
    const clock = createClock({ kind: "stepped" }, { startMs: 5 });
    let ran = false;
    clock.timer(0, () => {
      ran = true;
    });
    await clock.settled();
    expect(ran).toBe(true);
    expect(clock.now()).toBe(5);
  });

  it("advances until a condition holds and stops there", async () => {
    const clock = createClock({ kind: "stepped" }, { startMs: 0 });
    let count = 0;
    const tick = (): void => {
      count++;
      clock.timer(1000, tick);
    };
    tick();
    expect(await clock.advanceUntil(() => count === 5, 60_000)).toBe(true);
    expect(clock.now()).toBe(4000);
    expect(await clock.advanceUntil(() => false, 500)).toBe(false);
    expect(clock.now()).toBe(4500);
    clock.stop();
  });

  it("lets two callers advance one after the other", async () => {
    const clock = createClock({ kind: "stepped" }, { startMs: 0 });
    await Promise.all([clock.advance(10), clock.advance(5)]);
    expect(clock.now()).toBe(15);
  });

  it("tells of its moves when they have ended, and counts what has been done on the way", async () => {
    const moves: number[] = [];
    const clock = createClock({ kind: "stepped" }, { startMs: 0, moved: (nowMs) => moves.push(nowMs) });
    clock.timer(5, () => {});
    await clock.advance(10);
    expect([moves, clock.begun]).toEqual([[10], 0]);
    clock.timer(5, () => clock.defer(() => {}));
    await clock.advance(10);
    expect([moves, clock.begun]).toEqual([[10, 20], 1]);
  });

  it("rejects a sleep whose signal is aborted", async () => {
    const clock = createClock({ kind: "stepped" });
    const controller = new AbortController();
    const sleep = clock.sleep(1000, controller.signal);
    controller.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
  });
});

describe("scaled clock", () => {
  it("runs n simulated milliseconds a millisecond", async () => {
    const clock = createClock({ kind: "scaled", factor: 10_000 }, { startMs: 0 });
    await clock.sleep(10_000);
    expect(clock.now()).toBeGreaterThanOrEqual(10_000);
    clock.stop();
  });
});

describe("seeded randomness", () => {
  it("gives the same stream for the same seed and name, and another for another", () => {
    const a = createClock({ kind: "stepped" }, { seed: 7 });
    const b = createClock({ kind: "stepped" }, { seed: 7 });
    const c = createClock({ kind: "stepped" }, { seed: 8 });
    const draw = (clock: typeof a, stream: string): string => clock.random(stream).uuid();
    expect(draw(a, "x")).toBe(draw(b, "x"));
    expect(draw(a, "x")).not.toBe(draw(a, "y"));
    expect(draw(a, "x")).not.toBe(draw(c, "x"));
    expect(draw(a, "x")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("shuffles without losing an element", () => {
    const random = createClock({ kind: "stepped" }, { seed: 3 }).random("s");
    expect(random.shuffle([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
  });
});
