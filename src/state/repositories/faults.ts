/** Faults with their undo, oldest first. */
import type { Database } from "better-sqlite3";
import type { FaultPhase, FaultRecord, Scope } from "../../domain/model.js";
import type { FaultRepository } from "../state.js";
import { type BodyRow, optionalRecord, recordOf } from "./body.js";

/** Values of the column `ended`: what acts, or is about to, is looked up at every turn. */
const STAGES: Readonly<Record<FaultPhase, number>> = { starting: 0, active: 0, ended: 1, scheduled: 2 };

export function faultRepository(db: Database): FaultRepository {
  const get = db.prepare<[string], BodyRow>("SELECT body FROM faults WHERE id = ?");
  const put = db.prepare<[string, string, string, number, string]>(
    `INSERT INTO faults (id, account_id, region, ended, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body`,
  );
  const remove = db.prepare<[string]>("DELETE FROM faults WHERE id = ?");
  const list = db.prepare<[number | null, string | null, string | null], BodyRow>(
    `SELECT body FROM faults WHERE ended = coalesce(?, ended) AND account_id = coalesce(?, account_id) AND region = coalesce(?, region) ORDER BY position`,
  );
  const read = (stage: number | null, scope: Partial<Scope> = {}): FaultRecord[] =>
    list.all(stage, scope.accountId ?? null, scope.region ?? null).map(recordOf<FaultRecord>);
  return {
    put: (fault) => {
      put.run(fault.id, fault.accountId, fault.region, STAGES[fault.phase], JSON.stringify(fault));
    },
    get: (id) => optionalRecord<FaultRecord>(get.get(id)),
    remove: (id) => void remove.run(id),
    active: (scope) => read(STAGES.active, scope),
    scheduled: (scope) => read(STAGES.scheduled, scope),
    all: (scope) => read(null, scope),
  };
}
