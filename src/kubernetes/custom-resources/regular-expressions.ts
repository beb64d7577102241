/** Patterns of schemas: RE2, as Go has it, so that none of them can run away. The engine is loaded with the first pattern. */
import { createRequire } from "node:module";
import { LRUCache } from "lru-cache";

const load = createRequire(import.meta.url);
const compiled = new LRUCache<string, (text: string) => boolean>({ max: 1_000 });

/** Whether some part of a text matches. Throws Error, with the reason, for what is no regular expression of RE2. */
export function patternOf(pattern: string): (text: string) => boolean {
  const known = compiled.get(pattern);
  if (known) return known;
  const { RE2JS } = load("re2js") as typeof import("re2js");
  const expression = RE2JS.compile(pattern);
  const matches = (text: string): boolean => expression.test(text);
  compiled.set(pattern, matches);
  return matches;
}
