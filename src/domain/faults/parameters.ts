/**
 * Parameters of faults. One table a fault is what values are checked by, what `eksim fault list --catalogue` prints and what the documentation is made of.
 * In a fault's record durations are milliseconds and zones are names; everything is there, defaults included.
 */
import { findZone } from "../catalogue/index.js";
import { DomainError } from "../errors.js";
import { didYouMean, eitherOf } from "../nearest.js";

export type ParameterType = "integer" | "percent" | "duration" | "text" | "list" | "choice" | "zone";

export interface Parameter {
  type: ParameterType;
  /** A sentence. */
  says: string;
  /** As people write it. Absent: nothing, unless it is `required`. */
  default?: string | number | readonly string[];
  required?: true;
  /** Of numbers; of durations in milliseconds. A share is 1 to 100 unless told otherwise, a duration 0 to a day. */
  min?: number;
  max?: number;
  /** Values of a choice, or all that a list may hold. */
  values?: readonly string[];
}

export type Parameters = Readonly<Record<string, Parameter>>;

/** What a fault's record holds. */
export type ParameterValues = Readonly<Record<string, unknown>>;

const DAY_MS = 86_400_000;

/** Reads texts such as `90s`; durations are the clock's affair. */
export type ReadDuration = (text: string) => number | undefined;

/** Every parameter of the fault with its value or default. Throws InvalidParameterException that says what is allowed. */
export function readParameters(
  fault: string,
  parameters: Parameters,
  given: Readonly<Record<string, unknown>>,
  { region, readDuration }: { region: string; readDuration: ReadDuration },
): Record<string, unknown> {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(parameters, name)) continue;
    const known = Object.keys(parameters);
    throw invalid(
      `${fault} has no parameter ${name}. ${known.length > 0 ? `Its parameters: ${known.join(", ")}.` : "It has none."}${didYouMean(name, known)}`,
    );
  }
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const raw = given[name] ?? parameter.default;
    if (raw === undefined) {
      if (parameter.required) throw invalid(`${fault} needs the parameter ${name}: ${parameter.says}`);
      continue;
    }
    values[name] = readValue({ fault, name }, parameter, raw, { region, readDuration });
  }
  return values;
}

interface Named {
  fault: string;
  name: string;
}

function readValue(
  named: Named,
  parameter: Parameter,
  raw: unknown,
  readers: { region: string; readDuration: ReadDuration },
): unknown {
  const what = `${named.name} of ${named.fault}`;
  switch (parameter.type) {
    case "integer":
    case "percent":
      return readNumber(what, parameter, raw);
    case "duration":
      return readDurationValue(what, parameter, raw, readers.readDuration);
    case "list":
      return readList(named, parameter, raw);
    case "zone": {
      const zone = typeof raw === "string" ? findZone(readers.region, raw) : undefined;
      if (zone) return zone.name;
      throw invalid(`${what} must be a zone of ${readers.region}, by name or id, not ${shown(raw)}.`);
    }
    default: {
      if (typeof raw !== "string" || raw === "") throw invalid(`${what} must be a text, not ${shown(raw)}.`);
      checkAmong(named, parameter.values, raw);
      return raw;
    }
  }
}

function readNumber(what: string, { type, min, max }: Parameter, raw: unknown): number {
  const [least, most] = type === "percent" ? [min ?? 1, max ?? 100] : [min ?? 0, max ?? Number.MAX_SAFE_INTEGER];
  // Command lines know texts only.
  const value = typeof raw === "string" && /^-?\d+(\.\d+)?%?$/.test(raw) ? Number(raw.replace("%", "")) : raw;
  const isFit = typeof value === "number" && value >= least && value <= most;
  if (isFit && (type === "percent" || Number.isInteger(value))) return value;
  throw invalid(
    `${what} must be a ${type === "percent" ? "percentage" : "whole number"} from ${least} to ${most}, not ${shown(raw)}.`,
  );
}

function readDurationValue(what: string, { min = 0, max = DAY_MS }: Parameter, raw: unknown, read: ReadDuration) {
  const text = typeof raw === "string" ? raw : "";
  const size = read(text.replace(/^-/, ""));
  const ms = size === undefined ? undefined : text.startsWith("-") ? -size : size;
  if (ms === undefined)
    throw invalid(
      `${what} must be a duration such as 200ms, 90s or 5m${min < 0 ? ", or -5m" : ""}, not ${shown(raw)}.`,
    );
  if (ms < min || ms > max) throw invalid(`${what} must be from ${durationText(min)} to ${durationText(max)}.`);
  return ms;
}

function readList(named: Named, { values }: Parameter, raw: unknown): string[] {
  const items = typeof raw === "string" ? raw.split(",").map((item) => item.trim()) : raw;
  if (!Array.isArray(items) || !items.every((item) => typeof item === "string" && item !== ""))
    throw invalid(`${named.name} of ${named.fault} must be a list of texts, not ${shown(raw)}.`);
  for (const item of items as string[]) checkAmong(named, values, item);
  return items as string[];
}

function checkAmong({ fault, name }: Named, values: readonly string[] | undefined, value: string): void {
  if (!values || values.includes(value)) return;
  const what = `${name} of ${fault}`;
  if (!isLong(values)) throw invalid(`${what} must be ${eitherOf(values)}, not ${shown(value)}.`);
  throw invalid(`${what} cannot be ${shown(value)}.${didYouMean(value, values)} ${whereAll(fault)}`);
}

/** Too many for a line. */
export const isLong = (values: readonly string[]): boolean => values.length > 8;

/** Where everything is that a fault takes. */
export const whereAll = (fault: string): string => `All of them: eksim fault list --fault ${fault}`;

const shown = (raw: unknown): string => JSON.stringify(raw) ?? String(raw);

const invalid = (message: string): DomainError => new DomainError("InvalidParameterException", message);

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** `1h30m` of milliseconds. */
export function durationText(ms: number): string {
  let rest = Math.abs(Math.round(ms));
  let text = "";
  for (const [unit, size] of UNITS) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === "" ? "0s" : ms < 0 ? `-${text}` : text;
}
