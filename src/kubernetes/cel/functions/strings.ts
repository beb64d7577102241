/** The strings extension, `format` included, and Kubernetes' regular expressions. Positions count characters, not UTF-16 units. */
import { regexFindAll } from "../regex.js";
import { CelBudgetError, CelError, Uint } from "../scalars.js";
import { formatDouble, ListValue, MapValue, toText, typeNameOf, type Value } from "../values.js";
import { define, type Overload, regexCost, traversal, traversalAndResult } from "./declare.js";

const characters = (text: string): string[] => [...text];

function inBounds(index: bigint, length: number): number {
  if (index < 0n || index > BigInt(length)) throw new CelError(`index out of range: ${index}`);
  return Number(index);
}

function substring(text: string, from: bigint, to?: bigint): string {
  const all = characters(text);
  if (to !== undefined && from > to) throw new CelError(`invalid substring range. start: ${from}, end: ${to}`);
  return all.slice(inBounds(from, all.length), to === undefined ? undefined : inBounds(to, all.length)).join("");
}

function indexOf(text: string, part: string, from = 0n): bigint {
  const all = characters(text);
  const wanted = characters(part);
  for (let i = inBounds(from, all.length); i + wanted.length <= all.length; i++)
    if (wanted.every((character, j) => all[i + j] === character)) return BigInt(i);
  return -1n;
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  const all = characters(text);
  const wanted = characters(part);
  const last = from === undefined ? all.length : inBounds(from, all.length);
  for (let i = Math.min(last, all.length - wanted.length); i >= 0; i--)
    if (wanted.every((character, j) => all[i + j] === character)) return BigInt(i);
  return -1n;
}

function split(text: string, separator: string, limit = -1n): ListValue {
  if (limit === 0n) return new ListValue([]);
  const parts = separator === "" ? characters(text) : text.split(separator);
  if (limit < 0n || parts.length <= Number(limit)) return new ListValue(parts);
  const kept = parts.slice(0, Number(limit) - 1);
  return new ListValue([...kept, parts.slice(Number(limit) - 1).join(separator)]);
}

/** Longer texts would have cost more than any expression may; they are not even made. */
const LONGEST = 16 * 1024 * 1024;

function assertSize(characters: number): void {
  if (characters > LONGEST) throw new CelBudgetError();
}

const occurrences = (text: string, part: string): number =>
  part === "" ? text.length + 1 : text.split(part).length - 1;

function replace(text: string, from: string, to: string, limit = -1n): string {
  assertSize(text.length + occurrences(text, from) * to.length);
  if (limit < 0n) return text.replaceAll(from, () => to);
  let rest = text;
  let done = "";
  for (let n = 0n; n < limit; n++) {
    const at = rest.indexOf(from);
    if (at < 0) break;
    done += rest.slice(0, at) + to;
    rest = rest.slice(at + from.length);
    if (from === "" && rest !== "") {
      done += rest[0];
      rest = rest.slice(1);
    }
  }
  return done + rest;
}

const ascii = (text: string, pattern: RegExp, change: (letter: string) => string): string =>
  text.replace(pattern, change);

function join(list: ListValue, separator = ""): string {
  const texts = [...list].map((item) => toText(item));
  assertSize(texts.reduce((sum, item) => sum + item.length + separator.length, 0));
  return texts.join(separator);
}

const QUOTED: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};
const quote = (text: string): string => `"${[...text].map((character) => QUOTED[character] ?? character).join("")}"`;

/** `%s` of a value; inside lists and maps strings stay bare, as upstream prints them. */
function spelled(value: Value): string {
  if (value === null) return "null";
  if (value instanceof ListValue) return `[${[...value].map(spelled).join(", ")}]`;
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map((key) => `${spelled(key)}: ${spelled(value.get(key) ?? null)}`);
    return `{${entries.sort().join(", ")}}`;
  }
  return toText(value);
}

function wholeNumber(value: Value, verb: string): bigint {
  if (typeof value === "bigint") return value;
  if (value instanceof Uint) return value.value;
  throw new CelError(
    `error during formatting: ${verb === "d" ? "decimal" : verb === "b" ? "binary" : verb === "o" ? "octal" : "hex"} clause can only be used on integers, was given ${typeNameOf(value)}`,
  );
}

