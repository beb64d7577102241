/**
 * Values of CEL at run time. null, booleans, strings, BigInt (int), number (double) and Uint8Array (bytes) are themselves; all else is one of the classes
 * below. Objects from the store are wrapped, not copied: what an expression never touches is never converted.
 */
import { type CelType, DYN, type ObjectType } from "./types.js";

/** Why an evaluation failed; `||`, `&&` and the quantifying macros may get over it. */
export class CelError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CelError";
  }
}

/** The evaluation cost more than it may: nothing gets over that. */
export class CelBudgetError extends Error {
  constructor() {
    super("operation cancelled: actual cost limit exceeded");
    this.name = "CelBudgetError";
  }
}

export class Uint {
  constructor(readonly value: bigint) {}
}

export class Timestamp {
  /** Nanoseconds since 1970. */
  constructor(readonly nanos: bigint) {}
}

export class Duration {
  constructor(readonly nanos: bigint) {}
}

export class TypeValue {
  constructor(readonly name: string) {}
}

export class Optional {
  constructor(
    readonly present: boolean,
    readonly value: Value,
  ) {}
  static readonly none = new Optional(false, null);
  static of(value: Value): Optional {
    return new Optional(true, value);
  }
}

/** A value that only functions look into. */
export class Opaque<T = unknown> {
  constructor(
    readonly type: string,
    readonly content: T,
  ) {}
}

export class ListValue {
  constructor(
    readonly items: readonly unknown[],
    /** The type of the items where they are JSON as yet; absent where they are values already. */
    readonly json?: CelType,
  ) {}
  get size(): number {
    return this.items.length;
  }
  at(index: number): Value {
    const item = this.items[index];
    return this.json ? fromJson(item, this.json) : (item as Value);
  }
  *[Symbol.iterator](): Generator<Value> {
    for (let i = 0; i < this.items.length; i++) yield this.at(i);
  }
}

/** A map: of JSON, or written in an expression. */
export abstract class MapValue {
  abstract get size(): number;
  abstract get(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;
}

class JsonMap extends MapValue {
  constructor(
    readonly json: Readonly<Record<string, unknown>>,
    readonly valueType: CelType,
  ) {
    super();
  }
  get size(): number {
    return this.keys().length;
  }
  get(key: Value): Value | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.json, key)) return undefined;
    const found = this.json[key];
    return found === undefined ? undefined : fromJson(found, this.valueType);
  }
  keys(): string[] {
    return Object.keys(this.json).filter((key) => this.json[key] !== undefined);
  }
}

/** Numbers that are equal are the same key, whatever their type. */
function mapKey(key: Value): string | undefined {
  switch (typeof key) {
    case "string":
      return `s${key}`;
    case "boolean":
      return `b${key}`;
    case "bigint":
      return `n${key}`;
    case "number":
      return Number.isInteger(key) ? `n${BigInt(key)}` : `n${key}`;
    default:
      return key instanceof Uint ? `n${key.value}` : undefined;
  }
}

class LiteralMap extends MapValue {
  readonly entries = new Map<string, { key: Value; value: Value }>();
  get size(): number {
    return this.entries.size;
  }
  get(key: Value): Value | undefined {
    const name = mapKey(key);
    return name === undefined ? undefined : this.entries.get(name)?.value;
  }
  *keys(): Iterable<Value> {
    for (const { key } of this.entries.values()) yield key;
  }
}

/** Fields whose values are worked out when somebody looks at them, once. */
export class LazyMap extends MapValue {
  readonly #known = new Map<string, Value>();
  constructor(readonly fields: ReadonlyMap<string, () => Value>) {
    super();
  }
  get size(): number {
    return this.fields.size;
  }
  get(key: Value): Value | undefined {
    if (typeof key !== "string") return undefined;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.fields.get(key)?.();
    if (found !== undefined) this.#known.set(key, found);
    return found;
  }
  keys(): Iterable<Value> {
    return this.fields.keys();
  }
}

/** Throws CelError for keys that cannot be, or come twice. */
export function mapValue(entries: Iterable<readonly [Value, Value]>): MapValue {
  const map = new LiteralMap();
  for (const [key, value] of entries) {
    const name = mapKey(key);
    if (name === undefined) throw new CelError(`unsupported key type: ${typeNameOf(key)}`);
    if (map.entries.has(name))
      throw new CelError(`Failed with repeated key ${typeof key === "string" ? key : toText(key)}`);
    map.entries.set(name, { key, value });
  }
  return map;
}

