/**
 * The structural schema of one version of a custom resource as a tree that is made once: what pruning, defaulting, list rules and expressions walk. The
 * checks of single values are compiled beside it (value-validation.ts), because they may stand under junctors too, where no structure is.
 */
import type { JSONSchemaProps, ValidationRule } from "../schema/generated/types.js";

/** One place of an object. */
export interface StructuralNode {
  readonly type: string;
  readonly nullable: boolean;
  /** Keeps fields that it does not know. */
  readonly preserve: boolean;
  /** Holds a whole object: apiVersion, kind and metadata are known without being written down. */
  readonly embedded: boolean;
  readonly properties: ReadonlyMap<string, StructuralNode>;
  /** What the values of a map are. */
  readonly additional?: StructuralNode;
  readonly items?: StructuralNode;
  readonly listType?: "atomic" | "set" | "map";
  readonly mapKeys: readonly string[];
  readonly mapType?: "atomic" | "granular";
  /** Undefined: none. */
  readonly defaultValue: unknown;
  readonly rules: readonly ValidationRule[];
  readonly schema: JSONSchemaProps;
  /** True where something at or below this place has a default, a list rule, an embedded object, an expression: what has none is not walked. */
  readonly has: Readonly<Record<Feature, boolean>>;
}

export type Feature = "defaults" | "lists" | "embedded" | "rules";

const NO_PROPERTIES: ReadonlyMap<string, StructuralNode> = new Map();
const NO_RULES: readonly ValidationRule[] = [];
const NO_KEYS: readonly string[] = [];
const NOTHING: Readonly<Record<Feature, boolean>> = { defaults: false, lists: false, embedded: false, rules: false };

/** `additionalProperties` and `items` are typed loosely, because JSON schemas have several forms of them; structural schemas have one. */
export const asSchema = (value: unknown): JSONSchemaProps | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JSONSchemaProps) : undefined;

/** Compiles a schema that has been found structural. */
export function structuralOf(schema: JSONSchemaProps): StructuralNode {
  const properties = schema.properties
    ? new Map(Object.entries(schema.properties).map(([name, property]) => [name, structuralOf(property)]))
    : NO_PROPERTIES;
  const inner = asSchema(schema.additionalProperties);
  const additional = inner && structuralOf(inner);
  const element = asSchema(schema.items);
  const items = element && structuralOf(element);
  const listType = schema["x-kubernetes-list-type"] as StructuralNode["listType"];
  const rules = schema["x-kubernetes-validations"] ?? NO_RULES;
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const own: Record<Feature, boolean> = {
    defaults: false,
    lists: listType === "set" || listType === "map",
    embedded,
    rules: rules.length > 0,
  };
  const below = [...properties.values(), ...(additional ? [additional] : []), ...(items ? [items] : [])];
  for (const node of below) {
    own.defaults ||= node.defaultValue !== undefined || node.has.defaults;
    own.lists ||= node.has.lists;
    own.embedded ||= node.has.embedded;
    own.rules ||= node.has.rules;
  }
  const any = own.defaults || own.lists || own.embedded || own.rules;
  return {
    type: schema.type ?? "",
    nullable: schema.nullable === true,
    // `additionalProperties: true` lets everything in, which is the same.
    preserve: schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties === true,
    embedded,
    properties,
    additional,
    items,
    listType,
    mapKeys: schema["x-kubernetes-list-map-keys"] ?? NO_KEYS,
    mapType: schema["x-kubernetes-map-type"] as StructuralNode["mapType"],
    defaultValue: schema.default,
    rules,
    schema,
    has: any ? own : NOTHING,
  };
}

/** What a named member of an object is; undefined for one that the schema does not know. */
export function memberNode(node: StructuralNode, name: string): StructuralNode | undefined {
  return node.properties.get(name) ?? node.additional;
}

/** True for a null where none may be: defaulting replaces such nulls, as if they were absent. */
export const isForbiddenNull = (node: StructuralNode, value: unknown): boolean => value === null && !node.nullable;
