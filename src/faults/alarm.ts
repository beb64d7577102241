/** Wakes at the next due time of rows that carry their own: nothing of it is lost with the process, which only has to set it again. */
import type { Clock, Timer } from "../clock/clock.js";

export interface Alarm {
  /** To be called when due times have changed. */
  set(): void;
  /** Resolves when no call of `ring` is under way. */
  idle(): Promise<void>;
  stop(): void;
}

/** How long it is silent after a call that failed. */
const AFTER_FAILURE_MS = 1000;

/** `nextMs` = when `ring` is to be called next, epoch milliseconds; not finite: never. Calls do not overlap. */
export function createAlarm(options: {
  clock: Clock;
  nextMs: () => number;
  ring: () => Promise<void>;
  failed: (error: unknown) => void;
}): Alarm {
  const { clock, nextMs, ring, failed } = options;
  let timer: { atMs: number; handle: Timer } | undefined;
  let ringing: Promise<void> | undefined;
  let notBeforeMs = 0;
  let stopped = false;

  const fire = async (): Promise<void> => {
    notBeforeMs = 0;
    try {
      await ring();
    } catch (error) {
      failed(error);
      // What is due stays due: it must not ring without end at one moment.
      notBeforeMs = clock.now() + AFTER_FAILURE_MS;
    }
    ringing = undefined;
    set();
  };

  const set = (): void => {
    if (stopped || ringing) return;
    const atMs = Math.max(nextMs(), notBeforeMs);
    if (timer?.atMs === atMs) return;
    timer?.handle.cancel();
    timer = undefined;
    if (!Number.isFinite(atMs)) return;
    const handle = clock.timer(atMs - clock.now(), () => {
      timer = undefined;
      ringing = clock.track(fire());
    });
    timer = { atMs, handle };
  };

  return {
    set,
    idle: async () => {
      await ringing;
    },
    stop: () => {
      stopped = true;
      timer?.handle.cancel();
      timer = undefined;
    },
  };
}
