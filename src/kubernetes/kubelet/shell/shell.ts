import type { Random } from "../../../clock/random.js";
import { absolutePath, type DeviceNode, FileError, type FileNode } from "../machine/files.js";
import type { Signal, Work } from "../machine/kernel.js";
import { type ProgramContext, readLine, whileFull } from "../machine/program.js";
import { BrokenPipe, discard, type Input, type Output, Pipe, TextOutput, textInput } from "../machine/streams.js";
import { BUILTINS, SPECIAL } from "./builtins.js";
import { type Expander, expandPattern, expandText, expandWords, setVariable } from "./expand.js";
import { parseScript } from "./parse.js";
import { matchesPattern } from "./patterns.js";
import {
  environmentOf,
  forked,
  type Handle,
  type Handles,
  Jump,
  newState,
  ShellExit,
  type ShellState,
} from "./state.js";
import { type Command, type List, type Pipeline, type Redirection, ShellSyntaxError, type Simple } from "./syntax.js";

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

class Evaluator implements Shell, Expander {
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
      code = script === undefined ? yield* this.interact() : yield* this.run(script);
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

  private codeOf(error: unknown): number {
    if (error instanceof ShellExit) return error.code;
    if (error instanceof Jump) return this.state.status;
    throw error;
  }

  private *interact(): Work<number> {
    const input = this.handles.get(0)?.input ?? textInput();
    const output = this.handles.get(2)?.output ?? discard;
    let pending = "";
    for (;;) {
      if (input.isTerminal) output.write(pending === "" ? this.prompt() : "> ");
      const line = yield* readLine(input);
      if (line === null) return this.state.status;
      pending += `${line}\n`;
      let list: List;
      try {
        list = parseScript(pending);
      } catch (error) {
        if (!(error instanceof ShellSyntaxError)) throw error;
        if (/end of file|unterminated|EOF|missing/.test(error.message)) continue;
        this.complain(error.message);
        pending = "";
        this.state.status = 2;
        if (!input.isTerminal) return 2;
        continue;
      }
      pending = "";
      yield* this.list(list, this.handles);
    }
  }

