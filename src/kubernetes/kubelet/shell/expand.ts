import { absolutePath, type Credentials, type FileTree } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { ArithmeticError, evaluateArithmetic } from "./arithmetic.js";
import { compilePattern, hasPattern, matchesPattern, patternSource } from "./patterns.js";
import { compileExpression } from "./regular-expression.js";
import { ShellExit, type ShellState } from "./state.js";
import type { List, Part, Word } from "./syntax.js";

/** Word expansion: parameters, commands, arithmetic, splitting, file names. */
export interface Expander {
  state: ShellState;
  tree: FileTree;
  who: Credentials;
  pid: number;
  /** Runs a list in a subshell and gives its output. */
  capture(body: List): Work<string>;
  complain(text: string): void;
}

interface Field {
  text: string;
  /** `text` with what must not be taken for a pattern escaped. */
  pattern: string;
  /** Has quotes: stays even when it is empty. */
  quoted: boolean;
}

const MAX_FIELDS = 10_000;
const MAX_TEXT = 4 * 1024 * 1024;
const escapeQuoted = (text: string): string => text.replace(/[*?[\]\\]/g, "\\$&");

export function parameter(expander: Pick<Expander, "state" | "pid">, name: string): string | undefined {
  const { state, pid } = expander;
  switch (name) {
    case "?":
      return String(state.status);
    case "$":
      return String(pid);
    case "!":
      return state.lastBackground === undefined ? undefined : String(state.lastBackground);
    case "#":
      return String(state.positional.length);
    case "-":
      return [...state.options].filter((option) => option.length === 1).join("");
    case "0":
      return state.name;
    case "@":
    case "*":
      return state.positional.length === 0 ? undefined : state.positional.join(" ");
    default:
      if (/^\d+$/.test(name)) return state.positional[Number(name) - 1];
      return state.variables.get(name)?.value;
  }
}

export function setVariable(state: ShellState, name: string, value: string): void {
  const known = state.variables.get(name);
  if (known?.readOnly) throw new ShellExit(2);
  if (known) known.value = value;
  else state.variables.set(name, { value, exported: state.options.has("a") });
}

function* parameterText(expander: Expander, part: Extract<Part, { is: "parameter" }>): Work<string | undefined> {
  const { state } = expander;
  const value = parameter(expander, part.name);
  const word = function* (): Work<string> {
    return part.word ? yield* expandText(expander, part.word) : "";
  };
  const absent = value === undefined || (part.operator.startsWith(":") && value === "");
  switch (part.operator) {
    case "":
      if (value === undefined && state.options.has("u") && part.name !== "@" && part.name !== "*") {
        expander.complain(`${part.name}: parameter not set`);
        throw new ShellExit(2);
      }
      return value;
    case "length":
      return String((value ?? "").length);
    case ":-":
    case "-":
      return absent ? yield* word() : value;
    case ":+":
    case "+":
      return absent ? "" : yield* word();
    case ":=":
    case "=": {
      if (!absent) return value;
      const text = yield* word();
      setVariable(state, part.name, text);
      return text;
    }
    case ":?":
    case "?": {
      if (!absent) return value;
      const text = yield* word();
      expander.complain(`${part.name}: ${text || "parameter not set"}`);
      throw new ShellExit(2);
    }
    case ":": {
      const [offset, length] = (yield* word()).split(":");
      const variables = {
        get: (name: string) => parameter(expander, name),
        set: (name: string, text: string) => setVariable(state, name, text),
      };
      const text = value ?? "";
      const from = evaluateArithmetic(offset ?? "", variables);
      const start = from < 0 ? Math.max(0, text.length + from) : from;
      if (length === undefined) return text.slice(start);
      const count = evaluateArithmetic(length, variables);
      return count < 0 ? text.slice(start, count) : text.slice(start, start + count);
    }
    default:
      return trimmed(value ?? "", part.operator, yield* expandPattern(expander, part.word ?? []));
  }
}

/** `%`, `%%`, `#`, `##`, `/` and `//`. */
function trimmed(value: string, operator: string, pattern: string): string {
  if (operator.startsWith("/")) {
    const slash = /^((?:[^/\\]|\\.)*)(?:\/(.*))?$/s.exec(pattern);
    const source = patternSource(slash?.[1] ?? "");
    if (source === "") return value;
    const replacement = (slash?.[2] ?? "").replace(/\\(.)/g, "$1");
    return compileExpression(source).replace(value, () => replacement, operator === "//");
  }
  const fromEnd = operator.startsWith("%");
  const length = compilePattern(pattern).edge(value, { fromEnd, longest: operator.length === 2 });
  if (length === undefined) return value;
  return fromEnd ? value.slice(0, value.length - length) : value.slice(length);
}

function* partText(expander: Expander, part: Part): Work<string | undefined> {
  switch (part.is) {
    case "text":
      return part.text;
    case "parameter":
      return yield* parameterText(expander, part);
    case "command":
      return (yield* expander.capture(part.body)).replace(/\n+$/, "");
    case "arithmetic": {
      const text = yield* expandText(expander, part.word);
      try {
        return String(
          evaluateArithmetic(text, {
            get: (name) => parameter(expander, name),
            set: (name, value) => setVariable(expander.state, name, value),
          }),
        );
      } catch (error) {
        if (!(error instanceof ArithmeticError)) throw error;
        expander.complain(error.message);
        throw new ShellExit(2);
      }
    }
  }
}

