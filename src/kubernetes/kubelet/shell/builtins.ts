import { absolutePath, FileError } from "../machine/files.js";
import { SIGNALS, type Signal, type Work } from "../machine/kernel.js";
import { readLine } from "../machine/program.js";
import { discard, textInput } from "../machine/streams.js";
import { setVariable } from "./expand.js";
import { expandEscapes, formatPrintf } from "./printf.js";
import type { Shell } from "./shell.js";
import { environmentOf, type Handles, Jump, ShellExit } from "./state.js";
import { evaluateTest, TestSyntaxError } from "./test.js";

/** The commands that are part of the shell. */
type Builtin = (shell: Shell, argv: readonly string[], handles: Handles) => Work<number>;

/** Special builtins (POSIX): an error in them ends the shell, assignments before them stay. */
export const SPECIAL: ReadonlySet<string> = new Set(
  ": . break continue eval exec exit export readonly return set shift trap unset".split(" "),
);

const out = (handles: Handles) => handles.get(1)?.output ?? discard;

// biome-ignore-start lint/correctness/useYield: builtins are generators because some of them wait
const simple = (run: (shell: Shell, argv: readonly string[], handles: Handles) => number): Builtin =>
  function* (shell, argv, handles) {
    return run(shell, argv, handles);
  };
// biome-ignore-end lint/correctness/useYield: until here

const numeric = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text);

function exit(shell: Shell, code: string | undefined): never {
  const number = numeric(code, shell.state.status);
  if (!Number.isInteger(number)) {
    shell.complain(`exit: Illegal number: ${code}`);
    throw new ShellExit(2);
  }
  throw new ShellExit(number & 0xff);
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;

function declare(shell: Shell, argv: readonly string[], handles: Handles): number {
  const [command, ...args] = argv;
  const names = args.filter((arg) => !/^-\w*$/.test(arg));
  if (names.length === 0 && command !== "local") {
    for (const [name, { value, exported, readOnly }] of shell.state.variables)
      if (command === "readonly" ? readOnly : exported) out(handles).write(`${command} ${name}=${quoted(value)}\n`);
    return 0;
  }
  for (const assignment of names) {
    const equals = assignment.indexOf("=");
    const name = equals < 0 ? assignment : assignment.slice(0, equals);
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      shell.complain(`${command}: ${name}: bad variable name`);
      return 2;
    }
    const { variables, locals } = shell.state;
    if (command === "local" || command === "declare" || command === "typeset") {
      const scope = locals[locals.length - 1];
      const before = variables.get(name);
      if (scope && !scope.has(name)) scope.set(name, before && { ...before });
      if (scope && equals < 0) variables.delete(name);
    }
    if (equals >= 0) setVariable(shell.state, name, assignment.slice(equals + 1));
    const variable = variables.get(name) ?? { value: "", exported: false };
    if (command === "export" && args.includes("-n")) variable.exported = false;
    else if (command === "export" || args.includes("-x")) variable.exported = true;
    if (command === "readonly") variable.readOnly = true;
    if (equals >= 0 || command === "readonly" || variables.has(name)) variables.set(name, variable);
    else if (command === "export") variables.set(name, variable);
  }
  return 0;
}

function set(shell: Shell, argv: readonly string[], handles: Handles): number {
  const args = argv.slice(1);
  const { state } = shell;
  if (args.length === 0) {
    for (const [name, { value }] of [...state.variables].sort(([a], [b]) => (a < b ? -1 : 1)))
      out(handles).write(`${name}=${quoted(value)}\n`);
    return 0;
  }
  while (args.length > 0) {
    const flag = args[0] as string;
    if (flag === "--") {
      args.shift();
      state.positional = args;
      return 0;
    }
    if (!/^[-+][A-Za-z]+$/.test(flag)) break;
    args.shift();
    for (const letter of flag.slice(1)) {
      const option = letter === "o" ? (args.shift() ?? "") : letter;
      const short = { errexit: "e", nounset: "u", xtrace: "x", noglob: "f", allexport: "a" }[option] ?? option;
      if (flag.startsWith("-")) state.options.add(short);
      else state.options.delete(short);
    }
    if (args.length === 0) return 0;
  }
  state.positional = args;
  return 0;
}

const signalNamed = (name: string): Signal | "EXIT" | undefined => {
  const plain = name.toUpperCase().replace(/^SIG/, "");
  if (plain === "EXIT" || plain === "0") return "EXIT";
  if (plain in SIGNALS) return plain as Signal;
  return (Object.keys(SIGNALS) as Signal[]).find((key) => String(SIGNALS[key]) === plain);
};

