import { CelError, Duration, Timestamp, TypeValue, Uint } from "./scalars.js";
import { formatDuration, formatTimestamp, parseDuration, parseTimestamp } from "./times.js";
/**
 * Values of CEL at run time. null, booleans, strings, BigInt (int), number (double) and Uint8Array (bytes) are themselves; all else is one of the classes
 * below. Objects from the store are wrapped, not copied: what an expression never touches is never converted.
 */
import { type CelType, DYN, type ObjectType } from "./types.js";

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

export class JsonMap extends MapValue {
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
