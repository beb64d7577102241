/**
 * Completion indexes of Indexed Jobs as ordered intervals: a Job of a hundred thousand indexes has a handful of them. Written `1,3-5,7` in a status; two
 * neighbours are written with a comma.
 */
export type Interval = readonly [first: number, last: number];
export type Indexes = readonly Interval[];

/** The intervals of a text, cut off at `completions`: a Job that was made smaller forgets the indexes it no longer has. Nonsense is passed over. */
export function parseIndexes(text: string | undefined, completions = Number.POSITIVE_INFINITY): Indexes {
  const found: Interval[] = [];
  for (const part of (text ?? "").split(",").filter(Boolean)) {
    const [first = Number.NaN, last = first] = part.split("-").map(Number);
    if (!Number.isInteger(first) || !Number.isInteger(last)) continue;
    if (first >= completions) break;
    found.push([first, Math.min(last, completions - 1)]);
  }
  return mergeIndexes(found, []);
}

export function formatIndexes(indexes: Indexes): string {
  return indexes
    .map(([first, last]) => (first === last ? `${first}` : `${first}${last === first + 1 ? "," : "-"}${last}`))
    .join(",");
}

/** The intervals of single numbers, in any order. */
export const indexesOf = (numbers: Iterable<number>): Indexes =>
  mergeIndexes(
    [...numbers].sort((a, b) => a - b).map((index) => [index, index]),
    [],
  );

export const countIndexes = (indexes: Indexes): number =>
  indexes.reduce((count, [first, last]) => count + last - first + 1, 0);

export function hasIndex(indexes: Indexes, index: number): boolean {
  let [low, high] = [0, indexes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((indexes[middle]?.[1] ?? 0) >= index) high = middle;
    else low = middle + 1;
  }
  const found = indexes[low];
  return found !== undefined && found[0] <= index;
}

export function mergeIndexes(a: Indexes, b: Indexes): Indexes {
  const merged: [number, number][] = [];
  for (const [first, last] of [...a, ...b].sort((one, other) => one[0] - other[0])) {
    const latest = merged.at(-1);
    if (latest && first <= latest[1] + 1) latest[1] = Math.max(latest[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** How many indexes are in both. */
export function overlap(a: Indexes, b: Indexes): number {
  let [i, j, count] = [0, 0, 0];
  for (let one = a[i], other = b[j]; one && other; one = a[i], other = b[j]) {
    count += Math.max(0, Math.min(one[1], other[1]) - Math.max(one[0], other[0]) + 1);
    if (one[1] <= other[1]) i++;
    if (other[1] <= one[1]) j++;
  }
  return count;
}

/** The first `count` numbers below `completions` that are in none of the intervals. */
export function firstFree(taken: Indexes, completions: number, count: number): number[] {
  const free: number[] = [];
  let candidate = 0;
  for (const [first, last] of [...taken, [completions, completions] as const]) {
    for (; candidate < Math.min(first, completions) && free.length < count; candidate++) free.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return free;
}
