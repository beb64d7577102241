/**
 * Strategic merge patch: a merge patch that knows from the schema which lists are merged and by which key, with directives to say more. It follows the
 * API server's order of work: retain keys, set element order, then every other member. Inputs are never changed, unchanged parts stay shared.
 */
import { badRequest, foreignError, StatusError } from "../errors.js";
import { memberShape } from "./compare.js";
import { goText } from "./go-text.js";
import { deepEqual, isObject, type JsonObject, memberOf, setMember } from "./json.js";
import { deducedShape, type ListShape, type MapShape, type Shape, type StructShape, shapeOf } from "./shape.js";

const PATCH = "$patch";
const RETAIN_KEYS = "$retainKeys";
const SET_ELEMENT_ORDER = "$setElementOrder/";
const DELETE_FROM_PRIMITIVE_LIST = "$deleteFromPrimitiveList/";

/**
 * Applies `patch` to an object of the built-in type `typeName`.
 * @throws StatusError 415 for a type without a schema (custom resources), 400 for a malformed directive, 500 for an unknown one and for
 * list items without their merge key: upstream passes these two on as they are.
 */
export function applyStrategicMergePatch<T extends object>(typeName: string, doc: T, patch: unknown): T {
  const shape = shapeOf(typeName);
  if (shape === deducedShape || shape.kind !== "struct") {
    throw new StatusError(
      415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    );
  }
  if (!isObject(patch)) throw badRequest("the patch is not a JSON object");
  return mergeMembers(shape, doc as unknown as JsonObject, patch) as unknown as T;
}

type Members = StructShape | MapShape;

/** The shape to merge an object's members by; deduced where the schema says nothing about them. */
const membersOf = (shape: Shape): Members => (shape.kind === "struct" || shape.kind === "map" ? shape : deducedShape);

function mergeMembers(shape: Members, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = memberOf(patch, PATCH);
  if (directive !== undefined) return wholeObject(directive, patch);

  const out: JsonObject = { ...original };
  retainKeys(out, patch);
  const ordered = orderLists(shape, out, patch);
  for (const name in patch) {
    if (isOrdering(name) || name === RETAIN_KEYS || ordered.has(name)) continue;
    const listed = name.startsWith(DELETE_FROM_PRIMITIVE_LIST);
    if (listed) deleteFromList(out, name.slice(DELETE_FROM_PRIMITIVE_LIST.length), patch[name]);
    else mergeMember(shape, out, name, patch[name]);
  }
  return sameMembers(original, out) ? original : out;
}

const isOrdering = (name: string): boolean => name.startsWith(SET_ELEMENT_ORDER);

function sameMembers(a: JsonObject, b: JsonObject): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === memberOf(b, name));
}

