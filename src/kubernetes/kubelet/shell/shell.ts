import { FileError } from "../machine/files.js";
import type { Signal, Work } from "../machine/kernel.js";
import { type ProgramContext, whileFull } from "../machine/program.js";
import { discard, type Output, Pipe, TextOutput, textInput } from "../machine/streams.js";
import { BUILTINS, SPECIAL } from "./builtins.js";
import { runCompound } from "./compound.js";
import { type Expander, expandText, expandWords, setVariable } from "./expand.js";
import { interact } from "./interact.js";
import { parseScript } from "./parse.js";
import { redirect } from "./redirections.js";
import { runProgram } from "./run-program.js";
import { forked, type Handle, type Handles, Jump, ShellExit, type ShellState } from "./state.js";
import { type Command, type List, type Pipeline, ShellSyntaxError, type Simple } from "./syntax.js";

/** A POSIX shell, as busybox has it: runs parsed scripts against the machine. Nothing of it runs outside this process. */
export interface Shell {
  readonly state: ShellState;
  readonly context: ProgramContext;
  readonly handles: Handles;
  complain(text: string): void;
  /** Runs a script's text in this very shell. */
  run(text: string, handles?: Handles): Work<number>;
  command(argv: readonly string[], handles: Handles): Work<number>;
}

const MAX_DEPTH = 200;

export class Evaluator implements Shell, Expander {
  constructor(
    readonly state: ShellState,
    readonly context: ProgramContext,
    readonly handles: Handles,
  ) {}

  get tree() {
    return this.context.system.tree;
  }
  get who() {
    return this.context.who;
  }
  get pid() {
    return this.context.process.pid;
  }

  complain(text: string): void {
    this.err(this.handles).write(`${this.state.name}: ${text}\n`);
  }

  private err(handles: Handles): Output {
    return handles.get(2)?.output ?? discard;
  }

  /** From the first command to the EXIT trap; undefined: commands come from standard input. */
  *whole(script: string | undefined): Work<number> {
    let code: number;
    try {
      code = script === undefined ? yield* interact(this) : yield* this.run(script);
    } catch (error) {
      code = this.codeOf(error);
    }
    const last = this.state.traps.get("EXIT");
    if (last === undefined) return code;
    this.state.traps.delete("EXIT");
    this.state.status = code;
    try {
      yield* this.run(last);
    } catch (error) {
      return this.codeOf(error);
    }
    return code;
  }

  codeOf(error: unknown): number {
    if (error instanceof ShellExit) return error.code;
    if (error instanceof Jump) return this.state.status;
    throw error;
  }

  *run(text: string, handles: Handles = this.handles): Work<number> {
    let list: List;
    try {
      list = parseScript(text);
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error;
      this.complain(error.message);
      throw new ShellExit(2);
    }
    return yield* this.list(list, handles);
  }

  *capture(body: List): Work<string> {
    const output = new TextOutput();
    const shell = this.fork(new Map(this.handles).set(1, { output }));
    try {
      this.state.status = yield* shell.list(body, shell.handles);
    } catch (error) {
      this.state.status = this.codeOf(error);
    }
    return output.text;
  }

  fork(handles: Handles): Evaluator {
    if (this.state.depth > MAX_DEPTH) throw new ShellExit(2);
    const shell = new Evaluator(forked(this.state), this.context, handles);
    shell.state.depth++;
    return shell;
  }

  *list(items: List, handles: Handles): Work<number> {
    for (const item of items) {
      yield* this.caughtSignals();
      if (item.background) {
        this.background(item, handles);
        this.state.status = 0;
        continue;
      }
      yield* this.andOr(item, handles);
    }
    yield* this.caughtSignals();
    return this.state.status;
  }

  /** Runs the traps of the signals that came meanwhile. */
  private *caughtSignals(): Work {
    const { pending } = this.context.process;
    while (pending.length > 0) {
      const action = this.state.traps.get(pending.shift() as Signal);
      if (action === undefined) continue;
      const before = this.state.status;
      yield* this.run(action);
      this.state.status = before;
    }
  }

