import type { Signal } from "../machine/kernel.js";
import type { Input, Output } from "../machine/streams.js";
import type { Command } from "./syntax.js";

/** What a shell keeps: variables, functions, options. Subshells work on a copy. */
export interface ShellState {
  variables: Map<string, { value: string; exported: boolean; readOnly?: boolean }>;
  functions: Map<string, Command>;
  /** `$0` */
  name: string;
  positional: readonly string[];
  cwd: string;
  status: number;
  /** e, u, x, f, n, pipefail ... */
  options: Set<string>;
  traps: Map<Signal | "EXIT", string>;
  /** Pid of the last background command. */
  lastBackground: number | undefined;
  children: Map<number, number | undefined>;
  /** How many callers test the status themselves, so that `set -e` is off. */
  tested: number;
  /** How deep functions and loops are nested. */
  depth: number;
  locals: Map<string, { value: string; exported: boolean } | undefined>[];
  aliases: Map<string, string>;
}

export const newState = (name: string, positional: readonly string[], cwd: string): ShellState => ({
  variables: new Map(),
  functions: new Map(),
  name,
  positional,
  cwd,
  status: 0,
  options: new Set(),
  traps: new Map(),
  lastBackground: undefined,
  children: new Map(),
  tested: 0,
  depth: 0,
  locals: [],
  aliases: new Map(),
});

/** A subshell's: traps are not inherited, the rest is. */
export const forked = (state: ShellState): ShellState => ({
  ...state,
  variables: new Map([...state.variables].map(([name, variable]) => [name, { ...variable }])),
  functions: new Map(state.functions),
  options: new Set(state.options),
  traps: new Map(),
  children: new Map(),
  locals: [],
  aliases: new Map(state.aliases),
});

export const environmentOf = (state: ShellState): Map<string, string> => {
  const env = new Map<string, string>();
  for (const [name, { value, exported }] of state.variables) if (exported) env.set(name, value);
  return env;
};

/** Open files of a command by descriptor. */
export interface Handle {
  input?: Input;
  output?: Output;
}
export type Handles = ReadonlyMap<number, Handle>;

/** Leaves the shell. */
export class ShellExit extends Error {
  constructor(readonly code: number) {
    super("exit");
  }
}

/** Leaves a function (`return`), or `count` loops. */
export class Jump extends Error {
  constructor(
    readonly kind: "return" | "break" | "continue",
    public count: number,
  ) {
    super(kind);
  }
}