const unknownDirective = (directive: unknown, patch: unknown): StatusError =>
  foreignError(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`);

/** `$patch` in an object: take the patch as it stands, or nothing. */
function wholeObject(directive: unknown, patch: JsonObject): JsonObject {
  if (directive === "delete") return {};
  if (directive !== "replace") throw unknownDirective(directive, patch);
  const { [PATCH]: _, ...rest } = patch;
  return rest;
}

function mergeMember(shape: Members, out: JsonObject, name: string, value: unknown): void {
  if (value === null) {
    delete out[name];
    return;
  }
  const before = memberOf(out, name);
  const after =
    before === undefined ? withoutDirectives(value) : mergeValue(memberShape(shape, name, value), name, before, value);
  if (after === undefined) return;
  setMember(out, name, deepEqual(before, after) ? before : after);
}

function mergeValue(shape: Shape, name: string, before: unknown, value: unknown): unknown {
  if (isObject(before) && isObject(value)) {
    if (shape.strategies.includes("replace")) return value;
    return mergeMembers(membersOf(shape), before, value);
  }
  if (Array.isArray(before) && Array.isArray(value)) {
    return shape.kind === "list" && shape.strategies.includes("merge") ? mergeList(shape, name, before, value) : value;
  }
  return withoutDirectives(value);
}

/** A value that is new to the object, without nulls and directives; undefined when a directive says it is to be deleted. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    const kept = value.map(withoutDirectives).filter((item) => item !== undefined);
    return kept.length === value.length && kept.every((item, index) => item === value[index]) ? value : kept;
  }
  if (!isObject(value)) return value;
  if (value[PATCH] === "delete") return undefined;
  const out: JsonObject = {};
  for (const name in value) {
    if (isDirective(name) || value[name] === null) continue;
    const kept = withoutDirectives(value[name]);
    if (kept !== undefined) setMember(out, name, kept);
  }
  return out;
}

const isDirective = (name: string): boolean =>
  name === PATCH || name === RETAIN_KEYS || isOrdering(name) || name.startsWith(DELETE_FROM_PRIMITIVE_LIST);

/** `$retainKeys` clears every member of the original that it does not list; what the patch sets must be listed. */
function retainKeys(out: JsonObject, patch: JsonObject): void {
  const keys = memberOf(patch, RETAIN_KEYS);
  if (keys === undefined) return;
  if (!Array.isArray(keys)) throw badRequest("invalid patch format of retainKeys");
  const retained = new Set<unknown>(keys);
  for (const name in patch) {
    if (!isDirective(name) && patch[name] !== null && !retained.has(name))
      throw badRequest("invalid patch format of retainKeys");
  }
  for (const name of Object.keys(out)) if (!retained.has(name)) delete out[name];
}

function deleteFromList(out: JsonObject, name: string, values: unknown): void {
  if (!Array.isArray(values)) throw badRequest("invalid patch format of primitive list");
  const before = memberOf(out, name);
  if (!Array.isArray(before)) return;
  const kept = before.filter((item) => !values.includes(item));
  if (kept.length !== before.length) setMember(out, name, kept);
}

/** Lists with a `$setElementOrder` directive: merged and put in order here; returns their names. */
function orderLists(shape: Members, out: JsonObject, patch: JsonObject): Set<string> {
  const done = new Set<string>();
  for (const directive in patch) {
    if (!isOrdering(directive)) continue;
    const name = directive.slice(SET_ELEMENT_ORDER.length);
    const order = patch[directive];
    const before = memberOf(out, name);
    const sent = memberOf(patch, name);
    if (!Array.isArray(order)) throw badRequest(`invalid patch format of ${SET_ELEMENT_ORDER} list`);
    if (sent !== undefined && sent !== null && !Array.isArray(sent))
      throw badRequest(`invalid patch format of ${name}`);
    if (sent === null) continue;
    const found = memberShape(shape, name, order);
    const list = found.kind === "list" ? found : undefined;
    const identity = list?.mergeKey ? byMergeKey(list.mergeKey, name) : byValue;
    checkOrder(sent ?? [], order, identity);
    done.add(name);
    if (!Array.isArray(before)) {
      if (sent !== undefined) setMember(out, name, arranged(withoutDirectives(sent) as unknown[], order, [], identity));
      continue;
    }
    const merged =
      sent === undefined ? before : list?.strategies.includes("merge") ? mergeList(list, name, before, sent) : sent;
    const result = arranged(merged, order, before, identity);
    setMember(out, name, deepEqual(before, result) ? before : result);
  }
  return done;
}

/** How items of a list are told apart. */
type Identity = (item: unknown) => unknown;

const byValue: Identity = (item) => item;

function byMergeKey(mergeKey: string, listName: string): Identity {
  return (item) => {
    if (!isObject(item)) throw badRequest(`${listName}: expected an object with merge key ${mergeKey}`);
    const value = memberOf(item, mergeKey);
    if (value !== undefined) return value;
    throw foreignError(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
  };
}

/** Every item that the patch sends must stand in the order list, in the same order. */
function checkOrder(sent: readonly unknown[], order: readonly unknown[], identity: Identity): void {
  let at = 0;
  for (const item of sent) {
    if (isObject(item) && item[PATCH] !== undefined) continue;
    const key = identity(item);
    while (at < order.length && identity(order[at]) !== key) at++;
    if (at === order.length) {
      throw badRequest(
        `The order in patch list:\n${JSON.stringify(sent)}\n doesn't match ${SET_ELEMENT_ORDER.slice(0, -1)} list:\n${JSON.stringify(order)}\n`,
      );
    }
    at++;
  }
}

