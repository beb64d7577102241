import { timeFunctions } from "./calendar.js";
/** The standard functions and operators of CEL. */

import { compare, equal, sizeOf } from "../comparison.js";
import { regexMatches } from "../regex.js";
import { CelError, Duration, Timestamp, TypeValue, Uint } from "../scalars.js";
import { parseDuration, parseTimestamp } from "../times.js";
import { formatDouble, ListValue, type MapValue, toText, typeNameOf, type Value } from "../values.js";
import { define, type Overload, regexCost, traversal, traversalAndResult } from "./declare.js";

const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);
const MAX_UINT = 2n ** 64n - 1n;

export function int(value: bigint): bigint {
  if (value > MAX_INT || value < MIN_INT) throw new CelError("integer overflow");
  return value;
}

function uint(value: bigint): Uint {
  if (value > MAX_UINT || value < 0n) throw new CelError("unsigned integer overflow");
  return new Uint(value);
}

const MAX_TIMESTAMP = 253_402_300_799_999_999_999n;
const MIN_TIMESTAMP = -62_135_596_800_000_000_000n;

export function timestamp(nanos: bigint): Timestamp {
  if (nanos > MAX_TIMESTAMP || nanos < MIN_TIMESTAMP) throw new CelError("timestamp overflow");
  return new Timestamp(nanos);
}

export function duration(nanos: bigint): Duration {
  if (nanos > MAX_INT || nanos < MIN_INT) throw new CelError("duration overflow");
  return new Duration(nanos);
}

function nonZero<T>(divisor: T, zero: boolean, what: string): T {
  if (zero) throw new CelError(what);
  return divisor;
}

function fromDouble(value: number): bigint {
  if (!Number.isFinite(value) || value >= 2 ** 63 || value <= -(2 ** 63)) throw new CelError("integer overflow");
  return BigInt(Math.trunc(value));
}

const arithmetic: readonly Overload[] = [
  define("_+_", "(int, int) -> int", (a: bigint, b: bigint) => int(a + b)),
  define("_-_", "(int, int) -> int", (a: bigint, b: bigint) => int(a - b)),
  define("_*_", "(int, int) -> int", (a: bigint, b: bigint) => int(a * b)),
  define("_/_", "(int, int) -> int", (a: bigint, b: bigint) => int(a / nonZero(b, b === 0n, "division by zero"))),
  define("_%_", "(int, int) -> int", (a: bigint, b: bigint) => a % nonZero(b, b === 0n, "modulus by zero")),
  define("-_", "(int) -> int", (a: bigint) => int(-a)),
  define("_+_", "(uint, uint) -> uint", (a: Uint, b: Uint) => uint(a.value + b.value)),
  define("_-_", "(uint, uint) -> uint", (a: Uint, b: Uint) => uint(a.value - b.value)),
  define("_*_", "(uint, uint) -> uint", (a: Uint, b: Uint) => uint(a.value * b.value)),
  define("_/_", "(uint, uint) -> uint", (a: Uint, b: Uint) =>
    uint(a.value / nonZero(b.value, b.value === 0n, "division by zero")),
  ),
  define("_%_", "(uint, uint) -> uint", (a: Uint, b: Uint) =>
    uint(a.value % nonZero(b.value, b.value === 0n, "modulus by zero")),
  ),
  define("_+_", "(double, double) -> double", (a: number, b: number) => a + b),
  define("_-_", "(double, double) -> double", (a: number, b: number) => a - b),
  define("_*_", "(double, double) -> double", (a: number, b: number) => a * b),
  define("_/_", "(double, double) -> double", (a: number, b: number) => a / b),
  define("-_", "(double) -> double", (a: number) => -a),
  define("_+_", "(string, string) -> string", (a: string, b: string) => a + b, traversalAndResult),
  define(
    "_+_",
    "(bytes, bytes) -> bytes",
    (a: Uint8Array, b: Uint8Array) => new Uint8Array([...a, ...b]),
    traversalAndResult,
  ),
  define("_+_", "(list(A), list(A)) -> list(A)", (a: ListValue, b: ListValue) => new ListValue([...a, ...b])),
  define("_+_", "(duration, duration) -> duration", (a: Duration, b: Duration) => duration(a.nanos + b.nanos)),
  define("_-_", "(duration, duration) -> duration", (a: Duration, b: Duration) => duration(a.nanos - b.nanos)),
  define("_+_", "(timestamp, duration) -> timestamp", (a: Timestamp, b: Duration) => timestamp(a.nanos + b.nanos)),
  define("_+_", "(duration, timestamp) -> timestamp", (a: Duration, b: Timestamp) => timestamp(a.nanos + b.nanos)),
  define("_-_", "(timestamp, duration) -> timestamp", (a: Timestamp, b: Duration) => timestamp(a.nanos - b.nanos)),
  define("_-_", "(timestamp, timestamp) -> duration", (a: Timestamp, b: Timestamp) => duration(a.nanos - b.nanos)),
];

