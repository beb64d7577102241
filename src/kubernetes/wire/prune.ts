/**
 * The door through which every object from outside comes: drops what the schema does not know and what is null, refuses values of the wrong type, and
 * brings quantities and times into the spelling that the API server stores. One walk; an object that is right already is returned as it is.
 */
import { type FieldType, type TypeSchema, typeOf } from "../schema/schema.js";
import { DecodeError, GO_SCALARS, SCALARS, ZERO_VALUES } from "./scalars.js";

export interface Pruned {
  object: Record<string, unknown>;
  /** Paths of the fields that were dropped because the type has none such, e.g. `spec.containers[0].foo`, in order of appearance. */
  unknown: readonly string[];
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

/** JSON schemas have members that can be schemas, though the published schema does not say so. */
const SCHEMA = "JSONSchemaProps";
const NESTED_SCHEMA: FieldType = { kind: "ref", ref: SCHEMA };
const NESTED_SCHEMAS: FieldType = { kind: "list", item: NESTED_SCHEMA };

function isNestedSchema(struct: string, field: string, value: unknown): boolean {
  if (struct !== SCHEMA) return false;
  if (field === "items") return typeof value === "object";
  return (field === "additionalProperties" || field === "additionalItems") && isObject(value);
}

type Step = string | number | { in: string };

interface Walk {
  unknown: string[];
  /** Way to the struct or list being walked: field names, map keys (which have an `in`) and list indexes. */
  path: Step[];
}

function pruneStruct(walk: Walk, schema: TypeSchema, value: Record<string, unknown>): Record<string, unknown> {
  let changes: Map<string, unknown> | undefined;
  for (const key in value) {
    const field = schema.fields.get(key);
    const present = value[key];
    let kept: unknown;
    if (field === undefined) walk.unknown.push(pathText(walk.path, key));
    else if (present !== null && present !== undefined) kept = pruneValue(walk, field.type, present, schema.name, key);
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
      if (type.scalar === "any" && isNestedSchema(struct, field, value))
        return pruneValue(walk, Array.isArray(value) ? NESTED_SCHEMAS : NESTED_SCHEMA, value, struct, field);
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
    walk.path.push({ in: key });
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
  return ZERO_VALUES[type.scalar];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `spec.containers[0].image`: list indexes in brackets. */
function pathText(path: readonly Step[], last: string): string {
  let text = "";
  for (const step of path) {
    const name = typeof step === "object" ? step.in : step;
    text += typeof name === "number" ? `[${name}]` : text ? `.${name}` : name;
  }
  return last === "" ? text : text ? `${text}.${last}` : last;
}

function mismatch(walk: Walk, value: unknown, type: FieldType, struct: string, field: string): DecodeError {
  // Go leaves list indexes and map keys out of these paths, though not out of those of unknown fields.
  const path = pathText(
    walk.path.filter((step) => typeof step === "string"),
    field,
  );
  return new DecodeError(
    `json: cannot unmarshal ${describe(value)} into Go struct field ${struct}.${path} of type ${goType(type)}`,
    unconvertible(value, type),
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

/** What Go says of such a value when it turns a map into a struct, as it does with the outcome of a strategic merge. */
function unconvertible(value: unknown, type: FieldType): string {
  const kind = Array.isArray(value) ? "slice" : isObject(value) ? "map" : describe(value).replace(/^number.*/, "int64");
  if (type.kind === "list") return `cannot restore slice from ${kind}`;
  if (type.kind === "map") return `cannot restore map from ${kind}`;
  if (type.kind === "ref") return `cannot restore struct from: ${kind}`;
  return `unrecognized type: ${goType(type)}`;
}

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
