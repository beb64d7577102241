import { hasData, type Program, type ProgramContext, pathIn, readAll, readLine } from "../machine/program.js";
import { awk } from "./awk.js";
import { base64, cut, digest, hexdump, rev, tr } from "./character-programs.js";
import { grep } from "./grep.js";
import { contents, linesOf, open, parseOptions, unlines } from "./options.js";
import { sed } from "./sed.js";

/** Programs about text: grep, head, tail, wc, sort, cut, tr, ... */

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
