/**
 * Decoder of protobuf bodies. Typed Go clients send every built-in object in this form and do not fall back when refused; answers are always JSON, which
 * they accept. The envelope is apimachinery's runtime.Unknown behind the four magic bytes `k8s\0`.
 */
import { formatMicros, formatSeconds } from "../../clock/clock.js";
import { typeOfKind } from "../schema/kinds.js";
import { type ProtoField, type ProtoMessage, protoMessage, type SpecialForm } from "../schema/proto.js";
import type { FieldType, ScalarType } from "../schema/schema.js";
import { LENGTH, Reader } from "./protobuf-reader.js";
import { DecodeError } from "./scalars.js";

const MAGIC = Buffer.from("k8s\0", "latin1");
/** Messages within messages. The deepest built-in type, without JSON schemas, has about 15 levels. */
const MAX_NESTING = 200;

const isProtobuf = (bytes: Buffer): boolean => bytes.subarray(0, MAGIC.length).equals(MAGIC);

/** The object in its JSON form, apiVersion and kind first. Throws DecodeError for bytes that are no such envelope and for kinds without a built-in type. */
export function decodeProtobuf(bytes: Buffer): Record<string, unknown> & { apiVersion: string; kind: string } {
  if (!isProtobuf(bytes))
    throw new DecodeError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  const envelope = { apiVersion: "", kind: "", raw: EMPTY };
  readFields(new Reader(bytes, MAGIC.length, bytes.length), (number, reader) => {
    if (number === 2) envelope.raw = reader.bytes();
    else if (number !== 1) return false;
    else {
      readFields(reader.nested(), (inner, meta) => {
        if (inner === 1) envelope.apiVersion = meta.text();
        else if (inner === 2) envelope.kind = meta.text();
        else return false;
        return true;
      });
    }
    return true;
  });
  const { apiVersion, kind, raw } = envelope;
  const type = typeOfKind(apiVersion, kind);
  const message = type === undefined ? undefined : protoMessage(type);
  if (!message)
    throw new DecodeError(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme`,
    );
  const object = { apiVersion, kind };
  readMessage(new Reader(raw, 0, raw.length), message, object, 0);
  return object;
}

const EMPTY: Buffer = Buffer.alloc(0);

/** Calls `read` for every field; fields that it does not know (it says false) are skipped, as Go's decoder does with fields of newer releases. */
function readFields(reader: Reader, read: (number: number, reader: Reader) => boolean): void {
  while (!reader.done) if (!read(reader.tag(), reader)) reader.skip();
}

function readMessage(
  reader: Reader,
  message: ProtoMessage,
  into: Record<string, unknown>,
  depth: number,
): Record<string, unknown> {
  if (depth > MAX_NESTING) throw new DecodeError("exceeded max depth");
  while (!reader.done) {
    const field = message.get(reader.tag());
    if (field === undefined) reader.skip();
    else if ("inlined" in field) readMessage(reader.nested(), field.inlined, into, depth + 1);
    else readField(reader, field, into, depth);
  }
  return into;
}

function readField(
  reader: Reader,
  { name, type, keepZero, special }: ProtoField,
  into: Record<string, unknown>,
  depth: number,
): void {
  if (type.kind === "list") {
    into[name] ??= [];
    const list = into[name] as unknown[];
    if (type.item.kind === "scalar" && NUMERIC.has(type.item.scalar) && reader.wireType === LENGTH) {
      for (const packed = reader.nested(); !packed.done; ) list.push(packed.varint());
    } else list.push(readValue(reader, type.item, undefined, depth) ?? null);
    return;
  }
  if (type.kind === "map") {
    into[name] ??= {};
    const [key, value] = readEntry(reader.nested(), type.value, special, depth);
    // Defined rather than assigned: `__proto__` is a lawful key of a ConfigMap.
    Object.defineProperty(into[name], key, { value, enumerable: true, configurable: true, writable: true });
    return;
  }
  const value = readValue(reader, type, special, depth);
  if (value !== undefined && (keepZero || !isZero(value))) into[name] = value;
}

const NUMERIC: ReadonlySet<ScalarType> = new Set<ScalarType>(["int32", "int64", "boolean"]);

function isZero(value: unknown): boolean {
  if (typeof value !== "object" || value === null)
    return value === "" || value === 0 || value === false || value === null;
  return Object.keys(value).length === 0;
}

/** A map's entry: a message with the key as field 1 and the value as field 2. A value that is left out is the type's zero. */
function readEntry(
  reader: Reader,
  type: FieldType,
  special: SpecialForm | undefined,
  depth: number,
): [key: string, value: unknown] {
  let key = "";
  let value: unknown;
  readFields(reader, (number) => {
    if (number === 1) key = reader.text();
    else if (number === 2) value = readValue(reader, type, special, depth);
    else return false;
    return true;
  });
  return [key, value ?? (type.kind === "scalar" ? (ZEROES[type.scalar] ?? null) : type.kind === "list" ? [] : {})];
}

const ZEROES: Partial<Record<ScalarType, unknown>> = {
  string: "",
  bytes: "",
  int32: 0,
  int64: 0,
  boolean: false,
  quantity: "0",
};

function readValue(reader: Reader, type: FieldType, special: SpecialForm | undefined, depth: number): unknown {
  if (special) return SPECIAL_READERS[special](reader.nested(), depth + 1);
  if (type.kind === "scalar") return SCALAR_READERS[type.scalar](reader);
  if (type.kind !== "ref") throw new Error(`protobuf has no form for a ${type.kind} inside of a ${type.kind}`);
  return readType(reader, type.ref, depth);
}

function readType(reader: Reader, typeName: string, depth: number): Record<string, unknown> {
  const message = protoMessage(typeName);
  // Decoding a message without its layout would lose data in silence.
  if (!message) throw new Error(`no protobuf layout is known for ${typeName}`);
  return readMessage(reader.nested(), message, {}, depth + 1);
}

/** Undefined means absent: the zero time, which Go writes as an empty message. */
const SCALAR_READERS: Readonly<Record<ScalarType, (reader: Reader) => unknown>> = {
  string: (reader) => reader.text(),
  bytes: (reader) => reader.bytes().toString("base64"),
  int32: (reader) => reader.integer() | 0,
  int64: (reader) => reader.integer(),
  double: (reader) => reader.double(),
  number: (reader) => reader.double(),
  boolean: (reader) => reader.integer() !== 0,
  time: (reader) => readTime(reader, formatSeconds),
  microtime: (reader) => readTime(reader, formatMicros),
  "int-or-string": (reader) => {
    const value = { isString: false, int: 0, string: "" };
    readFields(reader.nested(), (number, inner) => {
      if (number === 1) value.isString = inner.integer() !== 0;
      else if (number === 2) value.int = inner.integer() | 0;
      else if (number === 3) value.string = inner.text();
      else return false;
      return true;
    });
    return value.isString ? value.string : value.int;
  },
  quantity: (reader) => readWrapped(reader).toString("utf8"),
  any: (reader) => {
    const raw = readWrapped(reader);
    if (raw.length === 0) return undefined;
    if (isProtobuf(raw)) return decodeProtobuf(raw);
    try {
      return JSON.parse(raw.toString("utf8"));
    } catch (error) {
      throw new DecodeError(error instanceof Error ? error.message : String(error));
    }
  },
};

/** The bytes of a message that wraps nothing but field 1 (Quantity, RawExtension, FieldsV1, JSON). */
function readWrapped(reader: Reader): Buffer {
  let wrapped = EMPTY;
  readFields(reader.nested(), (number, inner) => {
    if (number === 1) wrapped = inner.bytes();
    return number === 1;
  });
  return wrapped;
}

function readTime(reader: Reader, format: (epochMs: number) => string): string | undefined {
  let seconds: number | undefined;
  let nanos = 0;
  readFields(reader.nested(), (number, inner) => {
    if (number === 1) seconds = inner.integer();
    else if (number === 2) nanos = inner.integer() | 0;
    else return false;
    return true;
  });
  if (seconds === undefined) return undefined;
  const epochMs = seconds * 1000 + Math.floor(nanos / 1e6);
  if (Math.abs(epochMs) > 8.64e15) throw new DecodeError(`proto: time ${seconds} is out of range`);
  const text = format(epochMs);
  if (format === formatSeconds) return text;
  return `${text.slice(0, 20)}${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
}

const readSchema = (reader: Reader, depth: number): Record<string, unknown> =>
  readType(reader, "JSONSchemaProps", depth);

const SPECIAL_READERS: Readonly<Record<SpecialForm, (reader: Reader, depth: number) => unknown>> = {
  "string-list": (reader) => {
    const items: string[] = [];
    readFields(reader, (number) => number === 1 && items.push(reader.text()) > 0);
    return items;
  },
  "schema-or-array": (reader, depth) => {
    let schema: unknown;
    const schemas: unknown[] = [];
    readFields(reader, (number) => {
      if (number === 1) schema = readSchema(reader, depth);
      else if (number === 2) schemas.push(readSchema(reader, depth));
      else return false;
      return true;
    });
    return schemas.length > 0 ? schemas : schema;
  },
  "schema-or-bool": (reader, depth) => {
    let allows = false;
    let schema: unknown;
    readFields(reader, (number) => {
      if (number === 1) allows = reader.integer() !== 0;
      else if (number === 2) schema = readSchema(reader, depth);
      else return false;
      return true;
    });
    return schema ?? allows;
  },
  "schema-or-strings": (reader, depth) => {
    let schema: unknown;
    const names: string[] = [];
    readFields(reader, (number) => {
      if (number === 1) schema = readSchema(reader, depth);
      else if (number === 2) names.push(reader.text());
      else return false;
      return true;
    });
    return schema ?? names;
  },
};
