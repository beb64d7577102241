import type { Timer } from "./clock.js";

interface Entry extends Timer {
  readonly dueMs: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

/** Timers by due time, then by order of creation: a binary heap. Cancelled entries stay until they reach the top. */
export class TimerQueue {
  #heap: Entry[] = [];
  #order = 0;
  #live = 0;

  /** Number of timers that are set and not cancelled. */
  get size(): number {
    return this.#live;
  }

  add(dueMs: number, fn: () => void): Timer {
    const entry: Entry = {
      dueMs,
      order: this.#order++,
      fn,
      cancel: () => {
        if (entry.fn === undefined) return;
        entry.fn = undefined;
        this.#live--;
      },
    };
    this.#live++;
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return entry;
  }

  /** Due time of the next timer, or undefined when there is none. */
  nextDueMs(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.dueMs;
  }

  /** Takes the next timer that is due at or before `nowMs`. */
  takeDue(nowMs: number): (() => void) | undefined {
    this.#dropCancelled();
    const top = this.#heap[0];
    if (top === undefined || top.dueMs > nowMs) return undefined;
    this.#pop();
    const fn = top.fn;
    top.fn = undefined;
    this.#live--;
    return fn;
  }

  clear(): void {
    for (const entry of this.#heap) entry.fn = undefined;
    this.#heap = [];
    this.#live = 0;
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.fn === undefined) this.#pop();
  }

  #before(i: number, j: number): boolean {
    const a = this.#heap[i] as Entry;
    const b = this.#heap[j] as Entry;
    return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
  }

  #swap(i: number, j: number): void {
    const kept = this.#heap[i] as Entry;
    this.#heap[i] = this.#heap[j] as Entry;
    this.#heap[j] = kept;
  }

  #up(start: number): void {
    let i = start;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #pop(): void {
    const last = this.#heap.pop() as Entry;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < this.#heap.length && this.#before(left, least)) least = left;
      if (right < this.#heap.length && this.#before(right, least)) least = right;
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }
}
