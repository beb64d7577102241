import { createHash } from "node:crypto";
import {
  hasData,
  type Program,
  type ProgramContext,
  pathIn,
  readAll,
  readLine,
  whileFull,
} from "../machine/program.js";
import { CLASSES, escaped } from "../shell/patterns.js";
import { expandEscapes } from "../shell/printf.js";
import { awk } from "./awk.js";
import { complain, contents, linesOf, nameOf, open, parseOptions, unlines } from "./options.js";
import { sed } from "./sed.js";

/** Programs about text: grep, head, tail, wc, sort, cut, tr, ... */

/** A POSIX regular expression, basic or extended, as JavaScript has it. */
export function regularExpression(source: string, { extended = false, flags = "" } = {}): RegExp {
  let text = source.replace(/\[:(\w+):\]/g, (_, name: string) => CLASSES[name] ?? "");
  if (!extended)
    text = text.replace(/\\([(){}|+?])|([(){}|+?])/g, (_, special?: string, plain?: string) => special ?? `\\${plain}`);
  return new RegExp(text.replace(/\\[<>]/g, "\\b"), flags);
}

function* grep(context: ProgramContext) {
  const name = nameOf(context);
  const { has, value, operands } = parseOptions(context.argv, "emABC", ["max-count", "regexp"]);
  const source = value("e") ?? value("regexp") ?? operands.shift();
  if (source === undefined) return complain(context, "usage: grep [-HhnlLoqvsriwFEz] [-m N] PATTERNS [FILE]...");
  const plain = has("F") || name === "fgrep";
  const extended = has("E") || name === "egrep" || has("P");
  const alternatives = source
    .split("\n")
    .map((line) => (plain ? escaped(line) : regularExpression(line, { extended }).source));
  let text = alternatives.join("|");
  if (has("w")) text = `\\b(?:${text})\\b`;
  if (has("x")) text = `^(?:${text})$`;
  const expression = new RegExp(text, has("i") ? "i" : "");
  const most = Number(value("m") ?? value("max-count") ?? Number.POSITIVE_INFINITY);
  const [before, after] = [Number(value("B") ?? value("C") ?? 0), Number(value("A") ?? value("C") ?? 0)];
  const files = has("r") || has("R") ? expandDirectories(context, operands.length === 0 ? ["."] : operands) : operands;
  const titled = (files.length > 1 || has("H") || has("r")) && !has("h");
  let found = false;
  let failed = false;
  for (const { name: file, text: content } of yield* contents(context, files)) {
    if (content === undefined) {
      failed = true;
      continue;
    }
    const lines = linesOf(content);
    const hits: number[] = [];
    for (let i = 0; i < lines.length && hits.length < most; i++)
      if (expression.test(lines[i] as string) !== has("v")) hits.push(i);
    if (hits.length > 0) found = true;
    if (has("q")) continue;
    const title = titled ? `${file}:` : "";
    if (has("c")) context.stdout.write(`${title}${hits.length}\n`);
    else if (has("l")) {
      if (hits.length > 0) context.stdout.write(`${file}\n`);
    } else {
      const shown = new Set<number>();
      for (const hit of hits)
        for (let i = hit - before; i <= hit + after; i++) if (i >= 0 && i < lines.length) shown.add(i);
      for (const i of [...shown].sort((a, b) => a - b)) {
        const line = lines[i] as string;
        const number = has("n") ? `${i + 1}:` : "";
        if (!has("o")) context.stdout.write(`${title}${number}${line}\n`);
        else
          for (const match of line.match(new RegExp(expression.source, `g${expression.flags}`)) ?? [])
            context.stdout.write(`${title}${number}${match}\n`);
      }
    }
    yield* whileFull(context.stdout);
  }
  return failed ? 2 : found ? 0 : 1;
}

function expandDirectories(context: ProgramContext, names: readonly string[]): string[] {
  const { tree } = context.system;
  return names.flatMap((name) => {
    const node = tree.find(pathIn(context, name), context.who);
    if (node?.is !== "directory") return [name];
    return expandDirectories(
      context,
      [...node.entries.keys()].sort().map((entry) => `${name}/${entry}`),
    );
  });
}

const count = (argv: readonly string[], value: (flag: string) => string | undefined): string =>
  value("n") ?? value("lines") ?? argv.find((arg) => /^[-+]\d+$/.test(arg))?.replace(/^-/, "") ?? "10";

function* head(context: ProgramContext) {
  const argv = context.argv.filter((arg) => !/^-\d+$/.test(arg));
  const { value, operands } = parseOptions(argv, "nc", ["lines", "bytes"]);
  const bytes = value("c") ?? value("bytes");
  const wanted = Number(bytes ?? count(context.argv, value));
  let status = 0;
  for (const name of operands.length === 0 ? ["-"] : operands) {
    const input = open(context, name);
    if (!input) {
      status = 1;
      continue;
    }
    if (operands.length > 1) context.stdout.write(`==> ${name} <==\n`);
    if (bytes !== undefined) {
      let left = wanted;
      while (left > 0) {
        const data = input.read(left);
        if (data === null) break;
        if (data === undefined) yield { ready: () => hasData(input) };
        else {
          context.stdout.write(data);
          left -= data.length;
        }
      }
    } else if (wanted < 0) context.stdout.write(unlines(linesOf(yield* readAll(input)).slice(0, wanted)));
    else
      for (let i = 0; i < wanted; i++) {
        const line = yield* readLine(input);
        if (line === null) break;
        context.stdout.write(`${line}\n`);
      }
  }
  return status;
}

