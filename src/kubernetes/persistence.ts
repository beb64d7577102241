/** One write of the store, in order of revision. */
export interface StoreRecord {
  revision: number;
  /** Group and plural, e.g. `pods` or `deployments.apps`. */
  resource: string;
  /** `namespace/name` or `name`. */
  key: string;
  /** The object as JSON; absent for a deletion. */
  json?: string;
}

/** Where the store keeps its objects over a restart. Implemented outside (SQLite in eksim); a store without one lives in memory only. */
export interface Persistence {
  /** The present objects (never deletions) in order of revision, and the highest revision ever handed out. */
  load(): { revision: number; records: Iterable<StoreRecord> };
  /** The same objects one by one, for a store that need not have everything at once; it then calls this instead of `load`. */
  piecemeal?(): PiecemealLoad;
  /** Writes a batch durably, in one transaction. Called once per tick with everything written in it. Throws when the disk refuses. */
  commit(records: readonly StoreRecord[]): void;
}

export interface PiecemealLoad {
  /** The highest revision ever handed out. */
  revision: number;
  /** Present objects by resource. */
  counts: ReadonlyMap<string, number>;
  /** Keys of the present objects of a resource, in order of revision. */
  keysOf(resource: string): readonly string[];
  /** The present object as JSON; undefined when there is none. */
  read(resource: string, key: string): string | undefined;
}
