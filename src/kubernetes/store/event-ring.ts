import type { WatchEvent } from "../api.js";
import type { KubeObject } from "../object.js";

/** One write as watchers see it. `previous` is the state before it, absent for ADDED. */
export interface StoreEvent<T extends KubeObject = KubeObject> extends WatchEvent<T> {
  revision: number;
}

/**
 * The recent events of one resource, as the API server's watch cache keeps them: a watch can start, and a list can be rebuilt, at any revision since
 * the oldest that is left. Old ones are dropped in chunks, so that a push costs O(1) on average.
 */
export class EventRing {
  readonly #capacity: number;
  #events: StoreEvent[] = [];
  /** Everything that happened after this revision is known. */
  #knownSince: number;

  constructor(capacity: number, startRevision: number) {
    this.#capacity = capacity;
    this.#knownSince = startRevision;
  }

  /** The oldest revision from which a watch can continue. */
  get knownSince(): number {
    return this.#knownSince;
  }

  push(event: StoreEvent): void {
    this.#events.push(event);
    if (this.#events.length <= this.#capacity * 1.25) return;
    const dropped = this.#events.length - this.#capacity;
    this.#knownSince = (this.#events[dropped - 1] as StoreEvent).revision;
    this.#events = this.#events.slice(dropped);
  }

  /** Events after `revision`, oldest first; undefined when some of them have been dropped. */
  since(revision: number): readonly StoreEvent[] | undefined {
    if (revision < this.#knownSince) return undefined;
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle] as StoreEvent).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low);
  }
}
