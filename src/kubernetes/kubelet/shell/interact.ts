import type { Work } from "../machine/kernel.js";
import { readLine } from "../machine/program.js";
import { discard, textInput } from "../machine/streams.js";
import { parseScript } from "./parse.js";
import type { Evaluator, Shell } from "./shell.js";
import { type List, ShellSyntaxError } from "./syntax.js";

/** Runs commands as they come from standard input, each as soon as it is whole. */
export function* interact(shell: Evaluator): Work<number> {
  const input = shell.handles.get(0)?.input ?? textInput();
  const output = shell.handles.get(2)?.output ?? discard;
  let pending = "";
  for (;;) {
    if (input.isTerminal) output.write(pending === "" ? prompt(shell) : "> ");
    const line = yield* readLine(input);
    if (line === null) return shell.state.status;
    pending += `${line}\n`;
    let list: List;
    try {
      list = parseScript(pending);
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error;
      if (/end of file|unterminated|EOF|missing/.test(error.message)) continue;
      shell.complain(error.message);
      pending = "";
      shell.state.status = 2;
      if (!input.isTerminal) return 2;
      continue;
    }
    pending = "";
    yield* shell.list(list, shell.handles);
  }
}

function prompt(shell: Shell): string {
  const { variables, cwd } = shell.state;
  const home = variables.get("HOME")?.value;
  return (variables.get("PS1")?.value ?? "# ")
    .replaceAll("\\w", cwd === home && home !== "/" ? "~" : cwd)
    .replaceAll("\\h", shell.context.system.hostname);
}
