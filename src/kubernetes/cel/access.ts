import { CelError, Duration, Timestamp, TypeValue, Uint } from "./scalars.js";
import type { CelType } from "./types.js";
import { BuiltObject, ListValue, MapValue, ObjectValue, Opaque, Optional, type Value } from "./values.js";

/** What values let in and give out: whether one fits a type, its fields, its elements. */

/** True when a value can be passed where the type is wanted. */
export function accepts(type: CelType, value: Value): boolean {
  switch (type.kind) {
    case "bool":
      return typeof value === "boolean";
    case "int":
      return typeof value === "bigint";
    case "uint":
      return value instanceof Uint;
    case "double":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    case "bytes":
      return value instanceof Uint8Array;
    case "null":
      return value === null;
    case "timestamp":
      return value instanceof Timestamp;
    case "duration":
      return value instanceof Duration;
    case "type":
      return value instanceof TypeValue;
    case "list":
      return value instanceof ListValue && (value.size === 0 || accepts(type.element, value.at(0)));
    case "map":
      return value instanceof MapValue;
    case "optional":
      return value instanceof Optional;
    case "object":
      return (value instanceof ObjectValue || value instanceof BuiltObject) && value.type.name === type.name;
    case "opaque":
      return value instanceof Opaque && value.type === type.name;
    default:
      return true;
  }
}

export const isPlain = (type: CelType): boolean =>
  type.kind === "list" ? isPlain(type.element) : type.kind === "map" ? isPlain(type.value) : type.kind !== "dyn";

/** Undefined when there is no such field. */
export function fieldOf(value: Value, field: string): Value | undefined {
  if (value instanceof MapValue) return value.get(field);
  if (value instanceof ObjectValue) return value.get(field);
  if (value instanceof BuiltObject) return value.fields.get(field);
  throw new CelError("no such overload");
}

export function elementOf(value: Value, key: Value): Value | undefined {
  if (value instanceof ListValue) {
    if (typeof key !== "bigint") throw new CelError("no such overload");
    return key >= 0n && key < BigInt(value.size) ? value.at(Number(key)) : undefined;
  }
  return value instanceof MapValue ? value.get(key) : fieldOf(value, String(key));
}
