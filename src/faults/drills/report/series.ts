/** Curves and spans from what a drill looked at: a value holds from the look at which it was found until the next one. */
import type { DrillResult, Sample, WorkloadResult } from "../result.js";

/** Values by the moment from which they hold, oldest first. */
export type Series = readonly (readonly [atMs: number, value: number])[];

export interface Span {
  startMs: number;
  endMs: number;
}

/** Leaves out points at which nothing changes. */
export function seriesOf(samples: readonly Sample[], value: (sample: Sample) => number): Series {
  const points: [number, number][] = [];
  for (const sample of samples) {
    const now = value(sample);
    if (points.at(-1)?.[1] !== now) points.push([sample.atMs, now]);
  }
  return points;
}

/** What holds at a moment: undefined before the first look. */
export function valueAt(series: Series, atMs: number): number | undefined {
  let found: number | undefined;
  for (const [from, value] of series) {
    if (from > atMs) break;
    found = value;
  }
  return found;
}

/** The part of a curve inside a span, which begins with what held at its start. */
export function within(series: Series, { startMs, endMs }: Span): Series {
  const first = valueAt(series, startMs);
  const inside = series.filter(([atMs]) => atMs > startMs && atMs < endMs);
  return first === undefined ? inside : [[startMs, first], ...inside];
}

/** When a curve met a condition, up to `endMs`; neighbouring spans are one. */
export function spansWhere(series: Series, endMs: number, holds: (value: number) => boolean): Span[] {
  const spans: Span[] = [];
  series.forEach(([startMs, value], index) => {
    const untilMs = series[index + 1]?.[0] ?? endMs;
    if (!holds(value) || untilMs <= startMs) return;
    const last = spans.at(-1);
    if (last?.endMs === startMs) last.endMs = untilMs;
    else spans.push({ startMs, endMs: untilMs });
  });
  return spans;
}

/** Until when what is seen tells of the drill: what clean-up takes away was not lost. */
export function watchedUntil({ phases, startedAtMs, endedAtMs }: DrillResult): number {
  const cleanUp = phases.find(({ name }) => name === "clean-up");
  return cleanUp && cleanUp.startedAtMs > startedAtMs ? cleanUp.startedAtMs : endedAtMs;
}

/** When a workload had fewer ready replicas than it needs. */
export const breachesOf = ({ readyOverTime = [], minimum }: WorkloadResult, endMs: number): Span[] =>
  spansWhere(readyOverTime, endMs, (ready) => ready < minimum);

/** The greatest value of a curve, or `least`. Curves may have more points than a call of Math.max takes arguments. */
export const peakOf = (series: Series, least: number): number =>
  series.reduce((most, [, value]) => Math.max(most, value), least);

/** The names of all zones that were ever seen of a cluster, in order. */
export const zonesSeen = (samples: readonly Sample[]): string[] =>
  [...new Set(samples.flatMap(({ zones }) => Object.keys(zones)))].sort();
