import type { ProgramContext } from "../machine/program.js";
import { formatPrintf } from "../shell/printf.js";
import { compileExpression, posixSource } from "../shell/regular-expression.js";
import { AwkError, type Token, tokens } from "./awk-tokens.js";
import { complain, contents, linesOf, parseOptions } from "./options.js";

/**
 * The awk of one-liners: rules with a pattern and print, printf, assignments and if; no loops, no functions, no arrays. What is beyond it says so.
 */
interface Scope {
  fields: string[];
  variables: Map<string, string>;
}

const numberOf = (text: string): number => Number.parseFloat(text) || 0;
const isTrue = (text: string): boolean => text !== "" && text !== "0";
const looksNumeric = (text: string): boolean => /^\s*-?\d+(?:\.\d+)?\s*$/.test(text);

/** Runs the rules for one record; walks over the tokens each time, which one-liners bear. */
class Runner {
  private at = 0;
  constructor(
    private readonly tokens: readonly Token[],
    private readonly scope: Scope,
    private readonly print: (text: string) => void,
  ) {}

  run(phase: "BEGIN" | "line" | "END"): void {
    this.at = 0;
    while (this.at < this.tokens.length) {
      if (this.take(";")) continue;
      const first = this.tokens[this.at];
      let applies = phase === "line";
      if (first?.value === "BEGIN" || first?.value === "END") {
        applies = first.value === phase;
        this.at++;
      } else if (first?.value !== "{") {
        const truth = isTrue(this.expression(applies));
        applies &&= truth;
      }
      if (this.peek("{")) this.block(applies);
      else if (applies) this.print(`${this.scope.fields[0] ?? ""}\n`);
    }
  }

  private peek(value: string): boolean {
    const token = this.tokens[this.at];
    return token?.is === "sign" && token.value === value;
  }
  private take(value: string): boolean {
    if (!this.peek(value)) return false;
    this.at++;
    return true;
  }
  private need(value: string): void {
    if (!this.take(value)) throw new AwkError(`syntax error: ${value} expected`);
  }

  private block(live: boolean): void {
    this.need("{");
    while (!this.take("}")) {
      if (this.at >= this.tokens.length) throw new AwkError("syntax error: } expected");
      this.statement(live);
    }
  }

  private statement(live: boolean): void {
    if (this.take(";")) return;
    if (this.peek("{")) {
      this.block(live);
      return;
    }
    const token = this.tokens[this.at];
    if (token?.value === "if") {
      this.at++;
      this.need("(");
      const truth = isTrue(this.expression(live));
      this.need(")");
      this.statement(live && truth);
      while (this.peek(";") && this.tokens[this.at + 1]?.value === "else") this.at++;
      if (this.tokens[this.at]?.value === "else") {
        this.at++;
        this.statement(live && !truth);
      }
      return;
    }
    if (token?.value === "print" || token?.value === "printf") {
      this.at++;
      const args: string[] = [];
      while (this.at < this.tokens.length && !this.peek("}") && !this.peek(";")) {
        args.push(this.expression(live));
        if (!this.take(",")) break;
      }
      if (!live) return;
      if (token.value === "printf") this.print(formatPrintf(args[0] ?? "", args.slice(1)).text);
      else
        this.print(
          `${args.length === 0 ? (this.scope.fields[0] ?? "") : args.join(this.scope.variables.get("OFS") ?? " ")}\n`,
        );
      return;
    }
    if (token?.is === "name" && ["for", "while", "do", "function", "delete", "getline"].includes(token.value))
      throw new AwkError(`${token.value} is not supported by this simulated awk`);
    if (token?.value === "next" || token?.value === "exit") {
      this.at++;
      return;
    }
    this.expression(live);
  }

  private expression(live: boolean): string {
    const start = this.at;
    const token = this.tokens[start];
    const operator = this.tokens[start + 1];
    if (token?.is === "name" && operator?.is === "sign" && /^(?:[-+*/%]?=|\+\+|--)$/.test(operator.value)) {
      this.at += 2;
      const before = this.scope.variables.get(token.value) ?? "";
      if (operator.value === "++" || operator.value === "--") {
        if (live) this.scope.variables.set(token.value, String(numberOf(before) + (operator.value === "++" ? 1 : -1)));
        return before || "0";
      }
      const value = this.expression(live);
      const result =
        operator.value === "="
          ? value
          : String(calculate(operator.value[0] as string, numberOf(before), numberOf(value)));
      if (live) this.scope.variables.set(token.value, result);
      return result;
    }
    const test = this.either(live);
    if (!this.take("?")) return test;
    const yes = this.expression(live);
    this.need(":");
    const no = this.expression(live);
    return isTrue(test) ? yes : no;
  }

  private either(live: boolean): string {
    let value = this.both(live);
    while (this.take("||")) {
      const right = this.both(live);
      value = isTrue(value) || isTrue(right) ? "1" : "0";
    }
    return value;
  }
  private both(live: boolean): string {
    let value = this.comparison(live);
    while (this.take("&&")) {
      const right = this.comparison(live);
      value = isTrue(value) && isTrue(right) ? "1" : "0";
    }
    return value;
  }

