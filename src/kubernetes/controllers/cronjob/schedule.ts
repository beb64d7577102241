/**
 * When a cron schedule is due: five fields, names of months and days, `@` descriptors and `@every`, read as robfig/cron reads them. Times are epoch
 * milliseconds; the fields are judged in the CronJob's time zone. Validation (registry/strategies) has refused what cannot be read.
 */
export interface Schedule {
  /** The first due time after `afterMs`; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** As robfig/cron: a schedule such as 30 February is given up after this. */
const HORIZON_MS = 5 * 366 * DAY_MS;

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const DESCRIPTORS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: MINUTE_MS,
  h: 3_600_000,
};

interface Field {
  values: ReadonlySet<number>;
  /** Written with a star: of the two day fields such a one does not count. */
  isAny: boolean;
}

function parseField(text: string, least: number, most: number, names: readonly string[] = []): Field {
  const number = (word: string): number => {
    const position = names.indexOf(word.toLowerCase());
    return position < 0 ? Number(word) : position + least;
  };
  const values = new Set<number>();
  let isAny = false;
  for (const range of text.split(",")) {
    const [span = "", step] = range.split("/");
    const [low = "", high] = span.split("-");
    const all = low === "*" || low === "?";
    isAny ||= all && (step === undefined || step === "1");
    const start = all ? least : number(low);
    // `5/10` means from 5 on.
    const end = all || (high === undefined && step !== undefined) ? most : high === undefined ? start : number(high);
    for (let value = start; value <= end; value += Number(step ?? 1)) values.add(value);
  }
  return { values, isAny };
}

function every(text: string): Schedule {
  let periodMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    periodMs += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  // Whole seconds, one at least.
  const wholeMs = Math.max(1000, Math.floor(periodMs / 1000) * 1000);
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + wholeMs };
}

/** `timeZone`: an IANA name; UTC when absent, which is where a kube-controller-manager runs. Throws RangeError for an unknown zone. */
export function parseSchedule(text: string, timeZone?: string): Schedule {
  if (text.startsWith("@every ")) return every(text.slice("@every ".length));
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = (DESCRIPTORS[text] ?? text).trim().split(/\s+/);
  const minutes = parseField(minute, 0, 59);
  const hours = parseField(hour, 0, 23);
  const days = parseField(day, 1, 31);
  const months = parseField(month, 1, 12, MONTHS);
  const weekdays = parseField(weekday, 0, 6, DAYS);
  const offsetMs = timeZone ? offsetIn(timeZone) : () => 0;

  // Both day fields given: either is enough. One with a star: the other decides.
  const dayFits = (local: Date): boolean => {
    const ofMonth = days.values.has(local.getUTCDate());
    const ofWeek = weekdays.values.has(local.getUTCDay());
    return days.isAny || weekdays.isAny ? ofMonth && ofWeek : ofMonth || ofWeek;
  };

  return {
    next(afterMs) {
      let atMs = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
      while (atMs - afterMs < HORIZON_MS) {
        const local = new Date(atMs + offsetMs(atMs));
        const intoHourMs = local.getUTCMinutes() * MINUTE_MS;
        if (!months.values.has(local.getUTCMonth() + 1) || !dayFits(local)) {
          // On to the next local midnight, but never past a change of offset on the way.
          const leftMs = DAY_MS - (local.getUTCHours() * 3_600_000 + intoHourMs);
          atMs += offsetMs(atMs + leftMs) === offsetMs(atMs) ? leftMs : 3_600_000 - intoHourMs;
        } else if (!hours.values.has(local.getUTCHours())) atMs += 3_600_000 - intoHourMs;
        else if (!minutes.values.has(local.getUTCMinutes())) atMs += MINUTE_MS;
        else return atMs;
      }
      return undefined;
    },
  };
}

/** Local time minus UTC in milliseconds at an instant. */
function offsetIn(timeZone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  });
  return (atMs) => {
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(atMs)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  };
}
