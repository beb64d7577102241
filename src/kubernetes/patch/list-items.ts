/** Which item of an associative list is which: the FieldsV1 element (`k:{...}` or `v:...`) that identifies an item for server-side apply. */
import { isObject, type JsonObject, memberOf } from "./json.js";
import type { ListShape } from "./shape.js";

/** Why an item has no identity; `undefined` from `elementOf` means the same. */
export function elementProblem(shape: ListShape, item: unknown): string | undefined {
  if (shape.listType === "set") {
    return typeof item === "object" ? "associative list without keys has an element that's not a scalar" : undefined;
  }
  if (item === null) return "associative list with keys may not have a null element";
  if (!isObject(item)) return "associative list with keys may not have non-map elements";
  for (const key of shape.keys) {
    if (keyValue(shape, item, key) === undefined) {
      return `associative list with keys has an element that omits key field "${key}" (and doesn't have default value)`;
    }
  }
  return undefined;
}

const keyValue = (shape: ListShape, item: JsonObject, key: string): unknown =>
  memberOf(item, key) ?? shape.keyDefaults[key];

/** The element of an item; undefined for an item that cannot be told apart from others. */
export function elementOf(shape: ListShape, item: unknown): string | undefined {
  if (shape.listType === "set") {
    return typeof item === "object" || item === undefined ? undefined : `v:${JSON.stringify(item)}`;
  }
  if (!isObject(item)) return undefined;
  let text = "";
  for (const key of shape.keys) {
    const value = keyValue(shape, item, key);
    if (value === undefined || value === null) return undefined;
    text += `${text === "" ? "k:{" : ","}"${key}":${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

/** Items by their elements, in order; items with the same element stand together. Items without an identity are left out. */
export function itemsByElement(shape: ListShape, items: readonly unknown[]): Map<string, unknown[]> {
  const indexed = new Map<string, unknown[]>();
  for (const item of items) {
    const element = elementOf(shape, item);
    if (element === undefined) continue;
    const same = indexed.get(element);
    if (same) same.push(item);
    else indexed.set(element, [item]);
  }
  return indexed;
}