  private *andOr({ first, rest }: List[number], handles: Handles): Work {
    const step = function* (this: Evaluator, pipeline: Pipeline, isLast: boolean): Work {
      if (!isLast || pipeline.negated) this.state.tested++;
      try {
        yield* this.pipeline(pipeline, handles);
      } finally {
        if (!isLast || pipeline.negated) this.state.tested--;
      }
      if (isLast && !pipeline.negated && this.state.status !== 0) this.maybeLeave();
    }.bind(this);
    yield* step(first, rest.length === 0);
    for (const [index, { operator, pipeline }] of rest.entries())
      if ((this.state.status === 0) === (operator === "&&")) yield* step(pipeline, index === rest.length - 1);
  }

  private maybeLeave(): void {
    if (this.state.options.has("e") && this.state.tested === 0) throw new ShellExit(this.state.status);
  }

  private background(item: List[number], handles: Handles): void {
    const shell = this.fork(new Map(handles).set(0, { input: textInput() }));
    this.spawn(shell, function* () {
      yield* shell.andOr(item, shell.handles);
      return shell.state.status;
    });
  }

  /** Runs a part of this shell as a process of its own. */
  private spawn(shell: Evaluator, work: () => Work<number>, done?: () => void): { code?: number } {
    const { kernel, container } = this.context.system;
    const result: { code?: number } = {};
    const { children } = this.state;
    const process = kernel.spawn({
      container,
      argv: this.context.argv,
      parent: this.pid,
      work: function* (process) {
        Object.assign(shell, { context: { ...shell.context, process } });
        try {
          return yield* work();
        } catch (error) {
          return shell.codeOf(error);
        } finally {
          done?.();
        }
      },
      onExit: ({ pid, exit }) => {
        result.code = exit?.code ?? 0;
        children.set(pid, result.code);
      },
    });
    children.set(process.pid, undefined);
    this.state.lastBackground = process.pid;
    return result;
  }

  private *pipeline({ commands, negated }: Pipeline, handles: Handles): Work {
    const { state } = this;
    if (commands.length === 1) state.status = yield* this.one(commands[0] as Command, handles);
    else {
      const { lastBackground } = state;
      const results: { code?: number }[] = [];
      let input = handles.get(0);
      for (const command of commands.slice(0, -1)) {
        const pipe = new Pipe();
        const before = input;
        const shell = this.fork(new Map([...handles, [0, before ?? {}], [1, { output: pipe }]]));
        const run = () => shell.one(command, shell.handles);
        results.push(
          this.spawn(shell, run, () => {
            pipe.close();
            if (before?.input instanceof Pipe && before !== handles.get(0)) before.input.hangUp();
          }),
        );
        input = { input: pipe };
      }
      const last = this.fork(new Map([...handles, [0, input ?? {}]]));
      try {
        state.status = yield* last.one(commands[commands.length - 1] as Command, last.handles);
      } catch (error) {
        state.status = this.codeOf(error);
      }
      if (input?.input instanceof Pipe) input.input.hangUp();
      for (const result of results) if (result.code === undefined) yield { ready: () => result.code !== undefined };
      state.lastBackground = lastBackground;
      if (state.options.has("pipefail")) {
        const failed = [...results].reverse().find(({ code }) => code !== 0)?.code;
        if (state.status === 0 && failed) state.status = failed;
      }
    }
    if (negated) state.status = state.status === 0 ? 1 : 0;
  }

  private *one(command: Command, handles: Handles): Work<number> {
    yield* this.context.system.kernel.charge();
    const full = handles.get(1)?.output;
    if (full?.isFull) yield* whileFull(full);
    if (command.is === "simple") return yield* this.simple(command, handles);
    if (command.is === "function") {
      this.state.functions.set(command.name, command.body);
      return 0;
    }
    const opened = yield* redirect(this, command.redirections, handles);
    if (!opened) return 1;
    return yield* runCompound(this, command, opened);
  }