function fixed(value: Value, precision: number, scientific: boolean): string {
  const number = typeof value === "number" ? value : Number(wholeNumber(value, "d"));
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
  return scientific ? number.toExponential(precision).replace(/e([+-])(\d)$/, "e$10$2") : number.toFixed(precision);
}

function clause(verb: string, precision: number, value: Value): string {
  switch (verb) {
    case "s":
      return spelled(value);
    case "d":
      return typeof value === "number" && !Number.isFinite(value)
        ? formatDouble(value)
        : String(wholeNumber(value, verb));
    case "f":
      return fixed(value, precision, false);
    case "e":
      return fixed(value, precision, true);
    case "b":
      return typeof value === "boolean" ? (value ? "1" : "0") : wholeNumber(value, verb).toString(2);
    case "o":
      return wholeNumber(value, verb).toString(8);
    case "x":
    case "X": {
      const hex =
        typeof value === "string"
          ? Buffer.from(value).toString("hex")
          : value instanceof Uint8Array
            ? Buffer.from(value).toString("hex")
            : wholeNumber(value, verb).toString(16);
      return verb === "X" ? hex.toUpperCase() : hex;
    }
    default:
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

const MOST_DIGITS = 100;

function format(template: string, args: ListValue): string {
  let next = 0;
  let size = template.length;
  return template.replace(/%(?:%|(?:\.(\d+))?([\s\S]?))/g, (whole, precision?: string, verb?: string) => {
    if (whole === "%%") return "%";
    if (!verb) throw new CelError("could not parse formatting clause: unexpected end of string");
    if (next >= args.size) throw new CelError(`index ${next} out of range`);
    const digits = precision === undefined ? 6 : Number(precision);
    if (digits > MOST_DIGITS) throw new CelError(`could not parse formatting clause: precision ${digits} is too large`);
    const made = clause(verb, digits, args.at(next++));
    size += made.length;
    assertSize(size);
    return made;
  });
}

export const stringFunctions: readonly Overload[] = [
  define("charAt", "string.(int) -> string", (text: string, index: bigint) => {
    const all = characters(text);
    return all[inBounds(index, all.length)] ?? "";
  }),
  define("indexOf", "string.(string) -> int", indexOf, traversal),
  define("indexOf", "string.(string, int) -> int", indexOf, traversal),
  define("lastIndexOf", "string.(string) -> int", lastIndexOf, traversal),
  define("lastIndexOf", "string.(string, int) -> int", lastIndexOf, traversal),
  define(
    "lowerAscii",
    "string.() -> string",
    (text: string) => ascii(text, /[A-Z]/g, (c) => c.toLowerCase()),
    traversalAndResult,
  ),
  define(
    "upperAscii",
    "string.() -> string",
    (text: string) => ascii(text, /[a-z]/g, (c) => c.toUpperCase()),
    traversalAndResult,
  ),
  define("replace", "string.(string, string) -> string", replace, traversalAndResult),
  define("replace", "string.(string, string, int) -> string", replace, traversalAndResult),
  define("split", "string.(string) -> list(string)", split, traversalAndResult),
  define("split", "string.(string, int) -> list(string)", split, traversalAndResult),
  define("substring", "string.(int) -> string", substring, traversalAndResult),
  define("substring", "string.(int, int) -> string", substring, traversalAndResult),
  define("trim", "string.() -> string", (text: string) => text.trim(), traversalAndResult),
  define("join", "list(string).() -> string", join, traversalAndResult),
  define("join", "list(string).(string) -> string", join, traversalAndResult),
  define("format", "string.(list(dyn)) -> string", format, traversalAndResult),
  define("strings.quote", "(string) -> string", quote, traversalAndResult),
  define(
    "find",
    "string.(string) -> string",
    (text: string, pattern: string) => regexFindAll(text, pattern, 1)[0] ?? "",
    regexCost,
  ),
  define(
    "findAll",
    "string.(string) -> list(string)",
    (text: string, pattern: string) => new ListValue(regexFindAll(text, pattern, -1)),
    regexCost,
  ),
  define(
    "findAll",
    "string.(string, int) -> list(string)",
    (text: string, pattern: string, limit: bigint) => new ListValue(regexFindAll(text, pattern, Number(limit))),
    regexCost,
  ),
];
