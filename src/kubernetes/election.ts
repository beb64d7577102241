/**
 * The controller manager and the scheduler work under a lease that they have to renew. Without etcd they cannot, and end; once it has a leader again
 * one of each gets the lease and begins afresh, knowing nothing of what it saw before.
 */
import type { Clock, Timer } from "../clock/clock.js";

export interface Election {
  /** etcd has lost its leader, or has one again. */
  setQuorum(hasQuorum: boolean): void;
  stop(): void;
}

/** leaderElection.renewDeadline and .retryPeriod of kube-controller-manager and kube-scheduler. */
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

/** `end` and `begin` are called in turn, `end` first. */
export function createElection(clock: Clock, { begin, end }: { begin(): void; end(): void }): Election {
  let leads = true;
  let timer: Timer | undefined;
  return {
    setQuorum(hasQuorum) {
      timer?.cancel();
      timer = undefined;
      if (hasQuorum === leads) return;
      timer = clock.timer(hasQuorum ? RETRY_MS : RENEW_DEADLINE_MS, () => {
        leads = hasQuorum;
        if (hasQuorum) begin();
        else end();
      });
    },
    stop: () => timer?.cancel(),
  };
}
