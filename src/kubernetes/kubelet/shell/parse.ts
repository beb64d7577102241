import {
  type AndOr,
  type Command,
  type List,
  type Pipeline,
  type Redirection,
  ShellSyntaxError,
  type Word,
} from "./syntax.js";
import { literal, NAME, WordReader } from "./words.js";

/** Reads a shell script. A script that is not one throws ShellSyntaxError with busybox's words. */
export function parseScript(text: string): List {
  const known = scripts.get(text);
  if (known) return known;
  const list = new Parser(text).script();
  if (scripts.size >= MEMO_LIMIT) scripts.clear();
  scripts.set(text, list);
  return list;
}

/** Parsed scripts by their text: all pods of a workload run the same one. */
const scripts = new Map<string, List>();
const MEMO_LIMIT = 200;
const MAX_DEPTH = 100;

const RESERVED = new Set("if then else elif fi do done case esac while until for { } ! in".split(" "));
/** Longer ones first. */
const OPERATORS = "&& || ;; <<< <<- << >> >| <> <& >& &> ; & | < > ( )".split(" ");

class Parser extends WordReader {
  private depth = 0;
  /** Heredocs whose bodies begin at the next line. */
  private heredocs: { end: string; tabs: boolean; quoted: boolean; target: { word: Word } }[] = [];

  script(): List {
    const list = this.list([]);
    this.blank();
    if (this.at < this.text.length) throw this.unexpected();
    return list;
  }

  protected substituted(): List {
    const body = this.list([]);
    if (!this.take(")")) throw this.unexpected();
    return body;
  }

  protected scriptIn(text: string): List {
    return new Parser(text).script();
  }

  private unexpected(): ShellSyntaxError {
    if (this.at >= this.text.length) return new ShellSyntaxError("syntax error: unexpected end of file");
    const found = OPERATORS.find((operator) => this.text.startsWith(operator, this.at));
    const word = found ?? /^[^\s;&|<>()]+/.exec(this.text.slice(this.at, this.at + 80))?.[0];
    return new ShellSyntaxError(
      word === undefined ? "syntax error: unexpected newline" : `syntax error: unexpected "${word}"`,
    );
  }

  private newlines(): void {
    for (;;) {
      this.blank();
      if (this.text[this.at] !== "\n") return;
      this.at++;
      this.bodies();
    }
  }

  private peek(operator: string): boolean {
    this.blank();
    if (!this.text.startsWith(operator, this.at)) return false;
    return OPERATORS.find((known) => this.text.startsWith(known, this.at)) === operator;
  }

  private take(operator: string): boolean {
    if (!this.peek(operator)) return false;
    this.at += operator.length;
    return true;
  }

  /** The reserved word that comes next, if one does. */
  private reserved(): string | undefined {
    this.blank();
    const match = /^(?:[a-z]+|[{}!])(?=[\s;&|<>()]|$)/.exec(this.text.slice(this.at, this.at + 12));
    return match && RESERVED.has(match[0]) ? match[0] : undefined;
  }

  private takeReserved(word: string): boolean {
    if (this.reserved() !== word) return false;
    this.at += word.length;
    return true;
  }

  private expect(word: string): void {
    this.newlines();
    if (!this.takeReserved(word)) throw this.unexpected();
  }

  private list(ends: readonly string[]): List {
    if (++this.depth > MAX_DEPTH) throw new ShellSyntaxError("syntax error: nested too deeply");
    const items: AndOr[] = [];
    for (;;) {
      this.newlines();
      if (this.at >= this.text.length || this.peek(")") || this.peek(";;")) break;
      const word = this.reserved();
      if (word !== undefined && ends.includes(word)) break;
      if (word !== undefined && !["if", "case", "while", "until", "for", "{", "!"].includes(word))
        throw this.unexpected();
      const item = this.andOr();
      const background = this.take("&");
      items.push({ ...item, background });
      if (!background && !this.take(";")) {
        this.blank();
        if (this.text[this.at] !== "\n") break;
      }
    }
    this.depth--;
    return items;
  }

  private body(...ends: string[]): List {
    const list = this.list(ends);
    if (list.length === 0) throw this.unexpected();
    return list;
  }

  private andOr(): AndOr {
    const first = this.pipeline();
    const rest: AndOr["rest"][number][] = [];
    for (;;) {
      const operator = this.take("&&") ? "&&" : this.take("||") ? "||" : undefined;
      if (!operator) return { first, rest, background: false };
      this.newlines();
      rest.push({ operator, pipeline: this.pipeline() });
    }
  }

  private pipeline(): Pipeline {
    let negated = false;
    while (this.takeReserved("!")) negated = !negated;
    const commands = [this.command()];
    while (this.take("|")) {
      this.newlines();
      commands.push(this.command());
    }
    return { negated, commands };
  }

  private command(): Command {
    const compound = this.compound();
    if (!compound) return this.simple();
    const redirections: Redirection[] = [];
    for (let next = this.redirection(); next; next = this.redirection()) redirections.push(next);
    return { ...compound, redirections };
  }

  private compound(): Command | undefined {
    const redirections: Redirection[] = [];
    if (this.take("(")) {
      const body = this.body();
      if (!this.take(")")) throw this.unexpected();
      return { is: "subshell", body, redirections };
    }
    const word = this.reserved();
    switch (word) {
      case "{": {
        this.at += 1;
        const body = this.body("}");
        this.expect("}");
        return { is: "group", body, redirections };
      }
      case "if":
        return this.conditional();
      case "while":
      case "until": {
        this.at += word.length;
        const test = this.body("do");
        return { is: "while", until: word === "until", test, body: this.loopBody(), redirections };
      }
      case "for":
        return this.forLoop();
      case "case":
        return this.caseOf();
      default:
        return this.functionDefinition();
    }
  }

