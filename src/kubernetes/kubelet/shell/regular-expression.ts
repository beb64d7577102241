/**
 * Regular expressions that come out of containers: RE2's, which take time in proportion to the text, so that no pod can hold up the process with one. What
 * RE2 leaves out for that (back references, look-around) is refused. The library is loaded when the first expression is compiled.
 */
import { createRequire } from "node:module";
import { LRUCache } from "lru-cache";
import type { RE2JS } from "re2js";
import { CLASSES } from "./patterns.js";

const load = createRequire(import.meta.url);

export interface Expression {
  test(text: string): boolean;
  /** All occurrences that do not overlap. */
  all(text: string): string[];
  /** The first occurrence, or each one, given by `by` from the whole and its groups. */
  replace(text: string, by: (groups: readonly (string | undefined)[]) => string, every: boolean): string;
  split(text: string): string[];
}

export interface ExpressionOptions {
  ignoreCase?: boolean;
}

const KEPT = 200;
const known = new LRUCache<string, Expression>({ max: KEPT });

/** Throws SyntaxError for a text that is no expression. */
export function compileExpression(source: string, { ignoreCase = false }: ExpressionOptions = {}): Expression {
  const key = `${ignoreCase ? "i" : ""}/${source}`;
  const hit = known.get(key);
  if (hit) return hit;
  const { RE2JS: engine } = load("re2js") as { RE2JS: typeof RE2JS };
  let compiled: RE2JS;
  try {
    compiled = engine.compile(source, ignoreCase ? engine.CASE_INSENSITIVE : 0);
  } catch (error) {
    throw new SyntaxError(error instanceof Error ? error.message : String(error));
  }
  const made = expressionOf(compiled);
  known.set(key, made);
  return made;
}

function expressionOf(compiled: RE2JS): Expression {
  /** Calls `found` for each occurrence until it says that it has enough. */
  const scan = (text: string, found: (start: number, end: number, group: (at: number) => string | null) => boolean) => {
    const matcher = compiled.matcher(text);
    while (matcher.find()) if (found(matcher.start(), matcher.end(), (at) => matcher.group(at))) return;
  };
  return {
    test: (text) => compiled.matcher(text).find(),
    all(text) {
      const result: string[] = [];
      scan(text, (start, end) => {
        result.push(text.slice(start, end));
        return false;
      });
      return result;
    },
    replace(text, by, every) {
      let result = "";
      let from = 0;
      scan(text, (start, end, group) => {
        const groups = Array.from({ length: compiled.groupCount() + 1 }, (_, at) => group(at) ?? undefined);
        result += text.slice(from, start) + by(groups);
        from = end;
        return !every;
      });
      return result + text.slice(from);
    },
    split(text) {
      const result: string[] = [];
      let from = 0;
      scan(text, (start, end) => {
        if (end === start) return false;
        result.push(text.slice(from, start));
        from = end;
        return false;
      });
      return [...result, text.slice(from)];
    },
  };
}

/** A POSIX regular expression, basic or extended, as RE2 has it. Throws SyntaxError for back references, which take time without bound. */
export function posixSource(source: string, { extended = false } = {}): string {
  let text = source.replace(/\[:(\w+):\]/g, (_, name: string) => CLASSES[name] ?? "");
  if (!extended)
    text = text.replace(/\\([(){}|+?])|([(){}|+?])/g, (_, special?: string, plain?: string) => special ?? `\\${plain}`);
  if (/^(?:[^\\]|\\[^1-9])*\\[1-9]/s.test(text))
    throw new SyntaxError("back references are not supported by this simulated container");
  return text.replace(/\\[<>]/g, "\\b");
}
