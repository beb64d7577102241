/**
 * The door through which every object from outside comes: drops what the schema does not know and what is null, refuses values of the wrong type, and
 * brings quantities and times into the spelling that the API server stores. One walk; an object that is right already is returned as it is.
 */
import { canonicalQuantity, isQuantity } from "../registry/quantity.js";
import type { FieldType, ScalarType, TypeSchema } from "../schema/schema.js";
import { typeOf } from "../schema/schema.js";

export interface Pruned {
  object: Record<string, unknown>;
  /** Paths of the fields that were dropped because the type has none such, e.g. `spec.containers[0].foo`, in order of appearance. */
  unknown: readonly string[];
}

/** A value that the type cannot hold. The message is the one that Go's decoder gives. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DecodeError";
  }
}

/**
 * Checks `object` against a built-in type, or, where `typeName` is no built-in type (custom resources), its metadata alone. Never changes what it is given.
 * Throws DecodeError at the first value of a wrong type.
 */
export function pruneAndCheck(typeName: string, object: Record<string, unknown>): Pruned {
  const walk: Walk = { unknown: [], path: [] };
  const schema = typeOf(typeName);
  if (schema) return { object: pruneStruct(walk, schema, object), unknown: walk.unknown };
  const { metadata } = object;
  if (metadata === undefined || metadata === null) return { object, unknown: [] };
  walk.path.push("metadata");
  const checked = pruneValue(walk, METADATA, metadata, typeName, "");
  return { object: checked === metadata ? object : { ...object, metadata: checked }, unknown: walk.unknown };
}

const METADATA: FieldType = { kind: "ref", ref: "ObjectMeta" };

interface Walk {
  unknown: string[];
  /** Way to the struct or list being walked: field names, map keys and list indexes. */
  path: (string | number)[];
}

function pruneStruct(walk: Walk, schema: TypeSchema, value: Record<string, unknown>): Record<string, unknown> {
  let changes: Map<string, unknown> | undefined;
  for (const key in value) {
    const field = schema.fields.get(key);
    const present = value[key];
    let kept: unknown;
    if (field === undefined) walk.unknown.push(pathText(walk.path, key));
    else if (present !== null) kept = pruneValue(walk, field.type, present, schema.name, key);
    if (kept === present) continue;
    changes ??= new Map();
    changes.set(key, kept);
  }
  return changes ? withChanges(value, changes) : value;
}

/** A copy with some members replaced; those replaced by undefined are left out. */
function withChanges(value: Record<string, unknown>, changes: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const key in value) {
    const kept = changes.has(key) ? changes.get(key) : value[key];
    if (kept !== undefined) entries.push([key, kept]);
  }
  return Object.fromEntries(entries);
}

/** `struct` and `field` name the place in messages; `field` is empty for items and map values, whose place the path alone tells. */
function pruneValue(walk: Walk, type: FieldType, value: unknown, struct: string, field: string): unknown {
  switch (type.kind) {
    case "scalar":
      // The common scalars are judged here, without a call.
      if (
        type.scalar === "string" ? typeof value === "string" : type.scalar === "boolean" && typeof value === "boolean"
      )
        return value;
      return SCALARS[type.scalar](value, () => mismatch(walk, value, type, struct, field));
    case "ref": {
      const schema = typeOf(type.ref);
      if (!schema) throw new Error(`the schema lacks ${type.ref}`);
      if (!isObject(value)) throw mismatch(walk, value, type, struct, field);
      if (field) walk.path.push(field);
      const kept = pruneStruct(walk, schema, value);
      if (field) walk.path.pop();
      return kept;
    }
    case "list":
      if (!Array.isArray(value)) throw mismatch(walk, value, type, struct, field);
      if (field) walk.path.push(field);
      value = pruneList(walk, type.item, value, struct);
      if (field) walk.path.pop();
      return value;
    case "map":
      if (!isObject(value)) throw mismatch(walk, value, type, struct, field);
      if (field) walk.path.push(field);
      value = pruneMap(walk, type.value, value, struct);
      if (field) walk.path.pop();
      return value;
  }
}

function pruneList(walk: Walk, item: FieldType, list: unknown[], struct: string): unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const present = list[index];
    walk.path.push(index);
    const kept = present === null ? zeroOf(item) : pruneValue(walk, item, present, struct, "");
    walk.path.pop();
    if (kept === present) continue;
    copy ??= [...list];
    copy[index] = kept;
  }
  return copy ?? list;
}

function pruneMap(walk: Walk, type: FieldType, map: Record<string, unknown>, struct: string): Record<string, unknown> {
  let changes: Map<string, unknown> | undefined;
  for (const key in map) {
    const present = map[key];
    walk.path.push(key);
    const kept = present === null ? zeroOf(type) : pruneValue(walk, type, present, struct, "");
    walk.path.pop();
    if (kept === present) continue;
    changes ??= new Map();
    changes.set(key, kept);
  }
  return changes ? withChanges(map, changes) : map;
}

/** What Go makes of a null inside a list or map: the type's zero value. */
function zeroOf(type: FieldType): unknown {
  if (type.kind === "ref" || type.kind === "map") return {};
  if (type.kind === "list") return [];
  return ZERO[type.scalar];
}

