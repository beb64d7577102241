import { absolutePath, FileError } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { type Builtin, numeric, out } from "./builtin.js";
import { expandEscapes, formatPrintf } from "./printf.js";
import { kill, trap, wait } from "./process-builtins.js";
import type { Shell } from "./shell.js";
import { environmentOf, type Handles, Jump, ShellExit } from "./state.js";
import { evaluateTest, TestSyntaxError } from "./test.js";
import { declare, getopts, read, set } from "./variable-builtins.js";

/** Special builtins (POSIX): an error in them ends the shell, assignments before them stay. */
export const SPECIAL: ReadonlySet<string> = new Set(
  ": . break continue eval exec exit export readonly return set shift trap unset".split(" "),
);

// biome-ignore-start lint/correctness/useYield: builtins are generators because some of them wait
const simple = (run: (shell: Shell, argv: readonly string[], handles: Handles) => number): Builtin =>
  function* (shell, argv, handles) {
    return run(shell, argv, handles);
  };
// biome-ignore-end lint/correctness/useYield: until here

function exit(shell: Shell, code: string | undefined): never {
  const number = numeric(code, shell.state.status);
  if (!Number.isInteger(number)) {
    shell.complain(`exit: Illegal number: ${code}`);
    throw new ShellExit(2);
  }
  throw new ShellExit(number & 0xff);
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
