import type { Clock, Timer } from "../../../clock/clock.js";

/**
 * Nodes of one zone that wait for their NoExecute taint, at most so many a second: upstream's RateLimitedTimedQueue with a bucket of one token. Costs
 * nothing while no node waits.
 */
export interface EvictionQueue {
  add(node: string): void;
  remove(node: string): void;
  /** Nodes a second; 0 holds the queue. The time since the last node counts towards the new rate. */
  setRate(perSecond: number): void;
  stop(): void;
}

export function createEvictionQueue(clock: Clock, initialRate: number, take: (node: string) => void): EvictionQueue {
  const waiting = new Set<string>();
  let rate = initialRate;
  let lastMs = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;

  const arm = (): void => {
    timer?.cancel();
    timer = undefined;
    if (waiting.size === 0 || rate <= 0) return;
    const dueMs = lastMs + 1000 / rate;
    timer = clock.timer(Math.max(0, dueMs - clock.now()), () => {
      timer = undefined;
      const [node] = waiting;
      if (node === undefined) return;
      waiting.delete(node);
      lastMs = clock.now();
      take(node);
      arm();
    });
  };

  return {
    add(node) {
      if (waiting.has(node)) return;
      waiting.add(node);
      if (!timer) arm();
    },
    remove(node) {
      if (waiting.delete(node) && waiting.size === 0) arm();
    },
    setRate(perSecond) {
      if (perSecond === rate) return;
      rate = perSecond;
      arm();
    },
    stop() {
      waiting.clear();
      timer?.cancel();
    },
  };
}