function mergeList(shape: ListShape, name: string, before: readonly unknown[], sent: readonly unknown[]): unknown[] {
  const objects = isObject(before[0] ?? sent[0]);
  if (!objects) return arranged([...new Set([...before, ...sent])], sent, before, byValue);
  if (!shape.mergeKey) throw badRequest(`cannot merge lists without merge key for ${name}`);
  const identity = byMergeKey(shape.mergeKey, name);
  const { original, patch, replaced } = specialItems(before, sent, identity);
  const merged = replaced ? patch : mergeItems(shape, original, patch, identity);
  return arranged(merged, patch, original, identity);
}

/** Takes items with a `$patch` directive out of the patch and does what they say to the original. */
function specialItems(
  before: readonly unknown[],
  sent: readonly unknown[],
  identity: Identity,
): { original: readonly unknown[]; patch: unknown[]; replaced: boolean } {
  let original = before;
  let replaced = false;
  const patch = sent.filter((item) => {
    const directive = isObject(item) ? item[PATCH] : undefined;
    if (directive === undefined) return true;
    if (directive === "delete") {
      const key = identity(item);
      original = original.filter((other) => identity(other) !== key);
    } else if (directive === "replace") {
      replaced = true;
    } else if (directive === "merge") {
      throw badRequest("merging lists cannot yet be specified in the patch");
    } else {
      throw unknownDirective(directive, item);
    }
    return false;
  });
  return { original, patch, replaced };
}

function mergeItems(
  shape: ListShape,
  original: readonly unknown[],
  patch: readonly unknown[],
  identity: Identity,
): unknown[] {
  const items = [...original];
  for (const sent of patch) {
    const key = identity(sent);
    const at = items.findIndex((item) => identity(item) === key);
    if (at < 0) items.push(withoutDirectives(sent));
    else items[at] = mergeMembers(membersOf(shape.items), items[at] as JsonObject, sent as JsonObject);
  }
  return items;
}

/**
 * Items in their final order: those of the patch as `order` has them; those only the server knows keep the server's order and stand before the first
 * patch item that the server had behind them.
 */
function arranged(
  items: readonly unknown[],
  order: readonly unknown[],
  server: readonly unknown[],
  identity: Identity,
): unknown[] {
  const orderAt = positions(order, identity);
  const serverAt = positions(server, identity);
  const place = (at: Map<unknown, number>) => (a: unknown, b: unknown) =>
    (at.get(identity(a)) ?? at.size) - (at.get(identity(b)) ?? at.size);
  const fromPatch = items.filter((item) => orderAt.has(identity(item))).sort(place(orderAt));
  const serverOnly = items.filter((item) => !orderAt.has(identity(item))).sort(place(serverAt));
  const out: unknown[] = [];
  let next = 0;
  for (const item of fromPatch) {
    const limit = serverAt.get(identity(item));
    while (next < serverOnly.length && limit !== undefined) {
      const at = serverAt.get(identity(serverOnly[next]));
      if (at === undefined || at >= limit) break;
      out.push(serverOnly[next++]);
    }
    out.push(item);
  }
  return [...out, ...serverOnly.slice(next)];
}

function positions(items: readonly unknown[], identity: Identity): Map<unknown, number> {
  const at = new Map<unknown, number>();
  items.forEach((item, index) => {
    const key = identity(item);
    if (!at.has(key)) at.set(key, index);
  });
  return at;
}
