/**
 * The timeline of one cluster, drawn: phases, steps and faults on top, then a lane a zone with its nodes, pods, masters and what was launched, lost and
 * replaced there, then the API server and the pods that found no place.
 */
import type { DrillResult, FaultSpan, Sample } from "../result.js";
import { LOSSES, marksOf } from "./marks.js";
import { type Markup, markup } from "./markup.js";
import { type Axis, block, label, labelsOf, width, x } from "./plot.js";
import { curveRow, markRow, masterRow, NOTHING, ROW, type Row, rowLabel } from "./rows.js";
import { peakOf, type Series, type Span, seriesOf, spansWhere, watchedUntil, zonesSeen } from "./series.js";
import { apart, signAt } from "./signs.js";
import { counted, offsetText, spanText, zeroOf } from "./wording.js";

type ZoneSample = Sample["zones"][string];

/** Faults that get a row of their own; the others are counted. */
const MOST_FAULTS = 12;
/** Marks nearer than this share of the time axis are one. */
const TOGETHER = 1 / 110;

/** The least share of the time axis that a phase needs for its name; of shorter ones the mark's title tells it. */
const NAMED_PHASE = 0.055;

/** Shares of the time axis for what came before the first fault: waiting for the steady state is not what a reader is after, but how it was he wants to see. */
const BEFORE = { least: 0.025, most: 0.08 };

/** From shortly before the first fault, or from the start when there was none, to where clean-up begins. */
export function axisOf(result: DrillResult): Axis {
  const { startedAtMs, phases, faults } = result;
  const steady = phases.find(({ name }) => name === "steady-state")?.startedAtMs ?? startedAtMs;
  const zeroMs = zeroOf(result);
  const untilMs = watchedUntil(result);
  const before = (share: number): number => zeroMs - Math.round((untilMs - zeroMs) * share);
  const startMs = Math.max(startedAtMs, Math.min(before(BEFORE.least), Math.max(steady, before(BEFORE.most))));
  const fromMs = faults.length === 0 ? startedAtMs : startMs;
  return { startMs: fromMs, endMs: Math.max(fromMs + 1000, untilMs), zeroMs };
}

export const faultEnd = ({ endedAtMs }: FaultSpan, axis: Axis): number => endedAtMs ?? axis.endMs;

export const concerns = ({ cluster }: { cluster?: string }, name: string): boolean =>
  cluster === undefined || cluster === name;

/** What plots on a page refer to, once a page. */
export const PATTERNS = markup`<svg class="patterns" width="0" height="0" aria-hidden="true"><defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" class="hatch-ground"/><rect width="2" height="7" class="hatch-line"/></pattern></defs></svg>`;

/** Two drawings side by side, labels and plot; `id` is unique on the page. */
export function timeline(result: DrillResult, cluster: string, id: string): Markup {
  const axis = axisOf(result);
  const samples = result.samples.filter((sample) => sample.cluster === cluster && sample.atMs <= axis.endMs);
  const faults = result.faults.filter((fault) => concerns(fault, cluster));
  const rows = [
    axisRow(axis),
    phaseRow(result, axis),
    ...stepRows(result, axis),
    ...faultRows(faults, axis),
    ...zonesSeen(samples).flatMap((zone) => zoneRows(result, axis, samples, faults, cluster, zone)),
    ...clusterRows(axis, samples),
  ];
  let top = 0;
  const placed = rows.map((row) => {
    const at = top;
    top += row.height;
    return { ...row, at };
  });
  const title = `Timeline of cluster ${cluster}`;
  return markup`<div class="timeline">
<svg class="labels" width="104" height="${top}" aria-hidden="true">${placed.map(({ labels, at }) => labels?.(at))}</svg>
<div class="scroll" tabindex="0" role="group" aria-label="${title}, scrollable"><svg class="plot" width="100%" height="${top}" role="img" aria-labelledby="${id}-title ${id}-description" data-plot="${id}">
<title id="${id}-title">${title}</title><desc id="${id}-description">${describe(samples, faults, axis)}</desc>
${placed.map(({ ground, at }) => ground?.(at))}
${labelsOf(axis).map((atMs) => markup`<line class="${atMs === axis.zeroMs ? "grid zero" : "grid"}" x1="${x(axis, atMs)}" x2="${x(axis, atMs)}" y1="${ROW.axis}" y2="${top}"/>`)}
${placed.map(({ content, at }) => content(at))}
<line class="cursor" x1="0" x2="0" y1="${ROW.axis}" y2="${top}" visibility="hidden"/>
</svg></div></div>`;
}

