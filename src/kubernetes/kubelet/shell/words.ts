import { type List, type Part, ShellSyntaxError, type Word } from "./syntax.js";

const META = new Set([" ", "\t", "\n", ";", "&", "|", "<", ">", "(", ")"]);
export const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

export const literal = (text: string, quoted = false): Part => ({ is: "text", text, quoted });

/** Reads the words of a script: quotes, escapes and everything that begins with `$`. The commands between the words are the parser's. */
export abstract class WordReader {
  protected at = 0;

  constructor(protected readonly text: string) {}

  /** The commands of `$(...)`, up to and with the parenthesis. */
  protected abstract substituted(): List;
  /** A script of its own, as it stands between backquotes. */
  protected abstract scriptIn(text: string): List;

  /** Skips blanks, line continuations and comments; not newlines. */
  protected blank(): void {
    for (;;) {
      const c = this.text[this.at];
      if (c === " " || c === "\t" || c === "\r") this.at++;
      else if (c === "\\" && this.text[this.at + 1] === "\n") this.at += 2;
      else if (c === "#") while (this.at < this.text.length && this.text[this.at] !== "\n") this.at++;
      else return;
    }
  }

  /** The next word; undefined when something else comes. */
  word(): Word | undefined {
    this.blank();
    const parts: Part[] = [];
    let plain = "";
    const flush = (): void => {
      if (plain !== "") parts.push(literal(plain));
      plain = "";
    };
    let any = false;
    while (this.at < this.text.length) {
      const c = this.text[this.at] as string;
      if (META.has(c)) break;
      any = true;
      if (c === "\\") {
        const next = this.text[this.at + 1];
        this.at += 2;
        if (next === "\n") continue;
        flush();
        parts.push(literal(next ?? "\\", true));
      } else if (c === "'") {
        const end = this.text.indexOf("'", this.at + 1);
        if (end < 0) throw new ShellSyntaxError("syntax error: unterminated quoted string");
        flush();
        parts.push(literal(this.text.slice(this.at + 1, end), true));
        this.at = end + 1;
      } else if (c === '"') {
        this.at++;
        flush();
        parts.push(literal("", true), ...this.quotedParts('"'));
      } else if (c === "$" || c === "`") {
        flush();
        parts.push(this.dollar(false));
      } else {
        plain += c;
        this.at++;
      }
    }
    flush();
    return any ? parts : undefined;
  }

  /** Text with expansions but without splitting, up to `end` (undefined: the whole rest). */
  quotedParts(end: string | undefined): Part[] {
    const parts: Part[] = [];
    let plain = "";
    const flush = (): void => {
      if (plain !== "") parts.push(literal(plain, true));
      plain = "";
    };
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) {
        if (end !== undefined) throw new ShellSyntaxError("syntax error: unterminated quoted string");
        break;
      }
      if (c === end) {
        this.at++;
        break;
      }
      if (c === "\\") {
        const next = this.text[this.at + 1] ?? "";
        this.at += 2;
        if (next === "\n") continue;
        plain += next !== "" && `$\`\\${end ?? ""}`.includes(next) ? next : `\\${next}`;
      } else if (c === "$" || c === "`") {
        flush();
        parts.push(this.dollar(true));
      } else {
        plain += c;
        this.at++;
      }
    }
    flush();
    return parts;
  }

  /** `$name`, `${...}`, `$(...)`, `$((...))`, or backquotes. */
  private dollar(quoted: boolean): Part {
    if (this.text[this.at] === "`") {
      const start = ++this.at;
      while (this.at < this.text.length && this.text[this.at] !== "`") this.at += this.text[this.at] === "\\" ? 2 : 1;
      if (this.at >= this.text.length) throw new ShellSyntaxError("syntax error: EOF in backquote substitution");
      const inner = this.text.slice(start, this.at++).replace(/\\([$`\\])/g, "$1");
      return { is: "command", body: this.scriptIn(inner), quoted };
    }
    this.at++;
    if (this.text.startsWith("((", this.at)) {
      const saved = this.at;
      this.at += 2;
      const word = this.arithmetic();
      if (word) return { is: "arithmetic", word, quoted };
      this.at = saved;
    }
    if (this.text[this.at] === "(") {
      this.at++;
      return { is: "command", body: this.substituted(), quoted };
    }
    if (this.text[this.at] === "{") return this.braced(quoted);
    const rest = this.text.slice(this.at, this.at + 256);
    const name = NAME.exec(rest)?.[0] ?? /^[0-9@*#?$!-]/.exec(rest)?.[0];
    if (name === undefined) return literal("$", quoted);
    this.at += name.length;
    return { is: "parameter", name, operator: "", word: undefined, quoted };
  }

  private braced(quoted: boolean): Part {
    this.at++;
    const rest = this.text.slice(this.at, this.at + 256);
    const length = /^#(?=[A-Za-z_0-9@*])/.test(rest);
    if (length) this.at++;
    const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(this.text.slice(this.at, this.at + 256))?.[0];
    if (name === undefined) throw new ShellSyntaxError("syntax error: bad substitution");
    this.at += name.length;
    if (length) {
      if (this.text[this.at++] !== "}") throw new ShellSyntaxError("syntax error: bad substitution");
      return { is: "parameter", name, operator: "length", word: undefined, quoted };
    }
    const operator = /^(?::?[-=?+]|%%?|##?|\/\/?|:)/.exec(this.text.slice(this.at, this.at + 3))?.[0] ?? "";
    this.at += operator.length;
    if (operator === "") {
      if (this.text[this.at++] !== "}") throw new ShellSyntaxError("syntax error: bad substitution");
      return { is: "parameter", name, operator, word: undefined, quoted };
    }
    return { is: "parameter", name, operator, word: this.bracedWord(quoted), quoted };
  }

  /** The word after an operator in `${...}`, up to its closing brace. */
  private bracedWord(quoted: boolean): Word {
    const parts: Part[] = [];
    let plain = "";
    const flush = (): void => {
      if (plain !== "") parts.push(literal(plain, quoted));
      plain = "";
    };
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) throw new ShellSyntaxError("syntax error: missing '}'");
      if (c === "}") {
        this.at++;
        break;
      }
      if (c === "\\") {
        flush();
        parts.push(literal(this.text[this.at + 1] ?? "", true));
        this.at += 2;
      } else if (c === '"') {
        this.at++;
        flush();
        parts.push(literal("", true), ...this.quotedParts('"'));
      } else if (c === "'" && !quoted) {
        const end = this.text.indexOf("'", this.at + 1);
        if (end < 0) throw new ShellSyntaxError("syntax error: unterminated quoted string");
        flush();
        parts.push(literal(this.text.slice(this.at + 1, end), true));
        this.at = end + 1;
      } else if (c === "$" || c === "`") {
        flush();
        parts.push(this.dollar(quoted));
      } else {
        plain += c;
        this.at++;
      }
    }
    flush();
    return parts;
  }

  /** Up to `))`; undefined when this is no arithmetic after all. */
  private arithmetic(): Word | undefined {
    const parts: Part[] = [];
    let plain = "";
    let depth = 0;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) return undefined;
      if (c === ")" && depth === 0) {
        if (this.text[this.at + 1] !== ")") return undefined;
        this.at += 2;
        break;
      }
      if (c === "(") depth++;
      if (c === ")") depth--;
      if (c === "$" || c === "`") {
        if (plain !== "") parts.push(literal(plain, true));
        plain = "";
        parts.push(this.dollar(true));
      } else {
        plain += c;
        this.at++;
      }
    }
    if (plain !== "") parts.push(literal(plain, true));
    return parts;
  }
}
