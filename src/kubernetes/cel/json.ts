import { CelError, Duration, Timestamp, Uint } from "./scalars.js";
import {
  BuiltObject,
  JsonMap,
  ListValue,
  MapValue,
  ObjectValue,
  Optional,
  toText,
  typeNameOf,
  type Value,
} from "./values.js";

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
