/**
 * Pruning of custom objects: fields that the schema does not specify are dropped, those of embedded objects' metadata too. One walk that copies only what
 * changes; the paths of what was dropped are what strict field validation refuses.
 */
import { isObject, memberOf, setMember } from "../patch/json.js";
import { type Pruned, pruneAndCheck } from "../wire/prune.js";
import { at, type Place, placeText } from "./paths.js";
import { memberNode, type StructuralNode } from "./structural.js";

/** What every object has, whether its schema says so or not. */
const HEAD = new Set(["apiVersion", "kind", "metadata"]);

/**
 * A custom object without unknown fields. Its own metadata is checked like that of any other object.
 * @throws DecodeError for metadata of a wrong type.
 */
export function pruned(root: StructuralNode, object: Record<string, unknown>): Pruned {
  const { object: known, unknown } = pruneAndCheck("", object);
  const dropped = [...unknown];
  const kept = pruneObject(root, known, true, undefined, dropped);
  return { object: kept as Record<string, unknown>, unknown: dropped };
}

/** As `pruned`, for a value below the root whose unknown fields are of interest: defaults in a schema must have none. */
export function unknownFields(node: StructuralNode, value: unknown): readonly string[] {
  const dropped: string[] = [];
  prune(node, value, undefined, dropped);
  return dropped;
}

function prune(node: StructuralNode, value: unknown, place: Place | undefined, dropped: string[]): unknown {
  if (Array.isArray(value)) return pruneItems(node, value, place, dropped);
  if (!isObject(value)) return value;
  const kept = pruneObject(node, value, node.embedded, place, dropped);
  return node.embedded ? withCheckedMetadata(kept, place, dropped) : kept;
}

function pruneItems(node: StructuralNode, list: unknown[], place: Place | undefined, dropped: string[]): unknown[] {
  const { items } = node;
  if (!items) return list;
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const present = list[index];
    if (typeof present !== "object" || present === null) continue;
    const kept = prune(items, present, at(place, index), dropped);
    if (kept === present) continue;
    copy ??= [...list];
    copy[index] = kept;
  }
  return copy ?? list;
}

function pruneObject(
  node: StructuralNode,
  value: Record<string, unknown>,
  whole: boolean,
  place: Place | undefined,
  dropped: string[],
): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const name in value) {
    const present = value[name];
    if (whole && HEAD.has(name)) continue;
    const member = memberNode(node, name);
    if (!member) {
      if (node.preserve) continue;
      dropped.push(placeText(at(place, name)));
      copy ??= { ...value };
      delete copy[name];
      continue;
    }
    if (typeof present !== "object" || present === null) continue;
    const kept = prune(member, present, at(place, name), dropped);
    if (kept === present) continue;
    copy ??= { ...value };
    setMember(copy, name, kept);
  }
  return copy ?? value;
}

function withCheckedMetadata(
  embedded: Record<string, unknown>,
  place: Place | undefined,
  dropped: string[],
): Record<string, unknown> {
  const metadata = memberOf(embedded, "metadata");
  if (!isObject(metadata)) return embedded;
  const { object, unknown } = pruneAndCheck("", { metadata });
  const prefix = placeText(place);
  for (const path of unknown) dropped.push(prefix ? `${prefix}.${path}` : path);
  return object.metadata === metadata ? embedded : { ...embedded, metadata: object.metadata };
}
