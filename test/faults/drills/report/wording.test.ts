import { describe, expect, it } from "vitest";
import { labelsOf } from "../../../../src/faults/drills/report/plot.js";
import { breachesOf, seriesOf, spansWhere, within } from "../../../../src/faults/drills/report/series.js";
import { storyOf } from "../../../../src/faults/drills/report/story.js";
import { instantText, listed, offsetText, spanText } from "../../../../src/faults/drills/report/wording.js";
import { at, event, outage, workload } from "../result.js";

describe("times in reports", () => {
  it.each([
    [0, "0s"],
    [400, "0.4s"],
    [59_400, "59s"],
    [60_000, "1m"],
    [2_670_000, "44m 30s"],
    [3_600_000, "1h"],
    [3_605_000, "1h"],
    [3_660_000, "1h 1m"],
    [90_000_000, "1d 1h"],
    [-90_000, "−1m 30s"],
  ])("%i ms is %s", (ms, text) => {
    expect(spanText(ms)).toBe(text);
  });

  it.each([
    [0, "+0:00"],
    [65_000, "+1:05"],
    [3_905_000, "+1:05:05"],
    [-30_000, "−0:30"],
    [-200, "+0:00"],
  ])("%i ms from zero is %s", (ms, text) => {
    expect(offsetText(ms)).toBe(text);
  });

  it("instants are told in UTC, and lists as people say them", () => {
    expect(instantText(at(1))).toBe("2026-11-01 00:01:00 UTC");
    expect([listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])]).toEqual([
      "",
      "a",
      "a and b",
      "a, b and c",
    ]);
  });

  it("labels of an axis are round, count from zero and are few", () => {
    for (const minutes of [0.2, 3, 58, 400, 20_000]) {
      const axis = { startMs: at(-1), endMs: at(minutes), zeroMs: at(0) };
      const labels = labelsOf(axis);
      expect(labels.length).toBeLessThanOrEqual(10);
      expect(labels).toContain(at(0));
    }
  });
});

describe("curves", () => {
  const curve = [
    [at(0), 3],
    [at(2), 1],
    [at(3), 2],
    [at(5), 3],
  ] as const;

  it("leave out what does not change, and begin a part with what held there", () => {
    expect(seriesOf(outage().samples, ({ pendingPods }) => Math.min(pendingPods, 0))).toEqual([[at(1), 0]]);
    expect(within(curve, { startMs: at(2.5), endMs: at(5) })).toEqual([
      [at(2.5), 1],
      [at(3), 2],
    ]);
  });

  it("give spans in which something held, neighbours as one, the last up to the end", () => {
    expect(spansWhere(curve, at(9), (value) => value < 3)).toEqual([{ startMs: at(2), endMs: at(5) }]);
    expect(spansWhere(curve, at(9), (value) => value === 3)).toEqual([
      { startMs: at(0), endMs: at(2) },
      { startMs: at(5), endMs: at(9) },
    ]);
    expect(breachesOf(workload({ readyOverTime: undefined }), at(9))).toEqual([]);
  });
});

describe("the timeline in words", () => {
  const told = (result = outage()): string[] => storyOf(result).map(({ text }) => text);

  it("does not tell a step that started a fault beside the fault, but one that failed", () => {
    const step = { title: "lose it", startedAtMs: at(2), endedAtMs: at(2), message: "no", faultId: "fault-1" };
    expect(told(outage({ steps: [{ ...step, ok: true }] }))).not.toContain("step: lose it");
    expect(told(outage({ steps: [{ ...step, ok: false }] }))).toContain("step failed: lose it: no");
  });

  it("tells what clean-up takes away neither as a loss nor as a breach", () => {
    const low = workload({
      readyOverTime: [
        [at(1), 6],
        [at(59), 0],
      ],
    });
    const result = outage({
      workloads: [low],
      events: [event(59.2, "InstanceTerminated", "Gone.", { zone: "us-east-1a" })],
    });
    expect(told(result).filter((text) => /instance|needs/.test(text))).toEqual([]);
  });

  it("tells a breach with its lowest and its length", () => {
    const low = workload({
      readyOverTime: [
        [at(1), 6],
        [at(3), 2],
        [at(4), 1],
        [at(8), 6],
      ],
    });
    expect(told(outage({ workloads: [low] }))).toContain(
      "Deployment default/web has 1 of the 4 ready replicas that it needs, for 5m",
    );
  });
});
