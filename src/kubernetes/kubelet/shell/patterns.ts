/**
 * Shell patterns: `*`, `?`, `[...]`. A backslash takes the next character as it is. They are matched by following all possibilities side by side, so that
 * the time grows with the text and no pattern can hold up the process.
 */

/** One place of a pattern. A star stands for any number of characters, slashes included. */
type Piece =
  | { is: "star" }
  | { is: "any" }
  | { is: "character"; value: string }
  | { is: "set"; source: string; has: RegExp };

export interface Pattern {
  /** The whole text. */
  test(text: string): boolean;
  /** Length of the shortest or longest part at the beginning or at the end of the text that the pattern is about; undefined when there is none. */
  edge(text: string, where: { fromEnd: boolean; longest: boolean }): number | undefined;
}

const known = new Map<string, readonly Piece[]>();
const MEMO_LIMIT = 500;

/** One character's worth of an expression: nothing to go back to. Undefined for ranges that run backwards. */
function setOf(source: string): RegExp | undefined {
  try {
    return new RegExp(source);
  } catch {
    return undefined;
  }
}

function piecesOf(pattern: string): readonly Piece[] {
  const hit = known.get(pattern);
  if (hit) return hit;
  const pieces: Piece[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] as string;
    if (c === "*") {
      if (pieces.at(-1)?.is !== "star") pieces.push({ is: "star" });
    } else if (c === "?") pieces.push({ is: "any" });
    else if (c === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) {
        pieces.push({ is: "character", value: c });
        continue;
      }
      const inside = pattern
        .slice(i + 1, end)
        .replace(/^!/, "^")
        .replace(/\\/g, "\\\\");
      const source = `[${inside.replace(/\[:(\w+):\]?/g, (_, name: string) => CLASSES[name] ?? "")}]`;
      const has = setOf(source);
      if (!has) {
        pieces.push({ is: "character", value: c });
        continue;
      }
      pieces.push({ is: "set", source, has });
      i = end;
      if (pattern[end + 1] === "]" && inside.includes("[:")) i++;
    } else if (c === "\\" && i + 1 < pattern.length) pieces.push({ is: "character", value: pattern[++i] as string });
    else pieces.push({ is: "character", value: c });
  }
  if (known.size >= MEMO_LIMIT) known.clear();
  known.set(pattern, pieces);
  return pieces;
}

const takes = (piece: Piece, character: string): boolean =>
  piece.is === "any" ||
  (piece.is === "character" ? piece.value === character : piece.is === "set" && piece.has.test(character));

/**
 * Reads the characters one by one and keeps every place of the pattern at which one may be by then; `whole` is called with each number of characters that
 * make up a match, and says whether that is enough.
 */
function follow(
  pieces: readonly Piece[],
  length: number,
  at: (i: number) => string,
  whole: (count: number) => boolean,
) {
  let places = new Set<number>();
  const enter = (set: Set<number>, place: number): void => {
    set.add(place);
    if (pieces[place]?.is === "star") enter(set, place + 1);
  };
  enter(places, 0);
  for (let i = 0; ; i++) {
    if (places.has(pieces.length) && whole(i)) return;
    if (i >= length || places.size === 0) return;
    const next = new Set<number>();
    const character = at(i);
    for (const place of places) {
      const piece = pieces[place];
      if (piece?.is === "star") enter(next, place);
      else if (piece && takes(piece, character)) enter(next, place + 1);
    }
    places = next;
  }
}

export function compilePattern(pattern: string): Pattern {
  const pieces = piecesOf(pattern);
  let backwards: readonly Piece[] | undefined;
  return {
    test(text) {
      let found = false;
      const whole = (count: number): boolean => {
        found = count === text.length;
        return false;
      };
      follow(pieces, text.length, (i) => text[i] as string, whole);
      return found;
    },
    edge(text, { fromEnd, longest }) {
      let best: number | undefined;
      const whole = (count: number): boolean => {
        best = count;
        return !longest;
      };
      if (fromEnd) {
        backwards ??= pieces.toReversed();
        follow(backwards, text.length, (i) => text[text.length - 1 - i] as string, whole);
      } else follow(pieces, text.length, (i) => text[i] as string, whole);
      return best;
    },
  };
}

/** The pattern as the source of a regular expression of RE2; for replacing, which takes the longest part that fits. */
export const patternSource = (pattern: string): string =>
  piecesOf(pattern)
    .map((piece) => {
      if (piece.is === "star") return "(?s:.*)";
      if (piece.is === "any") return "(?s:.)";
      return piece.is === "set" ? piece.source : escaped(piece.value);
    })
    .join("");

export const CLASSES: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "A-Za-z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: "\\s",
  blank: " \\t",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
};

export const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

export const matchesPattern = (pattern: string, text: string): boolean => compilePattern(pattern).test(text);

export const hasPattern = (text: string): boolean => /[*?[]/.test(text);
