/** Wildcards and variables of policies. */

/** Values of condition keys; names in lower case. */
export type Context = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `*` and `?` as policies have them, over the whole text. At worst the product of both lengths: no regular expression that a policy could blow up. */
export function matches(pattern: string, text: string): boolean {
  if (pattern === "*") return true;
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const c = pattern[p];
    if (c === "*") {
      star = p++;
      resume = t;
    } else if (c !== undefined && isOne(c, text[t] as string)) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Literal characters that came from `${*}` and the like travel as these, so that they are not wildcards. */
const LITERALS: Readonly<Record<string, string>> = { "*": "\uE000", "?": "\uE001", $: "\uE002" };
const LITERAL_OF = new Map(Object.entries(LITERALS).map(([character, stand]) => [stand, character]));

const isOne = (pattern: string, character: string): boolean =>
  pattern === "?" || pattern === character || LITERAL_OF.get(pattern) === character;

/** The text as it is read where nothing is a wildcard. */
export const literal = (text: string): string => text.replace(/[\uE000-\uE002]/g, (c) => LITERAL_OF.get(c) ?? c);

/** Fills in `${aws:username}`, with `${key, 'default'}`, and the escapes `${*}`, `${?}` and `${$}`. A variable without a value matches nothing. */
export function fillVariables(text: string, context: Context): string {
  if (!text.includes("${")) return text;
  return text.replace(/\$\{([^}]*)\}/g, (whole, inner: string) => {
    const stand = LITERALS[inner];
    if (stand !== undefined) return stand;
    const [, key = "", , fallback] = /^\s*([^,]+?)\s*(,\s*'([^']*)')?\s*$/.exec(inner) ?? [];
    const value = context[key.toLowerCase()];
    if (typeof value === "string") return value.replace(/[*?$]/g, (c) => LITERALS[c] ?? c);
    return fallback ?? whole;
  });
}
