/** Why a text is no JSON, in the words of Go's decoder: clients show them, and people search for them. */

/** Raised at the first byte that cannot stand where it stands. */
class Fault extends Error {}

/** How deep a document may be. A fault further in is one of depth, as it would be without it. */
const MAX_DEPTH = 1_000;
const END = "unexpected end of JSON input";
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const LITERALS: Readonly<Record<string, string>> = { t: "true", f: "false", n: "null" };
const ESCAPES = 'bfnrt\\/"';

/** The first fault of a text that `JSON.parse` refuses; undefined for one that it takes. */
export function jsonFault(text: string): string | undefined {
  try {
    const end = skipped(text, value(text, 0));
    if (end < text.length) throw unexpected(text, end, "after top-level value");
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

function skipped(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

function unexpected(text: string, at: number, where: string): Fault {
  if (at >= text.length) return new Fault(END);
  const character = String.fromCodePoint(text.codePointAt(at) as number);
  const plain = JSON.stringify(character)
    .slice(1, -1)
    .replace(/\p{Cc}/gu, escaped);
  const quoted = character === "'" ? "'\\''" : character === '"' ? `'"'` : `'${plain}'`;
  return new Fault(`invalid character ${quoted} ${where}`);
}

/** Where the value that begins at or after `start` ends. */
function value(text: string, start: number, depth = 0): number {
  if (depth > MAX_DEPTH) throw new Fault("exceeded max depth");
  const at = skipped(text, start);
  const first = text[at] ?? "";
  if (first === "{") return members(text, at + 1, depth + 1);
  if (first === "[") return items(text, at + 1, depth + 1);
  if (first === '"') return string(text, at + 1);
  const literal = LITERALS[first];
  if (literal) return word(text, at, literal);
  if (first === "-" || (first >= "0" && first <= "9")) return number(text, at);
  throw unexpected(text, at, "looking for beginning of value");
}

function members(text: string, start: number, depth: number): number {
  let at = skipped(text, start);
  if (text[at] === "}") return at + 1;
  for (;;) {
    if (text[at] !== '"') throw unexpected(text, at, "looking for beginning of object key string");
    at = skipped(text, string(text, at + 1));
    if (text[at] !== ":") throw unexpected(text, at, "after object key");
    at = skipped(text, value(text, at + 1, depth));
    if (text[at] === "}") return at + 1;
    if (text[at] !== ",") throw unexpected(text, at, "after object key:value pair");
    at = skipped(text, at + 1);
  }
}

function items(text: string, start: number, depth: number): number {
  let at = skipped(text, start);
  if (text[at] === "]") return at + 1;
  for (;;) {
    at = skipped(text, value(text, at, depth));
    if (text[at] === "]") return at + 1;
    if (text[at] !== ",") throw unexpected(text, at, "after array element");
    at++;
  }
}

function string(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') return at + 1;
    if (character < " ") throw unexpected(text, at, "in string literal");
    if (character !== "\\") continue;
    at++;
    if (text[at] === "u") {
      for (let digit = 0; digit < 4; digit++)
        if (!/[0-9a-fA-F]/.test(text[++at] ?? "")) throw unexpected(text, at, "in \\u hexadecimal character escape");
    } else if (at < text.length && !ESCAPES.includes(text[at] as string))
      throw unexpected(text, at, "in string escape code");
  }
  throw new Fault(END);
}

function word(text: string, start: number, literal: string): number {
  for (let i = 1; i < literal.length; i++)
    if (text[start + i] !== literal[i])
      throw unexpected(text, start + i, `in literal ${literal} (expecting '${literal[i]}')`);
  return start + literal.length;
}

function number(text: string, start: number): number {
  NUMBER.lastIndex = start;
  if (NUMBER.exec(text)) {
    const end = NUMBER.lastIndex;
    if (text[end] === ".") throw unexpected(text, end + 1, "after decimal point in numeric literal");
    if (text[end] === "e" || text[end] === "E") throw unexpected(text, end + 1, "in exponent of numeric literal");
    return end;
  }
  throw unexpected(text, start + 1, "in numeric literal");
}
