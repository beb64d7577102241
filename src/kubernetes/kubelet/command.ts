import type { Container } from "../schema/generated/types.js";

/**
 * What a container's command would do, for the few commands whose outcome is plain from their text: `sleep 5`, `exit 3`, `echo hello; false`.
 * No program runs; anything that is not understood is taken for a server, which runs until it is stopped.
 */
export interface Outcome {
  /** Infinity: says itself that it never ends. Undefined: nothing tells; taken for a server, which runs until it is stopped. */
  runForMs: number | undefined;
  exitCode: number;
  /** Lines on standard output. */
  output: readonly string[];
}

const SERVER: Outcome = { runForMs: undefined, exitCode: 0, output: [] };
const ENDS: Outcome = { runForMs: 0, exitCode: 0, output: [] };

/** Images whose default command is a shell or prints something: without a terminal they end at once. */
const SHORT_LIVED = new Set(["alpine", "amazonlinux", "bash", "busybox", "debian", "fedora", "hello-world", "ubuntu"]);

const SHELLS = new Set(["sh", "bash", "ash", "dash"]);
/** Commands that end by themselves with success. What they would print is not known here. */
const TOOLS = new Set(
  `: [ aws awk cat cd chmod chown cp curl cut date df dig env export find grep head hostname id kubectl ls mkdir mv nslookup printenv
  printf ps pwd rm sed seq set stat sync tee test touch trap true tr umask uname uniq wait wc wget whoami`.split(/\s+/),
);
/** Interpreters end by themselves when their program stands on the command line. */
const ONE_LINER: Readonly<Record<string, RegExp>> = {
  node: /^-[ep]$/,
  perl: /^-\w*e$/,
  python: /^-c$/,
  python3: /^-c$/,
  ruby: /^-e$/,
};

function endsByItself(name: string, args: readonly string[]): boolean {
  const flag = ONE_LINER[name];
  return TOOLS.has(name) || (flag !== undefined && args.some((arg) => flag.test(arg)));
}

/** What people write to keep a container up: `sleep infinity` aside, following a file, and a loop without a condition. */
const isEndless = (name: string, args: readonly string[]): boolean =>
  (name === "tail" && args.some((arg) => /^-\d*[fF]$/.test(arg))) ||
  (name === "while" && (args[0] === "true" || args[0] === ":" || args[0] === "sleep"));

const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 };

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function imageBaseName(image: string): string {
  return baseName(image.split("@")[0] ?? "").split(":")[0] ?? "";
}

export function outcomeOf(container: Pick<Container, "command" | "args" | "image" | "stdin" | "tty">): Outcome {
  const argv = [...(container.command ?? []), ...(container.args ?? [])];
  if (argv.length === 0) {
    const interactive = container.stdin && container.tty;
    return !interactive && SHORT_LIVED.has(imageBaseName(container.image ?? "")) ? ENDS : SERVER;
  }
  const flag = argv[1] ?? "";
  if (SHELLS.has(baseName(argv[0] ?? "")) && /^-[a-z]*c$/.test(flag)) return runScript(argv[2] ?? "");
  return runCommands([{ argv, after: ";" }]);
}

interface Command {
  argv: string[];
  /** Its output goes to a file. */
  redirected?: boolean;
  /** What stands before it: run always, only after success, only after failure. */
  after: ";" | "&&" | "||";
}

/** A token: a word (quotes removed), where output goes, an operator between commands, or shell grammar that is beyond this reader. */
const TOKEN =
  /"((?:[^"\\]|\\.)*)"|'([^']*)'|(\d*>{1,2}\s*(?:&\d|[^\s;&|<>]+))|(&&|\|\||[;\n])|([|&<>(){}`])|([^\s;&|<>(){}`"']+)/g;

function runScript(script: string): Outcome {
  const commands: Command[] = [];
  let argv: string[] = [];
  let redirected = false;
  let after: Command["after"] = ";";
  const end = (operator: string): void => {
    if (argv.length > 0) commands.push({ argv, redirected, after });
    argv = [];
    redirected = false;
    after = operator === "\n" ? ";" : (operator as Command["after"]);
  };
  for (const [, double, single, redirection, operator, grammar, word] of script.matchAll(TOKEN)) {
    // Pipes, subshells and the like: what was understood before still counts, then it is a server.
    if (grammar !== undefined) {
      end(";");
      return runCommands([...commands.slice(0, -1), { argv: [grammar], after: ";" }]);
    }
    // Standard error is part of a container's log, files are not.
    if (redirection !== undefined) redirected ||= !redirection.includes("&") && !redirection.startsWith("2");
    else if (operator !== undefined) end(operator);
    else argv.push(double ?? single ?? word ?? "");
  }
  end(";");
  return runCommands(commands);
}

function runCommands(commands: readonly Command[]): Outcome {
  let status = 0;
  let elapsedMs = 0;
  const output: string[] = [];
  for (const { argv, redirected, after } of commands) {
    if ((after === "&&" && status !== 0) || (after === "||" && status === 0)) continue;
    const [program = "", ...args] = argv[0] === "exec" ? argv.slice(1) : argv;
    const name = baseName(program);
    if (endsByItself(name, args)) status = 0;
    else if (name === "false") status = 1;
    else if (name === "echo") {
      if (!redirected) output.push(args.filter((arg, i) => i > 0 || !/^-[ne]+$/.test(arg)).join(" "));
      status = 0;
    } else if (name === "sleep") {
      const ms = durationMs(args);
      if (ms === undefined) return { runForMs: undefined, exitCode: 0, output };
      elapsedMs += ms;
      status = 0;
    } else if (name === "exit") {
      const code = args[0] === undefined ? status : Number(args[0]);
      // A shell takes anything but a number for an error of its own.
      return { runForMs: elapsedMs, exitCode: Number.isInteger(code) ? code & 0xff : 2, output };
    } else return { runForMs: isEndless(name, args) ? Number.POSITIVE_INFINITY : undefined, exitCode: 0, output };
  }
  return { runForMs: elapsedMs, exitCode: status, output };
}

/** Sum of `sleep`'s arguments, Infinity for one that never ends; undefined when they are not understood. */
function durationMs(args: readonly string[]): number | undefined {
  let sum = 0;
  for (const arg of args) {
    if (/^inf(?:inity)?$/.test(arg)) return Number.POSITIVE_INFINITY;
    const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(arg);
    if (!match) return undefined;
    sum += Number(match[1]) * (UNITS[match[2] ?? ""] as number) * 1000;
  }
  return args.length === 0 ? undefined : sum;
}
