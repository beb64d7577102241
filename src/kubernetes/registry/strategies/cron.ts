/** The grammar of a CronJob's schedule (upstream: robfig/cron's standard parser): five fields, names of months and days, or an `@` descriptor. */

interface FieldRule {
  name: string;
  least: number;
  most: number;
  names?: readonly string[];
}

const FIELDS: readonly FieldRule[] = [
  { name: "minute", least: 0, most: 59 },
  { name: "hour", least: 0, most: 23 },
  { name: "day of month", least: 1, most: 31 },
  {
    name: "month",
    least: 1,
    most: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of week", least: 0, most: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];
const DESCRIPTORS = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const DURATION = /^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/;

function number(text: string, rule: FieldRule): number | undefined {
  const position = rule.names?.indexOf(text.toLowerCase()) ?? -1;
  if (position >= 0) return position + rule.least;
  return /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

function complaintAbout(range: string, rule: FieldRule): string | undefined {
  const [span = "", step, ...rest] = range.split("/");
  const [low = "", high, ...more] = span.split("-");
  if (rest.length > 0) return `too many slashes: ${range}`;
  if (more.length > 0) return `too many hyphens: ${range}`;
  const any = low === "*" || low === "?";
  const start = any ? rule.least : number(low, rule);
  const end = any ? rule.most : high === undefined ? start : number(high, rule);
  if (start === undefined || end === undefined) return `failed to parse int from ${start === undefined ? low : high}`;
  if (start < rule.least) return `beginning of range (${start}) below minimum (${rule.least}): ${range}`;
  if (end > rule.most) return `end of range (${end}) above maximum (${rule.most}): ${range}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${range}`;
  if (step !== undefined && !/^[0-9]+$/.test(step)) return `failed to parse int from ${step}`;
  return step !== undefined && Number(step) === 0 ? `step of range should be a positive number: ${range}` : undefined;
}

/** What is wrong with a schedule; undefined when it is right. */
export function scheduleComplaint(schedule: string): string | undefined {
  if (/\bTZ=/.test(schedule)) return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
  if (schedule.startsWith("@")) {
    if (DESCRIPTORS.includes(schedule)) return undefined;
    if (!schedule.startsWith("@every ")) return `unrecognized descriptor: ${schedule}`;
    return DURATION.test(schedule.slice(7)) ? undefined : `failed to parse duration ${schedule}`;
  }
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== FIELDS.length || schedule.trim() === "") {
    return `expected exactly 5 fields, found ${schedule.trim() === "" ? 0 : fields.length}: [${fields.join(" ")}]`;
  }
  for (const [index, field] of fields.entries()) {
    for (const range of field.split(",")) {
      const complaint = complaintAbout(range, FIELDS[index] as FieldRule);
      if (complaint) return complaint;
    }
  }
  return undefined;
}
