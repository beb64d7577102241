/**
 * Facts about fields that the published schema lacks: how server-side apply treats a list, map or struct, how strategic merge patch treats a field, and
 * which fields hold resource quantities. Generated from the markers and tags of the Go sources (generated/traits.json), read on first use.
 */
import { readFileSync } from "node:fs";

export interface ListTraits {
  /** Lists: how server-side apply owns them. A list without a marker is atomic. */
  readonly listType: "atomic" | "set" | "map";
  /** Fields that together identify an item of a `map` list; empty otherwise. */
  readonly mapKeys: readonly string[];
  /** Maps and structs: `atomic` ones are owned and replaced whole by server-side apply. */
  readonly mapType: "atomic" | "granular";
  /** Strategic merge patch: any of `merge`, `replace`, `retainKeys`; empty = the list is replaced, the struct merged. */
  readonly patchStrategy: readonly string[];
  /** Strategic merge patch: the one field that identifies an item of a merged list of objects. It can differ from `mapKeys`. */
  readonly patchMergeKey?: string;
}

interface CodedTraits {
  listType?: ListTraits["listType"];
  mapKeys?: string[];
  mapType?: ListTraits["mapType"];
  /** Comma-separated, as the struct tag has it. */
  patchStrategy?: string;
  patchMergeKey?: string;
}

const ORDINARY: ListTraits = { listType: "atomic", mapKeys: [], mapType: "granular", patchStrategy: [] };

interface Tables {
  /** By `Type.field`. */
  traits: Readonly<Record<string, CodedTraits>>;
  quantities: ReadonlySet<string>;
}

let tables: Tables | undefined;
const parsed = new Map<string, ListTraits>();

function load(): Tables {
  if (!tables) {
    const text = readFileSync(new URL("./generated/traits.json", import.meta.url), "utf8");
    const { quantities, ...traits } = JSON.parse(text) as Record<string, CodedTraits> & { quantities: string[] };
    tables = { traits, quantities: new Set(quantities) };
  }
  return tables;
}

/** Traits of one field of a built-in type; the ordinary ones (atomic list, granular map, no patch strategy) for every field without a marker. */
export function listTraits(typeName: string, field: string): ListTraits {
  const key = `${typeName}.${field}`;
  let traits = parsed.get(key);
  if (!traits) {
    const coded = load().traits;
    traits = Object.hasOwn(coded, key) ? parse(coded[key] as CodedTraits) : ORDINARY;
    parsed.set(key, traits);
  }
  return traits;
}

const parse = ({ patchStrategy, ...rest }: CodedTraits): ListTraits => ({
  ...ORDINARY,
  ...rest,
  patchStrategy: patchStrategy?.split(",") ?? [],
});

/** Every `Type.field` that has traits of its own, for drift tests and documents. */
export const overlayKeys = (): readonly string[] => [...Object.keys(load().traits), ...load().quantities];

/** True when the field's value (or each value of its map or list) is a resource quantity such as `100m` or `1Gi`. */
export const isQuantity = (typeName: string, field: string): boolean => load().quantities.has(`${typeName}.${field}`);
