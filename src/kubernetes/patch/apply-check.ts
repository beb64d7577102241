/** Judges an applied object against its schema: server-side apply refuses what it could not own. */

import { pathElementText } from "./field-set.js";
import { isObject } from "./json.js";
import { elementOf, elementProblem } from "./list-items.js";
import { deducedShape, type LeafShape, type ListShape, type MapShape, type Shape, type StructShape } from "./shape.js";

/** Where the walk stands; turned into text for problems only. */
interface Place {
  parent?: Place;
  element: string;
}

function textOf(place: Place | undefined): string {
  return place ? textOf(place.parent) + pathElementText(place.element) : "";
}

/** Problems as `<path>: <text>`, in the order of the object; none for a good one. */
export function appliedProblems(shape: Shape, applied: unknown): string[] {
  const problems: string[] = [];
  check(shape, applied, undefined, (place, problem) => problems.push(`${textOf(place)}: ${problem}`));
  return problems;
}

type Report = (place: Place | undefined, problem: string) => void;

function check(shape: Shape, value: unknown, place: Place | undefined, report: Report): void {
  if (shape === deducedShape || value === null || value === undefined) return;
  if (shape.kind === "leaf") {
    const problem = scalarProblem(shape, value);
    if (problem) report(place, problem);
    return;
  }
  if (shape.kind === "list") {
    if (Array.isArray(value)) checkItems(shape, value, place, report);
    else report(place, `expected list, got ${kindOf(value)}`);
  } else if (isObject(value)) {
    checkMembers(shape, value, place, report);
  } else {
    report(place, `expected map, got ${kindOf(value)}`);
  }
}

function checkMembers(
  shape: StructShape | MapShape,
  value: Record<string, unknown>,
  parent: Place | undefined,
  report: Report,
): void {
  for (const name in value) {
    const member = shape.kind === "map" ? shape.values : shape.field(name);
    // Most members are scalars, and nearly all of them are right.
    if (member?.kind === "leaf" && !scalarProblem(member, value[name])) continue;
    const place = { parent, element: `f:${name}` };
    if (member) check(member, value[name], place, report);
    else if (shape.kind === "map" || !shape.open) report(place, "field not declared in schema");
  }
}

function checkItems(shape: ListShape, items: readonly unknown[], parent: Place | undefined, report: Report): void {
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const problem = shape.listType === "atomic" ? undefined : elementProblem(shape, item);
    if (problem) {
      report(parent, `element ${index}: ${problem}`);
      return;
    }
    const element = shape.listType === "atomic" ? undefined : elementOf(shape, item);
    if (element !== undefined) {
      if (seen.has(element)) report(parent, `duplicate entries for key ${pathElementText(element)}`);
      seen.add(element);
    }
    check(shape.items, item, { parent, element: element ?? `i:${index}` }, report);
  });
}

/** Go's words for a scalar of the wrong sort, down to the type that its values have there: people search for them. */
function scalarProblem({ scalar }: LeafShape, value: unknown): string | undefined {
  if (scalar === undefined || value === null || value === undefined) return undefined;
  if (scalar === "string")
    return typeof value === "string"
      ? undefined
      : `expected string, got &value.valueUnstructured{Value:${JSON.stringify(value)}}`;
  if (scalar === "boolean")
    return typeof value === "boolean"
      ? undefined
      : `expected boolean, got &{${typeof value === "object" ? JSON.stringify(value) : String(value)}}`;
  return typeof value === "number" || typeof value === "bigint"
    ? undefined
    : `expected numeric (int or float), got ${GO_TYPES[kindOf(value)] ?? kindOf(value)}`;
}

const GO_TYPES: Readonly<Record<string, string>> = {
  boolean: "bool",
  list: "[]interface {}",
  map: "map[string]interface {}",
};

const kindOf = (value: unknown): string => (Array.isArray(value) ? "list" : isObject(value) ? "map" : typeof value);
