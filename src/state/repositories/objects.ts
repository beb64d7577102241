/**
 * Objects of the simulated Kubernetes: their present state, and the highest revision of each cluster. Writing an object moves its row to the end of the
 * table, so that a scan by row number gives every cluster's objects in order of revision without sorting.
 */
import type { Database } from "better-sqlite3";
import type { State } from "../state.js";

type ObjectStore = ReturnType<State["objects"]>;
type ObjectRow = { revision: number; resource: string; key: string; json: string };

const ROWS_AT_A_TIME = 1000;

export function objectStores(
  db: Database,
  transaction: <T>(work: () => T) => T,
): { of(clusterId: string): ObjectStore } {
  const find = db.prepare<[string], { store: number; revision: number }>(
    "SELECT store, revision FROM stores WHERE cluster_id = ?",
  );
  const create = db.prepare<[string]>("INSERT INTO stores (cluster_id, revision) VALUES (?, 0)");
  const setRevision = db.prepare<[number, number]>("UPDATE stores SET revision = max(revision, ?) WHERE store = ?");
  const put = db.prepare<[number, string, string, number, string]>(
    "REPLACE INTO objects (store, resource, key, revision, json) VALUES (?, ?, ?, ?, ?)",
  );
  const remove = db.prepare<[number, string, string]>(
    "DELETE FROM objects WHERE store = ? AND resource = ? AND key = ?",
  );
  const read = db.prepare<[number, number, number], ObjectRow & { position: number }>(
    // The + keeps SQLite from using the index on (store, resource, key), whose order is not that of revisions.
    "SELECT position, revision, resource, key, json FROM objects WHERE +store = ? AND position > ? ORDER BY position LIMIT ?",
  );
  // These three are answered by the index on (store, resource, key), but for the text itself.
  const count = db
    .prepare<[number], [string, number]>("SELECT resource, count(*) FROM objects WHERE store = ? GROUP BY resource")
    .raw();
  const keys = db
    .prepare<[number, string], string>("SELECT key FROM objects WHERE store = ? AND resource = ? ORDER BY position")
    .pluck();
  const text = db
    .prepare<[number, string, string], string>("SELECT json FROM objects WHERE store = ? AND resource = ? AND key = ?")
    .pluck();
  const clear = db.prepare<[number]>("DELETE FROM objects WHERE store = ?");
  const forget = db.prepare<[number]>("DELETE FROM stores WHERE store = ?");

  /** A part at a time: neither all texts in memory at once, nor a statement left open while the reader does other things. */
  function* load(store: number): Generator<ObjectRow> {
    for (let position = 0; ; ) {
      const rows = read.all(store, position, ROWS_AT_A_TIME);
      yield* rows;
      const last = rows.at(-1);
      if (!last || rows.length < ROWS_AT_A_TIME) return;
      position = last.position;
    }
  }

  return {
    of: (clusterId) => ({
      load: () => {
        const store = find.get(clusterId);
        return store ? { revision: store.revision, records: load(store.store) } : { revision: 0, records: [] };
      },
      piecemeal: () => {
        const found = find.get(clusterId);
        const store = found?.store ?? -1;
        return {
          revision: found?.revision ?? 0,
          counts: new Map(count.all(store)),
          keysOf: (resource) => keys.all(store, resource),
          read: (resource, key) => text.get(store, resource, key),
        };
      },
      commit: (records) => {
        const last = records.at(-1);
        if (!last) return;
        transaction(() => {
          const store = find.get(clusterId)?.store ?? Number(create.run(clusterId).lastInsertRowid);
          for (const { resource, key, revision, json } of records) {
            if (json === undefined) remove.run(store, resource, key);
            else put.run(store, resource, key, revision, json);
          }
          setRevision.run(last.revision, store);
        });
      },
      removeAll: () => {
        transaction(() => {
          const store = find.get(clusterId)?.store;
          if (store === undefined) return;
          clear.run(store);
          forget.run(store);
        });
      },
    }),
  };
}
