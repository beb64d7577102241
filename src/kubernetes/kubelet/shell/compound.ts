import type { Work } from "../machine/kernel.js";
import { expandPattern, expandText, expandWords, setVariable } from "./expand.js";
import { matchesPattern } from "./patterns.js";
import type { Evaluator } from "./shell.js";
import { type Handles, Jump } from "./state.js";
import type { Command, List, Simple } from "./syntax.js";

/** Commands that are made of others: groups, subshells, conditions and loops. */

type Compound = Exclude<Command, Simple | { is: "function" }>;

export function* runCompound(shell: Evaluator, command: Compound, opened: Handles): Work<number> {
  switch (command.is) {
    case "group":
      return yield* shell.list(command.body, opened);
    case "subshell": {
      const inner = shell.fork(opened);
      try {
        return yield* inner.subshell(command.body);
      } catch (error) {
        return shell.codeOf(error);
      }
    }
    case "if":
      for (const { test, body } of command.branches)
        if ((yield* shell.test(test, opened)) === 0) return yield* shell.list(body, opened);
      return command.otherwise ? yield* shell.list(command.otherwise, opened) : 0;
    case "while":
      return yield* loop(shell, opened, command.body, function* () {
        return ((yield* shell.test(command.test, opened)) === 0) !== command.until;
      });
    case "for": {
      const words = command.words ? yield* expandWords(shell, command.words) : [...shell.state.positional];
      let next = 0;
      return yield* loop(
        shell,
        opened,
        command.body,
        // biome-ignore lint/correctness/useYield: the other kinds of loops wait here
        function* () {
          const word = words[next++];
          if (word === undefined) return false;
          setVariable(shell.state, command.name, word);
          return true;
        },
      );
    }
    case "case": {
      const subject = yield* expandText(shell, command.word);
      for (const { patterns, body } of command.branches)
        for (const pattern of patterns)
          if (matchesPattern(yield* expandPattern(shell, pattern), subject)) return yield* shell.list(body, opened);
      return 0;
    }
  }
}

function* loop(shell: Evaluator, handles: Handles, body: List, goesOn: () => Work<boolean>): Work<number> {
  let status = 0;
  for (;;) {
    yield* shell.context.system.kernel.charge();
    try {
      if (!(yield* goesOn())) return status;
      status = yield* shell.list(body, handles);
    } catch (error) {
      if (!(error instanceof Jump) || error.kind === "return") throw error;
      if (--error.count > 0) throw error;
      status = 0;
      if (error.kind === "break") return status;
    }
  }
}
