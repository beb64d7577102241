import { describe, expect, it } from "vitest";
import { judgePredictions } from "../../../../src/faults/drills/lint/judge.js";
import type { DrillResult, Prediction, WorkloadResult } from "../../../../src/faults/drills/result.js";
import { at, CLUSTER, outage, workload } from "../result.js";

const said = (says: Prediction["says"], zone = "us-east-1a"): Prediction => ({
  cluster: CLUSTER,
  zone,
  namespace: "default",
  kind: "Deployment",
  name: "web",
  says,
  message: "",
});

const curve = (...readyOverTime: [number, number][]): WorkloadResult =>
  workload({ readyOverTime: readyOverTime.map(([minutes, ready]) => [at(minutes), ready]) });

const judged = (
  says: Prediction["says"],
  one: WorkloadResult,
  more: Partial<DrillResult> = {},
): Partial<Prediction> => {
  const [{ held, seen }] = judgePredictions([said(says)], outage({ workloads: [one], ...more })) as [Prediction];
  return { ...(held === undefined ? {} : { held }), ...(seen === undefined ? {} : { seen }) };
};

// Six are wanted, four are needed; the zone is lost from minute 2 to 47.
const untouched = curve([1, 6]);
const dented = curve([1, 6], [2.5, 4], [4, 6]);
const short = curve([1, 6], [2.5, 3], [4, 6]);
const gone = curve([1, 6], [2.5, 0], [4, 6]);
const waiting = curve([1, 6], [2.5, 0], [4, 2], [47, 6]);

describe("what came of a prediction", () => {
  it.each([
    ["survives", untouched, true],
    ["survives", dented, true],
    ["survives", short, false],
    ["below-minimum", short, true],
    ["below-minimum", dented, false],
    ["below-minimum", gone, false],
    ["loses-every-replica", gone, true],
    ["loses-every-replica", short, false],
    ["loses-its-volume", waiting, true],
    ["loses-its-volume", gone, false],
    ["loses-its-volume", dented, false],
  ] as const)("%s, and %o was seen: held is %s", (says, one, held) => {
    expect(judged(says, one).held).toBe(held);
  });

  it("says what was seen", () => {
    expect(judged("survives", untouched).seen).toBe("all 6 replicas stayed ready");
    expect(judged("survives", dented).seen).toBe("4 of 6 ready at the lowest");
    expect(judged("survives", short).seen).toBe("3 of 6 ready at the lowest, below 4 for 1m 30s");
    expect(judged("survives", waiting).seen).toBe(
      "0 of 6 ready at the lowest, below 4 for 44m 30s and to the end of the loss",
    );
  });

  it("what happened before the loss or after it does not count", () => {
    expect(judged("survives", curve([1, 0], [1.5, 6], [48, 0]))).toEqual({
      held: true,
      seen: "all 6 replicas stayed ready",
    });
  });

  it("is left open where the zone was not lost", () => {
    const fault = outage().faults[0]!;
    expect(judgePredictions([said("survives", "us-east-1b")], outage())[0]).toEqual(said("survives", "us-east-1b"));
    // A fault of another kind, and one that the nodes did not notice.
    expect(judged("survives", gone, { faults: [{ ...fault, name: "zone-dns-failure" }] })).toEqual({});
    expect(judged("survives", gone, { samples: outage().samples.slice(0, 1) })).toEqual({});
    expect(judged("survives", workload({ name: "other" }))).toEqual({});
  });

  it("is left open, with the reason, where more than the zone was broken", () => {
    const fault = outage().faults[0]!;
    const other = { ...fault, id: "fault-2", zone: "us-east-1b", startedAtMs: at(20) };
    expect(judged("survives", gone, { faults: [fault, other] })).toEqual({
      seen: "not judged: zone-power-loss in us-east-1b was on as well",
    });
    for (const harmless of [
      { ...other, startedAtMs: at(50) },
      { ...other, name: "insufficient-capacity" },
      { ...other, cluster: "another" },
    ]) {
      expect(judged("survives", dented, { faults: [fault, harmless] }).held).toBe(true);
    }
  });

  it("must hold every time that the zone is lost", () => {
    const fault = { ...outage().faults[0]!, endedAtMs: at(10) };
    const [before, dark] = outage().samples as [DrillResult["samples"][number], DrillResult["samples"][number]];
    const samples = [before, dark, { ...before, atMs: at(10) }, { ...dark, atMs: at(21) }];
    const faults = [fault, { ...fault, id: "fault-2", startedAtMs: at(20), endedAtMs: at(30) }];
    const one = curve([1, 6], [2.5, 4], [4, 6], [21, 1], [22, 6]);
    expect(judged("survives", one, { samples, faults })).toEqual({
      held: false,
      seen: "1 of 6 ready at the lowest, below 4 for 1m",
    });
  });

  it("forgets what was judged before", () => {
    const old = { ...said("survives", "us-east-1b"), held: false, seen: "old" };
    expect(judgePredictions([old], outage())[0]).toEqual(said("survives", "us-east-1b"));
  });
});
