/** Durations as kubectl shows them: two units at most, coarser the longer they are (`47m`, `5d3h`). */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Bands in rising order: below `below` seconds, the duration is written in `major` units and, where given, the rest in `minor` units. */
const BANDS: readonly { below: number; major: [number, string]; minor?: [number, string] }[] = [
  { below: 2 * MINUTE, major: [1, "s"] },
  { below: 10 * MINUTE, major: [MINUTE, "m"], minor: [1, "s"] },
  { below: 3 * HOUR, major: [MINUTE, "m"] },
  { below: 8 * HOUR, major: [HOUR, "h"], minor: [MINUTE, "m"] },
  { below: 2 * DAY, major: [HOUR, "h"] },
  { below: 8 * DAY, major: [DAY, "d"], minor: [HOUR, "h"] },
  { below: 2 * YEAR, major: [DAY, "d"] },
  { below: 8 * YEAR, major: [YEAR, "y"], minor: [DAY, "d"] },
  { below: Number.POSITIVE_INFINITY, major: [YEAR, "y"] },
];

/** A duration in milliseconds; a little below zero counts as nothing, since clocks differ, and more than that as invalid. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (Number.isNaN(seconds) || seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  const band = BANDS.find(({ below }) => seconds < below);
  if (!band) return "<invalid>";
  const [size, unit] = band.major;
  const rest = band.minor ? Math.floor((seconds % size) / band.minor[0]) : 0;
  return `${Math.floor(seconds / size)}${unit}${band.minor && rest > 0 ? `${rest}${band.minor[1]}` : ""}`;
}

/** Time since an RFC 3339 stamp; `<unknown>` without one. */
export const ageOf = (timestamp: string | null | undefined, nowMs: number): string =>
  timestamp ? humanDuration(nowMs - Date.parse(timestamp)) : "<unknown>";
