/** Wakes at the next due time of rows that carry their own: nothing of it is lost with the process, which only has to set it again. */
import type { Clock, Timer } from "../clock/clock.js";

export interface Alarm {
  /** To be called when due times have changed. */
  set(): void;
  /** Resolves when no call of `ring` is under way. */
  idle(): Promise<void>;
  stop(): void;
}

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
  let stopped = false;

  const fire = async (): Promise<void> => {
    try {
      await ring();
    } catch (error) {
      failed(error);
    }
    ringing = undefined;
    set();
  };

  const set = (): void => {
    if (stopped || ringing) return;
    const atMs = nextMs();
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
