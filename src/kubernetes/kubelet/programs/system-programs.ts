import { absolutePath, baseName, FileError } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { type Program, type ProgramContext, pause, readAll, whileFull } from "../machine/program.js";
import { TextOutput, textInput } from "../machine/streams.js";
import { BUILTINS } from "../shell/builtins.js";
import { shellProgram } from "../shell/shell.js";
import { complain, durationMs, nameOf, parseOptions } from "./options.js";

/** Programs about processes, time and the machine itself: sleep, env, date, id, hostname, timeout, xargs, ... */

function* sleep(context: ProgramContext): Work<number> {
  let ms = 0;
  for (const arg of context.argv.slice(1)) {
    const part = durationMs(arg);
    if (part === undefined) return complain(context, `invalid number '${arg}'`);
    ms += part;
  }
  if (context.argv.length < 2) return complain(context, "missing operand");
  if (ms === Number.POSITIVE_INFINITY) for (;;) yield { ready: () => false };
  yield* pause(context, ms);
  return 0;
}

const print = (text: (context: ProgramContext) => string): Program =>
  // biome-ignore lint/correctness/useYield: programs are generators because some of them wait
  function* (context) {
    context.stdout.write(text(context));
    return 0;
  };

const ends = (code: number): Program =>
  // biome-ignore lint/correctness/useYield: programs are generators because some of them wait
  function* () {
    return code;
  };

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

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = "January February March April May June July August September October November December".split(" ");

export function formatDate(ms: number, format: string): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [day, month] = [DAYS[date.getUTCDay()] ?? "", MONTHS[date.getUTCMonth()] ?? ""];
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const iso = date.toISOString().slice(0, 10);
  const fields: Record<string, string> = {
    a: day.slice(0, 3),
    A: day,
    b: month.slice(0, 3),
    B: month,
    d: two(date.getUTCDate()),
    D: `${iso.slice(5, 7)}/${iso.slice(8)}/${iso.slice(2, 4)}`,
    e: String(date.getUTCDate()).padStart(2),
    F: iso,
    H: two(date.getUTCHours()),
    m: two(date.getUTCMonth() + 1),
    M: two(date.getUTCMinutes()),
    n: "\n",
    N: `${String(date.getUTCMilliseconds()).padStart(3, "0")}000000`,
    s: String(Math.floor(ms / 1000)),
    S: two(date.getUTCSeconds()),
    T: time,
    R: time.slice(0, 5),
    u: String(date.getUTCDay() || 7),
    y: iso.slice(2, 4),
    Y: iso.slice(0, 4),
    Z: "UTC",
    z: "+0000",
    "%": "%",
    c: `${day.slice(0, 3)} ${month.slice(0, 3)} ${String(date.getUTCDate()).padStart(2)} ${time} ${iso.slice(0, 4)}`,
  };
  return format.replace(/%([a-zA-Z%])/g, (whole, key: string) => fields[key] ?? whole);
}

const date: Program = print((context) => {
  const ms = context.system.kernel.now();
  const { has, value, operands } = parseOptions(context.argv, "drI");
  const given = value("d");
  const at = given === undefined ? ms : given.startsWith("@") ? Number(given.slice(1)) * 1000 : Date.parse(given) || ms;
  const format = operands.find((operand) => operand.startsWith("+"))?.slice(1);
  const standard =
    has("I") || has("iso-8601") ? "%Y-%m-%dT%H:%M:%S+00:00" : has("R") ? "%a, %d %b %Y %T +0000" : "%a %b %e %T UTC %Y";
  return `${formatDate(at, format ?? standard)}\n`;
});

const id: Program = print((context) => {
  const { has } = parseOptions(context.argv);
  const { uid, gid, groups } = context.who;
  const name = (number: number): string => (number === 0 ? "(root)" : "");
  const all = [...new Set([gid, ...groups])];
  if (has("u")) return has("n") ? `${uid === 0 ? "root" : uid}\n` : `${uid}\n`;
  if (has("g")) return `${gid}\n`;
  if (has("G")) return `${all.join(" ")}\n`;
  return `uid=${uid}${name(uid)} gid=${gid}${name(gid)} groups=${all.map((group) => `${group}${name(group)}`).join(",")}\n`;
});

const uname: Program = print((context) => {
  const { has } = parseOptions(context.argv);
  const { hostname, kernelRelease, architecture } = context.system;
  const machine = architecture === "arm64" ? "aarch64" : "x86_64";
  if (has("a")) return `Linux ${hostname} ${kernelRelease} #1 SMP PREEMPT_DYNAMIC ${machine} GNU/Linux\n`;
  const parts = [has("s") && "Linux", has("n") && hostname, has("r") && kernelRelease, has("m") && machine].filter(
    Boolean,
  );
  return `${parts.join(" ") || "Linux"}\n`;
});

function* seq(context: ProgramContext): Work<number> {
  const { value, operands } = parseOptions(
    context.argv.map((arg) => (/^-\d/.test(arg) ? `\u0000${arg}` : arg)),
    "s",
  );
  const numbers = operands.map((operand) => Number(operand.replace("\u0000", "")));
  const [first, step, last] =
    numbers.length === 1 ? [1, 1, numbers[0]] : numbers.length === 2 ? [numbers[0], 1, numbers[1]] : numbers;
  if (first === undefined || step === undefined || last === undefined || step === 0)
    return complain(context, "invalid number");
  const separator = value("s") ?? "\n";
  let index = 0;
  for (let n = first; step > 0 ? n <= last : n >= last; n += step) {
    context.stdout.write(`${index++ > 0 ? separator : ""}${Number(n.toFixed(10))}`);
    if (index % 1000 === 0) {
      yield* context.system.kernel.charge();
      yield* whileFull(context.stdout);
    }
  }
  if (index > 0) context.stdout.write("\n");
  return 0;
}

