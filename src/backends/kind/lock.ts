/** Work on one cluster one piece after the other; work on many at once, but not on too many: each has real processes to start. */
import { createLanes } from "../../clock/lanes.js";

export interface Locks {
  /** Runs `work` when everything that was asked for the same key before has ended. */
  exclusive<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Runs `work` when fewer than the limit of others run. */
  limited<T>(work: () => Promise<T>): Promise<T>;
}

export function createLocks(limit: number): Locks {
  const waiting: (() => void)[] = [];
  let running = 0;

  const release = (): void => {
    const next = waiting.shift();
    // The place is handed on: nobody who comes in between may take it.
    if (next) next();
    else running--;
  };

  return {
    exclusive: createLanes().run,

    limited: async (work) => {
      if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
