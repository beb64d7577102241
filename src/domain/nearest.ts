/** Names that were probably meant by one that there is not: misspelt, cut short, or in other letters. */

/** How many names an error suggests. */
const SUGGESTED = 3;
/** A part of a name has to be so long to stand for it. */
const PART = 4;

/** The names that are like the one given, the likest first; none where nothing is like it. */
export function nearest(given: string, known: readonly string[]): string[] {
  const wanted = plain(given);
  if (wanted === "") return [];
  return known
    .map((name) => ({ name, far: unlikeness(wanted, plain(name)) }))
    .filter(({ far }) => far !== undefined)
    .sort((a, b) => (a.far ?? 0) - (b.far ?? 0))
    .slice(0, SUGGESTED)
    .map(({ name }) => name);
}

/** ` Did you mean a, b or c?`, to be put behind a sentence; empty where nothing is like the name given. */
export function didYouMean(given: string, known: readonly string[]): string {
  const names = nearest(given, known);
  return names.length === 0 ? "" : ` Did you mean ${eitherOf(names)}?`;
}

/** `a, b or c`. */
export const eitherOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;

/** People mix up letters of both sizes, and what stands between words. */
const plain = (text: string): string => text.toLowerCase().replace(/[-_.\s]/g, "");

/** 0: the same; undefined: too unlike to be meant. A slip in three letters is forgiven. */
function unlikeness(a: string, b: string): number | undefined {
  const distance = editDistance(a, b);
  if (distance <= Math.max(1, Math.floor(Math.min(a.length, b.length) / 3))) return distance;
  const [part, whole] = a.length < b.length ? [a, b] : [b, a];
  return part.length >= PART && whole.includes(part) ? distance : undefined;
}

/** Letters to be put in, left out, replaced or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const costs = [(last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + (same ? 0 : 1)];
      if (a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1] && row > 1 && column > 1)
        costs.push((before[column - 2] ?? 0) + 1);
      next.push(Math.min(...costs));
    }
    [before, last] = [last, next];
  }
  return last[b.length] ?? 0;
}
