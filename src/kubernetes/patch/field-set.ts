/**
 * Sets of field paths, kept in the very form that `managedFields[].fieldsV1` has on the wire: a trie of plain objects. An empty object is a path
 * that is in the set; an inner node is itself in the set when it holds the member ".". Sets are immutable and share their parts, so the set of a
 * stored object needs no parsing, and operations that change nothing return what they were given.
 */
import { isEmptyObject, isObject, type JsonObject } from "./json.js";

/** One node of the trie. Keys: `f:<field>`, `k:<json of the keys>`, `v:<json of the value>`, `i:<index>`, and `.` for the node itself. */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

type Draft = Record<string, FieldSet>;

/** A path that is in the set and has nothing below it. */
export const MEMBER: FieldSet = Object.freeze({});
const SELF = ".";

/** The empty set is undefined, so that it costs nothing and cannot be taken for a member. */
export type MaybeFieldSet = FieldSet | undefined;

/** Reads `fieldsV1` of a managedFields entry. */
export function decodeFields(fields: JsonObject | undefined): MaybeFieldSet {
  return fields === undefined || isEmptyObject(fields) ? undefined : (fields as unknown as FieldSet);
}

/** True when `fields`, as a client sent it, has the form of FieldsV1 all the way down. */
export function isWellFormed(fields: unknown): boolean {
  if (!isObject(fields)) return false;
  return Object.entries(fields).every(([element, child]) => isElement(element) && isWellFormed(child));
}

function isElement(element: string): boolean {
  if (element === SELF || element.startsWith("f:")) return true;
  if (/^i:\d+$/.test(element)) return true;
  if (!element.startsWith("k:") && !element.startsWith("v:")) return false;
  try {
    return element.startsWith("v:") || isObject(JSON.parse(element.slice(2)));
  } catch {
    return false;
  }
}

const isMember = (node: FieldSet): boolean => node[SELF] !== undefined || isEmptyObject(node);

/** Adds the node itself to its own children. */
export const asMember = (children: MaybeFieldSet): FieldSet =>
  children === undefined || isMember(children) ? (children ?? MEMBER) : { [SELF]: MEMBER, ...children };

/** A node from what is left of it; undefined when nothing is. */
function tidy(children: Draft, member: boolean): MaybeFieldSet {
  if (isEmptyObject(children)) return member ? MEMBER : undefined;
  return member ? { [SELF]: MEMBER, ...children } : children;
}

export function union(a: MaybeFieldSet, b: MaybeFieldSet): MaybeFieldSet {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  return unionOf(a, b);
}

function unionOf(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptyObject(b)) return asMember(a);
  if (isEmptyObject(a)) return asMember(b);
  let out: Draft | undefined;
  for (const element in b) {
    const mine = a[element];
    const theirs = b[element] as FieldSet;
    const merged = mine === undefined ? theirs : unionOf(mine, theirs);
    if (merged === mine) continue;
    out ??= { ...a };
    out[element] = merged;
  }
  return out ?? a;
}

/** What is in both. */
export function intersection(a: MaybeFieldSet, b: MaybeFieldSet): MaybeFieldSet {
  if (a === undefined || b === undefined) return undefined;
  if (a === b) return a;
  const children: Draft = {};
  for (const element in a) {
    const other = b[element];
    if (other === undefined || element === SELF) continue;
    const shared = intersection(a[element], other);
    if (shared !== undefined) children[element] = shared;
  }
  return tidy(children, isMember(a) && isMember(b));
}

/** What is in `a` but not in `b`. Children of a path in `b` stay, unless they are in `b` themselves. */
export function difference(a: MaybeFieldSet, b: MaybeFieldSet): MaybeFieldSet {
  if (a === undefined || b === undefined) return a;
  if (a === b) return undefined;
  const member = isMember(a);
  const stays = member && !isMember(b);
  let changed = member !== stays;
  const children: Draft = {};
  for (const element in a) {
    if (element === SELF) continue;
    const mine = a[element] as FieldSet;
    const rest = b[element] === undefined ? mine : difference(mine, b[element]);
    if (rest !== mine) changed = true;
    if (rest !== undefined) children[element] = rest;
  }
  return changed ? tidy(children, stays) : a;
}

/** What is in `a` and neither in `b` nor below a path of `b`. */
export function recursiveDifference(a: MaybeFieldSet, b: MaybeFieldSet): MaybeFieldSet {
  if (a === undefined || b === undefined) return a;
  if (isMember(b)) return undefined;
  let changed = false;
  const children: Draft = {};
  for (const element in a) {
    if (element === SELF) continue;
    const mine = a[element] as FieldSet;
    const rest = b[element] === undefined ? mine : recursiveDifference(mine, b[element]);
    if (rest !== mine) changed = true;
    if (rest !== undefined) children[element] = rest;
  }
  return changed ? tidy(children, isMember(a)) : a;
}

/** True when the child `element` of `set` is itself in the set. */
export function hasChild(set: FieldSet, element: string): boolean {
  const child = set[element];
  return child !== undefined && isMember(child);
}

/** What lies below the child `element`; undefined when nothing does. */
export function below(set: FieldSet, element: string): MaybeFieldSet {
  const child = set[element];
  if (child === undefined || isEmptyObject(child)) return undefined;
  if (child[SELF] === undefined) return child;
  for (const inner in child) if (inner !== SELF) return child;
  return undefined;
}

/** The same set with its elements in the order of the wire: "." first, then by name. */
export function inWireOrder(set: FieldSet): FieldSet {
  let previous = "";
  let changed = false;
  let sorted = true;
  for (const element in set) {
    if (element < previous) sorted = false;
    previous = element;
  }
  const out: Draft = {};
  for (const element of sorted ? Object.keys(set) : Object.keys(set).sort()) {
    const child = set[element] as FieldSet;
    const ordered = child === MEMBER ? child : inWireOrder(child);
    if (ordered !== child) changed = true;
    out[element] = ordered;
  }
  return changed || !sorted ? out : set;
}

/** Every path of the set as messages spell it, e.g. `.spec.template.spec.containers[name="web"].image`. */
export function pathsOf(set: MaybeFieldSet): string[] {
  const paths: string[] = [];
  if (set) collectPaths(set, "", paths);
  return paths;
}

function collectPaths(node: FieldSet, prefix: string, paths: string[]): void {
  if (prefix !== "" && isMember(node)) paths.push(prefix);
  for (const element of Object.keys(node).sort()) {
    if (element !== SELF) collectPaths(node[element] as FieldSet, prefix + pathElementText(element), paths);
  }
}

/** `f:image` -> `.image`, `k:{"name":"web"}` -> `[name="web"]`, `v:"a"` -> `[="a"]`, `i:0` -> `[0]`. */
export function pathElementText(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${rest}`;
    case "k":
      return `[${Object.entries(JSON.parse(rest) as JsonObject)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(",")}]`;
    case "v":
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}
