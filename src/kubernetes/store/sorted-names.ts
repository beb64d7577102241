/** So few new names are put in one by one; more are sorted and merged in one pass. */
const FEW = 16;

/** First position in sorted `items` whose item is not before `item`. */
export function positionOf(items: readonly string[], item: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle] as string) < item) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Names in byte order, put in order only when somebody lists them: thousands of creations between two lists, as when a large deployment starts, then
 * cost one sort instead of thousands of insertions into the middle of a long array.
 */
export class SortedNames {
  #sorted: string[] = [];
  #added: string[] = [];
  #removed = new Set<string>();

  add(name: string): void {
    if (!this.#removed.delete(name)) this.#added.push(name);
  }

  remove(name: string): void {
    this.#removed.add(name);
  }

  /** The names in order; valid until the next change. */
  inOrder(): readonly string[] {
    if (this.#added.length > 0) this.#takeIn();
    if (this.#removed.size > 0) {
      this.#sorted = this.#sorted.filter((name) => !this.#removed.has(name));
      this.#removed = new Set();
    }
    return this.#sorted;
  }

  #takeIn(): void {
    const added = this.#added;
    this.#added = [];
    if (added.length <= FEW) {
      for (const name of added) this.#sorted.splice(positionOf(this.#sorted, name), 0, name);
      return;
    }
    added.sort();
    const merged: string[] = [];
    let next = 0;
    for (const name of this.#sorted) {
      while (next < added.length && (added[next] as string) < name) merged.push(added[next++] as string);
      merged.push(name);
    }
    while (next < added.length) merged.push(added[next++] as string);
    this.#sorted = merged;
  }
}
