/**
 * Which kubelets the API server hears of. One renews its lease every ten seconds and tries a few times; what is lost on the way, or refused at the other end,
 * makes it miss a renewal now and then, and only what hardly ever gets through makes it miss as many as make its node unreachable.
 */
import type { Clock, Timer } from "../../clock/clock.js";

export interface KubeletLinks {
  /** Whether the kubelet of a node in this zone is heard at present. */
  isHeard(zone: string): boolean;
  /** Looks anew, and tells the kubelets. */
  recheck(): void;
  stop(): void;
}

/** kubelet's lease controller: as often it tries to renew the lease before it waits for the next time. */
const TRIES = 5;
const RENEWAL_MS = 10_000;
/** A renewal that is missed more seldom than this makes no difference. */
const NEGLIGIBLE = 0.01;

/** `chance`: of one try from a zone, 0 to 1. `review`: has every kubelet ask again whether it is heard. */
export function createKubeletLinks({
  clock,
  chance,
  review,
}: {
  clock: Clock;
  chance: (zone: string) => number;
  review: () => void;
}): KubeletLinks {
  const random = clock.random("kubelet-links");
  let timer: Timer | undefined;

  function recheck(): void {
    timer?.cancel();
    timer = undefined;
    review();
  }

  return {
    isHeard(zone) {
      const once = chance(zone);
      if (once >= 1 || once <= 0) return once > 0;
      const missed = (1 - once) ** TRIES;
      if (missed < NEGLIGIBLE) return true;
      // With the next renewal chance has it again.
      timer ??= clock.timer(RENEWAL_MS, recheck);
      return random.next() >= missed;
    },
    recheck,
    stop: () => timer?.cancel(),
  };
}
