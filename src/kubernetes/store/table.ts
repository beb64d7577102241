import type { IndexName } from "../api.js";
import { type KubeObject, keyOf } from "../object.js";
import { EventRing, type StoreEvent } from "./event-ring.js";
import { positionOf, SortedNames } from "./sorted-names.js";

/** One namespace of a resource: names in order beside the objects themselves. */
interface Partition {
  names: SortedNames;
  objects: Map<string, KubeObject>;
}

export interface PageOptions {
  /** All namespaces when absent. */
  namespace?: string;
  /** `namespace/name`, or `/name`. */
  after?: string;
  limit: number;
}

export interface ObjectPage {
  objects: readonly KubeObject[];
  remaining: number;
}

const NO_OBJECTS: readonly KubeObject[] = [];

/** What an object is found by besides its key. */
const INDEXED_VALUES: Record<IndexName, (object: KubeObject) => readonly string[]> = {
  node: (object) => {
    const nodeName = (object.spec as { nodeName?: string } | undefined)?.nodeName;
    return nodeName ? [nodeName] : [];
  },
  ownerUid: (object) => object.metadata.ownerReferences?.map((owner) => owner.uid) ?? [],
};

/**
 * The present objects of one resource, ordered as etcd orders its keys (`namespace/name`), with secondary indexes, the recent events and those who
 * want to hear of new ones. Reading costs no copy: objects are immutable and handed out as they are.
 */
export class Table {
  readonly ring: EventRing;
  readonly subscribers = new Set<(event: StoreEvent) => void>();
  readonly #partitions = new Map<string, Partition>();
  /** Namespaces with a trailing slash, because that is what etcd compares: `a-b/` comes before `a/`. */
  readonly #order: string[] = [];
  readonly #indexes = new Map<IndexName, Map<string, Map<string, KubeObject>>>();
  #size = 0;

  constructor(resource: string, options: { ringCapacity: number; startRevision: number }) {
    this.ring = new EventRing(options.ringCapacity, options.startRevision);
    this.#indexes.set("ownerUid", new Map());
    if (resource === "pods") this.#indexes.set("node", new Map());
  }

  get size(): number {
    return this.#size;
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#partitions.get(namespace ?? "")?.objects.get(name);
  }

  /** Every object, or those of one namespace, in key order. */
  list(namespace?: string): readonly KubeObject[] {
    if (namespace !== undefined) {
      const partition = this.#partitions.get(namespace);
      return partition
        ? partition.names.inOrder().map((name) => partition.objects.get(name) as KubeObject)
        : NO_OBJECTS;
    }
    if (this.#order.length === 1) return this.list((this.#order[0] as string).slice(0, -1));
    const all: KubeObject[] = [];
    for (const entry of this.#order) {
      const partition = this.#partitions.get(entry.slice(0, -1)) as Partition;
      for (const name of partition.names.inOrder()) all.push(partition.objects.get(name) as KubeObject);
    }
    return all;
  }

  /** Some objects in key order; costs what they cost, not what all cost. */
  page({ namespace, after = "", limit }: PageOptions): ObjectPage {
    const objects: KubeObject[] = [];
    let remaining = 0;
    for (const entry of namespace === undefined ? this.#order : [`${namespace}/`]) {
      const partition = this.#partitions.get(entry.slice(0, -1));
      if (!partition) continue;
      const within = after.startsWith(entry);
      if (!within && entry < after) continue;
      const names = partition.names.inOrder();
      const last = after.slice(entry.length);
      let start = within ? positionOf(names, last) : 0;
      if (within && names[start] === last) start++;
      const end = Math.min(names.length, start + limit - objects.length);
      for (let i = start; i < end; i++) objects.push(partition.objects.get(names[i] as string) as KubeObject);
      remaining += names.length - end;
    }
    return { objects, remaining };
  }

  /** Objects by indexed value, in the order in which they came to have it. */
  byIndex(index: IndexName, value: string): readonly KubeObject[] {
    const found = this.#indexes.get(index)?.get(value);
    return found ? [...found.values()] : NO_OBJECTS;
  }

  /** Replaces or adds; returns what was there. */
  put(object: KubeObject): KubeObject | undefined {
    const namespace = object.metadata.namespace ?? "";
    const name = object.metadata.name;
    let partition = this.#partitions.get(namespace);
    if (!partition) {
      partition = { names: new SortedNames(), objects: new Map() };
      this.#partitions.set(namespace, partition);
      const entry = `${namespace}/`;
      this.#order.splice(positionOf(this.#order, entry), 0, entry);
    }
    const previous = partition.objects.get(name);
    partition.objects.set(name, object);
    if (!previous) {
      this.#size++;
      partition.names.add(name);
    }
    this.#reindex(previous, object);
    return previous;
  }

  remove(object: KubeObject): void {
    const namespace = object.metadata.namespace ?? "";
    const partition = this.#partitions.get(namespace);
    if (!partition?.objects.delete(object.metadata.name)) return;
    this.#size--;
    partition.names.remove(object.metadata.name);
    if (partition.objects.size === 0) {
      this.#partitions.delete(namespace);
      this.#order.splice(positionOf(this.#order, `${namespace}/`), 1);
    }
    this.#reindex(object, undefined);
  }

  #reindex(previous: KubeObject | undefined, next: KubeObject | undefined): void {
    for (const [index, byValue] of this.#indexes) {
      const before = previous ? INDEXED_VALUES[index](previous) : [];
      const after = next ? INDEXED_VALUES[index](next) : [];
      if (before.length === 0 && after.length === 0) continue;
      const key = keyOf((next ?? previous) as KubeObject);
      for (const value of before) {
        if (after.includes(value)) continue;
        const entries = byValue.get(value);
        entries?.delete(key);
        if (entries?.size === 0) byValue.delete(value);
      }
      for (const value of after) {
        const entries = byValue.get(value);
        if (entries) entries.set(key, next as KubeObject);
        else byValue.set(value, new Map([[key, next as KubeObject]]));
      }
    }
  }
}