  /** A subshell's commands, and its own EXIT trap. */
  *subshell(body: List): Work<number> {
    let code: number;
    try {
      code = yield* this.list(body, this.handles);
    } catch (error) {
      code = this.codeOf(error);
    }
    const last = this.state.traps.get("EXIT");
    if (last !== undefined) yield* this.run(last);
    return code;
  }

  *test(list: List, handles: Handles): Work<number> {
    this.state.tested++;
    try {
      return yield* this.list(list, handles);
    } finally {
      this.state.tested--;
    }
  }

  private *simple(command: Simple, handles: Handles): Work<number> {
    const { state } = this;
    let argv = yield* expandWords(this, command.words);
    const alias = argv[0] === undefined ? undefined : state.aliases.get(argv[0]);
    if (alias !== undefined) argv = [...alias.split(/\s+/), ...argv.slice(1)];
    const statusBefore = state.status;
    if (argv.length === 0) state.status = 0;
    const opened = yield* redirect(this, command.redirections, handles);
    if (!opened) {
      if (argv[0] !== undefined && SPECIAL.has(argv[0])) throw new ShellExit(2);
      return 1;
    }
    if (argv.length === 0) {
      for (const { name, value } of command.assignments) setVariable(state, name, yield* expandText(this, value));
      // The status of `x=$(false)` is that of the command in it.
      return command.assignments.length > 0 ? state.status : 0;
    }
    state.status = statusBefore;
    const saved = new Map<string, { value: string; exported: boolean } | undefined>();
    for (const { name, value } of command.assignments) {
      const before = state.variables.get(name);
      if (!saved.has(name)) saved.set(name, before && { ...before });
      const text = yield* expandText(this, value);
      state.variables.set(name, { value: text, exported: true });
    }
    if (state.options.has("x")) this.err(handles).write(`+ ${argv.join(" ")}\n`);
    if (argv[0] === "exec" && argv.length === 1) {
      for (const [fd, handle] of opened) (this.handles as Map<number, Handle>).set(fd, handle);
      return 0;
    }
    try {
      return yield* this.command(argv, opened);
    } finally {
      if (argv[0] === undefined || !SPECIAL.has(argv[0]))
        for (const [name, before] of saved)
          if (before) state.variables.set(name, before);
          else state.variables.delete(name);
    }
  }

  *command(argv: readonly string[], handles: Handles): Work<number> {
    const [name = ""] = argv;
    const { state } = this;
    const body = state.functions.get(name);
    if (body) return yield* this.call(body, argv, handles);
    const builtin = BUILTINS[name];
    if (!builtin) return yield* runProgram(this, argv, handles);
    try {
      return yield* builtin(this.with(handles), argv, handles);
    } catch (error) {
      // Whatever else may fail has been dealt with: what it prints finds no room.
      if (!(error instanceof FileError)) throw error;
      this.complain(`write error: ${error.message}`);
      return 1;
    }
  }

  /** The same shell with other open files, for builtins. */
  private with(handles: Handles): Shell {
    return handles === this.handles ? this : Object.assign(Object.create(this) as Evaluator, { handles });
  }

  private *call(body: Command, argv: readonly string[], handles: Handles): Work<number> {
    const { state } = this;
    if (state.depth > MAX_DEPTH) {
      this.complain("maximum function nesting level exceeded");
      throw new ShellExit(2);
    }
    const { positional } = state;
    state.positional = argv.slice(1);
    state.depth++;
    state.locals.push(new Map());
    try {
      return yield* this.one(body, handles);
    } catch (error) {
      if (error instanceof Jump && error.kind === "return") return error.count;
      throw error;
    } finally {
      state.depth--;
      state.positional = positional;
      for (const [name, before] of state.locals.pop() ?? [])
        if (before) state.variables.set(name, before);
        else state.variables.delete(name);
    }
  }
}
