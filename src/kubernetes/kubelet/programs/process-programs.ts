import { baseName } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { type Program, type ProgramContext, pause, readAll } from "../machine/program.js";
import { TextOutput, textInput } from "../machine/streams.js";
import { BUILTINS } from "../shell/builtins.js";
import { shellProgram } from "../shell/shell-program.js";
import { complain, durationMs, nameOf, parseOptions } from "./options.js";
import { print } from "./plain-programs.js";

/** Programs about other programs and processes: env, timeout, xargs, ps, kill and its kind, and those that are a line of shell. */

function* env(context: ProgramContext): Work<number> {
  const args = context.argv.slice(1);
  let variables = new Map(context.env);
  while (args.length > 0) {
    const arg = args[0] as string;
    if (arg === "-i" || arg === "-") variables = new Map();
    else if (arg === "-u") {
      args.shift();
      variables.delete(args[0] as string);
    } else if (/^[A-Za-z_]\w*=/.test(arg))
      variables.set(arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1));
    else break;
    args.shift();
  }
  if (args.length > 0) return yield* run(context, args, variables);
  for (const [name, value] of variables) context.stdout.write(`${name}=${value}\n`);
  return 0;
}

/** Runs another program in this one's place. */
export function* run(
  context: ProgramContext,
  argv: readonly string[],
  env: ReadonlyMap<string, string> = context.env,
): Work<number> {
  const { system, cwd, who } = context;
  const [name = ""] = argv;
  const program = system.program(name, { env, cwd, who }) ?? system.unknown;
  if (!program) {
    complain(context, `can't execute '${name}': No such file or directory`);
    return 127;
  }
  return yield* program({ ...context, argv, env: new Map(env) });
}

function* printenv(context: ProgramContext): Work<number> {
  const names = context.argv.slice(1);
  if (names.length === 0) return yield* env({ ...context, argv: ["env"] });
  let status = 0;
  for (const name of names) {
    const value = context.env.get(name);
    if (value === undefined) status = 1;
    else context.stdout.write(`${value}\n`);
  }
  return status;
}

/** A program as a process of its own, with this one's files. */
function start(context: ProgramContext, argv: readonly string[]) {
  const { kernel, container } = context.system;
  return kernel.spawn({
    container,
    argv,
    parent: context.process.pid,
    work: (process) => run({ ...context, process }, argv),
  });
}

function* timeout(context: ProgramContext): Work<number> {
  const { operands } = splitFlags(context.argv, "ks");
  const ms = durationMs(operands[0] ?? "");
  if (ms === undefined) return complain(context, `invalid time interval '${operands[0]}'`);
  const child = start(context, operands.slice(1));
  const untilMs = context.system.kernel.now() + ms;
  while (!child.exit && context.system.kernel.now() < untilMs) yield { ready: () => child.exit !== undefined, untilMs };
  if (child.exit) return child.exit.code;
  context.system.kernel.signal(child, "KILL");
  return 124;
}

/** Flags before the first operand only: what follows belongs to another program. */
function splitFlags(argv: readonly string[], withValue: string): { flags: Map<string, string>; operands: string[] } {
  const flags = new Map<string, string>();
  let at = 1;
  for (; /^-[A-Za-z0-9]/.test(argv[at] ?? ""); at++) {
    const arg = argv[at] as string;
    const letter = arg[1] as string;
    flags.set(letter, withValue.includes(letter) ? arg.slice(2) || (argv[++at] ?? "") : "");
  }
  return { flags, operands: argv.slice(at) };
}

function* xargs(context: ProgramContext): Work<number> {
  const { flags, operands } = splitFlags(context.argv, "nIPLsd");
  const command = operands.length > 0 ? operands : ["echo"];
  const text = yield* readAll(context.stdin);
  const placeholder = flags.get("I");
  const items = (
    flags.has("0") ? text.split("\0") : placeholder === undefined ? text.split(/\s+/) : text.split("\n")
  ).filter(Boolean);
  const size = placeholder === undefined ? Number(flags.get("n") ?? items.length) || 1 : 1;
  if (items.length === 0 && flags.has("r")) return 0;
  let status = 0;
  for (let at = 0; at === 0 || at < items.length; at += size) {
    const group = items.slice(at, at + size);
    const argv =
      placeholder === undefined
        ? [...command, ...group]
        : command.map((part) => part.replaceAll(placeholder, group[0] ?? ""));
    if ((yield* run({ ...context, stdin: textInput() }, argv)) !== 0) status = 123;
  }
  return status;
}

