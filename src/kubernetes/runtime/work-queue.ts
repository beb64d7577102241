import type { Clock, Timer } from "../../clock/clock.js";
import type { ClusterLog } from "../cluster.js";
import { isStatusError, StatusError, TooManyRequests } from "../errors.js";

/**
 * The queue between watches and reconciles, after client-go's rate-limited work queue: a key waits at most once, is never reconciled twice at the
 * same time, and comes back with exponential delay when its reconcile fails. Keys of one queue run one after the other, in the order they were
 * added, so that a run is the same for the same seed. Reads from the store are synchronous and see every earlier write, which is why controllers
 * need none of client-go's "expectations".
 */
export interface WorkQueue {
  /** Reconciles `key` soon; again after the present run when it is running. */
  add(key: string): void;
  /** Reconciles `key` in `delayMs`, or earlier when an earlier call asked for that. */
  addAfter(key: string, delayMs: number): void;
  /** Forgets everything about `key`: its timer and its failures. For keys whose object is gone. */
  forget(key: string): void;
  /** Ends processing: nothing is reconciled any more, timers are cancelled. */
  stop(): void;
  /** Keys that wait to be reconciled at this instant. */
  readonly length: number;
}

export interface Backoff {
  /** Delay after the first failure; doubles with each further one. */
  baseMs: number;
  maxMs: number;
}

/** The per-item limiter of client-go's DefaultControllerRateLimiter. */
const DEFAULT_BACKOFF: Backoff = { baseMs: 5, maxMs: 1_000_000 };

/** Longest delay while the API server itself fails. */
const AWAY_RETRY_MS = 5_000;
/** As the API server asks of those that it throttles. */
const THROTTLED_RETRY_MS = 1_000;

export interface WorkQueueOptions {
  clock: Clock;
  log: ClusterLog;
  /** Of the controller, for logs. */
  name: string;
  /** Brings the world closer to what the object of `key` asks for. Must not sleep on the clock: it would hold up the queue and a stepped clock. */
  reconcile: (key: string) => Promise<void> | void;
  backoff?: Backoff;
}

/** Keys reconciled before waiting requests get their turn. */
const SLICE = 16;

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, log, name, reconcile, backoff = DEFAULT_BACKOFF } = options;
  const waiting = new Set<string>();
  /** The same keys in the order they were added. A Set alone keeps an order, too, but finding its first member costs as much as were taken before. */
  let order: string[] = [];
  let head = 0;
  const delayed = new Map<string, { dueMs: number; timer: Timer }>();
  const failures = new Map<string, number>();
  let scheduled = false;
  let running = false;
  let stopped = false;

  const schedule = (): void => {
    if (scheduled || running || stopped || waiting.size === 0) return;
    scheduled = true;
    clock.defer(() => {
      scheduled = false;
      // Keys that come up meanwhile wait for the next turn, so that controllers that wake each other alternate instead of one running ahead.
      drain(Math.min(SLICE, waiting.size));
    });
  };

  const succeeded = (key: string): void => {
    failures.delete(key);
  };

  const failed = (key: string, error: unknown): void => {
    if (stopped) return;
    const count = failures.get(key) ?? 0;
    failures.set(key, count + 1);
    // An API server without quorum is no fault of the key: a real controller manager loses its lease meanwhile and begins afresh.
    const isAway = error instanceof StatusError && error.code >= 500;
    const isThrottled = error instanceof TooManyRequests;
    const leastMs = isThrottled ? THROTTLED_RETRY_MS : 0;
    const soonMs = Math.min(isAway ? AWAY_RETRY_MS : backoff.maxMs, backoff.baseMs * 2 ** Math.min(count, 40));
    const retryMs = Math.max(leastMs, soonMs);
    const fields = { controller: name, key, retryMs, error };
    // Someone else was faster, or the object has just gone, which is the normal course of things; or nothing can be written at all, which the API
    // server tells itself.
    const isOvertaken = isStatusError(error, "Conflict") || (count === 0 && isStatusError(error, "NotFound"));
    if (isAway || isThrottled || isOvertaken) log.debug(fields, "reconcile put off");
    else log.warn(fields, "reconcile failed");
    queue.addAfter(key, retryMs);
  };

  const next = (): string | undefined => {
    const key = order[head++];
    if (head >= order.length || head > 10_000) {
      order = order.slice(head);
      head = 0;
    }
    if (key !== undefined) waiting.delete(key);
    return key;
  };

  const drain = (budget: number): void => {
    while (budget-- > 0 && !stopped) {
      const key = next();
      if (key === undefined) return;
      try {
        const result = reconcile(key);
        if (result !== undefined) {
          const left = budget;
          running = true;
          const ended = (settle: () => void): void => {
            settle();
            running = false;
            // On within the same turn, so that a full queue does not pay for one turn of the event loop a key.
            if (left > 0) drain(left);
            else schedule();
          };
          void clock.track(
            result.then(
              () => ended(() => succeeded(key)),
              (error: unknown) => ended(() => failed(key, error)),
            ),
          );
          return;
        }
        succeeded(key);
      } catch (error) {
        failed(key, error);
      }
    }
    schedule();
  };

  const queue: WorkQueue = {
    add(key) {
      if (stopped) return;
      if (!waiting.has(key)) {
        waiting.add(key);
        order.push(key);
      }
      schedule();
    },
    addAfter(key, delayMs) {
      if (stopped) return;
      if (delayMs <= 0) return queue.add(key);
      const dueMs = clock.now() + delayMs;
      const present = delayed.get(key);
      if (present) {
        if (present.dueMs <= dueMs) return;
        present.timer.cancel();
      }
      const timer = clock.timer(delayMs, () => {
        delayed.delete(key);
        queue.add(key);
      });
      delayed.set(key, { dueMs, timer });
    },
    forget(key) {
      failures.delete(key);
      delayed.get(key)?.timer.cancel();
      delayed.delete(key);
    },
    stop() {
      stopped = true;
      waiting.clear();
      order = [];
      head = 0;
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      failures.clear();
    },
    get length() {
      return waiting.size;
    },
  };
  return queue;
}
