import { absolutePath, FileError } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import type { ProgramContext } from "../machine/program.js";
import { Evaluator } from "./shell.js";
import { type Handle, type Handles, newState } from "./state.js";

/** `sh` as a program of a container. */

/** `sh`: -c, a file, or commands from standard input. */
export function* shellProgram(context: ProgramContext): Work<number> {
  const [name = "sh", ...args] = context.argv;
  const state = newState(name, [], context.cwd);
  for (const [key, value] of context.env) state.variables.set(key, { value, exported: true });
  state.variables.set("PWD", { value: context.cwd, exported: true });
  state.variables.set("OPTIND", { value: "1", exported: false });
  state.variables.set("PS1", { value: context.who.uid === 0 ? "\\w # " : "\\w $ ", exported: false });
  let script: string | undefined;
  while (args.length > 0) {
    const flag = args[0] as string;
    if (flag === "--") {
      args.shift();
      break;
    }
    if (!/^[-+]./.test(flag)) break;
    args.shift();
    if (flag.startsWith("--")) continue;
    if (flag.endsWith("o")) state.options.add(args.shift() ?? "");
    for (const letter of flag.slice(1)) if (letter !== "c" && letter !== "o") state.options.add(letter);
    if (flag.includes("c")) {
      script = args.shift();
      if (script === undefined) {
        context.stderr.write(`${name}: -c requires an argument\n`);
        return 2;
      }
      if (args.length > 0) state.name = args.shift() as string;
      break;
    }
  }
  const handles: Handles = new Map<number, Handle>([
    [0, { input: context.stdin }],
    [1, { output: context.stdout }],
    [2, { output: context.stderr }],
  ]);
  const shell = new Evaluator(state, context, handles);
  state.positional = args;
  if (script === undefined && args.length > 0 && !state.options.has("s")) {
    const [path = "", ...rest] = args;
    state.positional = rest;
    state.name = path;
    try {
      script = context.system.tree.read(absolutePath(path, context.cwd), context.who);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      context.stderr.write(`${name}: can't open '${path}': ${error.message}\n`);
      return error.code === "EACCES" ? 126 : 2;
    }
  }
  return yield* shell.whole(script);
}
