import { describe, expect, it } from "vitest";
import {
  compareKeyEvents,
  comparisonText,
  isSameOrder,
  type KeyEvent,
  keyEvents,
} from "../../../../src/faults/drills/report/key-events.js";
import type { DrillResult } from "../../../../src/faults/drills/result.js";
import { at, event, outage, sample } from "../result.js";

const zone = (readyNodes: number, membersUp = 1) => ({
  nodes: 2,
  readyNodes,
  pods: 0,
  readyPods: 0,
  members: 1,
  membersUp,
});
const told = (result: DrillResult): string[] =>
  keyEvents(result).map(({ what, offsetMs }) => `${offsetMs / 1000} ${what}`);

describe("the key events of a drill", () => {
  it("are its faults, what zones lost and had again, what AWS did about it, and how workloads fared", () => {
    expect(told(outage())).toEqual([
      "0 zone-power-loss of us-east-1a begins",
      "35 Deployment default/web lacks replicas",
      "36 nodes of us-east-1a are not Ready",
      "36 the master of us-east-1a is down",
      "60 an instance is launched",
      "95 Deployment default/web has pods evicted",
      "95 Deployment default/web is rescheduled",
      "96 Deployment default/web has recovered",
      "2700 us-east-1a has as many Ready nodes as before",
      "2700 us-east-1a has its master again",
      "2700 zone-power-loss of us-east-1a ends",
    ]);
  });

  it("count when something is first lost and when it is there for good, and not what clean-up takes away", () => {
    const samples = [
      sample(1, { a: zone(2) }),
      sample(3, { a: zone(1) }),
      sample(4, { a: zone(2) }),
      sample(5, { a: zone(0, 0) }, { apiAvailable: false }),
      sample(6, { a: zone(2) }),
      sample(59.5, { a: zone(0, 0) }),
    ];
    expect(told(outage({ samples, events: [], workloads: [], faults: outage().faults.slice(0, 1) }))).toEqual([
      "0 zone-power-loss of us-east-1a begins",
      "60 nodes of a are not Ready",
      "180 the API is away",
      "180 the master of a is down",
      "240 a has as many Ready nodes as before",
      "240 a has its master again",
      "240 the API is back",
      "2700 zone-power-loss of us-east-1a ends",
    ]);
  });

  it("have lost at once what was there just before the first fault", () => {
    const samples = [sample(1, { a: zone(2) }), sample(2, { a: zone(2, 0) }), sample(7, { a: zone(2) })];
    const faults = outage().faults.slice(0, 1);
    expect(told(outage({ samples, events: [], workloads: [], faults })).slice(0, 3)).toEqual([
      "0 the master of a is down",
      "0 zone-power-loss of us-east-1a begins",
      "300 a has its master again",
    ]);
  });

  it("number faults that are told in the same words, and leave out the end of what happens once", () => {
    const once = { id: "f", name: "pod-kill", title: "", startedAtMs: at(2), endedAtMs: at(2) };
    const faults = [once, { ...once, id: "g", startedAtMs: at(3), endedAtMs: at(3) }];
    expect(told(outage({ faults, samples: [], events: [], workloads: [] }))).toEqual([
      "0 pod-kill begins",
      "60 pod-kill (2) begins",
    ]);
  });

  it("are those since the first fault: what was launched before is none", () => {
    const events = [event(1, "InstanceLaunched", "", {}), event(4, "InstanceLaunched", "", {})];
    expect(told(outage({ events, samples: [], workloads: [] }))).toContain("120 an instance is launched");
  });
});

describe("two runs of a drill", () => {
  const run = (moments: Record<string, number>): KeyEvent[] =>
    Object.entries(moments).map(([what, seconds]) => ({ what, offsetMs: seconds * 1000 }));
  const compare = (one: Record<string, number>, other: Record<string, number>) =>
    compareKeyEvents(run(one), run(other), { apartMs: 30_000 });

  it("told the same story whatever the times, as long as the order is the same", () => {
    expect(isSameOrder(compare({ a: 0, b: 40, c: 340 }, { a: 0, b: 90, c: 400 }))).toBe(true);
  });

  it("did not when two clearly came the other way round", () => {
    const found = compare({ a: 0, b: 40, c: 340 }, { a: 0, c: 40, b: 340 });
    expect(found.swapped).toEqual([{ before: "b", after: "c", apartMs: 300_000, otherApartMs: -300_000 }]);
    expect(isSameOrder(found)).toBe(false);
  });

  it("may differ in the order of what came nearly at once, in either of them", () => {
    expect(isSameOrder(compare({ a: 0, b: 29 }, { b: 0, a: 300 }))).toBe(true);
    expect(isSameOrder(compare({ a: 0, b: 300 }, { b: 0, a: 29 }))).toBe(true);
  });

  it("did not when one of them lacks something", () => {
    const found = compare({ a: 0, b: 40 }, { a: 0, c: 40 });
    expect([found.missing, found.extra].map((events) => events.map(({ what }) => what))).toEqual([["b"], ["c"]]);
  });

  it("came in the same order as they did themselves, however short a time counts", () => {
    const moments = run({ a: 0, b: 0, c: 10 });
    expect(compareKeyEvents(moments, moments, { apartMs: 0 }).swapped).toEqual([]);
    const [one, other] = [run({ a: 0, b: 1 }), run({ b: 0, a: 1 })];
    expect(compareKeyEvents(one, other, { apartMs: 0 }).swapped).toHaveLength(1);
  });

  it("are shown side by side, with what differs in sentences", () => {
    const [one, other] = [run({ a: 0, b: 40, c: 340 }), run({ a: 0, c: 100, d: 130, b: 200 })];
    const found = compareKeyEvents(one, other, { apartMs: 30_000 });
    expect(comparisonText(one, other, found, ["embedded", "kind"]).split("\n")).toEqual([
      " embedded       kind",
      "    +0:00      +0:00  a",
      "    +0:40      +3:20  b",
      "    +5:40      +1:40  c",
      "        –      +2:10  d",
      "",
      "Only kind has: d.",
      "embedded: first “b”, then “c”; kind: the other way round.",
    ]);
  });
});
