import { FileError, fromBytes } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { type ProgramContext, pathIn, readAll } from "../machine/program.js";
import { type Input, textInput } from "../machine/streams.js";
import { deviceInput } from "../shell/redirections.js";

/** Flags and operands of a command line, as getopt reads them. */
export interface Parsed {
  has(flag: string): boolean;
  value(flag: string): string | undefined;
  operands: string[];
}

/** `withValue`: the letters, and long names, whose value follows. Flags may stand behind operands. */
export function parseOptions(argv: readonly string[], withValue = "", longWithValue: readonly string[] = []): Parsed {
  const flags = new Map<string, string>();
  const operands: string[] = [];
  for (let i = 1; i < argv.length; i++) {
    const arg = argv[i] as string;
    if (arg === "--") {
      operands.push(...argv.slice(i + 1));
      break;
    }
    if (arg.startsWith("--")) {
      const [name = "", ...value] = arg.slice(2).split("=");
      if (value.length === 0 && longWithValue.includes(name)) flags.set(name, argv[++i] ?? "");
      else flags.set(name, value.join("="));
    } else if (/^-./.test(arg)) {
      for (let at = 1; at < arg.length; at++) {
        const letter = arg[at] as string;
        if (!withValue.includes(letter)) {
          flags.set(letter, "");
          continue;
        }
        const rest = arg.slice(at + 1);
        flags.set(letter, rest === "" ? (argv[++i] ?? "") : rest);
        break;
      }
    } else operands.push(arg);
  }
  return { has: (flag) => flags.has(flag), value: (flag) => flags.get(flag), operands };
}

/** Name of the program as its messages begin. */
export const nameOf = (context: ProgramContext): string => (context.argv[0] ?? "").replace(/^.*\//, "");

export function complain(context: ProgramContext, text: string): number {
  context.stderr.write(`${nameOf(context)}: ${text}\n`);
  return 1;
}

/** Runs `body`; a system call that fails becomes a message about `subject`, and false. */
export function attempt(context: ProgramContext, subject: string, body: () => void): boolean {
  try {
    body();
    return true;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    complain(context, `${subject}: ${error.message}`);
    return false;
  }
}

/** An operand as an input: `-` is standard input. Undefined, and a message, when it cannot be opened. */
export function open(context: ProgramContext, name: string): Input | undefined {
  if (name === "-" || name === "/dev/stdin") return context.stdin;
  const path = pathIn(context, name);
  let input: Input | undefined;
  const opens = attempt(context, nameOf(context) === "cat" ? `can't open '${name}'` : name, () => {
    const node = context.system.tree.get(path, context.who);
    if (node.is === "directory") throw new FileError("EISDIR");
    input =
      node.is === "device"
        ? deviceInput(node, context.system.random)
        : textInput(context.system.tree.read(path, context.who));
  });
  return opens ? input : undefined;
}

/** Everything of the operands, or of standard input; `undefined` entries could not be opened. */
export function* contents(
  context: ProgramContext,
  operands: readonly string[],
): Work<{ name: string; text: string | undefined }[]> {
  const result: { name: string; text: string | undefined }[] = [];
  for (const name of operands.length === 0 ? ["-"] : operands) {
    const input = open(context, name);
    result.push({ name, text: input && (yield* readAll(input)) });
  }
  return result;
}

/** Lines without their newlines; a last newline makes no empty line. */
export function linesOf(text: string): string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

export const unlines = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

/** `%q` of Go. */
export const goQuoted = (text: string): string => JSON.stringify(fromBytes(text));

const DURATION_UNITS: Readonly<Record<string, number>> = { "": 1, ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** `1.5`, `10s`, `2m`, `1h30m`, `infinity`: ms; undefined when it is none. */
export function durationMs(text: string): number | undefined {
  if (/^inf(?:inity)?$/.test(text)) return Number.POSITIVE_INFINITY;
  let sum = 0;
  let rest = text;
  if (rest === "") return undefined;
  while (rest !== "") {
    const match = /^(\d+(?:\.\d*)?|\.\d+)(ms|[smhd]|(?=$))/.exec(rest);
    if (!match) return undefined;
    sum += Number(match[1]) * (DURATION_UNITS[match[2] ?? ""] as number) * 1000;
    rest = rest.slice(match[0].length);
  }
  return sum;
}
