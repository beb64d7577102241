/** Forgets old revisions, as the API server has etcd do: a list that pages for too long is told so, and goes on with what there is now. */
import type { Registry } from "../registry/registry.js";

const PERIOD_MS = 60_000;
/** A revision can be listed for at least this many periods after another one took its place: five minutes, upstream's compaction interval. */
const READABLE_PERIODS = 5;

/** Runs until `stop`. */
export function startCompaction(registry: Registry): { stop(): void } {
  const { clock, store } = registry;
  const marks: number[] = [];
  const tick = (): void => {
    marks.push(store.revision);
    const oldest = marks.length > READABLE_PERIODS ? marks.shift() : undefined;
    if (oldest !== undefined) registry.compact(oldest);
    timer = clock.timer(PERIOD_MS, tick);
  };
  let timer = clock.timer(PERIOD_MS, tick);
  return { stop: () => timer.cancel() };
}
