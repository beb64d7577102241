/**
 * The simple JSON paths of printer columns: members, indices, wildcards and filters by comparison (`.status.conditions[?(@.type=="Ready")].status`).
 * Recursive descent, unions and slices are not supported; such a path is refused as a whole rather than read wrongly.
 */

type Step = (value: unknown) => unknown[];

/** Finds every value that a path leads to, in order. */
export type JsonPath = (value: unknown) => unknown[];

/** How a path can go on, by what its text looks like. Every pattern is matched where the one before ended. */
const STEPS: readonly [RegExp, (match: RegExpExecArray) => Step | undefined][] = [
  [/(?:\.\*|\[\*\])/y, () => valuesOf],
  [/\.((?:[^.[\]\\]|\\.)+)/y, ([, name = ""]) => member(name.replace(/\\(.)/g, "$1"))],
  [/\[(?:'([^']*)'|"([^"]*)")\]/y, ([, single, double]) => member(single ?? double ?? "")],
  [/\[(-?\d+)\]/y, ([, index]) => item(Number(index))],
  [
    /\[\?\(@((?:[^=!<>()\\]|\\.)+?)\s*(?:(==|!=|<=|>=|<|>)\s*([^()]+?))?\s*\)\]/y,
    ([, path = "", operator, literal]) => filter(path, operator, literal),
  ],
];

/** Parses a path, with or without the braces of kubectl; undefined when it is malformed or not supported. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const path = text
    .trim()
    .replace(/^\{(.*)\}$/s, "$1")
    .replace(/^\$/, "");
  const steps: Step[] = [];
  for (let at = 0; at < path.length; ) {
    let step: Step | undefined;
    for (const [pattern, make] of STEPS) {
      pattern.lastIndex = at;
      const match = pattern.exec(path);
      if (!match) continue;
      step = make(match);
      at = pattern.lastIndex;
      break;
    }
    if (!step) return undefined;
    steps.push(step);
  }
  return (value) => steps.reduce<unknown[]>((found, step) => found.flatMap(step), [value]);
}

const member =
  (name: string): Step =>
  (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
      ? [(value as Record<string, unknown>)[name]]
      : [];

const item =
  (index: number): Step =>
  (value) => {
    const found = Array.isArray(value) ? value.at(index) : undefined;
    return found === undefined ? [] : [found];
  };

const valuesOf: Step = (value) => (typeof value === "object" && value !== null ? Object.values(value) : []);

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
};

/** Items for which the inner path leads somewhere, or to a value that compares as wanted. */
function filter(path: string, operator: string | undefined, literal: string | undefined): Step | undefined {
  const inner = parseJsonPath(path);
  const wanted = literal === undefined ? undefined : parseLiteral(literal);
  if (!inner || (literal !== undefined && wanted === undefined)) return undefined;
  const holds = (value: unknown): boolean => {
    if (operator === undefined) return true;
    if (operator === "==") return value === wanted;
    if (operator === "!=") return value !== wanted;
    return typeof value === "number" && typeof wanted === "number" && (COMPARISONS[operator]?.(value, wanted) ?? false);
  };
  return (value) => (Array.isArray(value) ? value.filter((candidate) => inner(candidate).some(holds)) : []);
}

function parseLiteral(text: string): unknown {
  const quoted = /^(?:'([^']*)'|"([^"]*)")$/.exec(text);
  if (quoted) return quoted[1] ?? quoted[2];
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}
