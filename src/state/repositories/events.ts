/** The append-only event log. Listeners hear of an event once the transaction that appended it has committed, never of one that was rolled back. */
import type { Database, Statement } from "better-sqlite3";
import type { EventRecord } from "../../domain/model.js";
import type { EventLog } from "../state.js";
import { type BodyRow, recordOf } from "./body.js";

/** The log with the two ends that transactions hold on to. */
export interface EventLogWithCommit extends EventLog {
  committed(): void;
  rolledBack(): void;
}

type Filter = Parameters<EventLog["read"]>[0];

/** Members of the filter, and the condition each adds. */
const CONDITIONS: Readonly<Record<Exclude<keyof Filter, "limit">, string>> = {
  accountId: "account_id = @accountId",
  region: "region = @region",
  clusterName: "cluster_name = @clusterName",
  afterSequence: "sequence > @afterSequence",
};

export function eventLog(
  db: Database,
  options: { inTransaction: () => boolean; onListenerError: (error: unknown) => void },
): EventLogWithCommit {
  const insert = db.prepare<[string, string, string | null, string]>(
    // Without AUTOINCREMENT the next key is the highest plus one, so numbers of a rolled-back transaction leave no gap.
    "INSERT INTO events (account_id, region, cluster_name, body) VALUES (?, ?, ?, ?)",
  );
  /** By their conditions: drills read the log at every change. */
  const readers = new Map<string, Statement<[Filter], BodyRow & { sequence: number }>>();
  const readerOf = (where: string): Statement<[Filter], BodyRow & { sequence: number }> => {
    const known = readers.get(where);
    if (known) return known;
    const reader = db.prepare<[Filter], BodyRow & { sequence: number }>(
      `SELECT sequence, body FROM events ${where} ORDER BY sequence LIMIT @limit`,
    );
    readers.set(where, reader);
    return reader;
  };
  const listeners = new Set<(event: EventRecord) => void>();
  let pending: EventRecord[] = [];

  const committed = (): void => {
    if (pending.length === 0) return;
    const events = pending;
    pending = [];
    for (const event of events) {
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          options.onListenerError(error);
        }
      }
    }
  };
  return {
    append: (event) => {
      const body = JSON.stringify(event);
      const { lastInsertRowid } = insert.run(event.accountId, event.region, event.clusterName ?? null, body);
      const record = { sequence: Number(lastInsertRowid), ...event };
      pending.push(record);
      if (!options.inTransaction()) committed();
      return record;
    },
    read: (filter) => {
      const used = Object.entries(CONDITIONS).filter(([name]) => filter[name as keyof Filter] !== undefined);
      const where = used.length === 0 ? "" : `WHERE ${used.map(([, condition]) => condition).join(" AND ")}`;
      const rows = readerOf(where).all({ ...filter, limit: filter.limit ?? -1 });
      return rows.map((row) => ({ sequence: row.sequence, ...recordOf<Omit<EventRecord, "sequence">>(row) }));
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    committed,
    rolledBack: () => {
      pending = [];
    },
  };
}
