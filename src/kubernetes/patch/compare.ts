/** Which fields an object has, and which differ between two: the field sets that ownership is computed from. */

import { asMember, type FieldSet, type MaybeFieldSet, MEMBER, union } from "./field-set.js";
import { deepEqual, isObject, type JsonObject, memberOf } from "./json.js";
import { elementOf, itemsByElement } from "./list-items.js";
import { deducedShape, type ListShape, type MapShape, type Shape, type StructShape } from "./shape.js";

/**
 * What counts as a member beside the leaves.
 * owned: items of lists and free keys of maps, but no named containers: what an applied object claims.
 * added: every container too: what came to be where there was nothing.
 * created: as added, but without the structs that Go serialises even when they are empty: what came to be on a new object.
 */
type Counting = "owned" | "added" | "created";

/** Fields of an applied object, without its root. */
export const ownedFields = (shape: Shape, value: unknown): MaybeFieldSet =>
  rootOf(fieldsOf(shape, value, "owned", false));

const rootOf = (set: MaybeFieldSet): MaybeFieldSet => (set === MEMBER ? undefined : set);

/** The fields below `value`, and `value` itself when `member` says so; MEMBER when it is a leaf, undefined when it counts for nothing. */
function fieldsOf(shape: Shape, value: unknown, counting: Counting, member: boolean): MaybeFieldSet {
  switch (shape.kind) {
    case "leaf":
      return MEMBER;
    case "list":
      return listFields(shape, value, counting, member);
    case "struct":
      return shape.atomic || !isObject(value) ? MEMBER : structFields(shape, value, counting, member);
    case "map":
      return shape.atomic || !isObject(value) ? MEMBER : mapFields(shape, value, counting, member);
  }
}

type Draft = Record<string, FieldSet>;

const draft = (member: boolean): Draft => (member ? { ".": MEMBER } : {});

/** Goes by the declared fields rather than by the members that are there, so that the set comes out in the order of the wire. */
function structFields(shape: StructShape, value: JsonObject, counting: Counting, member: boolean): MaybeFieldSet {
  const out = draft(member);
  let unseen = countMembers(value);
  if (unseen === 0) return emptyFields(counting, member);
  let empty = !member;
  for (const field of shape.fields()) {
    const inner = value[field.name];
    if (inner === undefined) continue;
    unseen--;
    const set = namedFields(field.shape, inner, counting);
    if (set !== undefined) {
      out[field.element] = set;
      empty = false;
    }
    if (unseen === 0) break;
  }
  if (unseen > 0) {
    for (const name in value) {
      const inner = value[name];
      if (inner === undefined || shape.field(name)) continue;
      out[`f:${name}`] = asMember(fieldsOf(deduced(inner), inner, below(counting), true));
      empty = false;
    }
  }
  return empty ? undefined : out;
}

function countMembers(value: JsonObject): number {
  let count = 0;
  for (const name in value) if (value[name] !== undefined) count++;
  return count;
}

/** An empty object is a leaf, except where Go writes it always. */
const emptyFields = (counting: Counting, member: boolean): MaybeFieldSet =>
  counting === "created" && !member ? undefined : MEMBER;

const below = (counting: Counting): Counting => (counting === "created" ? "added" : counting);

/** Fields of a declared member. */
function namedFields(shape: Shape, value: unknown, counting: Counting): MaybeFieldSet {
  if (counting === "created" && shape.alwaysPresent) return fieldsOf(shape, value, "created", false);
  if (counting === "owned") return fieldsOf(shape, value, "owned", false);
  return asMember(fieldsOf(shape, value, "added", true));
}

function mapFields(shape: MapShape, value: JsonObject, counting: Counting, member: boolean): MaybeFieldSet {
  const names = Object.keys(value);
  if (names.length === 0) return emptyFields(counting, member);
  if (names.length > 1) names.sort();
  const out = draft(member);
  for (const name of names) {
    const inner = value[name];
    if (inner === undefined) continue;
    out[`f:${name}`] = asMember(fieldsOf(valuesShape(shape, inner), inner, below(counting), true));
  }
  return out;
}

function listFields(shape: ListShape, value: unknown, counting: Counting, member: boolean): MaybeFieldSet {
  if (shape.listType === "atomic" || !Array.isArray(value)) return MEMBER;
  if (value.length === 0) return counting === "added" ? MEMBER : undefined;
  const out = draft(member);
  for (const item of value) {
    const element = elementOf(shape, item);
    if (element !== undefined) out[element] = asMember(fieldsOf(shape.items, item, below(counting), true));
  }
  return out;
}

/** Without a schema the value tells: objects are granular maps, everything else is a leaf. */
const deduced = (value: unknown): Shape => (isObject(value) ? deducedShape : LEAF_BY_VALUE);
const LEAF_BY_VALUE: Shape = { kind: "leaf", strategies: [], alwaysPresent: false };

/** Shape of a value in a map of free keys. */
const valuesShape = (shape: MapShape, value: unknown): Shape =>
  shape === deducedShape ? deduced(value) : shape.values;

