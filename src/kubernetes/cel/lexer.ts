/** Tokens of CEL, with positions for messages in the form that cel-go gives them. */

export type TokenKind = "int" | "uint" | "double" | "string" | "bytes" | "ident" | "op" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written; for strings and bytes the whole literal. */
  readonly text: string;
  readonly value?: bigint | number | string | Uint8Array;
  /** Offset in the expression. */
  readonly pos: number;
}

/** A fault in an expression at a place. */
export class CelIssue extends Error {
  constructor(
    message: string,
    readonly pos: number,
  ) {
    super(message);
    this.name = "CelIssue";
  }
}

/** One issue as cel-go prints it: place, text, the line and a pointer below it. */
export function formatIssue(expression: string, { message, pos }: CelIssue): string {
  const before = expression.slice(0, pos);
  const line = before.split("\n").length;
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length;
  const text = expression.split("\n")[line - 1] ?? "";
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${text}\n | ${".".repeat(column)}^`;
}

const OPERATORS = ["==", "!=", "<=", ">=", "&&", "||", ..."+-*/%<>!?:.,()[]{}"];
const NUMBER =
  /^(?:0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?)/;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*/;
const STRING_START = /^(?:[rR][bB]?|[bB][rR]?)?("""|'''|"|')/;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

function number(text: string, pos: number): Token {
  if (/^0[xX]/.test(text) ? false : /[.eE]/.test(text)) return { kind: "double", text, value: Number(text), pos };
  if (/[uU]$/.test(text)) {
    const value = BigInt(text.slice(0, -1));
    if (value > MAX_UINT) throw new CelIssue("invalid uint literal", pos);
    return { kind: "uint", text, value, pos };
  }
  const value = BigInt(text);
  // One more than the largest int is there as the smallest one without its sign.
  if (value > MAX_INT + 1n) throw new CelIssue("invalid int literal", pos);
  return { kind: "int", text, value, pos };
}

/** The content of a literal: for bytes every character is one byte. */
function unescaped(body: string, bytes: boolean, pos: number): string {
  let text = "";
  for (let i = 0; i < body.length; i++) {
    const character = body[i] as string;
    if (character !== "\\") {
      text += bytes ? Buffer.from(String.fromCodePoint(body.codePointAt(i) as number)).toString("latin1") : character;
      if (bytes && (body.codePointAt(i) as number) > 0xffff) i++;
      continue;
    }
    const next = body[++i] ?? "";
    const simple = SIMPLE_ESCAPES[next];
    if (simple !== undefined) {
      text += simple;
      continue;
    }
    const length = next === "x" || next === "X" ? 2 : next === "u" ? 4 : next === "U" ? 8 : /[0-3]/.test(next) ? 3 : 0;
    const octal = length === 3;
    const digits = octal ? body.slice(i, i + 3) : body.slice(i + 1, i + 1 + length);
    const wellFormed = octal ? /^[0-7]{3}$/ : /^[0-9a-fA-F]+$/;
    if (length === 0 || digits.length !== length || !wellFormed.test(digits) || (bytes && /[uU]/.test(next)))
      throw new CelIssue("Syntax error: invalid escape sequence", pos);
    const code = Number.parseInt(digits, octal ? 8 : 16);
    if (code > 0x10ffff) throw new CelIssue("Syntax error: invalid unicode code point", pos);
    text += String.fromCodePoint(code);
    i += octal ? 2 : length;
  }
  return text;
}

function string(source: string, pos: number, prefix: RegExpExecArray): Token {
  const quote = prefix[1] as string;
  const flags = prefix[0].slice(0, -quote.length).toLowerCase();
  const raw = flags.includes("r");
  const bytes = flags.includes("b");
  const from = pos + prefix[0].length;
  let end = from;
  for (;;) {
    if (end >= source.length || (quote.length === 1 && (source[end] === "\n" || source[end] === "\r")))
      throw new CelIssue(`Syntax error: token recognition error at: '${source.slice(pos, end)}'`, pos);
    if (source.startsWith(quote, end)) break;
    end += source[end] === "\\" && !raw ? 2 : 1;
  }
  const body = source.slice(from, end);
  const text = source.slice(pos, end + quote.length);
  if (bytes) {
    const content = raw ? Buffer.from(body) : Buffer.from(unescaped(body, true, pos), "latin1");
    return { kind: "bytes", text, value: new Uint8Array(content), pos };
  }
  return { kind: "string", text, value: raw ? body : unescaped(body, false, pos), pos };
}

/** Throws CelIssue. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let pos = 0;
  while (pos < source.length) {
    const character = source[pos] as string;
    if (/\s/.test(character)) {
      pos++;
      continue;
    }
    if (source.startsWith("//", pos)) {
      const newline = source.indexOf("\n", pos);
      pos = newline < 0 ? source.length : newline;
      continue;
    }
    const rest = source.slice(pos, pos + 512);
    const start = STRING_START.exec(rest);
    const digits = NUMBER.exec(rest);
    const name = IDENTIFIER.exec(source.slice(pos));
    let token: Token;
    if (start) token = string(source, pos, start);
    else if (digits) token = number(digits[0], pos);
    else if (name) token = { kind: "ident", text: name[0], pos };
    else if (character === "`") {
      const close = source.indexOf("`", pos + 1);
      if (close < 0) throw new CelIssue("Syntax error: token recognition error at: '`'", pos);
      token = { kind: "ident", text: source.slice(pos, close + 1), value: source.slice(pos + 1, close), pos };
    } else {
      const text = OPERATORS.find((operator) => source.startsWith(operator, pos));
      if (!text) throw new CelIssue(`Syntax error: token recognition error at: '${character}'`, pos);
      token = { kind: "op", text, pos };
    }
    tokens.push(token);
    pos += token.text.length;
  }
  tokens.push({ kind: "end", text: "<EOF>", pos: source.length });
  return tokens;
}
