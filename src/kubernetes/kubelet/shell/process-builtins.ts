import { SIGNALS, type Signal, type Work } from "../machine/kernel.js";
import { out, quoted } from "./builtin.js";
import type { Shell } from "./shell.js";
import type { Handles } from "./state.js";

/** Builtins about processes and signals: trap, wait, kill. */

const signalNamed = (name: string): Signal | "EXIT" | undefined => {
  const plain = name.toUpperCase().replace(/^SIG/, "");
  if (plain === "EXIT" || plain === "0") return "EXIT";
  if (plain in SIGNALS) return plain as Signal;
  return (Object.keys(SIGNALS) as Signal[]).find((key) => String(SIGNALS[key]) === plain);
};

export function trap(shell: Shell, argv: readonly string[], handles: Handles): number {
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

export function* wait(shell: Shell, argv: readonly string[]): Work<number> {
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

export function kill(shell: Shell, argv: readonly string[], handles: Handles): number {
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
