/**
 * Reads values out of a YAML document and says of each that is wrong where it stands and what is allowed there. A reader gives undefined after it has told
 * of a problem: reading goes on, so that one look at a file finds everything.
 */

import { isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Document as YamlDocument } from "yaml";
import { parseDuration } from "../../../clock/duration.js";
import { eitherOf, nearest } from "../../../domain/nearest.js";

export interface Problem {
  /** From 1. */
  line: number;
  column: number;
  message: string;
}

/** The file that is being read. */
export interface Source {
  document: YamlDocument;
  lines: LineCounter;
  problems: Problem[];
}

/** A value, or the place where one is missing. */
export interface Spot {
  source: Source;
  node: Node | null | undefined;
  /** Such as `steps[2].wait`. */
  path: string;
  /** Where to point at when there is no node. */
  offset: number;
}

export type Read<T> = (spot: Spot) => T | undefined;

export interface Field<T> {
  read: Read<T>;
  required?: true;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What an object with such fields holds once it has been read. */
export type Values<F extends Fields> = {
  [K in keyof F]: F[K] extends { read: Read<infer T>; required: true }
    ? T
    : F[K] extends { read: Read<infer T> }
      ? T | undefined
      : never;
};

export const optional = <T>(read: Read<T>): { read: Read<T> } => ({ read });
export const required = <T>(read: Read<T>): { read: Read<T>; required: true } => ({ read, required: true });

/** Notes a problem; gives undefined, as readers do after one. */
export function wrong(spot: Spot, message: string): undefined {
  const offset = spot.node?.range?.[0] ?? spot.offset;
  const { line, col } = spot.source.lines.linePos(offset);
  spot.source.problems.push({
    line: Math.max(1, line),
    column: Math.max(1, col),
    message: spot.path === "" ? message : `${spot.path}: ${message}`,
  });
  return undefined;
}

export const within = (spot: Spot, step: string): string =>
  spot.path === "" || step.startsWith("[") ? spot.path + step : `${spot.path}.${step}`;

/** What stands there in a few words, for error messages. */
export function shown({ node }: Spot): string {
  if (node === null || node === undefined) return "nothing";
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  return isScalar(node) ? JSON.stringify(node.value) : "something else";
}

export const isMapping = ({ node }: Spot): boolean => isMap(node);
export const isText = ({ node }: Spot): boolean => isScalar(node) && typeof node.value === "string";

/** Follows an alias to what it stands for. */
const resolved = (spot: Spot, node: Node | null | undefined): Node | null | undefined =>
  isAlias(node) ? (node.resolve(spot.source.document) ?? null) : node;

/** Keys with their values; undefined, and told, when it is no mapping. */
export function entries(spot: Spot): { key: string; value: Spot }[] | undefined {
  if (!isMap(spot.node)) return wrong(spot, `must be a mapping, not ${shown(spot)}`);
  return spot.node.items.map((pair) => {
    const keyNode = pair.key as Node;
    const key = isScalar(keyNode) ? String(keyNode.value) : String(keyNode);
    const offset = keyNode.range?.[0] ?? spot.offset;
    const node = resolved(spot, pair.value as Node | null);
    return { key, value: { source: spot.source, node, path: within(spot, key), offset } };
  });
}

/** A mapping with exactly these fields. Undefined when anything is wrong with it. */
export function object<F extends Fields>(spot: Spot, fields: F): Values<F> | undefined {
  const all = entries(spot);
  if (!all) return undefined;
  const values: Record<string, unknown> = {};
  let ok = true;
  for (const { key, value } of all) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!field) {
      // The key is what is wrong, not what stands after it.
      wrong({ ...value, node: undefined, path: spot.path }, unknownKey(key, Object.keys(fields)));
      ok = false;
      continue;
    }
    const read = field.read(value);
    if (read === undefined) ok = false;
    values[key] = read;
  }
  for (const [key, field] of Object.entries(fields)) {
    if (!field.required || all.some((entry) => entry.key === key)) continue;
    wrong({ ...spot, offset: spot.offset }, `${key} is missing`);
    ok = false;
  }
  return ok ? (values as Values<F>) : undefined;
}

