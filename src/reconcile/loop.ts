/**
 * The only loop: takes what is due from the work queue of the state and runs its reconciler. One cluster's work runs in order, one item at a time; clusters
 * run beside each other. An item is done only after its reconciler returned, so a crash repeats it; a failure is tried again, later each time.
 */
import type { Clock, Timer } from "../clock/clock.js";
import type { WorkQueue } from "../state/state.js";
import type { ReconcileLog } from "./context.js";

/** First and longest wait after failures, in milliseconds. */
const BACKOFF_MS = { first: 500, longest: 60_000 };
/** Items taken at once. */
const BATCH = 200;

interface Item {
  kind: string;
  key: string;
  dueMs: number;
}

export interface LoopOptions {
  work: WorkQueue;
  clock: Clock;
  log: ReconcileLog;
  /** Items of the same lane run one after the other. */
  laneOf(kind: string, key: string): string;
  /** `attempt` counts from 1 and begins anew after a success. */
  run(kind: string, key: string, attempt: number): Promise<void>;
}

export interface Loop {
  start(): void;
  /** Looks at the queue soon; to be called after something was scheduled. */
  kick(): void;
  /** Resolves when nothing is due now and nothing is running. */
  idle(): Promise<void>;
  /** Takes nothing more, and resolves when what is running has ended. */
  stop(): Promise<void>;
}

export function createLoop({ work, clock, log, laneOf, run }: LoopOptions): Loop {
  const lanes = new Map<string, Item[]>();
  const failures = new Map<string, number>();
  let waiters: (() => void)[] = [];
  let timer: { at: number; handle: Timer } | undefined;
  let kicked = false;
  let running = false;

  const finish = (item: Item): void => {
    failures.delete(`${item.kind} ${item.key}`);
    work.done(item.kind, item.key, item.dueMs);
  };

  const fail = (item: Item, error: unknown): void => {
    const id = `${item.kind} ${item.key}`;
    const count = (failures.get(id) ?? 0) + 1;
    failures.set(id, count);
    const delayMs = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** (count - 1));
    log.warn({ err: error, kind: item.kind, key: item.key, attempt: count, retryInMs: delayMs }, "reconciling failed");
    work.schedule(item.kind, item.key, clock.now() + delayMs);
    work.done(item.kind, item.key, item.dueMs);
  };

  const runLane = async (name: string, items: Item[]): Promise<void> => {
    for (let item = items.shift(); item && running; item = items.shift()) {
      try {
        await run(item.kind, item.key, (failures.get(`${item.kind} ${item.key}`) ?? 0) + 1);
        finish(item);
      } catch (error) {
        fail(item, error);
      }
      if (items.length === 0) pump();
    }
    lanes.delete(name);
    // What is due has just been taken: that was when nothing was left in this lane.
    settle();
  };

  const pump = (): void => {
    if (running) takeDue();
    settle();
  };

  const takeDue = (): void => {
    const started: [string, Item[]][] = [];
    let isMore = true;
    while (isMore) {
      const items = work.due(clock.now(), BATCH);
      // Nothing comes in while this runs: fewer than asked for are all that there are.
      isMore = items.length === BATCH;
      for (const item of items) {
        const name = laneOf(item.kind, item.key);
        const lane = lanes.get(name);
        if (lane) lane.push(item);
        else {
          const fresh = [item];
          lanes.set(name, fresh);
          started.push([name, fresh]);
        }
      }
    }
    for (const [name, items] of started) void clock.track(runLane(name, items));
    arm();
  };

  const arm = (): void => {
    const dueMs = work.nextDueMs();
    if (dueMs === undefined || (timer && timer.at <= dueMs)) return;
    timer?.handle.cancel();
    const handle = clock.timer(dueMs - clock.now(), () => {
      timer = undefined;
      pump();
    });
    timer = { at: dueMs, handle };
  };

  const settle = (): void => {
    if (lanes.size > 0 || (kicked && running) || waiters.length === 0) return;
    const ready = waiters;
    waiters = [];
    for (const resolve of ready) resolve();
  };

  const kick = (): void => {
    if (kicked || !running) return;
    kicked = true;
    clock.defer(() => {
      kicked = false;
      pump();
    });
  };

  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      waiters.push(resolve);
      if (running) kick();
      else settle();
    });

  return {
    start: () => {
      running = true;
      kick();
    },
    kick,
    idle,
    stop: async () => {
      running = false;
      timer?.handle.cancel();
      timer = undefined;
      await idle();
    },
  };
}
