import type { Clock } from "../../clock/clock.js";
import type { IndexName } from "../api.js";
import type { ClusterLog } from "../cluster.js";
import { type KubeObject, keyOf } from "../object.js";
import type { Persistence, PiecemealLoad } from "../persistence.js";
import type { StoreEvent } from "./event-ring.js";
import { createJournal } from "./journal.js";
import { createParkedObjects, isParked } from "./parked.js";
import { SortedNames } from "./sorted-names.js";
import { type ObjectPage, type PageOptions, Table } from "./table.js";

/** Events kept for each resource: how far a watch may lie behind before it is told 410 Expired. */
const RING_CAPACITY = 10_000;
/** How far the revision jumps on loading: more than what volatile writes can have counted, so that positions of before a restart are told 410. */
const RESTART_GAP = 1_000;
/** Written every few seconds by everything alive and worthless after a restart. */
const VOLATILE = new Set(["leases.coordination.k8s.io"]);

/**
 * The etcd of the simulated cluster: one revision over everything, immutable objects, recent events for watches. It knows keys and revisions, nothing
 * of kinds and rules (that is the registry's). A write happens, and every subscriber has heard of it, when `put` or `remove` returns.
 */
export interface Store {
  readonly revision: number;
  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined;
  /** In key order; all namespaces when `namespace` is absent. */
  list(resource: string, namespace?: string): readonly KubeObject[];
  /** At most `limit` objects of `list` whose keys (`namespace/name`, `/name`) come after `after`, and how many there are behind them. */
  page(resource: string, options: PageOptions): ObjectPage;
  /** As `list`, at a past revision; undefined when its events have been dropped. */
  listAt(resource: string, namespace: string | undefined, revision: number): readonly KubeObject[] | undefined;
  byIndex(resource: string, index: IndexName, value: string): readonly KubeObject[];
  count(resource: string): number;
  /** Every resource that has, or had, objects. */
  resources(): readonly string[];
  /** Stores the object itself (not a copy; it must not be changed afterwards) under a new resourceVersion. Throws when the disk refuses. */
  put(resource: string, object: KubeObject): KubeObject;
  /** Removes it; returns its last state with the revision of the removal. */
  remove(resource: string, object: KubeObject): KubeObject;
  /** Resolves when everything of before a restart that the cluster's components work with has been made, which gives others their turn in between. */
  made(): Promise<void>;
  /** Hears every later event of the resource, within the write. */
  subscribe(resource: string, handler: (event: StoreEvent) => void): () => void;
  /** Events after `revision`, oldest first; undefined when they are no longer all known. */
  eventsSince(resource: string, revision: number): readonly StoreEvent[] | undefined;
  /** Resolves when all writes up to `revision` (default: all so far) are durable; rejects when the disk refused. */
  flushed(revision?: number): Promise<void>;
  /** Writes what is outstanding. Throws when the disk refuses. */
  close(): void;
}