export function unknownKey(key: string, known: readonly string[]): string {
  const like = nearest(key, known);
  const hint = like.length > 0 ? `did you mean ${eitherOf(like)}?` : `known here: ${known.join(", ")}`;
  return `unknown key ${JSON.stringify(key)}; ${hint}`;
}

const scalar = ({ node }: Spot): unknown => (isScalar(node) ? node.value : undefined);

export const text: Read<string> = (spot) => {
  const value = scalar(spot);
  return typeof value === "string" && value !== "" ? value : wrong(spot, `must be a text, not ${shown(spot)}`);
};

/** A text, or a number taken as one: versions, ports. */
export const word: Read<string> = (spot) => {
  const { node } = spot;
  // `1.30` is meant as it is written, not as the number 1.3.
  if (isScalar(node) && typeof node.value === "number") return node.source ?? String(node.value);
  return text(spot);
};

export const pattern =
  (allowed: RegExp, what: string): Read<string> =>
  (spot) => {
    const value = text(spot);
    return value === undefined || allowed.test(value) ? value : wrong(spot, `${shown(spot)} is not ${what}`);
  };

export const flag: Read<boolean> = (spot) => {
  const value = scalar(spot);
  return typeof value === "boolean" ? value : wrong(spot, `must be true or false, not ${shown(spot)}`);
};

export const integer =
  (min: number, max: number = Number.MAX_SAFE_INTEGER): Read<number> =>
  (spot) => {
    const value = scalar(spot);
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    return wrong(spot, `must be a whole number ${range}, not ${shown(spot)}`);
  };

/** Milliseconds. */
export const duration: Read<number> = (spot) => {
  const value = scalar(spot);
  const ms = typeof value === "string" ? parseDuration(value) : undefined;
  return ms ?? wrong(spot, `must be a duration such as 90s, 6m or 1h30m, not ${shown(spot)}`);
};

/** A duration that is handed on as it is written. */
export const durationAsWritten: Read<string> = (spot) =>
  duration(spot) === undefined ? undefined : String(scalar(spot));

export const oneOf =
  <const T extends string>(values: readonly T[]): Read<T> =>
  (spot) => {
    const value = scalar(spot);
    return values.find((one) => one === value) ?? wrong(spot, `must be ${values.join(" or ")}, not ${shown(spot)}`);
  };

/** The items of a list; undefined, and told, when it is none. */
export function items(spot: Spot): Spot[] | undefined {
  if (!isSeq(spot.node)) return wrong(spot, `must be a list, not ${shown(spot)}`);
  const offset = spot.node.range?.[0] ?? spot.offset;
  return spot.node.items.map((item, index) => {
    const node = resolved(spot, item as Node | null);
    return { source: spot.source, node, path: within(spot, `[${index}]`), offset };
  });
}

export const list =
  <T>(read: Read<T>, options: { nonEmpty?: boolean } = {}): Read<T[]> =>
  (spot) => {
    const all = items(spot);
    if (!all) return undefined;
    if (options.nonEmpty && all.length === 0) return wrong(spot, "must not be empty");
    const values = all.map(read);
    return values.some((value) => value === undefined) ? undefined : (values as T[]);
  };

/** Texts by name, such as labels. */
export const texts: Read<Record<string, string>> = (spot) => {
  const all = entries(spot);
  const values = all?.map(({ key, value }) => [key, word(value)] as const);
  if (!values || values.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(values as [string, string][]);
};

/** Anything that JSON can say. */
export const json: Read<unknown> = (spot) =>
  spot.node === undefined ? wrong(spot, "is missing") : (spot.node?.toJS(spot.source.document) ?? null);

/** A mapping of anything. */
export const jsonObject: Read<Record<string, unknown>> = (spot) =>
  isMap(spot.node)
    ? (spot.node.toJS(spot.source.document) as Record<string, unknown>)
    : wrong(spot, `must be a mapping, not ${shown(spot)}`);