const ORDERED = ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"];
/** Numbers of different types have an order too. */
const MIXED = ["int", "uint", "double"].flatMap((a) =>
  ["int", "uint", "double"].filter((b) => a !== b).map((b) => [a, b] as const),
);

const lesser = (args: readonly Value[]): number =>
  Math.max(1, Math.ceil(Math.min(sizeOf(args[0] ?? null), sizeOf(args[1] ?? null)) * 0.1));

const relations: readonly Overload[] = (
  [
    ["_<_", (order: number) => order < 0],
    ["_<=_", (order: number) => order <= 0],
    ["_>_", (order: number) => order > 0],
    ["_>=_", (order: number) => order >= 0],
  ] as const
).flatMap(([name, holds]) =>
  [...ORDERED.map((type) => [type, type] as const), ...MIXED].map(([left, right]) =>
    define(
      name,
      `(${left}, ${right}) -> bool`,
      (a: Value, b: Value) => {
        const order = compare(a, b);
        if (order === undefined) throw new CelError("no such overload");
        return holds(order);
      },
      lesser,
    ),
  ),
);

const general: readonly Overload[] = [
  define("_==_", "(A, A) -> bool", (a: Value, b: Value) => equal(a, b), lesser),
  define("_!=_", "(A, A) -> bool", (a: Value, b: Value) => !equal(a, b), lesser),
  define("!_", "(bool) -> bool", (a: boolean) => !a),
  define(
    "@in",
    "(A, list(A)) -> bool",
    (item: Value, list: ListValue) => {
      for (const candidate of list) if (equal(candidate, item)) return true;
      return false;
    },
    ([, list]) => sizeOf(list ?? null),
  ),
  define("@in", "(A, map(A, B)) -> bool", (key: Value, map: MapValue) => map.get(key) !== undefined),
  define("_[_]", "(list(A), int) -> A", (list: ListValue, index: bigint) => {
    if (index < 0n || index >= BigInt(list.size)) throw new CelError(`index out of bounds: ${index}`);
    return list.at(Number(index));
  }),
  define("_[_]", "(map(A, B), A) -> B", (map: MapValue, key: Value) => {
    const found = map.get(key);
    if (found === undefined) throw new CelError(`no such key: ${toText(key)}`);
    return found;
  }),
  define("dyn", "(A) -> dyn", (value: Value) => value),
  define("type", "(A) -> type(A)", (value: Value) => new TypeValue(typeNameOf(value))),
  ...["string.", "bytes.", "list(A).", "map(A, B).", ""].flatMap((receiver) =>
    (receiver ? [receiver] : ["string", "bytes", "list(A)", "map(A, B)"]).map((type) =>
      define("size", receiver ? `${type}() -> int` : `(${type}) -> int`, (value: Value) =>
        typeof value === "string" ? BigInt([...value].length) : BigInt(sizeOf(value)),
      ),
    ),
  ),
];

