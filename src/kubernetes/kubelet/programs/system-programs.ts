import { absolutePath, baseName, FileError } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { type Program, type ProgramContext, pause, whileFull } from "../machine/program.js";
import { shellProgram } from "../shell/shell-program.js";
import { formatDate } from "./dates.js";
import { complain, durationMs, parseOptions } from "./options.js";
import { ends, print } from "./plain-programs.js";
import { PROCESS_PROGRAMS } from "./process-programs.js";

/** Programs about time and the machine itself: sleep, date, id, hostname, uname, seq, ... and all those about processes. */

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

const date: Program = print((context) => {
  const ms = context.system.kernel.wallNow();
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

/** The memory of the node, roughly. */
const free = print(
  () =>
    "              total        used        free      shared  buff/cache   available\nMem:        8023428     1203456     5120348        1284     1699624     6572004\n",
);

export const SYSTEM_PROGRAMS: Readonly<Record<string, Program>> = {
  ...PROCESS_PROGRAMS,
  arch: print(({ system }) => `${system.architecture === "arm64" ? "aarch64" : "x86_64"}\n`),
  basename: print(({ argv }) => {
    const name = baseName(argv[1] ?? "");
    return `${argv[2] && name.endsWith(argv[2]) ? name.slice(0, -argv[2].length) : name}\n`;
  }),
  clear: ends(0),
  date,
  dirname: print(
    ({ argv }) => `${(argv[1] ?? "").includes("/") ? absolutePath("..", argv[1] ?? "").replace(/^\/$/, "/") : "."}\n`,
  ),
  df: print(
    () =>
      "Filesystem           1K-blocks      Used Available Use% Mounted on\noverlay               20959212   4123456  16835756  20% /\n",
  ),
  free,
  fsync: ends(0),
  groups: print(({ who }) => `${[...new Set([who.gid, ...who.groups])].join(" ")}\n`),
  hostname: print(({ argv, system }) =>
    argv[1] === "-i" || argv[1] === "-I"
      ? `${system.network.resolve(system.hostname)[0] ?? "127.0.0.1"}\n`
      : `${system.hostname}\n`,
  ),
  id,
  logname: print(() => "root\n"),
  nproc: print(() => "2\n"),
  seq,
  sleep,
  stty: ends(0),
  sync: ends(0),
  sysctl: print(({ argv, system }) => {
    const name = argv[argv.length - 1] ?? "";
    const path = `/proc/sys/${name.replaceAll(".", "/")}`;
    const value = system.tree.read(path, { uid: 0, gid: 0, groups: [] }).trimEnd();
    return argv.includes("-n") ? `${value}\n` : `${name} = ${value}\n`;
  }),
  tty: ends(0),
  uname,
  uptime: print(
    ({ system }) =>
      ` ${formatDate(system.kernel.wallNow(), "%T")} up 1 day,  0 users,  load average: 0.08, 0.03, 0.01\n`,
  ),
  usleep: function* (context) {
    yield* pause(context, Number(context.argv[1] ?? 0) / 1000);
    return 0;
  },
  which,
  whoami: print(({ who }) => (who.uid === 0 ? "root\n" : `${who.uid}\n`)),
  yes,
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
