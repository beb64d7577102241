/** Faults with their undo, oldest first. */
import type { Database } from "better-sqlite3";
import type { FaultRecord, Scope } from "../../domain/model.js";
import type { FaultRepository } from "../state.js";
import { type BodyRow, optionalRecord, recordOf } from "./body.js";

/** Values of the column `ended`: what acts, or is about to, is looked up at every turn. */
const STAGES = { acting: 0, ended: 1, scheduled: 2, unfinished: 3 } as const;

function stageOf({ phase, undo }: FaultRecord): number {
  if (phase === "scheduled") return STAGES.scheduled;
  if (phase !== "ended") return STAGES.acting;
  return undo.pending ? STAGES.unfinished : STAGES.ended;
}

export function faultRepository(db: Database): FaultRepository {
  const get = db.prepare<[string], BodyRow>("SELECT body FROM faults WHERE id = ?");
  const put = db.prepare<[string, string, string, number, string]>(
    `INSERT INTO faults (id, account_id, region, ended, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body`,
  );
  const remove = db.prepare<[string]>("DELETE FROM faults WHERE id = ?");
  const ofScope = "account_id = coalesce(?, account_id) AND region = coalesce(?, region) ORDER BY position";
  const all = db.prepare<[string | null, string | null], BodyRow>(`SELECT body FROM faults WHERE ${ofScope}`);
  const ofStage = db.prepare<[number, string | null, string | null], BodyRow>(
    `SELECT body FROM faults WHERE ended = ? AND ${ofScope}`,
  );
  const read = (stage: number, scope: Partial<Scope> = {}): FaultRecord[] =>
    ofStage.all(stage, scope.accountId ?? null, scope.region ?? null).map(recordOf<FaultRecord>);
  return {
    put: (fault) => {
      put.run(fault.id, fault.accountId, fault.region, stageOf(fault), JSON.stringify(fault));
    },
    get: (id) => optionalRecord<FaultRecord>(get.get(id)),
    remove: (id) => void remove.run(id),
    active: (scope) => read(STAGES.acting, scope),
    scheduled: (scope) => read(STAGES.scheduled, scope),
    unfinished: (scope) => read(STAGES.unfinished, scope),
    all: (scope = {}) => all.all(scope.accountId ?? null, scope.region ?? null).map(recordOf<FaultRecord>),
  };
}