function* tail(context: ProgramContext) {
  const argv = context.argv.filter((arg) => !/^[-+]\d+$/.test(arg));
  const { has, value, operands } = parseOptions(argv, "ncs", ["lines", "bytes", "pid"]);
  const follows = has("f") || has("F");
  const wanted = count(context.argv, value);
  let status = 0;
  const lengths = new Map<string, number>();
  for (const { name, text } of yield* contents(context, operands)) {
    if (text === undefined) {
      status = 1;
      continue;
    }
    lengths.set(name, text.length);
    if (operands.length > 1) context.stdout.write(`==> ${name} <==\n`);
    if (value("c") !== undefined) context.stdout.write(text.slice(-Number(value("c"))));
    else {
      const lines = linesOf(text);
      const number = Number(wanted);
      context.stdout.write(
        unlines(wanted.startsWith("+") ? lines.slice(number - 1) : number === 0 ? [] : lines.slice(-number)),
      );
    }
  }
  if (!follows || (lengths.size === 0 && !has("F"))) return status;
  const { tree, kernel } = context.system;
  const changes = (): boolean => operands.some((name) => lengthOf(name) !== lengths.get(name));
  const lengthOf = (name: string): number | undefined => {
    const node = tree.find(pathIn(context, name), context.who);
    return node?.is === "file" ? node.data.length : node ? 0 : lengths.get(name);
  };
  for (;;) {
    // Nothing but a change in this very pod can end the wait: it costs no timer.
    yield { ready: changes };
    for (const name of operands) {
      const length = lengthOf(name);
      const before = lengths.get(name) ?? 0;
      if (length === undefined || length === lengths.get(name)) continue;
      const text = tree.read(pathIn(context, name), context.who);
      context.stdout.write(text.slice(length < before ? 0 : before));
      lengths.set(name, length);
    }
    yield* kernel.charge();
  }
}

function* wc(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const all = !has("l") && !has("w") && !has("c") && !has("m");
  let status = 0;
  const totals = [0, 0, 0];
  const show = (numbers: readonly number[], name: string): void => {
    const chosen = numbers.filter((_, i) => all || has("lwc"[i] as string) || (i === 2 && has("m")));
    const text = chosen.length === 1 ? String(chosen[0]) : chosen.map((number) => String(number).padStart(9)).join(" ");
    context.stdout.write(name === "-" && operands.length === 0 ? `${text}\n` : `${text} ${name}\n`);
  };
  for (const { name, text } of yield* contents(context, operands)) {
    if (text === undefined) {
      status = 1;
      continue;
    }
    const numbers = [text.split("\n").length - 1, text.split(/\s+/).filter(Boolean).length, text.length];
    numbers.forEach((number, i) => {
      totals[i] = (totals[i] ?? 0) + number;
    });
    show(numbers, name);
  }
  if (operands.length > 1) show(totals, "total");
  return status;
}

function* sort(context: ProgramContext) {
  const { has, value, operands } = parseOptions(context.argv, "kto");
  const column = Number.parseInt(value("k") ?? "0", 10);
  const key = (line: string): string => (column === 0 ? line : (line.split(value("t") ?? /\s+/)[column - 1] ?? ""));
  const numeric = has("n") || has("h") || /n/.test(value("k") ?? "");
  const lines = (yield* contents(context, operands)).flatMap(({ text }) => linesOf(text ?? ""));
  lines.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (numeric) return (Number.parseFloat(x) || 0) - (Number.parseFloat(y) || 0);
    return x < y ? -1 : x > y ? 1 : 0;
  });
  if (has("r")) lines.reverse();
  const result = has("u") ? lines.filter((line, i) => i === 0 || key(line) !== key(lines[i - 1] as string)) : lines;
  const to = value("o");
  if (to) context.system.tree.write(pathIn(context, to), unlines(result), context.who);
  else context.stdout.write(unlines(result));
  return 0;
}

function* uniq(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const groups: { line: string; count: number }[] = [];
  for (const line of (yield* contents(context, operands)).flatMap(({ text }) => linesOf(text ?? ""))) {
    const last = groups[groups.length - 1];
    if (last?.line === line) last.count++;
    else groups.push({ line, count: 1 });
  }
  for (const { line, count } of groups)
    if ((!has("d") || count > 1) && (!has("u") || count === 1))
      context.stdout.write(has("c") ? `${String(count).padStart(7)} ${line}\n` : `${line}\n`);
  return 0;
}

/** `1,3-5,7-` as a test of positions from 1. */
function positions(list: string): (position: number) => boolean {
  const ranges = list.split(",").map((part) => {
    const [, from, dash, to] = /^(\d*)(-?)(\d*)$/.exec(part) ?? [];
    const first = Number(from || 1);
    return [first, dash ? Number(to || Number.POSITIVE_INFINITY) : first] as const;
  });
  return (position) => ranges.some(([first, last]) => position >= first && position <= last);
}

