/** What holds of lists of kind `set` and `map`: no two items are the same, or have the same keys. */
import type { StatusCause } from "../errors.js";
import { deepEqual, isObject, memberOf } from "../patch/json.js";
import { duplicate } from "../registry/strategies/field.js";
import { at, type Place, placeText } from "./paths.js";
import { memberNode, type StructuralNode } from "./structural.js";

/** Duplicates in the lists of an object. */
export function duplicatesIn(node: StructuralNode, value: unknown, place?: Place): StatusCause[] {
  const causes: StatusCause[] = [];
  look(node, value, place, causes);
  return causes;
}

function look(node: StructuralNode, value: unknown, place: Place | undefined, causes: StatusCause[]): void {
  if (!node.has.lists) return;
  if (Array.isArray(value)) {
    if (node.listType === "set") findEqual(value, place, causes);
    else if (node.listType === "map") findEqualKeys(node, value, place, causes);
    const { items } = node;
    if (items?.has.lists) for (const [index, item] of value.entries()) look(items, item, at(place, index), causes);
    return;
  }
  if (!isObject(value)) return;
  for (const name in value) {
    const member = memberNode(node, name);
    if (member) look(member, value[name], at(place, name), causes);
  }
}

function findEqual(list: readonly unknown[], place: Place | undefined, causes: StatusCause[]): void {
  const scalars = new Set<unknown>();
  const others: unknown[] = [];
  list.forEach((item, index) => {
    const scalar = typeof item !== "object" || item === null;
    const known = scalar ? scalars.has(item) : others.some((other) => deepEqual(other, item));
    if (known) causes.push(duplicate(placeText(at(place, index)), item));
    else if (scalar) scalars.add(item);
    else others.push(item);
  });
}

function findEqualKeys(
  node: StructuralNode,
  list: readonly unknown[],
  place: Place | undefined,
  causes: StatusCause[],
): void {
  const seen = new Set<string>();
  list.forEach((item, index) => {
    if (!isObject(item)) return;
    const keys: Record<string, unknown> = {};
    for (const key of node.mapKeys) {
      const value = memberOf(item, key);
      if (value !== undefined) keys[key] = value;
    }
    const identity = JSON.stringify(keys);
    if (seen.has(identity)) causes.push(duplicate(placeText(at(place, index)), keys));
    seen.add(identity);
  });
}