const ps: Program = print((context) => {
  const { kernel, container } = context.system;
  const lines = kernel
    .processes()
    .filter((process) => process.container === container)
    .map(({ pid, argv }) => `${String(pid).padStart(5)} root      0:00 ${argv.join(" ")}\n`);
  return `PID   USER     TIME  COMMAND\n${lines.join("")}`;
});

/** A builtin of the shell as a program of its own: /bin/echo, /usr/bin/test, ... */
const asProgram: Program = function* (context) {
  return yield* shellProgram({
    ...context,
    argv: ["sh", "-c", '"$0" "$@"', nameOf(context), ...context.argv.slice(1)],
  });
};

const signalAll: Program = function* (context) {
  const { kernel, container } = context.system;
  const { operands } = parseOptions(context.argv);
  yield* [];
  let found = false;
  for (const process of [...kernel.processes()]) {
    if (process.container !== container || process === context.process) continue;
    if (!operands.some((name) => baseName(process.argv[0] ?? "") === name || process.argv.join(" ").includes(name)))
      continue;
    found = true;
    if (nameOf(context).startsWith("pgrep")) context.stdout.write(`${process.pid}\n`);
    else kernel.signal(process, context.argv.includes("-9") || context.argv.includes("-KILL") ? "KILL" : "TERM");
  }
  return found ? 0 : 1;
};

function* nohup(context: ProgramContext): Work<number> {
  const { operands } = splitFlags(context.argv, "");
  return yield* run(context, operands);
}

/** busybox's own name runs any of its programs. */
function* busybox(context: ProgramContext): Work<number> {
  return yield* run(context, context.argv.length > 1 ? context.argv.slice(1) : ["sh"]);
}

/** `crond`, `httpd -f`: runs until it is stopped. */
export function* serve(context: ProgramContext): Work<number> {
  const { process } = context;
  process.handlers.set("TERM", "handle");
  process.handlers.set("INT", "handle");
  process.handlers.set("QUIT", "handle");
  while (process.pending.length === 0) yield { ready: () => process.pending.length > 0, interruptible: true };
  process.pending.length = 0;
  yield* pause(context, context.system.random.integer(100, 600));
  return 0;
}

function* bc(context: ProgramContext): Work<number> {
  const text = (yield* readAll(context.stdin)).trim();
  const output = new TextOutput();
  const code = yield* shellProgram({ ...context, argv: ["sh", "-c", `echo $((${text}))`], stdout: output });
  context.stdout.write(output.text);
  return code;
}

function* expr(context: ProgramContext): Work<number> {
  const args = context.argv.slice(1);
  const [a = "", operator, b = ""] = args;
  if (operator === "=" || operator === "!=") {
    const truth = (a === b) === (operator === "=");
    context.stdout.write(`${truth ? 1 : 0}\n`);
    return truth ? 0 : 1;
  }
  return yield* shellProgram({ ...context, argv: ["sh", "-c", `r=$((${args.join(" ")})); echo $r; [ "$r" != 0 ]`] });
}

export const PROCESS_PROGRAMS: Readonly<Record<string, Program>> = {
  ash: shellProgram,
  bash: shellProgram,
  bc,
  busybox,
  crond: serve,
  dash: shellProgram,
  "dumb-init": nohup,
  env,
  expr,
  killall: signalAll,
  nice: nohup,
  nohup,
  pgrep: signalAll,
  pidof: signalAll,
  pkill: signalAll,
  printenv,
  ps,
  setsid: nohup,
  sh: shellProgram,
  stdbuf: nohup,
  time: nohup,
  timeout,
  tini: nohup,
  xargs,
  watch: function* (context) {
    for (;;) {
      yield* run(context, ["sh", "-c", splitFlags(context.argv, "n").operands.join(" ")]);
      yield* pause(context, 2_000);
    }
  },
  ...Object.fromEntries(
    ["echo", "printf", "true", "false", "test", "[", "pwd", "kill"]
      .filter((name) => name in BUILTINS)
      .map((name) => [name, asProgram]),
  ),
};
