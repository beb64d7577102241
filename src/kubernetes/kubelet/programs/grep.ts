import { type ProgramContext, pathIn, whileFull } from "../machine/program.js";
import { escaped } from "../shell/patterns.js";
import { compileExpression, type Expression, posixSource } from "../shell/regular-expression.js";
import { complain, contents, linesOf, nameOf, parseOptions } from "./options.js";

/** grep: what is no expression is its error, and exit code 2. */

export function* grep(context: ProgramContext) {
  const name = nameOf(context);
  const { has, value, operands } = parseOptions(context.argv, "emABC", ["max-count", "regexp"]);
  const source = value("e") ?? value("regexp") ?? operands.shift();
  if (source === undefined) return complain(context, "usage: grep [-HhnlLoqvsriwFEz] [-m N] PATTERNS [FILE]...");
  const plain = has("F") || name === "fgrep";
  const extended = has("E") || name === "egrep" || has("P");
  let expression: Expression;
  try {
    const alternatives = source.split("\n").map((line) => (plain ? escaped(line) : posixSource(line, { extended })));
    let text = alternatives.join("|");
    if (has("w")) text = `\\b(?:${text})\\b`;
    if (has("x")) text = `^(?:${text})$`;
    expression = compileExpression(text, { ignoreCase: has("i") });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return complain(context, error.message) + 1;
  }
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
        else for (const match of expression.all(line)) if (match) context.stdout.write(`${title}${number}${match}\n`);
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