const ZERO: Readonly<Record<ScalarType, unknown>> = {
  string: "",
  bytes: "",
  int32: 0,
  int64: 0,
  double: 0,
  number: 0,
  boolean: false,
  time: null,
  microtime: null,
  "int-or-string": 0,
  quantity: "0",
  any: null,
};

type Refusal = () => DecodeError;

/** For each scalar: the value as stored, or the refusal thrown. */
const SCALARS: Readonly<Record<ScalarType, (value: unknown, refusal: Refusal) => unknown>> = {
  string: expectString,
  boolean: (value, refusal) => {
    if (typeof value !== "boolean") throw refusal();
    return value;
  },
  bytes: (value, refusal) => {
    const at = illegalBase64At(expectString(value, refusal));
    if (at >= 0) throw new DecodeError(`illegal base64 data at input byte ${at}`);
    return value;
  },
  int32: (value, refusal) => {
    if (!Number.isInteger(value) || (value as number) < -(2 ** 31) || (value as number) >= 2 ** 31) throw refusal();
    return value;
  },
  int64: (value, refusal) => {
    if (!Number.isInteger(value)) throw refusal();
    return value;
  },
  double: expectNumber,
  number: expectNumber,
  time: (value, refusal) =>
    normalTime(expectString(value, refusal), SECONDS, (date) => `${date.toISOString().slice(0, 19)}Z`),
  microtime: (value, refusal) => {
    const text = expectString(value, refusal);
    // A Date holds milliseconds only: the digits beyond are kept as text.
    const fraction = (/\.(\d+)/.exec(text)?.[1] ?? "").padEnd(6, "0").slice(0, 6);
    return normalTime(text, MICROSECONDS, (date) => `${date.toISOString().slice(0, 19)}.${fraction}Z`);
  },
  "int-or-string": (value, refusal) => {
    if (typeof value !== "string" && !Number.isInteger(value)) throw refusal();
    return value;
  },
  quantity: (value, refusal) => {
    if (typeof value !== "string" && typeof value !== "number") throw refusal();
    const canonical = canonicalQuantity(String(value));
    if (PLAIN_QUANTITY.test(canonical) || isQuantity(canonical)) return canonical;
    throw new DecodeError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  },
  any: (value) => value,
};

/** Nearly all canonical quantities: these need no exact parsing to be known for one. */
const PLAIN_QUANTITY = /^\d{1,15}(?:[mkMGTPE]|[KMGTPE]i)?$/;

function expectString(value: unknown, refusal: Refusal): string {
  if (typeof value !== "string") throw refusal();
  return value;
}

function expectNumber(value: unknown, refusal: Refusal): number {
  if (typeof value !== "number") throw refusal();
  return value;
}

const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const MICROSECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** UTC in the type's own precision, as Go prints what it has parsed. */
function normalTime(text: string, normal: RegExp, print: (date: Date) => string): string {
  const date = RFC3339.test(text) ? new Date(text) : undefined;
  if (!date || Number.isNaN(date.getTime())) {
    throw new DecodeError(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`,
    );
  }
  return normal.test(text) ? text : print(date);
}

/** Offset of the first byte that standard base64 with padding does not allow; -1 when there is none. Line breaks are allowed, as in Go. */
function illegalBase64At(text: string): number {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return -1;
  const compact = text.replace(/[\r\n]/g, "");
  if (compact !== text && illegalBase64At(compact) < 0) return -1;
  const odd = /[^A-Za-z0-9+/\r\n]/.exec(text);
  return odd ? odd.index : text.length;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `spec.containers[0].image`: list indexes in brackets. */
function pathText(path: readonly (string | number)[], last: string): string {
  let text = "";
  for (const step of path) text += typeof step === "number" ? `[${step}]` : text ? `.${step}` : step;
  return last === "" ? text : text ? `${text}.${last}` : last;
}

function mismatch(walk: Walk, value: unknown, type: FieldType, struct: string, field: string): DecodeError {
  // Go leaves list indexes out of these paths, though not out of those of unknown fields.
  const path = pathText(
    walk.path.filter((step) => typeof step === "string"),
    field,
  );
  return new DecodeError(
    `json: cannot unmarshal ${describe(value)} into Go struct field ${struct}.${path} of type ${goType(type)}`,
  );
}

/** Go's words for JSON values; numbers that merely do not fit are quoted. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? "number" : `number ${value}`;
  return typeof value;
}

const GO_SCALARS: Readonly<Record<ScalarType, string>> = {
  string: "string",
  bytes: "[]uint8",
  int32: "int32",
  int64: "int64",
  double: "float64",
  number: "float64",
  boolean: "bool",
  time: "v1.Time",
  microtime: "v1.MicroTime",
  "int-or-string": "intstr.IntOrString",
  quantity: "resource.Quantity",
  any: "runtime.RawExtension",
};

function goType(type: FieldType): string {
  switch (type.kind) {
    case "scalar":
      return GO_SCALARS[type.scalar];
    case "list":
      return `[]${goType(type.item)}`;
    case "map":
      return `map[string]${goType(type.value)}`;
    case "ref":
      return type.ref.startsWith("V2") ? `v2.${type.ref.slice(2)}` : `v1.${type.ref}`;
  }
}