/** Shape of one member of an object; members that are not declared are deduced from either side's value. */
export function memberShape(shape: StructShape | MapShape, name: string, value: unknown): Shape {
  return shape.kind === "map" ? valuesShape(shape, value) : (shape.field(name) ?? deduced(value));
}

export interface Difference {
  /** Fields that are new or have another value. */
  readonly changed: MaybeFieldSet;
  readonly removed: MaybeFieldSet;
}

const SAME: Difference = { changed: undefined, removed: undefined };
const CHANGED: Difference = { changed: MEMBER, removed: undefined };

/** Difference between two objects; without a `before` everything is new. Parts shared by reference are not looked at. */
export function compareObjects(shape: Shape, before: JsonObject | undefined, after: JsonObject): Difference {
  if (before === undefined) return { changed: rootOf(fieldsOf(shape, after, "created", false)), removed: undefined };
  return compare(shape, before, after);
}

function compare(shape: Shape, before: unknown, after: unknown): Difference {
  if (before === after) return SAME;
  switch (shape.kind) {
    case "leaf":
      return compareLeaf(before, after);
    case "list":
      return shape.listType !== "atomic" && Array.isArray(before) && Array.isArray(after)
        ? compareLists(shape, before, after)
        : compareLeaf(before, after);
    default:
      return !shape.atomic && isObject(before) && isObject(after)
        ? compareMembers(shape, before, after)
        : compareLeaf(before, after);
  }
}

const compareLeaf = (before: unknown, after: unknown): Difference => (deepEqual(before, after) ? SAME : CHANGED);

function compareMembers(shape: StructShape | MapShape, before: JsonObject, after: JsonObject): Difference {
  const found = new Collected();
  for (const name in after) {
    const now = after[name];
    const was = memberOf(before, name);
    if (now === was || now === undefined) continue;
    const member = memberShape(shape, name, now);
    if (was !== undefined) found.add(`f:${name}`, compare(member, was, now));
    else found.addChanged(`f:${name}`, namedFields(member, now, "created"));
  }
  for (const name in before) {
    const was = before[name];
    if (was === undefined || memberOf(after, name) !== undefined) continue;
    found.addRemoved(`f:${name}`, namedFields(memberShape(shape, name, was), was, "created"));
  }
  return found.difference();
}

function compareLists(shape: ListShape, before: readonly unknown[], after: readonly unknown[]): Difference {
  if (before.length === after.length && before.every((item, index) => item === after[index])) return SAME;
  const found = new Collected();
  const was = itemsByElement(shape, before);
  const now = itemsByElement(shape, after);
  for (const [element, items] of now) {
    const earlier = was.get(element);
    if (!earlier) found.addChanged(element, asMember(fieldsOf(shape.items, items[0], "added", true)));
    else if (earlier.length === 1 && items.length === 1) found.add(element, compare(shape.items, earlier[0], items[0]));
    else if (!deepEqual(earlier, items)) found.addChanged(element, MEMBER);
  }
  for (const [element, items] of was) {
    if (!now.has(element)) found.addRemoved(element, asMember(fieldsOf(shape.items, items[0], "added", true)));
  }
  return found.difference();
}

/** Gathers the differences below one container. */
class Collected {
  private changed: Record<string, FieldSet> | undefined;
  private removed: Record<string, FieldSet> | undefined;

  add(element: string, difference: Difference): void {
    if (difference === SAME) return;
    this.addChanged(element, difference.changed);
    this.addRemoved(element, difference.removed);
  }

  addChanged(element: string, set: MaybeFieldSet): void {
    if (set === undefined) return;
    this.changed ??= {};
    this.changed[element] = set;
  }

  addRemoved(element: string, set: MaybeFieldSet): void {
    if (set === undefined) return;
    this.removed ??= {};
    this.removed[element] = set;
  }

  difference(): Difference {
    return this.changed || this.removed ? { changed: this.changed, removed: this.removed } : SAME;
  }
}

/** The same set with every named container of the schema as a member wherever something below it is one. */
export function withNamedContainers(shape: Shape | undefined, set: MaybeFieldSet): MaybeFieldSet {
  if (set === undefined || set === MEMBER) return set;
  let out: Record<string, FieldSet> | undefined;
  for (const element in set) {
    const child = set[element] as FieldSet;
    if (element === "." || child === MEMBER) continue;
    const inner = elementShape(shape, element);
    const named = shape?.kind === "struct" && shape.field(element.slice(2)) !== undefined;
    const full = withNamedContainers(inner, child);
    const wanted = named ? asMember(full) : full;
    if (wanted === child || wanted === undefined) continue;
    out ??= { ...set };
    out[element] = wanted;
  }
  return out ?? set;
}

function elementShape(shape: Shape | undefined, element: string): Shape | undefined {
  if (shape?.kind === "struct") return shape.field(element.slice(2));
  if (shape?.kind === "map") return shape.values;
  return shape?.kind === "list" ? shape.items : undefined;
}

/** All fields of a difference in one set. */
export const everyDifference = (difference: Difference): MaybeFieldSet => union(difference.changed, difference.removed);
