import { describe, expect, it } from "vitest";
import type { EventRecord } from "../../../src/domain/model.js";
import { createStage } from "../../../src/faults/drills/stage.js";
import type { DrillTarget } from "../../../src/faults/drills/target.js";
import { shopDrill } from "./play.js";

const nobody = async (): Promise<never> => {
  throw new Error("nobody answers");
};

/** A world in which nothing happens but what `events` says; `waits` are the times that nobody looked. */
function quietWorld(stepped: boolean, events: readonly Pick<EventRecord, "atMs" | "type">[] = []) {
  let nowMs = 0;
  const waits: number[] = [];
  const target: DrillTarget = {
    backend: "embedded",
    seed: 1,
    stepped,
    isPrivate: true,
    now: () => nowMs,
    wallMs: () => 0,
    pass: async (limitMs) => {
      const next = events.find(({ atMs }) => atMs > nowMs)?.atMs ?? Number.POSITIVE_INFINITY;
      const passed = Math.min(limitMs, next - nowMs);
      waits.push(passed / 1000);
      nowMs += passed;
    },
    settle: async () => {},
    eks: nobody,
    kubernetes: nobody,
    exec: nobody,
    foresee: nobody,
    startFault: nobody,
    stopFault: nobody,
    startZonalShift: nobody,
    cancelZonalShift: nobody,
    events: async (after) =>
      events.flatMap((event, index) =>
        index >= after && event.atMs <= nowMs
          ? [{ accountId: "", region: "", source: "node", subject: "", message: "", sequence: index + 1, ...event }]
          : [],
      ),
    record: async () => ({ read: async () => [], close: async () => {} }),
    command: nobody,
  };
  return { target, waits };
}

describe("who asks a world in which nothing changes", () => {
  it("asks ever more rarely on a stepped clock, and as often as before once something has changed", async () => {
    const { target, waits } = quietWorld(true, [{ atMs: 1_000_000, type: "NodeReady" }]);
    const stage = createStage({ drill: shopDrill("steps: []\n"), target });
    await stage.begin();
    expect(await stage.pass(1_500_000, () => false)).toBe(false);
    expect(waits).toEqual([30, 30, 60, 120, 240, 300, 220, 30, 30, 60, 120, 240, 20]);
  });

  it("asks as often as ever while a fault is on that answers by chance, and on a clock that runs", async () => {
    const fickle = quietWorld(true);
    const stage = createStage({ drill: shopDrill("steps: []\n"), target: fickle.target });
    stage.faults.push({ id: "fault-1", name: "api-server-errors", title: "", startedAtMs: 0 });
    await stage.pass(300_000, () => false);
    expect(fickle.waits).toEqual(Array(10).fill(30));
    const running = quietWorld(false);
    await createStage({ drill: shopDrill("steps: []\n"), target: running.target }).pass(60_000, () => false);
    expect(running.waits).toEqual(Array(12).fill(5));
  });
});
