/** The two moves of server-side apply on values: laying an applied object over the live one, and taking fields out again. */

import { memberShape } from "./compare.js";
import { below, type FieldSet, hasChild, type MaybeFieldSet } from "./field-set.js";
import { deepEqual, isObject, type JsonObject, memberOf, setMember } from "./json.js";
import { elementOf } from "./list-items.js";
import type { ListShape, MapShape, Shape, StructShape } from "./shape.js";

/** `live` with `applied` laid over it: granular parts are merged, the rest is taken from `applied`. Unchanged parts stay shared with `live`. */
export function overlay(shape: Shape, live: unknown, applied: unknown): unknown {
  if (applied === undefined || live === applied) return live;
  if (live === undefined) return applied;
  if (shape.kind === "list" && shape.listType !== "atomic" && Array.isArray(live)) {
    if (applied === null) return live.length > 0 ? live : applied;
    if (Array.isArray(applied)) return live.length === 0 ? applied : overlayItems(shape, live, applied);
  }
  if ((shape.kind === "struct" || shape.kind === "map") && !shape.atomic && isObject(live)) {
    if (applied === null) return Object.keys(live).length > 0 ? live : applied;
    if (isObject(applied)) return overlayMembers(shape, live, applied);
  }
  return deepEqual(live, applied) ? live : applied;
}

function overlayMembers(shape: StructShape | MapShape, live: JsonObject, applied: JsonObject): JsonObject {
  let out: JsonObject | undefined;
  for (const name in applied) {
    const before = memberOf(live, name);
    const after = overlay(memberShape(shape, name, applied[name]), before, applied[name]);
    if (after === before) continue;
    out ??= { ...live };
    setMember(out, name, after);
  }
  return out ?? live;
}

/**
 * Merges associative lists. Applied items keep the order they were applied in; items that only the live list has stay where they were between
 * their neighbours as far as that order allows.
 */
function overlayItems(shape: ListShape, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const liveElements = live.map((item) => elementOf(shape, item));
  const appliedElements = applied.map((item) => elementOf(shape, item));
  const liveByElement = new Map(liveElements.map((element, index) => [element, live[index]]));
  const inApplied = new Set(appliedElements);
  const shared = appliedElements.filter((element) => liveByElement.has(element));
  const done = new Set<string | undefined>();
  const out: unknown[] = [];
  let nextShared = 0;

  const take = (index: number): void => {
    const element = appliedElements[index];
    done.add(element);
    out.push(overlay(shape.items, liveByElement.get(element), applied[index]));
    if (shared[nextShared] === element) nextShared++;
  };

  for (let liveIndex = 0, appliedIndex = 0; liveIndex < live.length || appliedIndex < applied.length; ) {
    if (liveIndex < live.length) {
      const element = liveElements[liveIndex];
      if (!inApplied.has(element)) {
        out.push(live[liveIndex++]);
        continue;
      }
      if (appliedIndex < applied.length && element === appliedElements[appliedIndex]) {
        take(appliedIndex++);
        liveIndex++;
        continue;
      }
      // A shared item that is not the next one of the applied order: it is placed when its turn comes there.
      if (appliedIndex < applied.length && nextShared < shared.length && shared[nextShared] !== element) {
        liveIndex++;
        continue;
      }
      if (done.has(element)) liveIndex++;
    }
    if (appliedIndex < applied.length) take(appliedIndex++);
  }
  return out.length === live.length && out.every((item, index) => item === live[index]) ? (live as unknown[]) : out;
}

/** `value` without the fields in `set`; undefined when nothing is left of it. */
export function withoutFields(shape: Shape, value: unknown, set: MaybeFieldSet): unknown {
  if (set === undefined) return value;
  if (Array.isArray(value)) return shape.kind === "list" ? withoutItems(shape, value, set) : value;
  if (!isObject(value) || shape.kind === "leaf" || shape.kind === "list" || shape.atomic) return value;
  const out: JsonObject = {};
  let changed = false;
  let left = false;
  for (const name in value) {
    const member = value[name];
    const element = `f:${name}`;
    const kept = hasChild(set, element)
      ? undefined
      : withoutFields(memberShape(shape, name, member), member, below(set, element));
    if (kept !== member) changed = true;
    if (kept === undefined) continue;
    left = true;
    setMember(out, name, kept);
  }
  if (!changed) return value;
  return left ? out : undefined;
}

function withoutItems(shape: ListShape, items: readonly unknown[], set: FieldSet): unknown {
  if (shape.listType === "atomic") return items;
  const out: unknown[] = [];
  for (const item of items) {
    const element = elementOf(shape, item);
    if (element === undefined) {
      out.push(item);
      continue;
    }
    if (hasChild(set, element)) continue;
    const kept = withoutFields(shape.items, item, below(set, element));
    if (kept !== undefined) out.push(kept);
  }
  if (out.length === 0) return undefined;
  return out.length === items.length && out.every((item, index) => item === items[index]) ? items : out;
}
