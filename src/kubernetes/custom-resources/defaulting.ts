/** Defaulting by a structural schema, of requests and of what comes from storage: one walk that copies only what it fills. */
import { cloneJson, isObject, setMember } from "../patch/json.js";
import { isForbiddenNull, memberNode, type StructuralNode } from "./structural.js";

/** `value` with the schema's defaults where members are absent, or null though they may not be; the same value where there is nothing to fill. */
export function defaulted(node: StructuralNode, value: unknown): unknown {
  if (!node.has.defaults) return value;
  if (Array.isArray(value)) return defaultedItems(node, value);
  return isObject(value) ? defaultedMembers(node, value) : value;
}

function defaultedItems(node: StructuralNode, list: unknown[]): unknown[] {
  const { items } = node;
  if (!items) return list;
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const present = list[index];
    const filled = defaulted(items, orDefault(items, present));
    if (filled === present) continue;
    copy ??= [...list];
    copy[index] = filled;
  }
  return copy ?? list;
}

function defaultedMembers(node: StructuralNode, value: Record<string, unknown>): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  const change = (name: string, filled: unknown): void => {
    copy ??= { ...value };
    setMember(copy, name, filled);
  };
  for (const [name, property] of node.properties) {
    if (property.defaultValue === undefined || (Object.hasOwn(value, name) && value[name] !== undefined)) continue;
    change(name, defaulted(property, cloneJson(property.defaultValue)));
  }
  for (const name in value) {
    const member = memberNode(node, name);
    const present = value[name];
    if (!member || present === undefined) continue;
    const filled = defaulted(member, orDefault(member, present));
    if (filled !== present) change(name, filled);
  }
  return copy ?? value;
}

const orDefault = (node: StructuralNode, value: unknown): unknown =>
  node.defaultValue !== undefined && isForbiddenNull(node, value) ? cloneJson(node.defaultValue) : value;
