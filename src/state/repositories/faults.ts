/** Faults with their undo, oldest first. */
import type { Database } from "better-sqlite3";
import type { FaultRecord, Scope } from "../../domain/model.js";
import type { FaultRepository } from "../state.js";
import { type BodyRow, optionalRecord, recordOf } from "./body.js";

export function faultRepository(db: Database): FaultRepository {
  const get = db.prepare<[string], BodyRow>("SELECT body FROM faults WHERE id = ?");
  const put = db.prepare<[string, string, string, number, string]>(
    `INSERT INTO faults (id, account_id, region, ended, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body`,
  );
  const list = db.prepare<[number, string | null, string | null], BodyRow>(
    `SELECT body FROM faults WHERE ended <= ? AND account_id = coalesce(?, account_id) AND region = coalesce(?, region) ORDER BY position`,
  );
  const read = (ended: number, scope: Partial<Scope> = {}): FaultRecord[] =>
    list.all(ended, scope.accountId ?? null, scope.region ?? null).map(recordOf<FaultRecord>);
  return {
    put: (fault) => {
      const ended = fault.endedAtMs === undefined ? 0 : 1;
      put.run(fault.id, fault.accountId, fault.region, ended, JSON.stringify(fault));
    },
    get: (id) => optionalRecord<FaultRecord>(get.get(id)),
    active: (scope) => read(0, scope),
    all: (scope) => read(1, scope),
  };
}
