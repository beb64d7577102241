import type { Clock, SteppedClock, Timer } from "./clock.js";
import { createRandom, type Random } from "./random.js";
import { TimerQueue } from "./timer-queue.js";

/** Longest delay that Node's setTimeout takes, in milliseconds; a later timer is armed again on waking. */
const MAX_NODE_DELAY_MS = 2_147_483_647;
/** How long deferred work may hold the event loop of a running clock before waiting requests get their turn, in milliseconds. */
const DEFER_SLICE_MS = 8;

/** What the three kinds share: deferred work, tracked work, timers in order, seeded randomness. */
abstract class BaseClock {
  protected readonly timers = new TimerQueue();
  readonly #seed: number;
  readonly #deferred: (() => void)[] = [];
  #deferredHead = 0;
  #flushScheduled = false;
  #tracked = 0;
  #begun = 0;
  #waiters: (() => void)[] = [];
  protected stopped = false;

  constructor(seed: number) {
    this.#seed = seed;
  }

  abstract now(): number;
  protected abstract armed(): void;
  /** Whether deferred work that began at `startMs` (performance.now) should pause. A stepped clock never does: the machine's speed must not decide an order. */
  protected abstract pauses(startMs: number): boolean;

  wallNow(): number {
    return Date.now();
  }

  timer(delayMs: number, fn: () => void): Timer {
    if (this.stopped) return { cancel: () => {} };
    const timer = this.timers.add(this.now() + Math.max(0, delayMs), fn);
    this.armed();
    return timer;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.timer(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  defer(fn: () => void): void {
    if (this.stopped) return;
    this.#begun++;
    this.#deferred.push(fn);
    this.#scheduleFlush();
  }

  async track<T>(work: Promise<T>): Promise<T> {
    this.#begun++;
    this.#tracked++;
    try {
      return await work;
    } finally {
      this.#tracked--;
      this.#scheduleFlush();
    }
  }

  get begun(): number {
    return this.#begun;
  }

  random(stream: string): Random {
    return createRandom(this.#seed, stream);
  }

  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#scheduleFlush();
    });
  }

