import type { Random } from "./random.js";

/**
 * The only source of time, timers and seeded randomness in eksim. Three kinds exist: `real`, `scaled` (n simulated seconds a second)
 * and `stepped` (time stands still until told to move). Product code never calls Date.now, setTimeout, setImmediate or Math.random.
 */
export interface Clock {
  readonly kind: "real" | "scaled" | "stepped";
  /** Simulated time, milliseconds since the Unix epoch. */
  now(): number;
  /**
   * The machine's own time, milliseconds since the Unix epoch. Only for judging stamps that outside programs made from their own clocks
   * (X-Amz-Date of a presigned URL, TLS validity), which know nothing of a simulated time.
   */
  wallNow(): number;
  /** Calls `fn` once, `delayMs` of simulated time from now (0 or less: as soon as other due timers have run). */
  timer(delayMs: number, fn: () => void): Timer;
  /** Resolves after `delayMs` of simulated time; rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Runs `fn` soon, at the same simulated time, after the current work has unwound. A stepped clock does not move before it has run. */
  defer(fn: () => void): void;
  /** Tells the clock that asynchronous work is under way at the present simulated time: a stepped clock waits for it before it moves on. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Pieces of deferred and tracked work so far. Where the number has stayed, nothing has moved but time. */
  readonly begun: number;
  /** An independent, seeded stream of randomness. The same name gives a fresh stream from its start. */
  random(stream: string): Random;
  /** Resolves when no deferred or tracked work is left at the present simulated time. */
  settled(): Promise<void>;
  /** Cancels every timer; timers set later never fire. */
  stop(): void;
}

export interface Timer {
  /** No effect when it has fired already. */
  cancel(): void;
}

/** A clock whose time moves only when told. */
export interface SteppedClock extends Clock {
  readonly kind: "stepped";
  /** Moves time forward by `ms`, running every timer due on the way, in order of due time and then of creation, settling after each instant. */
  advance(ms: number): Promise<void>;
  /** Advances from timer to timer until `done()` is true; false when `limitMs` of simulated time passed or no timer is left. */
  advanceUntil(done: () => boolean, limitMs: number): Promise<boolean>;
}

/**
 * To be awaited before something from outside changes the world: a stepped clock lets all that went before come to rest first, so that the machine's speed
 * decides no order. Running clocks take it at once (undefined).
 */
export const atRest = (clock: Clock): Promise<void> | undefined =>
  clock.kind === "stepped" ? clock.settled() : undefined;

let lastSecond = { second: Number.NaN, text: "" };

/** RFC 3339 with whole seconds, the form of Kubernetes `metav1.Time`. Remembers the last second, which thousands of writes share. */
export function formatSeconds(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  if (second !== lastSecond.second) lastSecond = { second, text: `${new Date(epochMs).toISOString().slice(0, 19)}Z` };
  return lastSecond.text;
}

/** RFC 3339 with microseconds, the form of Kubernetes `metav1.MicroTime`. */
export function formatMicros(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}

/** RFC 3339 with nanoseconds, the form of the lines of a container's log. */
export function formatNanos(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000000Z`;
}