/** An object of a declared type. */
export class ObjectValue {
  constructor(
    readonly json: Readonly<Record<string, unknown>>,
    readonly type: ObjectType,
  ) {}
  get(field: string): Value | undefined {
    const declared = this.type.field(field);
    if (!declared || !Object.hasOwn(this.json, declared.json)) return undefined;
    const found = this.json[declared.json];
    return found === undefined ? undefined : fromJson(found, declared.type);
  }
}

/** An object that an expression wrote (`Object.spec{replicas: 3}`): only the fields that it names. */
export class BuiltObject {
  constructor(
    readonly type: ObjectType,
    readonly fields: ReadonlyMap<string, Value>,
  ) {}
}

export type Value =
  | null
  | boolean
  | string
  | bigint
  | number
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | Opaque
  | ListValue
  | MapValue
  | ObjectValue
  | BuiltObject;

/** JSON as a value of the type that its schema gives it. Without one, whole numbers are ints. */
export function fromJson(json: unknown, type: CelType): Value {
  if (json === null || json === undefined) return null;
  switch (typeof json) {
    case "boolean":
      return json;
    case "number":
      if (type.kind === "double") return json;
      return Number.isInteger(json) ? BigInt(json) : json;
    case "bigint":
      return json;
    case "string":
      if (type.kind === "timestamp") return parseTimestamp(json);
      if (type.kind === "duration") return parseDuration(json);
      if (type.kind === "bytes") return Buffer.from(json, "base64");
      return json;
    default:
  }
  if (Array.isArray(json)) return new ListValue(json, type.kind === "list" ? type.element : DYN);
  const record = json as Record<string, unknown>;
  if (type.kind === "object") return new ObjectValue(record, type);
  return new JsonMap(record, type.kind === "map" ? type.value : DYN);
}

/** A value as JSON, for patches and applied configurations. */
export function toJson(value: Value): unknown {
  if (value === null || typeof value === "boolean" || typeof value === "string" || typeof value === "number")
    return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Timestamp || value instanceof Duration) return toText(value);
  if (value instanceof ListValue) return [...value].map(toJson);
  if (value instanceof JsonMap || value instanceof ObjectValue) return value.json;
  if (value instanceof MapValue) {
    const json: Record<string, unknown> = {};
    for (const key of value.keys()) json[toText(key)] = toJson(value.get(key) ?? null);
    return json;
  }
  if (value instanceof BuiltObject) {
    const json: Record<string, unknown> = {};
    for (const [field, content] of value.fields) json[value.type.field(field)?.json ?? field] = toJson(content);
    return json;
  }
  if (value instanceof Optional) return value.present ? toJson(value.value) : null;
  throw new CelError(`type conversion error from '${typeNameOf(value)}' to JSON`);
}

/** What `type(value)` is called. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "string":
      return "string";
    case "bigint":
      return "int";
    case "number":
      return "double";
    default:
  }
  if (value === null) return "null_type";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Uint) return "uint";
  if (value instanceof Timestamp) return "google.protobuf.Timestamp";
  if (value instanceof Duration) return "google.protobuf.Duration";
  if (value instanceof TypeValue) return "type";
  if (value instanceof Optional) return "optional_type";
  if (value instanceof ListValue) return "list";
  if (value instanceof MapValue) return "map";
  if (value instanceof Opaque) return value.type;
  return value.type.name;
}

const NANOS = 1_000_000_000n;
const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/;

/** Throws CelError. */
export function parseTimestamp(text: string): Timestamp {
  const match = RFC3339.exec(text);
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(ms)) throw new CelError(`invalid timestamp ${JSON.stringify(text)}`);
  return new Timestamp(BigInt(ms) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0").slice(0, 9)));
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: NANOS,
  m: 60n * NANOS,
  h: 3600n * NANOS,
};