  private prompt(): string {
    const { variables, cwd } = this.state;
    const home = variables.get("HOME")?.value;
    return (variables.get("PS1")?.value ?? "# ")
      .replaceAll("\\w", cwd === home && home !== "/" ? "~" : cwd)
      .replaceAll("\\h", this.context.system.hostname);
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

  private fork(handles: Handles): Evaluator {
    if (this.state.depth > MAX_DEPTH) throw new ShellExit(2);
    const shell = new Evaluator(forked(this.state), this.context, handles);
    shell.state.depth++;
    return shell;
  }

  private *list(items: List, handles: Handles): Work<number> {
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
    const opened = yield* this.redirect(command.redirections, handles);
    if (!opened) return 1;
    switch (command.is) {
      case "group":
        return yield* this.list(command.body, opened);
      case "subshell": {
        const shell = this.fork(opened);
        try {
          return yield* shell.whole2(command.body);
        } catch (error) {
          return this.codeOf(error);
        }
      }
      case "if":
        for (const { test, body } of command.branches)
          if ((yield* this.test(test, opened)) === 0) return yield* this.list(body, opened);
        return command.otherwise ? yield* this.list(command.otherwise, opened) : 0;
      case "while":
        return yield* this.loop(
          opened,
          command.body,
          function* (this: Evaluator) {
            return ((yield* this.test(command.test, opened)) === 0) !== command.until;
          }.bind(this),
        );
      case "for": {
        const words = command.words ? yield* expandWords(this, command.words) : [...this.state.positional];
        let next = 0;
        return yield* this.loop(
          opened,
          command.body,
          // biome-ignore lint/correctness/useYield: the other kinds of loops wait here
          function* (this: Evaluator) {
            const word = words[next++];
            if (word === undefined) return false;
            setVariable(this.state, command.name, word);
            return true;
          }.bind(this),
        );
      }
      case "case": {
        const subject = yield* expandText(this, command.word);
        for (const { patterns, body } of command.branches)
          for (const pattern of patterns)
            if (matchesPattern(yield* expandPattern(this, pattern), subject)) return yield* this.list(body, opened);
        return 0;
      }
    }
  }

  /** A subshell's commands, and its own EXIT trap. */
  private *whole2(body: List): Work<number> {
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

  private *test(list: List, handles: Handles): Work<number> {
    this.state.tested++;
    try {
      return yield* this.list(list, handles);
    } finally {
      this.state.tested--;
    }
  }

  private *loop(handles: Handles, body: List, goesOn: () => Work<boolean>): Work<number> {
    let status = 0;
    for (;;) {
      yield* this.context.system.kernel.charge();
      try {
        if (!(yield* goesOn())) return status;
        status = yield* this.list(body, handles);
      } catch (error) {
        if (!(error instanceof Jump) || error.kind === "return") throw error;
        if (--error.count > 0) throw error;
        status = 0;
        if (error.kind === "break") return status;
      }
    }
  }

  private *simple(command: Simple, handles: Handles): Work<number> {
    const { state } = this;
    let argv = yield* expandWords(this, command.words);
    const alias = argv[0] === undefined ? undefined : state.aliases.get(argv[0]);
    if (alias !== undefined) argv = [...alias.split(/\s+/), ...argv.slice(1)];
    const statusBefore = state.status;
    if (argv.length === 0) state.status = 0;
    const opened = yield* this.redirect(command.redirections, handles);
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
    if (builtin) return yield* builtin(this.with(handles), argv, handles);
    return yield* this.program(argv, handles);
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

  private *program(argv: readonly string[], handles: Handles): Work<number> {
    const { system, process, who } = this.context;
    const [name = ""] = argv;
    const env = environmentOf(this.state);
    const { cwd } = this.state;
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
        this.err(handles).write(`${this.state.name}: ${name}: ${error.message}\n`);
        return 126;
      }
      // A program that nobody reads any more ends; the shell goes on.
      if (error instanceof BrokenPipe && handles.get(1)?.output !== this.handles.get(1)?.output) return 141;
      throw error;
    }
    if (name.includes("/") && system.unknown) return yield* system.unknown(context);
    this.err(handles).write(`${this.state.name}: ${name}: not found\n`);
    return 127;
  }

  /** Opens files; undefined (and a message) when one cannot be opened. */
  private *redirect(redirections: readonly Redirection[], handles: Handles): Work<Handles | undefined> {
    if (redirections.length === 0) return handles;
    const opened = new Map(handles);
    for (const { operator, fd, word } of redirections) {
      const text = yield* expandText(this, word);
      const reads = operator.startsWith("<");
      const target = fd ?? (reads ? 0 : 1);
      if (operator === "<<" || operator === "<<<")
        opened.set(target, { input: textInput(operator === "<<" ? text : `${text}\n`) });
      else if ((operator === ">&" || operator === "<&") && /^(?:\d+|-)$/.test(text)) {
        if (text === "-") opened.set(target, { output: discard, input: textInput() });
        else {
          const handle = opened.get(Number(text));
          if (!handle) {
            this.complain(`${text}: Bad file descriptor`);
            return undefined;
          }
          opened.set(target, handle);
        }
      } else {
        const handle = this.openFile(text, operator, opened);
        if (!handle) return undefined;
        opened.set(target, handle);
        if (operator === "&>" || operator === ">&") opened.set(2, handle);
      }
    }
    return opened;
  }

  private openFile(name: string, operator: Redirection["operator"], handles: Handles): Handle | undefined {
    const path = absolutePath(name, this.state.cwd);
    const standard = /^\/(?:dev\/(stdin|stdout|stderr)|(?:dev|proc\/self)\/fd\/([012])|proc\/1\/fd\/([12]))$/.exec(
      path,
    );
    if (standard) {
      const fd = standard[2] ?? standard[3] ?? ["stdin", "stdout", "stderr"].indexOf(standard[1] ?? "");
      return handles.get(Number(fd)) ?? this.handles.get(Number(fd));
    }
    const reads = operator === "<" || operator === "<>";
    try {
      if (reads) {
        const node = this.tree.get(path, this.who);
        if (node.is === "directory") return { input: textInput() };
        return {
          input:
            node.is === "device"
              ? deviceInput(node, this.context.system.random)
              : textInput(this.tree.read(path, this.who)),
        };
      }
      const node = this.tree.open(path, this.who, { truncate: operator !== ">>" });
      return { output: node.is === "device" ? discard : fileOutput(this.tree, node) };
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const why = error.code === "ENOENT" ? (reads ? "no such file" : "nonexistent directory") : error.message;
      this.complain(`can't ${reads ? "open" : "create"} ${name}: ${why}`);
      return undefined;
    }
  }
}

const fileOutput = (tree: { put(node: FileNode, data: string): void }, node: FileNode): Output => ({
  write: (data) => tree.put(node, node.data + data),
});

const ZEROES = "\0".repeat(4096);

/** /dev/null ends at once, the others never do. */
export function deviceInput({ device }: DeviceNode, random: Random): Input {
  if (device === "null") return textInput();
  const make = (length: number): string =>
    device === "random" ? Buffer.from(random.hex(2 * length), "hex").toString("latin1") : ZEROES.slice(0, length);
  return { read: (most = ZEROES.length) => make(Math.min(most, ZEROES.length)), unread: () => {} };
}
