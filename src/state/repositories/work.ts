/**
 * What the reconcilers owe. An item that has been handed out stays in the table, marked as taken, until it is done: a crash hands it out again. When it is
 * scheduled anew while someone works on it, `done` keeps it, so that no nudge is lost.
 */
import type { Database } from "better-sqlite3";
import type { WorkQueue } from "../state.js";

/** Values of the column `taken`. */
const WAITING = 0;
const IN_HAND = 1;
const IN_HAND_AND_SCHEDULED_ANEW = 2;

export function workQueue(db: Database): WorkQueue {
  // Whoever had these in hand is gone with the process that opened this file before.
  db.exec(`UPDATE work SET taken = ${WAITING} WHERE taken <> ${WAITING}`);
  const schedule = db.prepare<[string, string, number, number]>(
    `INSERT INTO work (kind, key, due_ms) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET
       due_ms = CASE WHEN taken = ${IN_HAND} OR ? THEN excluded.due_ms ELSE min(due_ms, excluded.due_ms) END,
       taken = CASE WHEN taken = ${WAITING} THEN ${WAITING} ELSE ${IN_HAND_AND_SCHEDULED_ANEW} END`,
  );
  const due = db.prepare<[number, number], { kind: string; key: string; dueMs: number }>(
    `SELECT kind, key, due_ms AS dueMs FROM work WHERE taken = ${WAITING} AND due_ms <= ? ORDER BY due_ms, position LIMIT ?`,
  );
  const take = db.prepare<[string, string]>(`UPDATE work SET taken = ${IN_HAND} WHERE kind = ? AND key = ?`);
  const next = db.prepare<[], { dueMs: number | null }>(
    `SELECT min(due_ms) AS dueMs FROM work WHERE taken = ${WAITING}`,
  );
  const remove = db.prepare<[string, string]>(
    `DELETE FROM work WHERE kind = ? AND key = ? AND taken <> ${IN_HAND_AND_SCHEDULED_ANEW}`,
  );
  const release = db.prepare<[string, string]>(`UPDATE work SET taken = ${WAITING} WHERE kind = ? AND key = ?`);
  return {
    schedule: (kind, key, dueMs, options) => {
      schedule.run(kind, key, dueMs, options?.replace ? 1 : 0);
    },
    due: (nowMs, limit) => {
      const items = due.all(nowMs, limit);
      for (const item of items) take.run(item.kind, item.key);
      return items;
    },
    nextDueMs: () => next.get()?.dueMs ?? undefined,
    done: (kind, key) => {
      if (remove.run(kind, key).changes === 0) release.run(kind, key);
    },
  };
}