export function createStore({
  clock,
  persistence,
  log,
  ringCapacity = RING_CAPACITY,
}: {
  clock: Clock;
  persistence?: Persistence;
  log?: ClusterLog;
  ringCapacity?: number;
}): Store {
  const tables = new Map<string, Table>();
  let readParked = (_resource: string, _key: string): string | undefined => undefined;
  const parked = createParkedObjects({
    clock,
    make: (resource, object) => tableOf(resource).put(object),
    read: (resource, key) => readParked(resource, key),
  });
  const journal = createJournal({ persistence, clock, volatile: VOLATILE });
  /** Events of writes made by subscribers while they were being told of another one: they wait, so that everybody sees one order. */
  const queue: { table: Table; event: StoreEvent }[] = [];
  let telling = false;
  let revision = 0;
  let startRevision = 0;

  function tableOf(resource: string): Table {
    let table = tables.get(resource);
    if (!table) {
      table = new Table(resource, { ringCapacity, startRevision });
      tables.set(resource, table);
    }
    return table;
  }

  function load(): void {
    const piecemeal = persistence?.piecemeal?.();
    const loaded = piecemeal ?? persistence?.load();
    if (!loaded || loaded.revision === 0) return;
    revision = loaded.revision + RESTART_GAP;
    startRevision = revision;
    if (piecemeal) loadPiecemeal(piecemeal);
    else if ("records" in loaded) {
      for (const { resource, key, json } of loaded.records) {
        if (json === undefined) continue;
        if (isParked(resource, 0)) parked.park(resource, key, json);
        else tableOf(resource).put(JSON.parse(json) as KubeObject);
      }
    }
  }

  function loadPiecemeal({ counts, keysOf, read }: PiecemealLoad): void {
    readParked = read;
    for (const [resource, count] of counts) {
      for (const key of keysOf(resource)) parked.park(resource, key);
      if (!isParked(resource, count)) parked.takeAll(resource);
    }
  }

  /** The table of a resource that has, or had, objects; all of them are in it. */
  function whole(resource: string): Table | undefined {
    if (!parked.isEmpty) parked.takeAll(resource);
    return tables.get(resource);
  }

  function unpark(resource: string, key: string): void {
    if (!parked.isEmpty) parked.take(resource, key);
  }

  function tell(table: Table, event: StoreEvent): void {
    table.ring.push(event);
    queue.push({ table, event });
    if (telling) return;
    telling = true;
    for (let next = queue.shift(); next; next = queue.shift()) {
      for (const handler of next.table.subscribers) {
        try {
          handler(next.event);
        } catch (error) {
          log?.error({ error }, "a watch handler threw");
        }
      }
    }
    telling = false;
  }

  load();

  return {
    get revision() {
      return revision;
    },
    get(resource, namespace, name) {
      unpark(resource, namespace ? `${namespace}/${name}` : name);
      return tables.get(resource)?.get(namespace, name);
    },
    list: (resource, namespace) => whole(resource)?.list(namespace) ?? [],
    page(resource, options) {
      if (parked.count(resource) === 0) return tables.get(resource)?.page(options) ?? { objects: [], remaining: 0 };
      const table = tableOf(resource);
      const { namespace, after = "", limit } = options;
      const keys = new SortedNames();
      const add = (key: string): void => {
        const full = key.includes("/") ? key : `/${key}`;
        if (full > after && (namespace === undefined || full.startsWith(`${namespace}/`))) keys.add(full);
      };
      for (const key of parked.keys(resource)) add(key);
      for (const object of table.list(namespace)) add(keyOf(object));
      const found = keys.inOrder();
      const objects = found.slice(0, limit).flatMap((full) => {
        const [space, name] = full.split("/") as [string, string];
        parked.take(resource, space ? full : name);
        return table.get(space, name) ?? [];
      });
      return { objects, remaining: Math.max(0, found.length - limit) };
    },
    made: () => parked.takePressing(),
    listAt(resource, namespace, atRevision) {
      const events = tableOf(resource).ring.since(atRevision);
      if (!events) return undefined;
      whole(resource);
      const objects = new Map(
        tableOf(resource)
          .list(namespace)
          .map((object) => [keyOf(object), object]),
      );
      for (let i = events.length - 1; i >= 0; i--) {
        const { type, object, previous } = events[i] as StoreEvent;
        if (namespace !== undefined && object.metadata.namespace !== namespace) continue;
        if (type === "ADDED" || !previous) objects.delete(keyOf(object));
        else objects.set(keyOf(object), previous);
      }
      const keyInEtcd = (object: KubeObject): string => `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
      return [...objects.values()].sort((a, b) => (keyInEtcd(a) < keyInEtcd(b) ? -1 : 1));
    },
    byIndex: (resource, index, value) => whole(resource)?.byIndex(index, value) ?? [],
    count: (resource) => (tables.get(resource)?.size ?? 0) + parked.count(resource),
    resources: () => [...new Set([...tables.keys(), ...parked.resources()])],
    put(resource, object) {
      journal.assertHealthy();
      const table = tableOf(resource);
      unpark(resource, keyOf(object));
      object.metadata.resourceVersion = String(++revision);
      const previous = table.put(object);
      journal.record(resource, keyOf(object), object, revision);
      tell(table, previous ? { type: "MODIFIED", object, previous, revision } : { type: "ADDED", object, revision });
      return object;
    },
    remove(resource, object) {
      journal.assertHealthy();
      const table = tableOf(resource);
      unpark(resource, keyOf(object));
      revision++;
      table.remove(object);
      const last: KubeObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
      journal.record(resource, keyOf(object), undefined, revision);
      tell(table, { type: "DELETED", object: last, previous: object, revision });
      return last;
    },
    subscribe(resource, handler) {
      const { subscribers } = tableOf(resource);
      // A wrapper of its own, so that the same function can subscribe twice.
      const own = (event: StoreEvent): void => handler(event);
      subscribers.add(own);
      return () => {
        subscribers.delete(own);
      };
    },
    eventsSince: (resource, since) => tableOf(resource).ring.since(since),
    flushed: (upTo = revision) => journal.flushed(upTo),
    close() {
      parked.stop();
      journal.flush();
    },
  };
}