function trap(shell: Shell, argv: readonly string[], handles: Handles): number {
  const { traps } = shell.state;
  const { handlers } = shell.context.process;
  let [action, ...names] = argv.slice(1);
  if (action === "--") [action, ...names] = names;
  if (action === undefined) {
    for (const [name, text] of traps) out(handles).write(`trap -- ${quoted(text)} ${name}\n`);
    return 0;
  }
  // `trap TERM` and `trap - TERM` give back the default.
  const resets = action === "-" || names.length === 0;
  for (const name of names.length === 0 ? [action] : names) {
    const signal = signalNamed(name);
    if (!signal) {
      shell.complain(`trap: ${name}: invalid signal specification`);
      return 1;
    }
    if (resets) traps.delete(signal);
    else traps.set(signal, action);
    if (signal === "EXIT") continue;
    if (resets) handlers.delete(signal);
    else handlers.set(signal, action === "" ? "ignore" : "handle");
  }
  return 0;
}

function* wait(shell: Shell, argv: readonly string[]): Work<number> {
  const { children } = shell.state;
  const wanted = argv
    .slice(1)
    .filter((arg) => /^\d+$/.test(arg))
    .map(Number);
  const { pending } = shell.context.process;
  const isDone = (): boolean =>
    (wanted.length > 0 ? wanted : [...children.keys()]).every(
      (pid) => !children.has(pid) || children.get(pid) !== undefined,
    );
  while (!isDone()) {
    // A signal with a trap ends the wait.
    if (pending.length > 0) return 128 + SIGNALS[pending[0] as Signal];
    yield { ready: isDone, interruptible: true };
  }
  const last = wanted[wanted.length - 1];
  if (last === undefined) {
    children.clear();
    return 0;
  }
  return children.has(last) ? (children.get(last) ?? 0) : 127;
}

function* read(shell: Shell, argv: readonly string[], handles: Handles): Work<number> {
  const names: string[] = [];
  let raw = false;
  let timeoutMs: number | undefined;
  for (let i = 1; i < argv.length; i++) {
    const arg = argv[i] as string;
    if (arg === "-r") raw = true;
    else if (arg === "-t") timeoutMs = Number(argv[++i]) * 1000;
    else if (arg === "-p") handles.get(2)?.output?.write(argv[++i] ?? "");
    else if (/^-[nd]$/.test(arg)) i++;
    else if (!arg.startsWith("-")) names.push(arg);
  }
  const input = handles.get(0)?.input ?? textInput();
  let line: string | null;
  if (timeoutMs === undefined) line = yield* readLine(input);
  else {
    const untilMs = shell.context.system.kernel.now() + timeoutMs;
    let data = input.read();
    if (data === undefined) yield { untilMs };
    data ??= input.read();
    if (data === undefined) return 142;
    if (data !== null) input.unread(data);
    line = yield* readLine(input);
  }
  if (names.length === 0) names.push("REPLY");
  let rest = line ?? "";
  while (!raw && rest.endsWith("\\")) rest = rest.slice(0, -1) + ((yield* readLine(input)) ?? "");
  if (!raw) rest = rest.replace(/\\(.)/g, "$1");
  const ifs = shell.state.variables.get("IFS")?.value ?? " \t\n";
  const isSeparator = (c: string | undefined): boolean => c !== undefined && ifs.includes(c);
  const isWhite = (c: string | undefined): boolean => isSeparator(c) && " \t\n".includes(c as string);
  names.forEach((name, index) => {
    let start = 0;
    while (isWhite(rest[start])) start++;
    rest = rest.slice(start);
    if (index === names.length - 1) {
      while (isWhite(rest[rest.length - 1])) rest = rest.slice(0, -1);
      setVariable(shell.state, name, rest);
      return;
    }
    let end = 0;
    while (end < rest.length && !isSeparator(rest[end])) end++;
    setVariable(shell.state, name, rest.slice(0, end));
    while (isWhite(rest[end])) end++;
    if (isSeparator(rest[end]) && !isWhite(rest[end])) end++;
    rest = rest.slice(end);
  });
  return line === null ? 1 : 0;
}

function cd(shell: Shell, argv: readonly string[], handles: Handles): number {
  const { state, context } = shell;
  const variable = (name: string): string => state.variables.get(name)?.value ?? "/";
  const wanted = argv[1] === undefined ? variable("HOME") : argv[1] === "-" ? variable("OLDPWD") : argv[1];
  const path = absolutePath(wanted, state.cwd);
  const fail = (why: string): number => {
    shell.complain(`cd: can't cd to ${wanted}: ${why}`);
    return 2;
  };
  try {
    if (context.system.tree.get(path, context.who).is !== "directory") return fail("Not a directory");
  } catch (error) {
    if (error instanceof FileError) return fail(error.message);
    throw error;
  }
  state.variables.set("OLDPWD", { value: state.cwd, exported: true });
  state.variables.set("PWD", { value: path, exported: true });
  state.cwd = path;
  if (argv[1] === "-") out(handles).write(`${path}\n`);
  return 0;
}

