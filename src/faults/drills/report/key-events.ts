/**
 * What mattered in a drill, as a list of moments that any backend has: faults, nodes of a zone, masters, what AWS did, workloads. Two runs of one drill told
 * the same story when these came in the same order, however far apart; what came nearly at once has no order.
 */
import type { DrillResult } from "../result.js";
import { seriesOf, spansWhere, watchedUntil } from "./series.js";
import { listed, offsetText, workloadText, zeroOf } from "./wording.js";

export interface KeyEvent {
  /** The same in every run: `nodes of us-east-1a not Ready`. */
  what: string;
  /** From the first fault on. */
  offsetMs: number;
}

export interface Comparison {
  /** Key events of the one run that the other has not. */
  missing: readonly KeyEvent[];
  extra: readonly KeyEvent[];
  /** Two that came clearly one after the other in one run, and clearly the other way round in the other. */
  swapped: readonly { before: string; after: string; apartMs: number; otherApartMs: number }[];
}

/** What AWS does about faults. Each counts when it is first done: whom it is done to first is a matter of chance. */
const DEEDS: Readonly<Record<string, string>> = {
  InstanceImpaired: "EC2 finds an instance impaired",
  InstanceTerminating: "an instance is being replaced or given up",
  InstanceLaunched: "an instance is launched",
  NodeRepairStarted: "node repair begins",
  SpotInterruptionWarning: "a Spot interruption is announced",
  NodegroupDegraded: "a node group is degraded",
  ScalingActivityFailed: "EC2 has no room",
  MasterReplaced: "a master is replaced",
  ZonalShiftStarted: "a zonal shift begins",
  UpdateFailed: "an update fails",
  UpdateSuccessful: "an update is done",
};

/** Oldest first. */
export function keyEvents(result: DrillResult): KeyEvent[] {
  const zeroMs = zeroOf(result);
  const untilMs = watchedUntil(result);
  const moments: [what: string, atMs: number | undefined][] = [
    ...faultMoments(result),
    ...result.clusters.flatMap((cluster) => clusterMoments(result, cluster, { zeroMs, untilMs })),
    ...Object.entries(DEEDS).map(([type, what]): [string, number | undefined] => [
      what,
      result.events.find((event) => event.type === type && event.atMs >= zeroMs)?.atMs,
    ]),
    ...result.workloads.flatMap((workload): [string, number | undefined][] => {
      const name = workloadText(workload, result);
      const at = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : zeroMs + ms);
      return [
        [`${name} lacks replicas`, at(workload.firstNotReadyMs)],
        [`${name} has pods evicted`, at(workload.firstEvictedMs)],
        [`${name} is rescheduled`, at(workload.rescheduledMs)],
        [`${name} has recovered`, at(workload.recoveredMs)],
      ];
    }),
  ];
  return moments
    .flatMap(([what, atMs]) => (atMs === undefined || atMs > untilMs ? [] : [{ what, offsetMs: atMs - zeroMs }]))
    .sort((a, b) => a.offsetMs - b.offsetMs || (a.what < b.what ? -1 : 1));
}

function faultMoments({ faults }: DrillResult): [string, number | undefined][] {
  const count = new Map<string, number>();
  return faults.flatMap(({ name, zone, startedAtMs, endedAtMs }): [string, number | undefined][] => {
    const named = zone === undefined ? name : `${name} of ${zone}`;
    const nth = (count.get(named) ?? 0) + 1;
    count.set(named, nth);
    const what = nth === 1 ? named : `${named} (${nth})`;
    return [
      [`${what} begins`, startedAtMs],
      [`${what} ends`, endedAtMs === startedAtMs ? undefined : endedAtMs],
    ];
  });
}

