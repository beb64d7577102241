import { toJson } from "./json.js";
import { Duration, Timestamp, TypeValue, Uint } from "./scalars.js";
import { DYN } from "./types.js";
import { BuiltObject, fromJson, ListValue, MapValue, ObjectValue, Opaque, Optional, type Value } from "./values.js";

/** How values compare with each other, and how large they are. */

type Numeric = bigint | number | Uint;

const isNumeric = (value: Value): value is Numeric =>
  typeof value === "bigint" || typeof value === "number" || value instanceof Uint;

const plain = (value: Numeric): bigint | number => (value instanceof Uint ? value.value : value);

/** Deep equality as CEL has it: numbers by amount, lists and maps by content, else by type. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isNumeric(a)) {
    // biome-ignore lint/suspicious/noDoubleEquals: compares BigInt and number by amount, exactly
    return isNumeric(b) && plain(a) == plain(b);
  }
  if (a instanceof ListValue) {
    if (!(b instanceof ListValue) || a.size !== b.size) return false;
    for (let i = 0; i < a.size; i++) if (!equal(a.at(i), b.at(i))) return false;
    return true;
  }
  if (a instanceof MapValue) {
    if (!(b instanceof MapValue) || a.size !== b.size) return false;
    for (const key of a.keys()) {
      const other = b.get(key);
      if (other === undefined || !equal(a.get(key) ?? null, other)) return false;
    }
    return true;
  }
  if (a instanceof ObjectValue || a instanceof BuiltObject) {
    if (!(b instanceof ObjectValue || b instanceof BuiltObject)) return false;
    return equal(fromJson(toJson(a), DYN), fromJson(toJson(b), DYN));
  }
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional)
    return b instanceof Optional && a.present === b.present && (!a.present || equal(a.value, b.value));
  if (a instanceof Opaque) {
    if (!(b instanceof Opaque) || a.type !== b.type) return false;
    const content = a.content as { equals?(other: unknown): boolean };
    return content.equals?.(b.content) ?? String(a.content) === String(b.content);
  }
  return false;
}

/** Negative, zero or positive; undefined where there is no order between the two. */
export function compare(a: Value, b: Value): number | undefined {
  if (isNumeric(a) && isNumeric(b)) {
    const [x, y] = [plain(a), plain(b)];
    // biome-ignore lint/suspicious/noDoubleEquals: compares BigInt and number by amount, exactly
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : Number.NaN;
  }
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return undefined;
}

/** How many things there are in it, or 1: what costs are counted by. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (value instanceof ListValue || value instanceof MapValue) return value.size;
  return value instanceof Uint8Array ? value.length : 1;
}