/** Go's spelling of durations. Throws CelError. */
export function parseDuration(text: string): Duration {
  const refuse = (): never => {
    throw new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  };
  const negative = text.startsWith("-");
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return new Duration(0n);
  if (rest === "") refuse();
  let nanos = 0n;
  while (rest !== "") {
    const match = /^(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/.exec(rest);
    if (!match || (match[1] === "" && !match[2])) return refuse();
    const unit = UNITS[match[3] as string] as bigint;
    nanos += BigInt(match[1] || "0") * unit;
    if (match[2]) nanos += (BigInt(match[2]) * unit) / 10n ** BigInt(match[2].length);
    rest = rest.slice(match[0].length);
  }
  return new Duration(negative ? -nanos : nanos);
}

const trimFraction = (nanos: bigint): string => {
  const digits = nanos.toString().padStart(9, "0").replace(/0+$/, "");
  return digits ? `.${digits}` : "";
};

export function formatDuration(nanos: bigint): string {
  const sign = nanos < 0n ? "-" : "";
  const size = nanos < 0n ? -nanos : nanos;
  return `${sign}${size / NANOS}${trimFraction(size % NANOS)}s`;
}

export function formatTimestamp(nanos: bigint): string {
  const fraction = ((nanos % NANOS) + NANOS) % NANOS;
  const seconds = (nanos - fraction) / NANOS;
  const date = new Date(Number(seconds) * 1000).toISOString();
  return `${date.slice(0, 19)}${trimFraction(fraction)}Z`;
}

export const formatDouble = (value: number): string => {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e21 || size < 1e-4)) {
    // Go writes at least two digits of exponent.
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return String(value);
};

/** What `string(value)` gives. Throws CelError for what has no text. */
export function toText(value: Value): string {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
    case "bigint":
      return String(value);
    case "number":
      return formatDouble(value);
    default:
  }
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value.nanos);
  if (value instanceof Duration) return formatDuration(value.nanos);
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(value);
    } catch {
      throw new CelError("invalid UTF-8 in bytes, cannot convert to string");
    }
  }
  if (value instanceof TypeValue) return value.name;
  if (value instanceof Opaque) return String(value.content);
  throw new CelError(`type conversion error from '${typeNameOf(value)}' to 'string'`);
}

type Numeric = bigint | number | Uint;
const isNumeric = (value: Value): value is Numeric =>
  typeof value === "bigint" || typeof value === "number" || value instanceof Uint;
const plain = (value: Numeric): bigint | number => (value instanceof Uint ? value.value : value);

/** Deep equality as CEL has it: numbers by amount, lists and maps by content, else by type. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isNumeric(a)) {
    // biome-ignore lint/suspicious/noDoubleEquals: compares BigInt and number by amount, exactly
    return isNumeric(b) && plain(a) == plain(b);
  }
  if (a instanceof ListValue) {
    if (!(b instanceof ListValue) || a.size !== b.size) return false;
    for (let i = 0; i < a.size; i++) if (!equal(a.at(i), b.at(i))) return false;
    return true;
  }
  if (a instanceof MapValue) {
    if (!(b instanceof MapValue) || a.size !== b.size) return false;
    for (const key of a.keys()) {
      const other = b.get(key);
      if (other === undefined || !equal(a.get(key) ?? null, other)) return false;
    }
    return true;
  }
  if (a instanceof ObjectValue || a instanceof BuiltObject) {
    if (!(b instanceof ObjectValue || b instanceof BuiltObject)) return false;
    return equal(fromJson(toJson(a), DYN), fromJson(toJson(b), DYN));
  }
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional)
    return b instanceof Optional && a.present === b.present && (!a.present || equal(a.value, b.value));
  if (a instanceof Opaque) {
    if (!(b instanceof Opaque) || a.type !== b.type) return false;
    const content = a.content as { equals?(other: unknown): boolean };
    return content.equals?.(b.content) ?? String(a.content) === String(b.content);
  }
  return false;
}

/** Negative, zero or positive; undefined where there is no order between the two. */
export function compare(a: Value, b: Value): number | undefined {
  if (isNumeric(a) && isNumeric(b)) {
    const [x, y] = [plain(a), plain(b)];
    // biome-ignore lint/suspicious/noDoubleEquals: compares BigInt and number by amount, exactly
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : Number.NaN;
  }
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return undefined;
}

/** How many things there are in it, or 1: what costs are counted by. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (value instanceof ListValue || value instanceof MapValue) return value.size;
  return value instanceof Uint8Array ? value.length : 1;
}
