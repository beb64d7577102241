/**
 * RE2 patterns, as Go has them: linear time, so that no pattern of a user can hang the process. The library is loaded when the first pattern is
 * compiled, synchronously, because that happens in the middle of validation.
 */
import { createRequire } from "node:module";
import { LRUCache } from "lru-cache";
import type { RE2JS } from "re2js";
import { CelError } from "./scalars.js";

const load = createRequire(import.meta.url);

/** Patterns are compiled again and again by the same policies and schemas. */
const compiled = new LRUCache<string, RE2JS>({ max: 500 });

/** Throws CelError for a text that is no pattern. */
export function compileRegex(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known) return known;
  const { RE2JS: engine } = load("re2js") as { RE2JS: typeof RE2JS };
  try {
    const made = engine.compile(pattern);
    compiled.set(pattern, made);
    return made;
  } catch (error) {
    throw new CelError(error instanceof Error ? error.message : String(error));
  }
}

/** True when the pattern occurs anywhere in the text. */
export const regexMatches = (text: string, pattern: string): boolean => compileRegex(pattern).matcher(text).find();

/** All occurrences that do not overlap; at most `limit` of them unless it is negative. */
export function regexFindAll(text: string, pattern: string, limit: number): string[] {
  const matcher = compileRegex(pattern).matcher(text);
  const found: string[] = [];
  while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? "");
  return found;
}
