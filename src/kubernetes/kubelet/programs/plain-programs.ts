import type { Program, ProgramContext } from "../machine/program.js";

/** Programs that do not wait: those that print a text, and those that only end. */

export const print = (text: (context: ProgramContext) => string): Program =>
  // biome-ignore lint/correctness/useYield: programs are generators because some of them wait
  function* (context) {
    context.stdout.write(text(context));
    return 0;
  };

export const ends = (code: number): Program =>
  // biome-ignore lint/correctness/useYield: programs are generators because some of them wait
  function* () {
    return code;
  };
