/**
 * JSON schemas of add-on configurations: the few keywords that they use, and the check of a value, in the words of the validator that EKS runs
 * (networknt's, as its answers show).
 */

export interface JsonSchema {
  type?: JsonType | readonly JsonType[];
  description?: string;
  properties?: Readonly<Record<string, JsonSchema>>;
  /** false: no member beside `properties`; a schema: what those have to be like. Absent: anything. */
  additionalProperties?: false | JsonSchema;
  items?: JsonSchema;
  enum?: readonly (string | number | boolean)[];
  minimum?: number;
  default?: unknown;
}

type JsonType = "object" | "array" | "string" | "integer" | "number" | "boolean" | "null";

function typeOf(value: unknown): JsonType {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value as "object" | "string" | "boolean";
}

const isType = (actual: JsonType, wanted: JsonType): boolean =>
  actual === wanted || (wanted === "number" && actual === "integer");

/** What is wrong with a value, one text a fault; empty when nothing is. */
export function schemaProblems(schema: JsonSchema, value: unknown, path = "$"): string[] {
  const actual = typeOf(value);
  const wanted = schema.type === undefined ? [] : [schema.type].flat();
  if (wanted.length > 0 && !wanted.some((type) => isType(actual, type))) {
    return [`${path}: ${actual} found, ${wanted.length === 1 ? wanted[0] : `[${wanted.join(", ")}]`} expected`];
  }
  if (schema.enum && !schema.enum.includes(value as string)) {
    return [`${path}: does not have a value in the enumeration [${schema.enum.join(", ")}]`];
  }
  if (schema.minimum !== undefined && typeof value === "number" && value < schema.minimum) {
    return [`${path}: must have a minimum value of ${schema.minimum}`];
  }
  const { items } = schema;
  if (Array.isArray(value)) {
    return items ? value.flatMap((item, index) => schemaProblems(items, item, `${path}[${index}]`)) : [];
  }
  return actual === "object" ? memberProblems(schema, value as Record<string, unknown>, path) : [];
}

function memberProblems(schema: JsonSchema, value: Record<string, unknown>, path: string): string[] {
  return Object.entries(value).flatMap(([name, member]) => {
    const known = Object.hasOwn(schema.properties ?? {}, name) ? schema.properties?.[name] : undefined;
    if (known) return schemaProblems(known, member, `${path}.${name}`);
    const others = schema.additionalProperties;
    if (others === undefined) return [];
    if (others) return schemaProblems(others, member, `${path}.${name}`);
    return [`${path}.${name}: is not defined in the schema and the schema does not allow additional properties`];
  });
}