function kill(shell: Shell, argv: readonly string[], handles: Handles): number {
  const { kernel, container } = shell.context.system;
  let signal: Signal | "EXIT" = "TERM";
  let status = 0;
  const args = argv.slice(1);
  if (args[0] === "-l") {
    out(handles).write(`${Object.keys(SIGNALS).join(" ")}\n`);
    return 0;
  }
  if (args[0] === "-s") {
    signal = signalNamed(args[1] ?? "") ?? "TERM";
    args.splice(0, 2);
  } else if (/^-\w+$/.test(args[0] ?? "")) {
    const named = signalNamed((args.shift() as string).slice(1));
    if (!named) {
      shell.complain("kill: invalid signal specification");
      return 1;
    }
    signal = named;
  }
  for (const arg of args) {
    const target = kernel.processes().find((process) => process.container === container && String(process.pid) === arg);
    if (!target) {
      shell.complain(`kill: (${arg}) - No such process`);
      status = 1;
    } else if (signal !== "EXIT") kernel.signal(target, signal === "KILL" && target.isInit ? "PIPE" : signal);
  }
  return status;
}

const jump = (kind: "break" | "continue"): Builtin =>
  simple((_shell, argv) => {
    throw new Jump(kind, Math.max(1, numeric(argv[1], 1)));
  });

function runTest(shell: Shell, argv: readonly string[]): number {
  const [name = "test", ...rest] = argv;
  let args = rest;
  if (name !== "test") {
    const close = name === "[" ? "]" : "]]";
    if (args[args.length - 1] !== close) {
      shell.complain(`${name}: missing ${close}`);
      return 2;
    }
    args = args.slice(0, -1);
  }
  try {
    return evaluateTest(args, shell, name === "[[") ? 0 : 1;
  } catch (error) {
    if (!(error instanceof TestSyntaxError)) throw error;
    shell.complain(`${name === "test" ? "test" : name}: ${error.message}`);
    return 2;
  }
}

function whereIs(shell: Shell, name: string): string | undefined {
  const { system, who } = shell.context;
  if (name in BUILTINS || shell.state.functions.has(name)) return name;
  const context = { env: environmentOf(shell.state), cwd: shell.state.cwd, who };
  if (!system.program(name, context)) return undefined;
  if (name.includes("/")) return name;
  for (const path of (context.env.get("PATH") ?? "/bin").split(":"))
    if (system.tree.find(`${path}/${name}`, who)) return `${path}/${name}`;
  return `/bin/${name}`;
}

function* source(shell: Shell, argv: readonly string[], handles: Handles): Work<number> {
  const { tree } = shell.context.system;
  const path = argv[1] ?? "";
  let text: string;
  try {
    text = tree.read(absolutePath(path, shell.state.cwd), shell.context.who);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    shell.complain(`.: can't open '${path}': ${error.message}`);
    throw new ShellExit(2);
  }
  try {
    return yield* shell.run(text, handles);
  } catch (error) {
    if (error instanceof Jump && error.kind === "return") return error.count;
    throw error;
  }
}

function getopts(shell: Shell, argv: readonly string[]): number {
  const [, options = "", name = "", ...given] = argv;
  const { state } = shell;
  const args = given.length > 0 ? given : state.positional;
  const [place = 1, offset = 1] = (state.variables.get("OPTIND")?.value ?? "1").split(".").map(Number);
  const arg = args[place - 1];
  const next = (position: number, letter: number): void =>
    setVariable(state, "OPTIND", letter > 1 ? `${position}.${letter}` : String(position));
  if (arg === undefined || !/^-./.test(arg) || arg === "--") {
    setVariable(state, name, "?");
    if (arg === "--") next(place + 1, 1);
    return 1;
  }
  const letter = arg[offset] as string;
  const at = options.indexOf(letter);
  const isLast = offset + 1 >= arg.length;
  setVariable(state, name, at < 0 || letter === ":" ? "?" : letter);
  if (at >= 0 && options[at + 1] === ":") {
    const value = isLast ? args[place] : arg.slice(offset + 1);
    setVariable(state, "OPTARG", value ?? "");
    next(place + (isLast ? 2 : 1), 1);
  } else {
    if (at < 0 && !options.startsWith(":")) shell.complain(`Illegal option -${letter}`);
    if (isLast) next(place + 1, 1);
    else next(place, offset + 1);
  }
  return 0;
}

