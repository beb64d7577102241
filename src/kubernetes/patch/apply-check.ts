/** Judges an applied object against its schema: server-side apply refuses what it could not own. */

import { pathElementText } from "./field-set.js";
import { isObject } from "./json.js";
import { elementOf, elementProblem } from "./list-items.js";
import { deducedShape, type ListShape, type MapShape, type Shape, type StructShape } from "./shape.js";

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
  if (shape.kind === "leaf" || shape === deducedShape || value === null || value === undefined) return;
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
    if (member?.kind === "leaf") continue;
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

const kindOf = (value: unknown): string => (Array.isArray(value) ? "list" : isObject(value) ? "map" : typeof value);