/** The picture in a few words, for those who do not see it; the list of what happened follows on the page. */
function describe(samples: readonly Sample[], faults: readonly FaultSpan[], axis: Axis): string {
  const zones = zonesSeen(samples).map((zone) => {
    const ready = seriesOf(samples, (sample) => sample.zones[zone]?.readyNodes ?? 0);
    const least = ready.reduce((fewest, [, nodes]) => Math.min(fewest, nodes), Number.POSITIVE_INFINITY);
    return `${zone}: between ${least} and ${peakOf(ready, 0)} nodes Ready`;
  });
  const length = spanText(axis.endMs - axis.startMs);
  return `${length} of simulated time, ${counted(faults.length, "fault")}. ${zones.join("; ")}.`;
}

function axisRow(axis: Axis): Row {
  return {
    height: ROW.axis,
    labels: (top) => rowLabel("from first fault", top, ROW.axis, "unit"),
    content: (top) =>
      markup`${labelsOf(axis).map((atMs) => {
        const share = (atMs - axis.startMs) / (axis.endMs - axis.startMs);
        const anchor = share < 0.03 ? "start" : share > 0.97 ? "end" : "middle";
        return markup`<text class="axis" x="${x(axis, atMs)}" y="${top + 14}" text-anchor="${anchor}">${offsetText(atMs - axis.zeroMs)}</text>`;
      })}`,
  };
}

function phaseRow(result: DrillResult, axis: Axis): Row {
  const phases = result.phases.filter(
    ({ startedAtMs, endedAtMs }) => startedAtMs < axis.endMs && endedAtMs > axis.startMs,
  );
  return {
    height: ROW.strip + 4,
    labels: (top) => rowLabel("phases", top, ROW.strip),
    content: (top) =>
      markup`${phases.map(({ name, startedAtMs, endedAtMs, ok, message }) => {
        const span = { startMs: startedAtMs, endMs: endedAtMs };
        const took = `${name}: ${spanText(endedAtMs - startedAtMs)}${ok ? "" : `, failed: ${message ?? ""}`}`;
        const className = `phase ${ok ? "" : "bad"}`;
        return [
          block(axis, span, top, ROW.strip - 1, className, took),
          (endedAtMs - Math.max(startedAtMs, axis.startMs)) / (axis.endMs - axis.startMs) > NAMED_PHASE &&
            label(axis, span, top, ROW.strip - 1, "on-phase", ok ? name : `${name} ✗`),
        ];
      })}`,
  };
}

function stepRows({ steps }: DrillResult, axis: Axis): Row[] {
  if (steps.length === 0) return [];
  const placed = apart(
    steps.map((step, index) => ({ ...step, number: String(index + 1) })),
    axis,
    ({ startedAtMs }) => startedAtMs,
    () => 21,
  );
  return [
    {
      height: ROW.strip + 2,
      labels: (top) => rowLabel("steps", top, ROW.strip),
      content: (top) =>
        markup`${placed.map(({ item: { number, title, ok, startedAtMs }, place, shift }) =>
          signAt(
            place,
            shift,
            top + 9,
            markup`<g class="step ${ok ? "" : "bad"}"><title>${`${offsetText(startedAtMs - axis.zeroMs)} step ${number}: ${title}`}</title><circle r="8.5"/><text text-anchor="middle" y="4">${number}</text></g>`,
          ),
        )}`,
    },
  ];
}

function faultRows(faults: readonly FaultSpan[], axis: Axis): Row[] {
  const shown = faults.slice(0, faults.length > MOST_FAULTS ? MOST_FAULTS - 1 : MOST_FAULTS);
  const rows = shown.map((fault, index): Row => {
    const span = { startMs: fault.startedAtMs, endMs: faultEnd(fault, axis) };
    const where = fault.zone ? `${fault.name} · ${fault.zone}` : fault.name;
    const lasted = fault.endedAtMs === undefined ? "to the end" : spanText(span.endMs - span.startMs);
    const title = `${offsetText(span.startMs - axis.zeroMs)} ${fault.title} (${lasted})`;
    return {
      height: ROW.fault,
      ...(index === 0 ? { labels: (top: number) => rowLabel("faults", top, ROW.fault) } : {}),
      content: (top) => markup`<g><title>${title}</title>${faultBar(axis, span, top, where)}</g>`,
    };
  });
  if (shown.length < faults.length) {
    rows.push({
      height: ROW.fault,
      content: (top) =>
        markup`<text class="beside" x="${x(axis, axis.startMs)}" y="${top + 13}">and ${faults.length - shown.length} more, listed below</text>`,
    });
  }
  return rows;
}

