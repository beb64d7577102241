/** The rows of which a timeline is made: curves of what there is and what is ready, bars of masters, signs of what was done. */
import { type Mark, markText } from "./marks.js";
import { type Markup, markup } from "./markup.js";
import { type Axis, area, block, line, stretched } from "./plot.js";
import { peakOf, type Series, spansWhere } from "./series.js";
import { apart, GLYPHS, signAt } from "./signs.js";
import { offsetText, spanText } from "./wording.js";

/** Heights of the rows, in pixels. */
export const ROW = { axis: 22, strip: 20, fault: 19, head: 20, curve: 36, bar: 16, marks: 17, gap: 10 };

/** A part of the picture from `top` down. Labels go to a column beside the plot, which stays where it is when the plot is scrolled. */
export interface Row {
  height: number;
  labels?: (top: number) => Markup;
  /** What lies under the lines of the time axis. */
  ground?: (top: number) => Markup;
  content: (top: number) => Markup;
}

export const NOTHING = markup``;

export const rowLabel = (text: string, top: number, height: number, className = "row"): Markup =>
  markup`<text class="${className}" x="0" y="${top + height / 2 + 4}">${text}</text>`;

/** All there are as a pale ground, the ready ones in full colour: what is pale is not ready. */
export function curveRow(axis: Axis, text: string, most: number, className: string, all: Series, ready: Series): Row {
  const height = ROW.curve - 6;
  return {
    height: ROW.curve,
    labels: (top) =>
      markup`${rowLabel(text, top, height)}<text class="scale" x="96" y="${top + 9}">${most}</text><text class="scale" x="96" y="${top + height}">0</text>`,
    content: (top) =>
      stretched(top, height, [
        area(axis, all, most, height, `${className} all`),
        area(axis, ready, most, height, `${className} ready`),
        line(axis, all, most, height, `${className} edge`),
        markup`<path class="base" vector-effect="non-scaling-stroke" d="M0 ${height}H10000"/>`,
      ]),
  };
}

export function masterRow(axis: Axis, members: Series, up: Series): Row {
  const down = spansWhere(
    combined(members, up, (all, running) => all - running),
    axis.endMs,
    (missing) => missing > 0,
  );
  const standing = spansWhere(up, axis.endMs, (running) => running > 0);
  const most = peakOf(up, 0);
  return {
    height: ROW.bar,
    labels: (top) => rowLabel(most > 1 ? `masters (${most})` : "master", top, ROW.bar - 4),
    content: (top) =>
      markup`${standing.map((span) => block(axis, span, top + 2, ROW.bar - 8, "master", "master up"))}${down.map(
        (span) =>
          block(axis, span, top + 2, ROW.bar - 8, "down", `master down for ${spanText(span.endMs - span.startMs)}`),
      )}`,
  };
}

/** A curve from two: a value wherever one of them changes. */
function combined(a: Series, b: Series, join: (a: number, b: number) => number): Series {
  const moments = [...new Set([...a, ...b].map(([atMs]) => atMs))].sort((one, other) => one - other);
  let [left, right] = [0, 0];
  return moments.map((atMs) => {
    left = a.find(([at]) => at === atMs)?.[1] ?? left;
    right = b.find(([at]) => at === atMs)?.[1] ?? right;
    return [atMs, join(left, right)] as const;
  });
}

export function markRow(axis: Axis, marks: readonly Mark[], text: string): Row {
  const placed = apart(
    marks,
    axis,
    ({ atMs }) => atMs,
    ({ events }) => (events.length > 1 ? 16 + 7 * String(events.length).length : 15),
  );
  return {
    height: ROW.marks,
    labels: (top) => rowLabel(text, top, ROW.marks),
    content: (top) =>
      markup`${placed.map(({ item, place, shift }) => {
        const at = offsetText(item.atMs - axis.zeroMs);
        const first = item.events.slice(0, 6).map(({ message }) => message);
        const rest = item.events.length - first.length;
        const title = [`${at} ${markText(item)}`, ...first, ...(rest > 0 ? [`and ${rest} more`] : [])].join("\n");
        const sign = markup`<g class="mark ${item.kind}"><title>${title}</title>${GLYPHS[item.kind]}${item.events.length > 1 && markup`<text x="7" y="4">${item.events.length}</text>`}</g>`;
        return signAt(place, shift, top + 9, sign);
      })}`,
  };
}
