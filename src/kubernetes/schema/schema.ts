/**
 * The shapes of all built-in Kubernetes types, so that validation, pruning, server-side apply and strategic merge can walk an object by its schema.
 * The table is generated (generated/schema.json); a type is parsed out of it the first time somebody asks for it.
 */
import { readFileSync } from "node:fs";
import { isQuantity } from "./overlay.js";

/** Wire types of single values. `bytes` is base64 text; `time` RFC 3339 with seconds, `microtime` with microseconds; `any` is arbitrary JSON. */
export type ScalarType =
  | "string"
  | "bytes"
  | "int32"
  | "int64"
  | "double"
  | "number"
  | "boolean"
  | "time"
  | "microtime"
  | "int-or-string"
  | "quantity"
  | "any";

export type FieldType =
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | { readonly kind: "list"; readonly item: FieldType }
  | { readonly kind: "map"; readonly value: FieldType }
  | { readonly kind: "ref"; readonly ref: string };

export interface FieldSchema {
  readonly name: string;
  readonly type: FieldType;
  readonly required: boolean;
}

export interface TypeSchema {
  /** Name in the tables, e.g. `PodSpec`, `CoreEvent`, `V2HorizontalPodAutoscaler`. */
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldSchema>;
}

interface SchemaFile {
  source: string;
  types: Record<string, Record<string, string>>;
}

let file: SchemaFile | undefined;
const parsed = new Map<string, TypeSchema>();

function schemaFile(): SchemaFile {
  file ??= JSON.parse(readFileSync(new URL("./generated/schema.json", import.meta.url), "utf8")) as SchemaFile;
  return file;
}

/** Schema of a type by its name in the tables; undefined for an unknown name (custom resources have no built-in schema). */
export function typeOf(name: string): TypeSchema | undefined {
  const known = parsed.get(name);
  if (known) return known;
  const types = schemaFile().types;
  const coded = Object.hasOwn(types, name) ? types[name] : undefined;
  if (!coded) return undefined;
  const fields = new Map<string, FieldSchema>();
  for (const [field, code] of Object.entries(coded)) {
    const required = code.endsWith("!");
    const type = parseType(required ? code.slice(0, -1) : code, isQuantity(name, field));
    fields.set(field, { name: field, type, required });
  }
  const schema: TypeSchema = { name, fields };
  parsed.set(name, schema);
  return schema;
}

/** Names of all built-in types. */
export function typeNames(): readonly string[] {
  return Object.keys(schemaFile().types);
}

function parseType(code: string, quantity: boolean): FieldType {
  if (code.startsWith("[]")) return { kind: "list", item: parseType(code.slice(2), quantity) };
  if (code.startsWith("{}")) return { kind: "map", value: parseType(code.slice(2), quantity) };
  if (code.startsWith("#")) return { kind: "ref", ref: code.slice(1) };
  return { kind: "scalar", scalar: quantity ? "quantity" : (code as ScalarType) };
}
