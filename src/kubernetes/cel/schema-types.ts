/**
 * CEL types of structural schemas: which fields an expression may speak of, what they are called in it, and how large values can get. The rules are
 * those of apiserver's `pkg/cel/common` (escaping, int-or-string, unknown fields, sizes for cost).
 */
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  type ObjectField,
  type ObjectType,
  STRING,
  TIMESTAMP,
} from "./types.js";

/** The parts of an OpenAPI v3 schema that types are made of. */
export interface CelSchema {
  type?: string;
  format?: string;
  properties?: Readonly<Record<string, CelSchema>>;
  additionalProperties?: CelSchema | boolean;
  items?: CelSchema;
  enum?: readonly unknown[];
  maxItems?: number;
  maxProperties?: number;
  maxLength?: number;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
}

/** Words of the grammar that can be names of properties: in expressions they stand between double underscores. */
const KEYWORDS = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** The name under which expressions see a property; undefined for names that cannot be written at all. */
export function escapeName(property: string): string | undefined {
  if (KEYWORDS.has(property)) return `__${property}__`;
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(property)) return undefined;
  return property
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}

const MAX_REQUEST_BYTES = 3 * 1024 * 1024;

/** The fewest bytes that a value takes as JSON. */
function smallest(schema: CelSchema): number {
  if (schema["x-kubernetes-int-or-string"]) return 1;
  switch (schema.type) {
    case "boolean":
      return 4;
    case "string":
      if (schema.format === "date") return 12;
      if (schema.format === "date-time") return 22;
      return schema.format === "duration" ? 4 : 2;
    case "array":
    case "object":
      return 2;
    default:
      return 1;
  }
}

const mostItems = (items: CelSchema): number => Math.floor((MAX_REQUEST_BYTES - 2) / (smallest(items) + 1));

/** Where a number of items or characters is not limited, what fits into a request. */
function scalar(schema: CelSchema): CelType {
  switch (schema.type) {
    case "boolean":
      return BOOL;
    case "integer":
      return INT;
    case "number":
      return DOUBLE;
    case "string": {
      if (schema.format === "date-time" || schema.format === "date") return TIMESTAMP;
      if (schema.format === "duration") return DURATION;
      const longest = schema.enum ? Math.max(1, ...schema.enum.map((choice) => String(choice).length)) : undefined;
      const max = schema.maxLength ?? longest ?? MAX_REQUEST_BYTES - 2;
      // A character takes up to four bytes.
      if (schema.format === "byte") return { ...BYTES, max };
      return { ...STRING, max };
    }
    default:
      return DYN;
  }
}

const OBJECT_METADATA: CelSchema = {
  type: "object",
  properties: { name: { type: "string" }, generateName: { type: "string" } },
};
const KIND_AND_METADATA: Readonly<Record<string, CelSchema>> = {
  apiVersion: { type: "string" },
  kind: { type: "string" },
  metadata: OBJECT_METADATA,
};

const types = new WeakMap<CelSchema, Map<string, CelType>>();

export interface SchemaTypeOptions {
  /** True for the root of a resource, which has apiVersion, kind and a name even if the schema does not say so. */
  resource?: boolean;
  /** How the type is called in messages, and its properties after it: `Object`, `Object.spec`. */
  name?: string;
}

/** The type of the values of a schema. The same schema always gives the same type. */
export function schemaType(schema: CelSchema, { resource = false, name = "object" }: SchemaTypeOptions = {}): CelType {
  const key = `${resource} ${name}`;
  const known = types.get(schema)?.get(key);
  if (known) return known;
  const made = makeType(schema, resource, name);
  const byKey = types.get(schema) ?? new Map<string, CelType>();
  types.set(schema, byKey.set(key, made));
  return made;
}

function makeType(schema: CelSchema, resource: boolean, name: string): CelType {
  if (schema["x-kubernetes-int-or-string"]) return DYN;
  if (schema.type === "array") {
    if (!schema.items) return listOf(DYN, schema.maxItems);
    return listOf(schemaType(schema.items, { name: `${name}.@idx` }), schema.maxItems ?? mostItems(schema.items));
  }
  const root = resource || schema["x-kubernetes-embedded-resource"] === true;
  if (schema.type !== "object" && !root) return scalar(schema);
  const { additionalProperties } = schema;
  if (additionalProperties && !schema.properties && !root) {
    const values = additionalProperties === true ? {} : additionalProperties;
    const value = additionalProperties === true ? DYN : schemaType(additionalProperties, { name: `${name}.@elem` });
    // Upstream counts keys as nothing, whatever their length.
    return mapOf({ ...STRING, max: 0 }, value, schema.maxProperties ?? mostItems(values));
  }
  if (!schema.properties && !root) return schema["x-kubernetes-preserve-unknown-fields"] ? DYN : objectType(name, {});
  return objectType(
    name,
    root ? { ...schema.properties, ...KIND_AND_METADATA, ...pickMetadata(schema) } : (schema.properties ?? {}),
  );
}

/** Of the metadata of a resource, expressions see its name and what else its schema declares. */
function pickMetadata(schema: CelSchema): Readonly<Record<string, CelSchema>> {
  const declared = schema.properties?.metadata?.properties;
  if (!declared) return {};
  return { metadata: { ...OBJECT_METADATA, properties: { ...declared, ...OBJECT_METADATA.properties } } };
}

function objectType(name: string, properties: Readonly<Record<string, CelSchema>>): ObjectType {
  const names = new Map<string, string>();
  for (const property of Object.keys(properties)) {
    const escaped = escapeName(property);
    if (escaped !== undefined) names.set(escaped, property);
  }
  return {
    kind: "object",
    name,
    field(field): ObjectField | undefined {
      const json = names.get(field);
      const schema = json === undefined ? undefined : properties[json];
      if (json === undefined || !schema) return undefined;
      const type = schemaType(schema, { name: `${name}.${field}` });
      // Properties whose type expressions cannot see are not there for them.
      return { json, type };
    },
  };
}
