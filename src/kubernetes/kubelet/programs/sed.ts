import { type ProgramContext, pathIn } from "../machine/program.js";
import { compileExpression, type Expression, posixSource } from "../shell/regular-expression.js";
import { complain, contents, linesOf, parseOptions, unlines } from "./options.js";

/** `sed` with addresses and the commands s, d, p, q, a, i, c, y, =, and -n, -i, -e, -E. */
interface Rule {
  first?: Address;
  last?: Address;
  negated: boolean;
  command: string;
  expression?: Expression;
  everywhere: boolean;
  text: string;
  prints: boolean;
  active: boolean;
}
type Address = number | "$" | Expression;

class SedError extends Error {}

function parse(script: string, extended: boolean): Rule[] {
  const rules: Rule[] = [];
  let at = 0;
  const address = (): Address | undefined => {
    const number = /^\d+/.exec(script.slice(at));
    if (number) {
      at += number[0].length;
      return Number(number[0]);
    }
    if (script[at] === "$") {
      at++;
      return "$";
    }
    if (script[at] !== "/") return undefined;
    at++;
    return compileExpression(posixSource(until("/"), { extended }));
  };
  const until = (end: string): string => {
    let text = "";
    for (; at < script.length && script[at] !== end; at++) {
      if (script[at] === "\\" && script[at + 1] === end) at++;
      else if (script[at] === "\\") text += script[at++];
      text += script[at] ?? "";
    }
    if (at >= script.length) throw new SedError("unmatched '/'");
    at++;
    return text;
  };
  while (at < script.length) {
    if (/[\s;]/.test(script[at] as string)) {
      at++;
      continue;
    }
    const first = address();
    let last: Address | undefined;
    if (first !== undefined && script[at] === ",") {
      at++;
      last = address();
    }
    while (script[at] === " ") at++;
    const negated = script[at] === "!";
    if (negated) at++;
    const command = script[at++] ?? "";
    const rule: Rule = { first, last, negated, command, text: "", prints: false, everywhere: false, active: false };
    if (command === "s" || command === "y") {
      const end = script[at++] ?? "/";
      const source = until(end);
      rule.text = until(end);
      const flags = /^[gpiI0-9]*/.exec(script.slice(at))?.[0] ?? "";
      at += flags.length;
      rule.prints = flags.includes("p");
      rule.everywhere = flags.includes("g");
      if (command === "s")
        rule.expression = compileExpression(posixSource(source, { extended }), { ignoreCase: /i/i.test(flags) });
      else rule.text = `${source}\0${rule.text}`;
    } else if ("aic".includes(command) && command !== "") {
      const end = script.indexOf("\n", at);
      rule.text = script.slice(at, end < 0 ? undefined : end).replace(/^\s*\\?\n?\s*/, "");
      at = end < 0 ? script.length : end;
    } else if (!"dpq=D".includes(command) || command === "") throw new SedError(`unsupported command ${command}`);
    rules.push(rule);
  }
  return rules;
}

const isAt = (address: Address, line: string, number: number, total: number): boolean =>
  address === "$" ? number === total : typeof address === "number" ? number === address : address.test(line);

function applies(rule: Rule, line: string, number: number, total: number): boolean {
  const { first, last } = rule;
  if (first === undefined) return !rule.negated;
  let hit: boolean;
  if (last === undefined) hit = isAt(first, line, number, total);
  else if (rule.active) {
    hit = true;
    if (isAt(last, line, number, total) || (typeof last === "number" && number >= last)) rule.active = false;
  } else {
    hit = isAt(first, line, number, total);
    rule.active = hit && !(typeof last === "number" && last <= number);
  }
  return hit !== rule.negated;
}

function replaced(line: string, rule: Rule): string | undefined {
  if (!rule.expression?.test(line)) return undefined;
  const by = (groups: readonly (string | undefined)[]): string =>
    rule.text.replace(/\\(\d)|\\n|\\(.)|&/g, (whole, digit?: string, plain?: string) =>
      digit !== undefined ? (groups[Number(digit)] ?? "") : whole === "\\n" ? "\n" : (plain ?? groups[0] ?? ""),
    );
  return rule.expression.replace(line, by, rule.everywhere);
}

function edit(lines: readonly string[], rules: readonly Rule[], quiet: boolean): string[] {
  const result: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    let line = lines[i] as string;
    let deleted = false;
    const after: string[] = [];
    for (const rule of rules) {
      if (!applies(rule, line, i + 1, lines.length)) continue;
      if (rule.command === "s") {
        const next = replaced(line, rule);
        if (next !== undefined) {
          line = next;
          if (rule.prints) result.push(line);
        }
      } else if (rule.command === "y") {
        const [from = "", to = ""] = rule.text.split("\0");
        line = [...line].map((c) => to[from.indexOf(c)] ?? c).join("");
      } else if (rule.command === "p") result.push(line);
      else if (rule.command === "=") result.push(String(i + 1));
      else if (rule.command === "a") after.push(rule.text);
      else if (rule.command === "i") result.push(rule.text);
      else if (rule.command === "c") {
        result.push(rule.text);
        deleted = true;
      } else if (rule.command === "d") deleted = true;
      else if (rule.command === "q") {
        if (!quiet) result.push(line);
        return [...result, ...after];
      }
      if (deleted) break;
    }
    if (!deleted && !quiet) result.push(line);
    result.push(...after);
  }
  return result;
}

export function* sed(context: ProgramContext) {
  const { has, value, operands } = parseOptions(context.argv, "e", ["expression"]);
  const scripts = context.argv.filter((_, i) => context.argv[i - 1] === "-e");
  const script = scripts.length > 0 ? scripts.join("\n") : (value("expression") ?? operands.shift());
  if (script === undefined) return complain(context, "usage: sed [-i] [-nE] SCRIPT [FILE]...");
  try {
    const rules = () => parse(script, has("E") || has("r"));
    if (has("i")) {
      for (const { name, text } of yield* contents(context, operands)) {
        if (text === undefined) return 1;
        const result = unlines(edit(linesOf(text), rules(), has("n")));
        context.system.tree.write(pathIn(context, name), result, context.who);
      }
      return 0;
    }
    const texts = yield* contents(context, operands);
    context.stdout.write(
      unlines(
        edit(
          texts.flatMap(({ text }) => linesOf(text ?? "")),
          rules(),
          has("n"),
        ),
      ),
    );
    return texts.some(({ text }) => text === undefined) ? 1 : 0;
  } catch (error) {
    if (error instanceof SedError || error instanceof SyntaxError) return complain(context, error.message);
    throw error;
  }
}
