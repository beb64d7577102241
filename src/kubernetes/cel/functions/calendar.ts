import { CelError, type Duration, type Timestamp } from "../scalars.js";
import { define, type Overload } from "./declare.js";

/** Parts of timestamps and durations: getFullYear, getHours and their kin, in the time zone that is asked for. */

interface CalendarDay {
  year: number;
  /** From 0. */
  month: number;
  day: number;
  hours: number;
  minutes: number;
  seconds: number;
  weekday: number;
}

/** The wall clock of a zone: an IANA name, or an offset such as `-07:00`. */
function calendar({ nanos }: Timestamp, zone: string): CalendarDay {
  const ms = Number(nanos / 1_000_000n) - (nanos < 0n && nanos % 1_000_000n !== 0n ? 1 : 0);
  const offset = /^([+-]?)(\d{2}):(\d{2})$/.exec(zone);
  let shifted: Date;
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    shifted = new Date(ms + (offset[1] === "-" ? -minutes : minutes) * 60_000);
  } else if (zone === "UTC" || zone === "") shifted = new Date(ms);
  else {
    let format: Intl.DateTimeFormat;
    try {
      format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    } catch {
      throw new CelError(`unknown time zone ${zone}`);
    }
    const name = format.formatToParts(new Date(ms)).find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
    const match = /^GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(name);
    const seconds = match ? Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0) : 0;
    shifted = new Date(ms + (match?.[1] === "-" ? -seconds : seconds) * 1000);
  }
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth(),
    day: shifted.getUTCDate(),
    hours: shifted.getUTCHours(),
    minutes: shifted.getUTCMinutes(),
    seconds: shifted.getUTCSeconds(),
    weekday: shifted.getUTCDay(),
  };
}

const dayOfYear = ({ year, month, day }: CalendarDay): number =>
  Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000);

const CALENDAR: Readonly<Record<string, (day: CalendarDay) => number>> = {
  getFullYear: ({ year }) => year,
  getMonth: ({ month }) => month,
  getDate: ({ day }) => day,
  getDayOfMonth: ({ day }) => day - 1,
  getDayOfWeek: ({ weekday }) => weekday,
  getDayOfYear: dayOfYear,
  getHours: ({ hours }) => hours,
  getMinutes: ({ minutes }) => minutes,
  getSeconds: ({ seconds }) => seconds,
};

const SPANS: Readonly<Record<string, bigint>> = {
  getHours: 3_600_000_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
};

const millisecondsOf = ({ nanos }: Timestamp): bigint =>
  (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n) / 1_000_000n;

export const timeFunctions: readonly Overload[] = [
  ...Object.entries(CALENDAR).flatMap(([name, read]) => [
    define(name, "timestamp.() -> int", (at: Timestamp) => BigInt(read(calendar(at, "UTC")))),
    define(name, "timestamp.(string) -> int", (at: Timestamp, zone: string) => BigInt(read(calendar(at, zone)))),
  ]),
  define("getMilliseconds", "timestamp.() -> int", millisecondsOf),
  define("getMilliseconds", "timestamp.(string) -> int", millisecondsOf),
  ...Object.entries(SPANS).map(([name, unit]) =>
    define(name, "duration.() -> int", ({ nanos }: Duration) => nanos / unit),
  ),
  define("getMilliseconds", "duration.() -> int", ({ nanos }: Duration) => (nanos / 1_000_000n) % 1000n),
];