const withTilde = (expander: Expander, word: Word): Word => {
  const [first, ...rest] = word;
  if (first?.is !== "text" || first.quoted || !/^~(?:\/|$)/.test(first.text)) return word;
  const home = parameter(expander, "HOME") ?? "/root";
  return [{ is: "text", text: home, quoted: true }, { ...first, text: first.text.slice(1) }, ...rest];
};

/** The word as one text: assignments, redirections, the subject of `case`. */
export function* expandText(expander: Expander, word: Word): Work<string> {
  let text = "";
  for (const part of withTilde(expander, word)) text += (yield* partText(expander, part)) ?? "";
  if (text.length > MAX_TEXT) throw new ShellExit(2);
  return text;
}

/** The word as a pattern: what was quoted stands for itself. */
export function* expandPattern(expander: Expander, word: Word): Work<string> {
  let pattern = "";
  for (const part of withTilde(expander, word)) {
    const text = (yield* partText(expander, part)) ?? "";
    pattern += part.quoted ? escapeQuoted(text) : text;
  }
  return pattern;
}

/** The words as arguments. */
export function* expandWords(expander: Expander, words: readonly Word[]): Work<string[]> {
  const result: string[] = [];
  for (const word of words) {
    const [only] = word;
    // By far most words are plain text.
    if (word.length === 1 && only?.is === "text" && (only.quoted || !/[*?[{~]/.test(only.text))) {
      result.push(only.text);
      continue;
    }
    for (const braced of braces(word))
      for (const field of yield* fieldsOf(expander, withTilde(expander, braced))) {
        const names = expander.state.options.has("f") ? [] : glob(expander, field);
        if (names.length > 0) result.push(...names);
        else result.push(field.text);
      }
    if (result.length > MAX_FIELDS) throw new ShellExit(2);
  }
  return result;
}

/** `{1..5}` and `{a,b}` in plain words, as bash has them. */
function braces(word: Word): readonly Word[] {
  const [only] = word;
  if (word.length !== 1 || only?.is !== "text" || only.quoted) return [word];
  const match = /^(.*?)\{(?:(-?\d+)\.\.(-?\d+)|([^{}]*,[^{}]*))\}(.*)$/s.exec(only.text);
  if (!match) return [word];
  const [, before = "", from, to, list, after = ""] = match;
  const items: string[] = [];
  if (list !== undefined) items.push(...list.split(","));
  else {
    const [first, last] = [Number(from), Number(to)];
    const step = first <= last ? 1 : -1;
    for (let i = first; step > 0 ? i <= last : i >= last; i += step) {
      items.push(String(i));
      if (items.length > MAX_FIELDS) break;
    }
  }
  return items.map((item): Word => [{ ...only, text: `${before}${item}${after}` }]);
}

function* fieldsOf(expander: Expander, word: Word): Work<Field[]> {
  const fields: Field[] = [];
  let current: Field | undefined;
  const append = (text: string, quoted: boolean): void => {
    current ??= { text: "", pattern: "", quoted: false };
    current.text += text;
    current.pattern += quoted ? escapeQuoted(text) : text;
    current.quoted ||= quoted;
  };
  const finish = (): void => {
    if (current) fields.push(current);
    current = undefined;
  };
  const ifs = expander.state.variables.get("IFS")?.value ?? " \t\n";
  for (const part of word) {
    if (part.is === "parameter" && part.name === "@" && part.operator === "" && part.quoted) {
      expander.state.positional.forEach((argument, index) => {
        if (index > 0) finish();
        append(argument, true);
      });
      // "$@" without arguments is nothing at all.
      if (expander.state.positional.length === 0 && word.length <= 2) current = undefined;
      continue;
    }
    const text = yield* partText(expander, part);
    if (part.quoted || part.is === "text") {
      append(text ?? "", part.quoted);
      continue;
    }
    if (text === undefined || text === "") continue;
    if (ifs === "") {
      append(text, false);
      continue;
    }
    const white = [...ifs].filter((c) => " \t\n".includes(c));
    let start = 0;
    for (let i = 0; i <= text.length; i++) {
      const c = text[i];
      if (c !== undefined && !ifs.includes(c)) continue;
      if (i > start) append(text.slice(start, i), false);
      else if (c !== undefined && !white.includes(c)) append("", true);
      if (c === undefined) break;
      finish();
      start = i + 1;
    }
  }
  finish();
  return fields.filter((field) => field.text !== "" || field.quoted);
}

/** File names that match; none when it is no pattern or nothing matches. */
function glob({ state, tree, who }: Expander, { text, pattern }: Field): string[] {
  if (!hasPattern(text) || pattern === escapeQuoted(text)) return [];
  const parts = pattern.split("/");
  let found: string[] = [pattern.startsWith("/") ? "/" : ""];
  for (const part of parts) {
    if (part === "") continue;
    const next: string[] = [];
    for (const base of found) {
      const plain = part.replace(/\\(.)/g, "$1");
      const path = (name: string): string => (base === "" || base.endsWith("/") ? base + name : `${base}/${name}`);
      if (!hasPattern(part)) {
        next.push(path(plain));
        continue;
      }
      try {
        for (const name of tree.names(absolutePath(base || ".", state.cwd), who))
          if ((!name.startsWith(".") || part.startsWith(".")) && matchesPattern(part, name)) next.push(path(name));
      } catch {
        // What cannot be read matches nothing.
      }
    }
    found = next;
  }
  return found.filter((path) => {
    try {
      return tree.find(absolutePath(path, state.cwd), who, false) !== undefined;
    } catch {
      return false;
    }
  });
}
