/**
 * What of an object decides which fields it has: the names that are there and the identities of list items, without the values. Objects of one kind come
 * by the thousand with one outline (the pods of a template), so what is worked out from it can be remembered.
 */
import { isObject, type JsonObject } from "./json.js";
import { elementOf } from "./list-items.js";
import { deducedShape, type ListShape, type MapShape, type Shape, type StructShape } from "./shape.js";

/** Equal texts mean equal field sets, as far as both objects are new. The order of names counts: another order is merely another outline. */
export function outlineOf(shape: Shape, value: unknown): string {
  switch (shape.kind) {
    case "leaf":
      return ".";
    case "list":
      return listOutline(shape, value);
    default:
      return shape.atomic || !isObject(value) ? "." : membersOutline(shape, value);
  }
}

/** With its length, so that no name can be taken for the text around it. */
const quoted = (name: string): string => `${name.length}:${name}`;

function membersOutline(shape: StructShape | MapShape, value: JsonObject): string {
  let text = "{";
  for (const name in value) {
    const inner = value[name];
    if (inner !== undefined) text += quoted(name) + outlineOf(shapeOfMember(shape, name, inner), inner);
  }
  return `${text}}`;
}

function shapeOfMember(shape: StructShape | MapShape, name: string, value: unknown): Shape {
  const declared = shape.kind === "struct" ? shape.field(name) : shape === deducedShape ? undefined : shape.values;
  return declared ?? (isObject(value) ? deducedShape : LEAF_BY_VALUE);
}

const LEAF_BY_VALUE: Shape = { kind: "leaf", strategies: [], alwaysPresent: false };

function listOutline(shape: ListShape, value: unknown): string {
  if (shape.listType === "atomic" || !Array.isArray(value)) return ".";
  let text = "[";
  for (const item of value) {
    const element = elementOf(shape, item);
    text += element === undefined ? "?" : quoted(element) + outlineOf(shape.items, item);
  }
  return `${text}]`;
}
