import type { Timer } from "../../clock/clock.js";
import type { CoreEvent } from "../schema/generated/types.js";
import type { Machinery } from "./machinery.js";

/** Events go an hour after they were last written: kube-apiserver's --event-ttl, which EKS leaves at its default. */
const TIME_TO_LIVE_MS = 3_600_000;
/** How often is looked; etcd's leases are as coarse. */
const PERIOD_MS = 300_000;

const EVENTS = "events";

function lastWrittenMs({ lastTimestamp, series, eventTime, metadata }: CoreEvent): number {
  const text = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp;
  return Math.max(Date.parse(text) || 0, Date.parse(metadata.creationTimestamp) || 0);
}

/** Removes old Events for as long as there are any. Nothing ticks in a cluster without Events. Returns how to stop. */
export function expireEvents({ store, clock }: Pick<Machinery, "store" | "clock">): () => void {
  let timer: Timer | undefined;

  function sweep(): void {
    timer = undefined;
    const oldestMs = clock.now() - TIME_TO_LIVE_MS;
    for (const event of store.list(EVENTS) as readonly CoreEvent[]) {
      if (lastWrittenMs(event) <= oldestMs) store.remove(EVENTS, event);
    }
    arm();
  }

  function arm(): void {
    if (!timer && store.count(EVENTS) > 0) timer = clock.timer(PERIOD_MS, sweep);
  }

  const stop = store.subscribe(EVENTS, ({ type }) => {
    if (type === "ADDED") arm();
  });
  arm();
  return () => {
    stop();
    timer?.cancel();
  };
}
