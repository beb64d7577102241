import { FileError } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import type { ProgramContext } from "../machine/program.js";
import { BrokenPipe, discard, textInput } from "../machine/streams.js";
import type { Shell } from "./shell.js";
import { environmentOf, type Handles } from "./state.js";

/** Runs a program of the container, as the process that the shell is or with the files of a pipeline. */
export function* runProgram(shell: Shell, argv: readonly string[], handles: Handles): Work<number> {
  const { system, process, who } = shell.context;
  const [name = ""] = argv;
  const err = handles.get(2)?.output ?? discard;
  const env = environmentOf(shell.state);
  const { cwd } = shell.state;
  const context: ProgramContext = {
    argv,
    env,
    cwd,
    who,
    stdin: handles.get(0)?.input ?? textInput(),
    stdout: handles.get(1)?.output ?? discard,
    stderr: handles.get(2)?.output ?? discard,
    process,
    system,
  };
  try {
    const program = system.program(name, { env, cwd, who }) ?? (name.includes("/") ? undefined : system.unknown);
    if (program) return yield* program(context);
  } catch (error) {
    if (error instanceof FileError) {
      err.write(`${shell.state.name}: ${name}: ${error.message}\n`);
      return 126;
    }
    // A program that nobody reads any more ends; the shell goes on.
    if (error instanceof BrokenPipe && handles.get(1)?.output !== shell.handles.get(1)?.output) return 141;
    throw error;
  }
  if (name.includes("/") && system.unknown) return yield* system.unknown(context);
  err.write(`${shell.state.name}: ${name}: not found\n`);
  return 127;
}
