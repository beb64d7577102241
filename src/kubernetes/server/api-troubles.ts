/**
 * What is wrong with the API server as its clients see it. Clients over the network feel all of it. The cluster's own components feel what is refused or
 * fails, by trying again as client-go does; answers that are late they do not feel: they have no other time than the cluster's.
 */
import type { Random } from "../../clock/random.js";
import { internalError, TooManyRequests } from "../errors.js";

export interface ApiServerTrouble {
  /** Added to every answer, simulated ms. */
  latencyMs?: number;
  /** Share of requests, 0 to 100, that are refused with 429. */
  throttledPercent?: number;
  /** Share of requests, 0 to 100, that are answered with 500. */
  failedPercent?: number;
  /** Watches end so long after they began, simulated ms. */
  watchesEndAfterMs?: number;
}

export interface ApiTroubles {
  /** Undefined: nothing is wrong. */
  readonly present: ApiServerTrouble | undefined;
  set(trouble: ApiServerTrouble | undefined): void;
  /** Calls `listener` after every `set`. Returns how to stop. */
  onChange(listener: () => void): () => void;
  /** Throws for a request that is to be refused or to fail; others pass. */
  assertSpared(): void;
  /** Share of requests that pass, 0 to 1. */
  readonly spared: number;
}

/** 0 to 1. */
const share = (percent = 0): number => Math.min(100, Math.max(0, percent)) / 100;

export function createApiTroubles(random: Random): ApiTroubles {
  let present: ApiServerTrouble | undefined;
  const listeners = new Set<() => void>();
  return {
    get present() {
      return present;
    },
    set(trouble) {
      present = trouble;
      for (const listener of [...listeners]) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    assertSpared() {
      if (!present) return;
      // Whoever is turned away at the door meets nothing of what is wrong behind it.
      if (present.throttledPercent && random.next() < share(present.throttledPercent)) throw new TooManyRequests();
      if (present.failedPercent && random.next() < share(present.failedPercent))
        // In words of a real server: clients are not told that somebody plays with them.
        throw internalError("etcdserver: leader changed");
    },
    get spared() {
      return (1 - share(present?.throttledPercent)) * (1 - share(present?.failedPercent));
    },
  };
}