function* yes(context: ProgramContext): Work<number> {
  const line = `${context.argv.slice(1).join(" ") || "y"}\n`;
  for (;;) {
    context.stdout.write(line.repeat(100));
    yield* whileFull(context.stdout);
    yield* context.system.kernel.charge();
  }
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

function* which(context: ProgramContext): Work<number> {
  yield* [];
  let status = 0;
  for (const name of context.argv.slice(1)) {
    const found = (context.env.get("PATH") ?? "/bin")
      .split(":")
      .find((path) => context.system.tree.find(`${path}/${name}`, context.who));
    if (found) context.stdout.write(`${found}/${name}\n`);
    else status = 1;
  }
  return status;
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

/** The memory of the node, roughly. */
const free = print(
  () =>
    "              total        used        free      shared  buff/cache   available\nMem:        8023428     1203456     5120348        1284     1699624     6572004\n",
);

export const SYSTEM_PROGRAMS: Readonly<Record<string, Program>> = {
  ash: shellProgram,
  bash: shellProgram,
  dash: shellProgram,
  sh: shellProgram,
  arch: print(({ system }) => `${system.architecture === "arm64" ? "aarch64" : "x86_64"}\n`),
  basename: print(({ argv }) => {
    const name = baseName(argv[1] ?? "");
    return `${argv[2] && name.endsWith(argv[2]) ? name.slice(0, -argv[2].length) : name}\n`;
  }),
  bc,
  busybox,
  clear: ends(0),
  date,
  dirname: print(
    ({ argv }) => `${(argv[1] ?? "").includes("/") ? absolutePath("..", argv[1] ?? "").replace(/^\/$/, "/") : "."}\n`,
  ),
  df: print(
    () =>
      "Filesystem           1K-blocks      Used Available Use% Mounted on\noverlay               20959212   4123456  16835756  20% /\n",
  ),
  env,
  expr,
  free,
  fsync: ends(0),
  groups: print(({ who }) => `${[...new Set([who.gid, ...who.groups])].join(" ")}\n`),
  hostname: print(({ argv, system }) =>
    argv[1] === "-i" || argv[1] === "-I"
      ? `${system.network.resolve(system.hostname)[0] ?? "127.0.0.1"}\n`
      : `${system.hostname}\n`,
  ),
  id,
  killall: signalAll,
  logname: print(() => "root\n"),
  nice: nohup,
  nohup,
  nproc: print(() => "2\n"),
  pgrep: signalAll,
  pidof: signalAll,
  pkill: signalAll,
  printenv,
  ps,
  seq,
  setsid: nohup,
  sleep,
  stdbuf: nohup,
  stty: ends(0),
  sync: ends(0),
  sysctl: print(({ argv, system }) => {
    const name = argv[argv.length - 1] ?? "";
    const path = `/proc/sys/${name.replaceAll(".", "/")}`;
    const value = system.tree.read(path, { uid: 0, gid: 0, groups: [] }).trimEnd();
    return argv.includes("-n") ? `${value}\n` : `${name} = ${value}\n`;
  }),
  time: nohup,
  timeout,
  tini: nohup,
  "dumb-init": nohup,
  tty: ends(0),
  uname,
  uptime: print(
    ({ system }) => ` ${formatDate(system.kernel.now(), "%T")} up 1 day,  0 users,  load average: 0.08, 0.03, 0.01\n`,
  ),
  usleep: function* (context) {
    yield* pause(context, Number(context.argv[1] ?? 0) / 1000);
    return 0;
  },
  watch: function* (context) {
    for (;;) {
      yield* run(context, ["sh", "-c", splitFlags(context.argv, "n").operands.join(" ")]);
      yield* pause(context, 2_000);
    }
  },
  which,
  whoami: print(({ who }) => (who.uid === 0 ? "root\n" : `${who.uid}\n`)),
  xargs,
  yes,
  crond: serve,
  ...Object.fromEntries(
    ["echo", "printf", "true", "false", "test", "[", "pwd", "kill"]
      .filter((name) => name in BUILTINS)
      .map((name) => [name, asProgram]),
  ),
};

/** A file of the tree as a program: a script runs in the shell that it names, or in sh. */
export const scriptProgram = (path: string, text: string): Program =>
  function* (context) {
    const [, interpreter = "sh"] = /^#!\s*(?:\/usr\/bin\/env\s+)?(\S+)/.exec(text) ?? [];
    const name = baseName(interpreter);
    const args = [path, ...context.argv.slice(1)];
    if (["sh", "ash", "bash", "dash"].includes(name))
      return yield* shellProgram({ ...context, argv: [interpreter, ...args] });
    const program = context.system.program(interpreter, context) ?? context.system.unknown;
    if (program) return yield* program({ ...context, argv: [interpreter, ...args] });
    throw new FileError("ENOENT");
  };
