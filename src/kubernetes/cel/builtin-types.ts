/** CEL types of the built-in kinds, from the schema tables. */
import { type FieldType, typeOf } from "../schema/schema.js";
import { escapeName } from "./schema-types.js";
import { BOOL, BYTES, type CelType, DOUBLE, DYN, INT, listOf, mapOf, STRING, TIMESTAMP } from "./types.js";

const types = new Map<string, CelType>();

function fieldType(type: FieldType): CelType {
  switch (type.kind) {
    case "list":
      return listOf(fieldType(type.item));
    case "map":
      return mapOf(STRING, fieldType(type.value));
    case "ref":
      return builtinType(type.ref) ?? DYN;
    default:
      switch (type.scalar) {
        case "string":
          return STRING;
        case "bytes":
          return BYTES;
        case "int32":
        case "int64":
          return INT;
        case "double":
        case "number":
          return DOUBLE;
        case "boolean":
          return BOOL;
        case "time":
        case "microtime":
          return TIMESTAMP;
        default:
          return DYN;
      }
  }
}

/** The type by its name in the schema tables; undefined for an unknown one. Properties answer to their own names, and to the escaped ones. */
export function builtinType(name: string): CelType | undefined {
  const known = types.get(name);
  if (known) return known;
  const schema = typeOf(name);
  if (!schema) return undefined;
  const escaped = new Map<string, string>();
  for (const field of schema.fields.keys()) escaped.set(escapeName(field) ?? field, field);
  const made: CelType = {
    kind: "object",
    name,
    field(field) {
      const json = schema.fields.has(field) ? field : escaped.get(field);
      const declared = json === undefined ? undefined : schema.fields.get(json);
      return declared && { json: declared.name, type: fieldType(declared.type) };
    },
  };
  types.set(name, made);
  return made;
}
