import type { Work } from "../machine/kernel.js";
import { readLine } from "../machine/program.js";
import { textInput } from "../machine/streams.js";
import { out, quoted } from "./builtin.js";
import { setVariable } from "./expand.js";
import type { Shell } from "./shell.js";
import type { Handles } from "./state.js";

/** Builtins about variables and parameters: export and its kin, set, read, getopts. */

export function declare(shell: Shell, argv: readonly string[], handles: Handles): number {
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

export function set(shell: Shell, argv: readonly string[], handles: Handles): number {
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

export function* read(shell: Shell, argv: readonly string[], handles: Handles): Work<number> {
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

export function getopts(shell: Shell, argv: readonly string[]): number {
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
