/**
 * How curves are drawn: every place along the time axis is a percentage of the plot's width, so that a plot is as wide as its page, zooms by being made wider,
 * and its texts and symbols keep their size.
 */
import { type Markup, markup } from "./markup.js";
import type { Series, Span } from "./series.js";

/** Width of the stretched drawing in which curves are, in its own units; heights are units of the pixels that a row has. */
const UNITS = 10_000;

export interface Axis extends Span {
  /** What the labels count from. */
  zeroMs: number;
}

/** Seconds between labels that people can read off. */
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
const MOST_LABELS = 9;

const share = (axis: Axis, atMs: number): number => {
  const length = axis.endMs - axis.startMs;
  return length <= 0 ? 0 : Math.min(1, Math.max(0, (atMs - axis.startMs) / length));
};

/** Few digits: a report of a thousand curves is to be opened by mail clients. */
const short = (value: number): string => String(Number(value.toFixed(3)));

/** Where a moment is: `12.5%`. */
export const x = (axis: Axis, atMs: number): string => `${short(share(axis, atMs) * 100)}%`;

export const width = (axis: Axis, { startMs, endMs }: Span): string =>
  `${short((share(axis, endMs) - share(axis, startMs)) * 100)}%`;

/** Moments of the labels, multiples of a round step from zero. */
export function labelsOf(axis: Axis): number[] {
  const lengthS = (axis.endMs - axis.startMs) / 1000;
  const stepMs = (STEPS_S.find((step) => lengthS / step <= MOST_LABELS) ?? Math.ceil(lengthS / MOST_LABELS)) * 1000;
  const first = Math.ceil((axis.startMs - axis.zeroMs) / stepMs);
  const last = Math.floor((axis.endMs - axis.zeroMs) / stepMs);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => axis.zeroMs + (first + i) * stepMs);
}

/** The corners of a curve in steps, in the drawing's units, `y` from the top of a row. */
function corners(axis: Axis, series: Series, most: number, height: number): string[] {
  const y = (value: number): string => short(height - (Math.min(value, most) / most) * height);
  return series.flatMap(([atMs, value], index) => {
    const from = short(share(axis, atMs) * UNITS);
    const to = short(share(axis, series[index + 1]?.[0] ?? axis.endMs) * UNITS);
    return from === to ? [] : [`${from} ${y(value)}`, `${to} ${y(value)}`];
  });
}

/** The drawing that is stretched over the plot: what is in it has no texts, and lines keep their width. */
export const stretched = (top: number, height: number, content: readonly (Markup | undefined)[]): Markup =>
  markup`<svg x="0" y="${top}" width="100%" height="${height}" viewBox="0 0 ${UNITS} ${height}" preserveAspectRatio="none">${content}</svg>`;

/** The area under a curve. `most` = the value at the top of the row. */
export function area(axis: Axis, series: Series, most: number, height: number, className: string): Markup | undefined {
  const points = corners(axis, series, most, height);
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined || most <= 0) return undefined;
  const [left] = first.split(" ");
  const [right] = last.split(" ");
  return markup`<path class="${className}" d="M${left} ${height}L${points.join("L")}L${right} ${height}Z"/>`;
}

export function line(axis: Axis, series: Series, most: number, height: number, className: string): Markup | undefined {
  const points = corners(axis, series, most, height);
  if (points.length === 0 || most <= 0) return undefined;
  return markup`<path class="${className}" vector-effect="non-scaling-stroke" d="M${points.join("L")}"/>`;
}

/** A span as high as its row. */
export const block = (axis: Axis, span: Span, top: number, height: number, className: string, title = ""): Markup =>
  markup`<rect class="${className}" x="${x(axis, span.startMs)}" y="${top}" width="${width(axis, span)}" height="${height}">${title !== "" && markup`<title>${title}</title>`}</rect>`;

/** A text that is cut off where its span ends. */
export const label = (axis: Axis, span: Span, top: number, height: number, className: string, text: string): Markup =>
  markup`<svg x="${x(axis, span.startMs)}" y="${top}" width="${width(axis, span)}" height="${height}" class="cut"><text class="${className}" x="5" y="${height - 5}">${text}</text></svg>`;