/** A bar with its name in it, or beside it where it is too short for that. */
function faultBar(axis: Axis, span: Span, top: number, name: string): Markup {
  const length = axis.endMs - axis.startMs;
  const isLong = (span.endMs - span.startMs) / length > 0.3;
  const bar = markup`<rect class="fault" x="${x(axis, span.startMs)}" y="${top + 1}" width="${width(axis, span)}" height="${ROW.fault - 4}" rx="3"/><svg class="free" x="${x(axis, span.startMs)}" y="${top + 1}"><rect class="fault" width="4" height="${ROW.fault - 4}" rx="2"/></svg>`;
  if (isLong) return markup`${bar}${label(axis, span, top, ROW.fault - 1, "on-fault", name)}`;
  const toTheLeft = (span.endMs - axis.startMs) / length > 0.7;
  const at = toTheLeft ? span.startMs : span.endMs;
  return markup`${bar}<svg class="free" x="${x(axis, at)}" y="${top}"><text class="beside" x="${toTheLeft ? -6 : 8}" y="13" text-anchor="${toTheLeft ? "end" : "start"}">${name}</text></svg>`;
}

function zoneRows(
  result: DrillResult,
  axis: Axis,
  samples: readonly Sample[],
  faults: readonly FaultSpan[],
  cluster: string,
  zone: string,
): Row[] {
  const pick = (value: (zone: ZoneSample) => number): Series =>
    seriesOf(samples, ({ zones }) => {
      const found = zones[zone];
      return found ? value(found) : 0;
    });
  const most = (value: (zone: ZoneSample) => number): number =>
    peakOf(
      seriesOf(samples, ({ zones }) => Math.max(1, ...Object.values(zones).map(value))),
      1,
    );
  const setUpMs = result.phases.find(({ name }) => name === "setup")?.endedAtMs ?? axis.startMs;
  const marks = marksOf(
    result.events.filter(
      (event) =>
        event.zone === zone &&
        event.clusterName === cluster &&
        event.atMs >= Math.max(axis.startMs, setUpMs) &&
        event.atMs < watchedUntil(result),
    ),
    (axis.endMs - axis.startMs) * TOGETHER,
  );
  const spans = faults
    .filter((fault) => fault.zone === zone)
    .map((fault) => ({ startMs: fault.startedAtMs, endMs: faultEnd(fault, axis) }));
  const height = ROW.head + ROW.curve * 2 + ROW.bar + ROW.marks * 2 + 12;
  const ground: Row = {
    height: ROW.head,
    labels: (top) => markup`<text class="zone" x="0" y="${top + 15}">${zone}</text>`,
    ground: (top) => markup`<rect class="lane" x="0" y="${top}" width="100%" height="${height}"/>`,
    content: (top) => markup`${spans.map((span) => block(axis, span, top, height, "hatched"))}`,
  };
  return [
    { height: ROW.gap, content: () => NOTHING },
    ground,
    curveRow(
      axis,
      "nodes",
      most(({ nodes }) => nodes),
      "nodes",
      pick(({ nodes }) => nodes),
      pick((z) => z.readyNodes),
    ),
    curveRow(
      axis,
      "pods",
      most(({ pods }) => pods),
      "pods",
      pick(({ pods }) => pods),
      pick((z) => z.readyPods),
    ),
    masterRow(
      axis,
      pick((z) => z.members),
      pick((z) => z.membersUp),
    ),
    markRow(
      axis,
      marks.filter(({ kind }) => !LOSSES.includes(kind)),
      "arrivals",
    ),
    markRow(
      axis,
      marks.filter(({ kind }) => LOSSES.includes(kind)),
      "losses",
    ),
    { height: 6, content: () => NOTHING },
  ];
}

function clusterRows(axis: Axis, samples: readonly Sample[]): Row[] {
  const up = seriesOf(samples, ({ apiAvailable }) => Number(apiAvailable));
  const pending = seriesOf(samples, ({ pendingPods }) => pendingPods);
  const most = peakOf(pending, 1);
  const height = ROW.bar + ROW.curve + 8;
  return [
    {
      height: ROW.gap,
      ground: (top) => markup`<rect class="lane" x="0" y="${top + ROW.gap}" width="100%" height="${height}"/>`,
      content: () => NOTHING,
    },
    {
      height: ROW.bar + 4,
      labels: (top) => rowLabel("API server", top, ROW.bar + 2),
      content: (top) =>
        markup`${spansWhere(up, axis.endMs, (value) => value > 0).map((span) =>
          block(axis, span, top + 5, ROW.bar - 8, "api", "the API server answers"),
        )}${spansWhere(up, axis.endMs, (value) => value === 0).map((span) =>
          block(axis, span, top + 5, ROW.bar - 8, "down", `no answer for ${spanText(span.endMs - span.startMs)}`),
        )}`,
    },
    curveRow(axis, "pending pods", most, "pending", [], pending),
  ];
}
