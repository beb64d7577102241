import { createHash } from "node:crypto";
import { hasData, type Program, type ProgramContext, whileFull } from "../machine/program.js";
import { CLASSES } from "../shell/patterns.js";
import { expandEscapes } from "../shell/printf.js";
import { contents, linesOf, parseOptions, unlines } from "./options.js";

/** Programs about the characters and bytes of a text: cut, tr, rev, base64, hexdump, md5sum and its kin. */

/** `1,3-5,7-` as a test of positions from 1. */
function positions(list: string): (position: number) => boolean {
  const ranges = list.split(",").map((part) => {
    const [, from, dash, to] = /^(\d*)(-?)(\d*)$/.exec(part) ?? [];
    const first = Number(from || 1);
    return [first, dash ? Number(to || Number.POSITIVE_INFINITY) : first] as const;
  });
  return (position) => ranges.some(([first, last]) => position >= first && position <= last);
}

export function* cut(context: ProgramContext) {
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

export function* tr(context: ProgramContext) {
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

export const digest = (algorithm: string): Program =>
  function* (context) {
    for (const { name, text } of yield* contents(context, parseOptions(context.argv).operands))
      if (text !== undefined)
        context.stdout.write(`${createHash(algorithm).update(Buffer.from(text, "latin1")).digest("hex")}  ${name}\n`);
    return 0;
  };

export function* base64(context: ProgramContext) {
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

export function* rev(context: ProgramContext) {
  for (const { text } of yield* contents(context, context.argv.slice(1)))
    context.stdout.write(unlines(linesOf(text ?? "").map((line) => [...line].reverse().join(""))));
  return 0;
}

export function* hexdump(context: ProgramContext) {
  for (const { text = "" } of yield* contents(context, parseOptions(context.argv, "tAnN").operands))
    for (let at = 0; at < text.length; at += 16) {
      const bytes = [...text.slice(at, at + 16)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0"));
      context.stdout.write(`${at.toString(16).padStart(7, "0")} ${bytes.join(" ")}\n`);
    }
  return 0;
}
