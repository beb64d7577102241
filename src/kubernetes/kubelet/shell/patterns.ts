/** Shell patterns: `*`, `?`, `[...]`. A backslash takes the next character as it is. */

const known = new Map<string, string>();
const MEMO_LIMIT = 500;

/** The pattern as the source of a regular expression. `*` and `?` match anything, slashes included. */
export function patternSource(pattern: string): string {
  const hit = known.get(pattern);
  if (hit !== undefined) return hit;
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] as string;
    if (c === "*") {
      if (pattern[i - 1] !== "*" || i === 0) source += "[^]*";
    } else if (c === "?") source += "[^]";
    else if (c === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) source += "\\[";
      else {
        const inside = pattern
          .slice(i + 1, end)
          .replace(/^!/, "^")
          .replace(/\\/g, "\\\\");
        source += `[${inside.replace(/\[:(\w+):\]?/g, (_, name: string) => CLASSES[name] ?? "")}]`;
        i = end;
        if (pattern[end + 1] === "]" && inside.includes("[:")) i++;
      }
    } else if (c === "\\" && i + 1 < pattern.length) source += escaped(pattern[++i] as string);
    else source += escaped(c);
  }
  if (known.size >= MEMO_LIMIT) known.clear();
  known.set(pattern, source);
  return source;
}

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

export const matchesPattern = (pattern: string, text: string): boolean =>
  new RegExp(`^(?:${patternSource(pattern)})$`).test(text);

export const hasPattern = (text: string): boolean => /[*?[]/.test(text);