export const BUILTINS: Readonly<Record<string, Builtin>> = {
  ":": simple(() => 0),
  true: simple(() => 0),
  false: simple(() => 1),
  exit: simple((shell, argv) => exit(shell, argv[1])),
  return: simple((shell, argv) => {
    throw new Jump("return", numeric(argv[1], shell.state.status));
  }),
  break: jump("break"),
  continue: jump("continue"),
  export: simple(declare),
  readonly: simple(declare),
  local: simple(declare),
  declare: simple(declare),
  typeset: simple(declare),
  unset: simple((shell, argv) => {
    for (const name of argv.slice(1)) {
      shell.state.variables.delete(name);
      if (argv[1] === "-f") shell.state.functions.delete(name);
    }
    return 0;
  }),
  set: simple(set),
  shift: simple((shell, argv) => {
    const count = numeric(argv[1], 1);
    if (count > shell.state.positional.length) return 1;
    shell.state.positional = shell.state.positional.slice(count);
    return 0;
  }),
  trap: simple(trap),
  wait,
  read,
  cd: simple(cd),
  pwd: simple((shell, _argv, handles) => {
    out(handles).write(`${shell.state.cwd}\n`);
    return 0;
  }),
  echo: simple((_shell, argv, handles) => {
    let args = argv.slice(1);
    let newline = true;
    let escapes = false;
    while (/^-[neE]+$/.test(args[0] ?? "")) {
      const flag = args[0] as string;
      newline &&= !flag.includes("n");
      escapes = flag.includes("e") || (escapes && !flag.includes("E"));
      args = args.slice(1);
    }
    let text = args.join(" ");
    if (escapes) {
      const stop = text.indexOf("\\c");
      if (stop >= 0) newline = false;
      text = expandEscapes(stop >= 0 ? text.slice(0, stop) : text);
    }
    out(handles).write(newline ? `${text}\n` : text);
    return 0;
  }),
  printf: simple((shell, argv, handles) => {
    if (argv.length < 2) {
      shell.complain("printf: usage: printf FORMAT [ARG]...");
      return 2;
    }
    const { text, problem } = formatPrintf(argv[1] as string, argv.slice(2));
    out(handles).write(text);
    if (problem) shell.complain(`printf: ${problem}`);
    return problem ? 1 : 0;
  }),
  test: simple(runTest),
  "[": simple(runTest),
  "[[": simple(runTest),
  kill: simple(kill),
  eval: function* (shell, argv, handles) {
    return argv.length > 1 ? yield* shell.run(argv.slice(1).join(" "), handles) : 0;
  },
  exec: function* (shell, argv, handles) {
    throw new ShellExit(yield* shell.command(argv.slice(1), handles));
  },
  command: function* (shell, argv, handles) {
    const flag = argv[1] ?? "";
    if (flag !== "-v" && flag !== "-V") return yield* shell.command(argv.slice(flag === "-p" ? 2 : 1), handles);
    const found = whereIs(shell, argv[2] ?? "");
    if (found === undefined) return 127;
    out(handles).write(`${found}\n`);
    return 0;
  },
  builtin: function* (shell, argv, handles) {
    return yield* shell.command(argv.slice(1), handles);
  },
  type: simple((shell, argv, handles) => {
    let status = 0;
    for (const name of argv.slice(1)) {
      const found = whereIs(shell, name);
      if (found === undefined) status = 127;
      const text = found === undefined ? "not found" : found === name ? "a shell builtin" : found;
      out(handles).write(found === undefined ? `${name}: not found\n` : `${name} is ${text}\n`);
    }
    return status;
  }),
  ".": source,
  source,
  umask: simple((_shell, argv, handles) => {
    if (argv.length < 2) out(handles).write("0022\n");
    return 0;
  }),
  ulimit: simple((_shell, _argv, handles) => {
    out(handles).write("unlimited\n");
    return 0;
  }),
  alias: simple((shell, argv) => {
    for (const definition of argv.slice(1)) {
      const equals = definition.indexOf("=");
      if (equals > 0) shell.state.aliases.set(definition.slice(0, equals), definition.slice(equals + 1));
    }
    return 0;
  }),
  unalias: simple((shell, argv) => {
    for (const name of argv.slice(1)) shell.state.aliases.delete(name);
    return 0;
  }),
  hash: simple(() => 0),
  times: simple(() => 0),
  shopt: simple(() => 0),
  jobs: simple((shell, _argv, handles) => {
    let number = 0;
    for (const [, code] of shell.state.children)
      if (code === undefined) out(handles).write(`[${++number}]+  Running\n`);
    return 0;
  }),
  let: function* (shell, argv, handles) {
    const results = [];
    for (const expression of argv.slice(1)) results.push(yield* shell.run(`[ $((${expression})) -ne 0 ]`, handles));
    return results[results.length - 1] ?? 1;
  },
  getopts: simple(getopts),
};
