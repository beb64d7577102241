import type { Clock } from "../../clock/clock.js";
import { internalError } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { Persistence, StoreRecord } from "../persistence.js";
import { jsonOf } from "./serialised.js";

/**
 * Brings writes to the disk in groups: everything written in one tick goes down in one transaction, each key once in its last state. Whoever must not
 * answer before its write is durable waits for `flushed`.
 */
export interface Journal {
  record(resource: string, key: string, object: KubeObject | undefined, revision: number): void;
  /** Resolves when everything up to `revision` is on disk; rejects when the disk refused it. */
  flushed(revision: number): Promise<void>;
  /** Throws while the disk refuses: nothing may be written that an earlier, lost write would have come before. Tries again first. */
  assertHealthy(): void;
  /** Writes what is outstanding now. Throws when the disk refuses. */
  flush(): void;
}

interface Waiter {
  revision: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const MEMORY_ONLY: Journal = {
  record: () => {},
  flushed: () => Promise.resolve(),
  assertHealthy: () => {},
  flush: () => {},
};

export function createJournal({
  persistence,
  clock,
  volatile,
}: {
  persistence?: Persistence;
  clock: Clock;
  volatile: ReadonlySet<string>;
}): Journal {
  if (!persistence) return MEMORY_ONLY;
  const outstanding = new Map<
    string,
    { resource: string; key: string; object: KubeObject | undefined; revision: number }
  >();
  let waiters: Waiter[] = [];
  let recordedRevision = 0;
  let durableRevision = 0;
  let scheduled = false;
  let refused = false;

  function flush(): void {
    if (outstanding.size > 0) {
      const upTo = recordedRevision;
      const records: StoreRecord[] = [];
      for (const { resource, key, object, revision } of outstanding.values()) {
        records.push(object ? { revision, resource, key, json: jsonOf(object) } : { revision, resource, key });
      }
      try {
        persistence?.commit(records);
      } catch (error) {
        refused = true;
        const refusal = internalError(
          `the cluster's state could not be written to disk: ${error instanceof Error ? error.message : String(error)}`,
        );
        const failed = waiters;
        waiters = [];
        for (const waiter of failed) waiter.reject(refusal);
        throw refusal;
      }
      refused = false;
      outstanding.clear();
      durableRevision = upTo;
    }
    const ready = waiters.filter((waiter) => waiter.revision <= durableRevision);
    if (ready.length === 0) return;
    waiters = waiters.filter((waiter) => waiter.revision > durableRevision);
    for (const waiter of ready) waiter.resolve();
  }

  return {
    record(resource, key, object, revision) {
      if (volatile.has(resource)) return;
      const id = `${resource} ${key}`;
      // Deleted first, so that the map stays in order of revision.
      outstanding.delete(id);
      outstanding.set(id, { resource, key, object, revision });
      recordedRevision = revision;
      if (scheduled) return;
      scheduled = true;
      clock.defer(() => {
        scheduled = false;
        try {
          flush();
        } catch {
          // Told to every waiter, and to every later writer by assertHealthy.
        }
      });
    },
    flushed(revision) {
      // Revisions of volatile resources after the last recorded one have nothing to wait for.
      const needed = Math.min(revision, recordedRevision);
      if (needed <= durableRevision) return Promise.resolve();
      return new Promise((resolve, reject) => waiters.push({ revision: needed, resolve, reject }));
    },
    assertHealthy() {
      if (refused) flush();
    },
    flush,
  };
}