  stop(): void {
    this.stopped = true;
    this.timers.clear();
    this.#deferred.length = 0;
    this.#deferredHead = 0;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    const startMs = performance.now();
    // Work deferred during this flush runs in the next one, so that sockets are served in between.
    const end = this.#deferred.length;
    while (this.#deferredHead < end) {
      const fn = this.#deferred[this.#deferredHead++] as () => void;
      fn();
      if ((this.#deferredHead & 15) === 0 && this.pauses(startMs)) break;
    }
    if (this.#deferredHead === this.#deferred.length) {
      this.#deferred.length = 0;
      this.#deferredHead = 0;
    }
    if (this.#deferred.length > 0) {
      this.#scheduleFlush();
      return;
    }
    if (this.#tracked > 0 || this.#waiters.length === 0) return;
    // Settled for now; but the promises that just ended may defer more in their microtasks: look once more after them.
    setImmediate(() => {
      if (this.#deferred.length > 0 || this.#tracked > 0) return;
      const waiters = this.#waiters;
      this.#waiters = [];
      for (const resolve of waiters) resolve();
    });
  }

  /** Runs every timer due at the present instant. */
  protected fireDue(): void {
    for (let fn = this.timers.takeDue(this.now()); fn !== undefined; fn = this.timers.takeDue(this.now())) fn();
  }
}

class RunningClock extends BaseClock implements Clock {
  readonly kind: "real" | "scaled";
  readonly #factor: number;
  readonly #monotonicStartMs = performance.now();
  readonly #startMs: number;
  #wake: NodeJS.Timeout | undefined;
  #wakeDueMs = Number.POSITIVE_INFINITY;

  /** `startMs` absent: the machine's own time, adjustments included. */
  constructor(seed: number, factor: number, startMs?: number) {
    super(seed);
    this.kind = startMs === undefined ? "real" : "scaled";
    this.#factor = factor;
    this.#startMs = startMs ?? 0;
  }

  now(): number {
    if (this.kind === "real") return Date.now();
    return this.#startMs + (performance.now() - this.#monotonicStartMs) * this.#factor;
  }

  protected armed(): void {
    const dueMs = this.timers.nextDueMs();
    if (dueMs === undefined || dueMs >= this.#wakeDueMs) return;
    this.#arm(dueMs);
  }

  #arm(dueMs: number): void {
    clearTimeout(this.#wake);
    this.#wakeDueMs = dueMs;
    const delayMs = Math.min(MAX_NODE_DELAY_MS, Math.max(0, (dueMs - this.now()) / this.#factor));
    this.#wake = setTimeout(() => {
      this.#wakeDueMs = Number.POSITIVE_INFINITY;
      this.fireDue();
      const next = this.timers.nextDueMs();
      if (next !== undefined) this.#arm(next);
    }, Math.ceil(delayMs));
    // The servers keep the process alive; waiting timers alone must not hold up its end.
    this.#wake.unref();
  }

  protected pauses(startMs: number): boolean {
    return performance.now() - startMs > DEFER_SLICE_MS;
  }

  override stop(): void {
    super.stop();
    clearTimeout(this.#wake);
  }
}

class ManualClock extends BaseClock implements SteppedClock {
  readonly kind = "stepped";
  #nowMs: number;
  #advancing: Promise<unknown> = Promise.resolve();

  readonly #moved: (nowMs: number) => void;

  constructor(seed: number, startMs: number, moved: (nowMs: number) => void = () => {}) {
    super(seed);
    this.#nowMs = startMs;
    this.#moved = moved;
  }

  now(): number {
    return this.#nowMs;
  }

  /** A timer that is due already needs no move of time. */
  protected armed(): void {
    const dueMs = this.timers.nextDueMs();
    if (dueMs !== undefined && dueMs <= this.#nowMs) this.defer(() => this.fireDue());
  }

  protected pauses(): boolean {
    return false;
  }

  advance(ms: number): Promise<void> {
    return this.#serialised(async () => {
      await this.#run(this.#nowMs + Math.max(0, ms), () => false);
    });
  }

  advanceUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    return this.#serialised(() => this.#run(this.#nowMs + Math.max(0, limitMs), done));
  }

  /** Two callers that advance at once take turns, so that time never moves while timers of an earlier instant still run. */
  #serialised<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#advancing.then(work);
    this.#advancing = result.catch(() => {});
    return result;
  }

  async #run(targetMs: number, done: () => boolean): Promise<boolean> {
    await this.settled();
    for (;;) {
      if (done()) {
        this.#tell();
        return true;
      }
      const dueMs = this.timers.nextDueMs();
      if (this.stopped || dueMs === undefined || dueMs > targetMs) break;
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      this.fireDue();
      await this.settled();
    }
    this.#nowMs = Math.max(this.#nowMs, targetMs);
    this.#tell();
    return done();
  }

  #tell(): void {
    if (!this.stopped) this.#moved(this.#nowMs);
  }
}

export type ClockSpec = { kind: "real" } | { kind: "scaled"; factor: number } | { kind: "stepped" };

export interface ClockOptions {
  seed?: number;
  /** Simulated time at the start, milliseconds since the epoch; the machine's time when absent. */
  startMs?: number;
  /** Simulated time starts here at the earliest, so that a later run never lies before an earlier one. */
  notBeforeMs?: number;
  /** Told of every move of a stepped clock, once it has ended. */
  moved?: (nowMs: number) => void;
}

/** The one place where a clock is made. */
export function createClock(spec: { kind: "stepped" }, options?: ClockOptions): SteppedClock;
export function createClock(spec: ClockSpec, options?: ClockOptions): Clock | SteppedClock;
export function createClock(spec: ClockSpec, options: ClockOptions = {}): Clock | SteppedClock {
  const seed = options.seed ?? 1;
  if (spec.kind === "real") return new RunningClock(seed, 1);
  const startMs = Math.max(options.startMs ?? Date.now(), options.notBeforeMs ?? 0);
  return spec.kind === "stepped"
    ? new ManualClock(seed, startMs, options.moved)
    : new RunningClock(seed, spec.factor, startMs);
}

export function isStepped(clock: Clock): clock is SteppedClock {
  return clock.kind === "stepped";
}