  private comparison(live: boolean): string {
    const left = this.concatenation(live);
    const token = this.tokens[this.at];
    if (token?.is !== "sign" || !/^(?:[<>]=?|[=!]=|!?~)$/.test(token.value)) return left;
    this.at++;
    if (token.value.endsWith("~")) {
      const next = this.tokens[this.at];
      const source = next?.is === "regex" ? next.value : this.concatenation(live);
      if (next?.is === "regex") this.at++;
      return this.matches(source, left) === (token.value === "~") ? "1" : "0";
    }
    const right = this.concatenation(live);
    const numeric = (looksNumeric(left) || left === "") && looksNumeric(right);
    const order = numeric ? numberOf(left) - numberOf(right) : left < right ? -1 : left > right ? 1 : 0;
    const result = {
      "<": order < 0,
      "<=": order <= 0,
      ">": order > 0,
      ">=": order >= 0,
      "==": order === 0,
      "!=": order !== 0,
    }[token.value];
    return result ? "1" : "0";
  }

  private matches(source: string, text: string): boolean {
    return compileExpression(posixSource(source, { extended: true })).test(text);
  }

  private concatenation(live: boolean): string {
    let value = this.sum(live);
    for (;;) {
      const token = this.tokens[this.at];
      const begins =
        token &&
        (token.is === "text" ||
          token.is === "number" ||
          token.is === "name" ||
          token.value === "$" ||
          token.value === "(");
      if (!begins || token.value === "else") return value;
      value += this.sum(live);
    }
  }

  private sum(live: boolean): string {
    let value = this.product(live);
    for (
      let token = this.tokens[this.at];
      token?.is === "sign" && (token.value === "+" || token.value === "-");
      token = this.tokens[this.at]
    ) {
      this.at++;
      value = String(calculate(token.value, numberOf(value), numberOf(this.product(live))));
    }
    return value;
  }
  private product(live: boolean): string {
    let value = this.primary(live);
    for (
      let token = this.tokens[this.at];
      token?.is === "sign" && ["*", "/", "%"].includes(token.value);
      token = this.tokens[this.at]
    ) {
      this.at++;
      value = String(calculate(token.value, numberOf(value), numberOf(this.primary(live))));
    }
    return value;
  }

  private primary(live: boolean): string {
    const token = this.tokens[this.at++];
    const { fields, variables } = this.scope;
    switch (token?.is) {
      case "text":
      case "number":
        return token.value;
      case "regex":
        return this.matches(token.value, fields[0] ?? "") ? "1" : "0";
      case "name": {
        if (!this.take("(")) return variables.get(token.value) ?? "";
        const args: string[] = [];
        while (!this.take(")")) {
          const next = this.tokens[this.at];
          if (next?.is === "regex") {
            this.at++;
            args.push(next.value);
          } else args.push(this.expression(live));
          this.take(",");
          if (this.at >= this.tokens.length) throw new AwkError("syntax error: ) expected");
        }
        return this.call(token.value, args);
      }
      default:
    }
    if (token?.value === "$") return fields[numberOf(this.primary(live))] ?? "";
    if (token?.value === "-") return String(-numberOf(this.primary(live)));
    if (token?.value === "!") return isTrue(this.primary(live)) ? "0" : "1";
    if (token?.value === "(") {
      const value = this.expression(live);
      this.need(")");
      return value;
    }
    throw new AwkError("syntax error");
  }

  private call(name: string, [a = "", b = "", c = ""]: readonly string[]): string {
    switch (name) {
      case "length":
        return String((a || this.scope.fields[0] || "").length);
      case "toupper":
        return a.toUpperCase();
      case "tolower":
        return a.toLowerCase();
      case "int":
        return String(Math.trunc(numberOf(a)));
      case "substr":
        return a.slice(numberOf(b) - 1, c === "" ? undefined : numberOf(b) - 1 + numberOf(c));
      case "index":
        return String(a.indexOf(b) + 1);
      default:
        throw new AwkError(`${name}() is not supported by this simulated awk`);
    }
  }
}

function calculate(operator: string, a: number, b: number): number {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  if (b === 0) throw new AwkError("division by zero");
  return operator === "/" ? a / b : a % b;
}

export function* awk(context: ProgramContext) {
  const { value, operands } = parseOptions(context.argv, "Fvf");
  const source = operands.shift() ?? "";
  const variables = new Map<string, string>();
  context.argv.forEach((arg, i) => {
    const [, name, text] = /^([A-Za-z_]\w*)=(.*)$/s.exec(context.argv[i - 1] === "-v" ? arg : "") ?? [];
    if (name) variables.set(name, text ?? "");
  });
  const separator = value("F");
  const scope: Scope = { fields: [], variables };
  try {
    const runner = new Runner(tokens(source), scope, (text) => context.stdout.write(text));
    runner.run("BEGIN");
    if (/^\s*BEGIN\s*\{.*\}\s*$/s.test(source) && !source.includes("END")) return 0;
    let number = 0;
    for (const { text } of yield* contents(context, operands))
      for (const line of linesOf(text ?? "")) {
        const parts =
          separator !== undefined
            ? separator.length === 1
              ? line.split(separator)
              : compileExpression(posixSource(separator, { extended: true })).split(line)
            : line.trim().split(/\s+/);
        scope.fields = [line, ...(line.trim() === "" && separator === undefined ? [] : parts)];
        variables
          .set("NR", String(++number))
          .set("FNR", String(number))
          .set("NF", String(scope.fields.length - 1));
        runner.run("line");
        yield* context.system.kernel.charge();
      }
    runner.run("END");
  } catch (error) {
    if (error instanceof AwkError || error instanceof SyntaxError)
      return complain(context, `cmd. line:1: ${error.message}`) + 1;
    throw error;
  }
  return 0;
}
