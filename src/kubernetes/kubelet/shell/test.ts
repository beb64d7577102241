import type { TreeNode } from "../machine/file-nodes.js";
import { absolutePath, FileError, mayAccess } from "../machine/files.js";
import { matchesPattern } from "./patterns.js";
import { compileExpression, posixSource } from "./regular-expression.js";
import type { Shell } from "./shell.js";

/** `test`, `[` and (mostly) `[[`. */
export class TestSyntaxError extends Error {}

const NUMERIC: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "-eq": (a, b) => a === b,
  "-ne": (a, b) => a !== b,
  "-lt": (a, b) => a < b,
  "-le": (a, b) => a <= b,
  "-gt": (a, b) => a > b,
  "-ge": (a, b) => a >= b,
};

function expressionMatches(source: string, text: string): boolean {
  try {
    return compileExpression(posixSource(source, { extended: true })).test(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new TestSyntaxError(error.message);
    throw error;
  }
}

function integer(text: string): number {
  if (!/^\s*[-+]?\d+\s*$/.test(text)) throw new TestSyntaxError(`${text}: bad number`);
  return Number(text);
}

/** Throws TestSyntaxError for what is no expression. */
export function evaluateTest(
  args: readonly string[],
  shell: Pick<Shell, "context" | "state">,
  patterns = false,
): boolean {
  let at = 0;
  const { tree } = shell.context.system;
  const { who } = shell.context;
  const nodeOf = (path: string, follow = true): TreeNode | undefined => {
    try {
      return path === "" ? undefined : tree.find(absolutePath(path, shell.state.cwd), who, follow);
    } catch (error) {
      if (error instanceof FileError) return undefined;
      throw error;
    }
  };
  const unary = (operator: string, operand: string): boolean => {
    switch (operator) {
      case "-n":
        return operand !== "";
      case "-z":
        return operand === "";
      case "-v":
        return shell.state.variables.has(operand);
      case "-t":
        return operand === "0" && shell.context.stdin.isTerminal === true;
      case "-h":
      case "-L":
        return nodeOf(operand, false)?.is === "link";
      default:
        return fileTest(operator, nodeOf(operand));
    }
  };
  const fileTest = (operator: string, node: TreeNode | undefined): boolean => {
    if (!node) return false;
    switch (operator) {
      case "-f":
        return node.is === "file";
      case "-d":
        return node.is === "directory";
      case "-c":
        return node.is === "device";
      case "-s":
        return node.is === "directory" || (node.is === "file" && node.data !== "");
      case "-r":
        return mayAccess(node, who, 4);
      case "-w":
        return mayAccess(node, who, 2);
      case "-x":
        return node.is === "directory" ? mayAccess(node, who, 1) : (node.mode & 0o111) !== 0;
      case "-e":
      case "-a":
        return true;
      default:
        return false;
    }
  };
  const binary = (left: string, operator: string, right: string): boolean | undefined => {
    const compare = NUMERIC[operator];
    if (compare) return compare(integer(left), integer(right));
    switch (operator) {
      case "=":
      case "==":
        return patterns ? matchesPattern(right, left) : left === right;
      case "!=":
        return patterns ? !matchesPattern(right, left) : left !== right;
      case "=~":
        return expressionMatches(right, left);
      case "<":
        return left < right;
      case ">":
        return left > right;
      case "-nt":
        return (nodeOf(left)?.mtimeMs ?? 0) > (nodeOf(right)?.mtimeMs ?? 0);
      case "-ot":
        return (nodeOf(left)?.mtimeMs ?? 0) < (nodeOf(right)?.mtimeMs ?? 0);
      case "-ef":
        return nodeOf(left) === nodeOf(right);
      default:
        return undefined;
    }
  };
  const isUnary = (text: string | undefined): text is string => text !== undefined && /^-[a-zA-Z]$/.test(text);
  const primary = (): boolean => {
    const left = args[at];
    if (left === undefined) throw new TestSyntaxError("argument expected");
    const operator = args[at + 1];
    const right = args[at + 2];
    if (operator !== undefined && right !== undefined) {
      const result = binary(left, operator, right);
      if (result !== undefined) {
        at += 3;
        return result;
      }
    }
    if (left === "!") {
      at++;
      return at < args.length ? !primary() : true;
    }
    if (left === "(") {
      at++;
      const value = disjunction();
      if (args[at++] !== ")") throw new TestSyntaxError("closing paren expected");
      return value;
    }
    if (isUnary(left) && operator !== undefined && left !== "-a" && left !== "-o") {
      at += 2;
      return unary(left, operator);
    }
    at++;
    return left !== "";
  };
  const conjunction = (): boolean => {
    let value = primary();
    while (args[at] === "-a" || args[at] === "&&") {
      at++;
      value = primary() && value;
    }
    return value;
  };
  const disjunction = (): boolean => {
    let value = conjunction();
    while (args[at] === "-o" || args[at] === "||") {
      at++;
      value = conjunction() || value;
    }
    return value;
  };
  if (args.length === 0) return false;
  const value = disjunction();
  if (at < args.length) throw new TestSyntaxError(`${args[at]}: unknown operand`);
  return value;
}
