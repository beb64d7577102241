/** Judges an applied object against its schema: server-side apply refuses what it could not own. */

import { pathElementText } from "./field-set.js";
import { isObject } from "./json.js";
import { elementOf, elementProblem } from "./list-items.js";
import { deducedShape, type ListShape, type MapShape, type Shape, type StructShape } from "./shape.js";

/** Problems as `<path>: <text>`, in the order of the object; none for a good one. */
export function appliedProblems(shape: Shape, applied: unknown): string[] {
  const problems: string[] = [];
  check(shape, applied, "", problems);
  return problems;
}

function check(shape: Shape, value: unknown, path: string, problems: string[]): void {
  if (shape.kind === "leaf" || shape === deducedShape || value === null || value === undefined) return;
  if (shape.kind === "list") {
    if (Array.isArray(value)) checkItems(shape, value, path, problems);
    else problems.push(`${path}: expected list, got ${kindOf(value)}`);
  } else if (isObject(value)) {
    checkMembers(shape, value, path, problems);
  } else {
    problems.push(`${path}: expected map, got ${kindOf(value)}`);
  }
}

function checkMembers(
  shape: StructShape | MapShape,
  value: Record<string, unknown>,
  path: string,
  problems: string[],
): void {
  for (const name in value) {
    const member = shape.kind === "map" ? shape.values : shape.field(name);
    if (member) check(member, value[name], `${path}.${name}`, problems);
    else problems.push(`${path}.${name}: field not declared in schema`);
  }
}

function checkItems(shape: ListShape, items: readonly unknown[], path: string, problems: string[]): void {
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const problem = shape.listType === "atomic" ? undefined : elementProblem(shape, item);
    if (problem) {
      problems.push(`${path}: element ${index}: ${problem}`);
      return;
    }
    const element = shape.listType === "atomic" ? undefined : elementOf(shape, item);
    if (element !== undefined) {
      if (seen.has(element)) problems.push(`${path}: duplicate entries for key ${pathElementText(element)}`);
      seen.add(element);
    }
    check(shape.items, item, path + pathElementText(element ?? `i:${index}`), problems);
  });
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? "list" : isObject(value) ? "map" : typeof value);