/** When zones lost Ready nodes and masters of those that they had at first, and when they had as many again for good. */
function clusterMoments(
  { samples, clusters }: DrillResult,
  cluster: string,
  { zeroMs, untilMs }: { zeroMs: number; untilMs: number },
): [string, number | undefined][] {
  const mine = samples.filter((sample) => sample.cluster === cluster && sample.atMs <= untilMs);
  // What a fault takes at once is in a look of the same moment.
  const atFirst = mine.findLast(({ atMs }) => atMs < zeroMs) ?? mine[0];
  if (!atFirst) return [];
  const of = clusters.length > 1 ? ` of ${cluster}` : "";
  /** The first time below what there was, and the end of the last one. */
  const dips = (
    what: readonly [lost: string, back: string],
    count: (sample: (typeof mine)[number]) => number,
  ): [string, number | undefined][] => {
    const whole = count(atFirst);
    const spans = spansWhere(
      seriesOf(
        mine.filter(({ atMs }) => atMs >= zeroMs),
        count,
      ),
      untilMs,
      (value) => value < whole,
    );
    const last = spans.at(-1);
    return [
      [`${what[0]}${of}`, spans[0]?.startMs],
      [`${what[1]}${of}`, last && last.endMs < untilMs ? last.endMs : undefined],
    ];
  };
  const zones = Object.keys(atFirst.zones).sort();
  return [
    ...zones.flatMap((zone) => [
      ...dips(
        [`nodes of ${zone} are not Ready`, `${zone} has as many Ready nodes as before`],
        (sample) => sample.zones[zone]?.readyNodes ?? 0,
      ),
      ...dips([`the master of ${zone} is down`, `${zone} has its master again`], (sample) =>
        Math.min(1, sample.zones[zone]?.membersUp ?? 0),
      ),
    ]),
    ...dips(["the API is away", "the API is back"], ({ apiAvailable }) => Number(apiAvailable)),
  ];
}

/** `apartMs`: what comes within this time of each other has no order. */
export function compareKeyEvents(
  one: readonly KeyEvent[],
  other: readonly KeyEvent[],
  { apartMs }: { apartMs: number },
): Comparison {
  const lacking = (from: readonly KeyEvent[], there: readonly KeyEvent[]): KeyEvent[] =>
    there.filter(({ what }) => !from.some((event) => event.what === what));
  const offsets = new Map(other.map(({ what, offsetMs }) => [what, offsetMs]));
  const both = one.flatMap((event) => {
    const otherMs = offsets.get(event.what);
    return otherMs === undefined ? [] : [{ ...event, otherMs }];
  });
  const swapped = both.flatMap((before, index) =>
    both.slice(index + 1).flatMap((after) => {
      const pair = {
        before: before.what,
        after: after.what,
        apartMs: after.offsetMs - before.offsetMs,
        otherApartMs: after.otherMs - before.otherMs,
      };
      // What came at the same moment has no order, even where every difference counts.
      const leastMs = Math.max(1, apartMs);
      return pair.apartMs >= leastMs && pair.otherApartMs <= -leastMs ? [pair] : [];
    }),
  );
  return { missing: lacking(other, one), extra: lacking(one, other), swapped };
}

export const isSameOrder = ({ missing, extra, swapped }: Comparison): boolean =>
  missing.length + extra.length + swapped.length === 0;

/** Both runs side by side, and then what differs. `names`: of the two, such as their backends. */
export function comparisonText(
  one: readonly KeyEvent[],
  other: readonly KeyEvent[],
  comparison: Comparison,
  names: readonly [one: string, other: string],
): string {
  const whats = [...new Set([...one, ...other].map(({ what }) => what))];
  const cell = (events: readonly KeyEvent[], what: string): string => {
    const found = events.find((event) => event.what === what);
    return found ? offsetText(found.offsetMs) : "–";
  };
  const width = Math.max(9, names[0].length, names[1].length);
  const row = (a: string, b: string, what: string): string => `${a.padStart(width)}  ${b.padStart(width)}  ${what}`;
  const only = (events: readonly KeyEvent[], name: string): string[] =>
    events.length === 0 ? [] : [`Only ${name} has: ${listed(events.map(({ what }) => what))}.`];
  return [
    row(names[0], names[1], ""),
    ...whats.map((what) => row(cell(one, what), cell(other, what), what)),
    "",
    ...(isSameOrder(comparison) ? ["The key events came in the same order."] : []),
    ...only(comparison.missing, names[0]),
    ...only(comparison.extra, names[1]),
    ...comparison.swapped.map(
      ({ before, after }) => `${names[0]}: first “${before}”, then “${after}”; ${names[1]}: the other way round.`,
    ),
  ]
    .map((line) => line.trimEnd())
    .join("\n");
}
