/** Signs on a timeline: what they look like, and how they keep from lying on each other. */
import type { Mark } from "./marks.js";
import { type Markup, markup } from "./markup.js";
import { type Axis, x } from "./plot.js";

/** Half of what a sign takes, in pixels. */
const HALF_SIGN = 6;
/** How wide a plot is taken to be where things are kept from lying on each other, in pixels. */
const NOMINAL_WIDTH = 850;

/** Signs that can be told apart without their colours, each about ten pixels round its own zero. */
export const GLYPHS: Readonly<Record<Mark["kind"], Markup>> = {
  launch: markup`<path d="M0-5.5 5 4H-5Z"/>`,
  "in-service": markup`<circle r="4.2"/>`,
  termination: markup`<path d="M0 5.5 5-4H-5Z"/>`,
  impaired: markup`<path class="stroke" d="M-4-4 4 4M4-4-4 4"/>`,
  repair: markup`<path d="M-1.6-5.5H1.6V-1.6H5.5V1.6H1.6V5.5H-1.6V1.6H-5.5V-1.6H-1.6Z"/>`,
  "master-lost": markup`<path class="outline" d="M0-5.5 5.5 0 0 5.5-5.5 0Z"/>`,
  "master-back": markup`<path d="M0-6 6 0 0 6-6 0Z"/>`,
};

/**
 * Puts things that would lie on each other beside each other, in the order of their moments: each is anchored where it belongs, and moved to the right by
 * pixels, of which a wider plot needs the same and shows less.
 */
export function apart<T>(
  items: readonly T[],
  axis: Axis,
  moment: (item: T) => number,
  needs: (item: T) => number,
): { item: T; place: string; shift: number }[] {
  let freeFrom = 0;
  return items.map((item) => {
    const wanted = ((moment(item) - axis.startMs) / (axis.endMs - axis.startMs)) * NOMINAL_WIDTH;
    const left = Math.min(Math.max(wanted, freeFrom, HALF_SIGN), Math.max(wanted, NOMINAL_WIDTH) - HALF_SIGN);
    freeFrom = left + needs(item);
    return { item, place: x(axis, moment(item)), shift: Math.round(left - wanted) };
  });
}

/** A sign on its place; where it had to move, a line leads to where it belongs. */
export const signAt = (place: string, shift: number, top: number, sign: Markup): Markup =>
  markup`<svg class="free" x="${place}" y="${top}">${shift > HALF_SIGN && markup`<path class="leader" d="M0-9V-7H${shift}"/>`}<g transform="translate(${shift})">${sign}</g></svg>`;
