/** Whose turn it is: work on the same thing one piece after the other, work on different things side by side. */

/** One piece of work after the other for each key; keys run beside each other. */
export interface Lanes {
  /** Gives what the work gives, once it has had its turn. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is under way or waiting. */
  idle(): Promise<void>;
}

export function createLanes(): Lanes {
  const last = new Map<string, Promise<unknown>>();
  return {
    run: <T>(key: string, work: () => Promise<T>): Promise<T> => {
      const turn = (last.get(key) ?? Promise.resolve()).then(work, work);
      last.set(key, turn);
      const leave = (): void => {
        if (last.get(key) === turn) last.delete(key);
      };
      turn.then(leave, leave);
      return turn;
    },
    idle: async () => {
      await Promise.allSettled([...last.values()]);
    },
  };
}
