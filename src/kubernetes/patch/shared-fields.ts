/**
 * One copy of equal field sets. The pods of a ReplicaSet own the same fields, and so do all objects that one controller writes: keeping a copy each would
 * cost more memory than the objects themselves.
 */
import { LRUCache } from "lru-cache";
import { type FieldSet, inWireOrder, MEMBER } from "./field-set.js";

/** Sets are shared from this level down (`f:spec`/`f:containers`), so that one item that differs does not keep its neighbours from being shared. */
const SHARED_LEVEL = 2;

/** Distinct parts remembered; a part that was forgotten is merely stored once more. */
const POOL_SIZE = 2_000;

const pool = new LRUCache<string, FieldSet>({ max: POOL_SIZE });

/** Sets that have been through here: what managers own is mostly what they owned before. */
const canonical = new WeakSet<FieldSet>();

/** The set in the order of the wire, sharing its parts with equal sets seen before. */
export function sharedFields(set: FieldSet): FieldSet {
  if (canonical.has(set)) return set;
  const shared = share(set, 0);
  canonical.add(shared);
  return shared;
}

function share(set: FieldSet, level: number): FieldSet {
  if (set === MEMBER) return set;
  if (level === SHARED_LEVEL) {
    const text = JSON.stringify(set);
    let known = pool.get(text);
    if (known === undefined) {
      known = inWireOrder(set);
      pool.set(text, known);
    }
    return known;
  }
  const out: Record<string, FieldSet> = {};
  for (const element of Object.keys(set).sort()) out[element] = share(set[element] as FieldSet, level + 1);
  return out;
}