function* cut(context: ProgramContext) {
  const { has, value, operands } = parseOptions(context.argv, "dfcb");
  const separator = value("d") ?? "\t";
  const characters = value("c") ?? value("b");
  const chosen = positions(value("f") ?? characters ?? "1-");
  for (const line of (yield* contents(context, operands)).flatMap(({ text }) => linesOf(text ?? ""))) {
    if (characters !== undefined) context.stdout.write(`${[...line].filter((_, i) => chosen(i + 1)).join("")}\n`);
    else if (!line.includes(separator)) {
      if (!has("s")) context.stdout.write(`${line}\n`);
    } else
      context.stdout.write(
        `${line
          .split(separator)
          .filter((_, i) => chosen(i + 1))
          .join(separator)}\n`,
      );
  }
  return 0;
}

function characterSet(text: string): string[] {
  const plain = expandEscapes(
    text.replace(/\[:(\w+):\]/g, (_, name: string) => CLASSES[name]?.replace("\\s", " \t\n") ?? ""),
  );
  const result: string[] = [];
  for (let i = 0; i < plain.length; i++) {
    const to = plain[i + 1] === "-" ? plain.charCodeAt(i + 2) : Number.NaN;
    if (Number.isNaN(to)) result.push(plain[i] as string);
    else {
      for (let code = plain.charCodeAt(i); code <= to; code++) result.push(String.fromCharCode(code));
      i += 2;
    }
  }
  return result;
}

function* tr(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv);
  const from = characterSet(operands[0] ?? "");
  const to = characterSet(operands[1] ?? "");
  const complement = has("c") || has("C");
  const isIn = (c: string): boolean => from.includes(c) !== complement;
  const deletes = has("d");
  const squeezes = has("s");
  let before = "";
  const translated = (text: string): string => {
    let result = "";
    for (const c of text) {
      if (deletes && isIn(c)) continue;
      const at = from.indexOf(c);
      const last = to[to.length - 1] ?? "";
      const next = deletes || !isIn(c) || to.length === 0 ? c : complement ? last : (to[at] ?? last);
      if (squeezes && isIn(c) && before === next) continue;
      result += next;
      before = next;
    }
    return result;
  };
  for (;;) {
    const data = context.stdin.read();
    if (data === null) return 0;
    if (data === undefined) yield { ready: () => hasData(context.stdin) };
    else {
      context.stdout.write(translated(data));
      yield* whileFull(context.stdout);
      yield* context.system.kernel.charge();
    }
  }
}

const digest = (algorithm: string): Program =>
  function* (context) {
    for (const { name, text } of yield* contents(context, parseOptions(context.argv).operands))
      if (text !== undefined)
        context.stdout.write(`${createHash(algorithm).update(Buffer.from(text, "latin1")).digest("hex")}  ${name}\n`);
    return 0;
  };

function* base64(context: ProgramContext) {
  const { has, operands } = parseOptions(context.argv, "w");
  for (const { text = "" } of yield* contents(context, operands)) {
    if (has("d") || has("D")) context.stdout.write(Buffer.from(text, "base64").toString("latin1"));
    else
      context.stdout.write(
        unlines(
          Buffer.from(text, "latin1")
            .toString("base64")
            .match(/.{1,76}/g) ?? [""],
        ),
      );
  }
  return 0;
}

function* rev(context: ProgramContext) {
  for (const { text } of yield* contents(context, context.argv.slice(1)))
    context.stdout.write(unlines(linesOf(text ?? "").map((line) => [...line].reverse().join(""))));
  return 0;
}

function* tac(context: ProgramContext) {
  for (const { text } of yield* contents(context, context.argv.slice(1)))
    context.stdout.write(unlines(linesOf(text ?? "").reverse()));
  return 0;
}

function* diff(context: ProgramContext) {
  const [a, b] = yield* contents(context, parseOptions(context.argv).operands);
  if (a?.text === undefined || b?.text === undefined) return 2;
  if (a.text === b.text) return 0;
  context.stdout.write(`--- ${a.name}\n+++ ${b.name}\n`);
  return 1;
}

function* hexdump(context: ProgramContext) {
  for (const { text = "" } of yield* contents(context, parseOptions(context.argv, "tAnN").operands))
    for (let at = 0; at < text.length; at += 16) {
      const bytes = [...text.slice(at, at + 16)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0"));
      context.stdout.write(`${at.toString(16).padStart(7, "0")} ${bytes.join(" ")}\n`);
    }
  return 0;
}

export const TEXT_PROGRAMS: Readonly<Record<string, Program>> = {
  awk,
  base64,
  cmp: diff,
  cut,
  diff,
  egrep: grep,
  fgrep: grep,
  grep,
  head,
  hexdump,
  md5sum: digest("md5"),
  od: hexdump,
  rev,
  sed,
  sha1sum: digest("sha1"),
  sha256sum: digest("sha256"),
  sort,
  tac,
  tail,
  tr,
  uniq,
  wc,
};