  private loopBody(): List {
    this.expect("do");
    const body = this.body("done");
    this.expect("done");
    return body;
  }

  private conditional(): Command {
    const branches: { test: List; body: List }[] = [];
    let otherwise: List | undefined;
    this.expect("if");
    for (;;) {
      const test = this.body("then");
      this.expect("then");
      branches.push({ test, body: this.body("elif", "else", "fi") });
      if (this.takeReserved("elif")) continue;
      if (this.takeReserved("else")) otherwise = this.body("fi");
      this.expect("fi");
      return { is: "if", branches, otherwise, redirections: [] };
    }
  }

  private forLoop(): Command {
    this.expect("for");
    this.blank();
    const name = NAME.exec(this.text.slice(this.at, this.at + 200))?.[0];
    if (!name) throw this.unexpected();
    this.at += name.length;
    this.newlines();
    let words: Word[] | undefined;
    if (this.takeReserved("in")) {
      words = [];
      for (let word = this.word(); word; word = this.word()) words.push(word);
    }
    this.take(";");
    return { is: "for", name, words, body: this.loopBody(), redirections: [] };
  }

  private caseOf(): Command {
    this.expect("case");
    const word = this.word();
    if (!word) throw this.unexpected();
    this.expect("in");
    const branches: { patterns: Word[]; body: List }[] = [];
    for (;;) {
      this.newlines();
      if (this.takeReserved("esac")) return { is: "case", word, branches, redirections: [] };
      this.take("(");
      const patterns: Word[] = [];
      do {
        const pattern = this.word();
        if (!pattern) throw this.unexpected();
        patterns.push(pattern);
      } while (this.take("|"));
      if (!this.take(")")) throw this.unexpected();
      branches.push({ patterns, body: this.list(["esac"]) });
      this.newlines();
      this.take(";;");
    }
  }

  private functionDefinition(): Command | undefined {
    this.blank();
    const match = /^(?:function[ \t]+([\w.-]+)[ \t]*(?:\([ \t]*\))?|([A-Za-z_][\w.-]*)[ \t]*\([ \t]*\))/.exec(
      this.text.slice(this.at, this.at + 200),
    );
    if (!match) return undefined;
    this.at += match[0].length;
    this.newlines();
    const body = this.command();
    return { is: "function", name: (match[1] ?? match[2]) as string, body, redirections: [] };
  }

  private simple(): Command {
    const assignments: { name: string; value: Word }[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      const redirection = this.redirection();
      if (redirection) {
        redirections.push(redirection);
        continue;
      }
      const word = this.word();
      if (!word) break;
      if (words.length === 0 && isPlain(word, "[[")) {
        words.push(word, ...this.conditionWords());
        continue;
      }
      const assignment = words.length === 0 ? assignmentIn(word) : undefined;
      if (assignment) assignments.push(assignment);
      else words.push(word);
    }
    if (assignments.length + words.length + redirections.length === 0) throw this.unexpected();
    return { is: "simple", assignments, words, redirections };
  }

  /** What stands between `[[` and `]]`, where operators are words. */
  private conditionWords(): Word[] {
    const words: Word[] = [];
    for (;;) {
      this.newlines();
      const operator = ["&&", "||", "<", ">", "(", ")"].find((sign) => this.text.startsWith(sign, this.at));
      const word = operator === undefined ? this.word() : [literal(operator, true)];
      if (!word) throw this.unexpected();
      if (operator !== undefined) this.at += operator.length;
      words.push(word);
      if (isPlain(word, "]]")) return words;
    }
  }

  private redirection(): Redirection | undefined {
    this.blank();
    const match = /^(\d*)(<<<|<<-|<<|<>|<&|<|>>|>&|>\||>)|^()(&>)/.exec(this.text.slice(this.at, this.at + 12));
    if (!match) return undefined;
    this.at += match[0].length;
    const sign = match[2] ?? match[4];
    const fd = match[1] ? Number(match[1]) : undefined;
    const word = this.word();
    if (!word) throw this.unexpected();
    if (sign === "<<" || sign === "<<-") {
      const target = { fd, operator: "<<" as const, word: [] as Word };
      this.heredocs.push({
        end: word.map((part) => (part.is === "text" ? part.text : "")).join(""),
        tabs: sign === "<<-",
        quoted: word.some((part) => part.is === "text" && part.quoted),
        target,
      });
      return target;
    }
    return { fd, operator: sign as Redirection["operator"], word };
  }

  /** Reads the bodies of the heredocs that the line before began. */
  private bodies(): void {
    for (const { end, tabs, quoted, target } of this.heredocs.splice(0)) {
      const lines: string[] = [];
      for (;;) {
        if (this.at >= this.text.length) break;
        const stop = this.text.indexOf("\n", this.at);
        let line = this.text.slice(this.at, stop < 0 ? undefined : stop);
        this.at = stop < 0 ? this.text.length : stop + 1;
        if (tabs) line = line.replace(/^\t+/, "");
        if (line === end) break;
        lines.push(`${line}\n`);
      }
      const body = lines.join("");
      target.word = quoted ? [literal(body, true)] : new Parser(body).quotedParts(undefined);
    }
  }
}

const isPlain = (word: Word, text: string): boolean => {
  const [only] = word;
  return word.length === 1 && only?.is === "text" && !only.quoted && only.text === text;
};

function assignmentIn(word: Word): { name: string; value: Word } | undefined {
  const [first, ...rest] = word;
  if (first?.is !== "text" || first.quoted) return undefined;
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(first.text);
  if (!match) return undefined;
  const tail = first.text.slice(match[0].length);
  return { name: match[1] as string, value: [...(tail === "" ? [] : [literal(tail)]), ...rest] };
}