const text: readonly Overload[] = [
  define("contains", "string.(string) -> bool", (a: string, b: string) => a.includes(b), traversal),
  define(
    "startsWith",
    "string.(string) -> bool",
    (a: string, b: string) => a.startsWith(b),
    ([, b]) => traversal([b ?? null], null),
  ),
  define(
    "endsWith",
    "string.(string) -> bool",
    (a: string, b: string) => a.endsWith(b),
    ([, b]) => traversal([b ?? null], null),
  ),
  define("matches", "string.(string) -> bool", regexMatches, regexCost),
  define("matches", "(string, string) -> bool", regexMatches, regexCost),
];

function parseInteger(value: string): bigint {
  if (!/^[+-]?\d+$/.test(value))
    throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  const parsed = BigInt(value.replace(/^\+/, ""));
  if (parsed > MAX_INT || parsed < MIN_INT)
    throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(value)}: value out of range`);
  return parsed;
}

function parseBool(value: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
  throw new CelError(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}

function parseDouble(value: string): number {
  const parsed = value.trim() === "" ? Number.NaN : Number(value);
  if (Number.isNaN(parsed) && !/^[+-]?nan$/i.test(value) && !/^[+-]?inf(inity)?$/i.test(value))
    throw new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
  if (/inf/i.test(value)) return value.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return parsed;
}

const conversions: readonly Overload[] = [
  define("int", "(int) -> int", (value: bigint) => value),
  define("int", "(uint) -> int", ({ value }: Uint) => int(value)),
  define("int", "(double) -> int", fromDouble),
  define("int", "(string) -> int", parseInteger),
  define(
    "int",
    "(timestamp) -> int",
    ({ nanos }: Timestamp) => (nanos - (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n,
  ),
  define("int", "(duration) -> int", ({ nanos }: Duration) => nanos),
  define("uint", "(uint) -> uint", (value: Uint) => value),
  define("uint", "(int) -> uint", (value: bigint) => uint(value)),
  define("uint", "(double) -> uint", (value: number) => uint(value < 0 ? -1n : fromDouble(value))),
  define("uint", "(string) -> uint", (value: string) => {
    if (!/^\d+$/.test(value)) throw new CelError(`strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`);
    return uint(BigInt(value));
  }),
  define("double", "(double) -> double", (value: number) => value),
  define("double", "(int) -> double", (value: bigint) => Number(value)),
  define("double", "(uint) -> double", ({ value }: Uint) => Number(value)),
  define("double", "(string) -> double", parseDouble),
  define("bool", "(bool) -> bool", (value: boolean) => value),
  define("bool", "(string) -> bool", parseBool),
  define("bytes", "(bytes) -> bytes", (value: Uint8Array) => value),
  define("bytes", "(string) -> bytes", (value: string) => new Uint8Array(Buffer.from(value)), traversal),
  define("string", "(double) -> string", formatDouble),
  ...["string", "int", "uint", "bool", "bytes", "timestamp", "duration"].map((type) =>
    define("string", `(${type}) -> string`, toText, type === "string" || type === "bytes" ? traversal : undefined),
  ),
  define("timestamp", "(timestamp) -> timestamp", (value: Timestamp) => value),
  define("timestamp", "(int) -> timestamp", (seconds: bigint) => timestamp(seconds * 1_000_000_000n)),
  define("timestamp", "(string) -> timestamp", parseTimestamp),
  define("duration", "(duration) -> duration", (value: Duration) => value),
  define("duration", "(int) -> duration", (nanos: bigint) => duration(nanos)),
  define("duration", "(string) -> duration", parseDuration),
];

export const standardFunctions: readonly Overload[] = [
  ...arithmetic,
  ...relations,
  ...general,
  ...text,
  ...conversions,
  ...timeFunctions,
];
