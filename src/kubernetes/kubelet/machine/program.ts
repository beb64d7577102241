import type { Clock } from "../../../clock/clock.js";
import type { Random } from "../../../clock/random.js";
import { absolutePath, type Credentials, FileError, type FileTree } from "./files.js";
import type { Block, Kernel, Process, Work } from "./kernel.js";
import type { Network } from "./network.js";
import type { Input, Output } from "./streams.js";

/** What a program finds around it. One object serves a program from its start to its end; a shell makes another for each command. */
export interface ProgramContext {
  readonly argv: readonly string[];
  readonly env: Map<string, string>;
  readonly cwd: string;
  readonly who: Credentials;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly process: Process;
  readonly system: System;
}

/** Runs and gives its exit code. */
export type Program = (context: ProgramContext) => Work<number>;

/** One container as the programs in it see it. */
export interface System {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly pod: { namespace: string; name: string };
  readonly tree: FileTree;
  readonly container: string;
  readonly hostname: string;
  readonly random: Random;
  readonly network: Network;
  readonly privileged: boolean;
  /** The kernel's version, for `uname -r`. */
  readonly kernelRelease: string;
  readonly architecture: string;
  /** The program behind a name or path; undefined when there is none. `found` is the path that argv[0] stands for. */
  program(
    name: string,
    context: { env: ReadonlyMap<string, string>; cwd: string; who: Credentials },
  ): Program | undefined;
  /**
   * Stands in for programs that are not known. In a container's own command they are taken for servers, which run until they are stopped; who looks into
   * a container with exec is told that they are not there.
   */
  unknown?: Program;
  /** Whether the container's own command came to a program that is not known. */
  readonly standIn: { isUsed: boolean };
}

export const pathIn = (context: Pick<ProgramContext, "cwd">, path: string): string => absolutePath(path, context.cwd);

/** Waits until `ready`. */
export function* until(ready: () => boolean, options: Omit<Block, "ready"> = {}): Work {
  while (!ready()) yield { ready, ...options };
}

export function* pause(context: Pick<ProgramContext, "system">, ms: number): Work {
  const untilMs = context.system.kernel.now() + ms;
  yield { untilMs };
}

/** More than this no program takes in: what reads a device to its end would never stop. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Everything up to the end of the input. */
export function* readAll(input: Input): Work<string> {
  let text = "";
  for (;;) {
    if (text.length > MOST_BYTES) throw new FileError("ENOSPC");
    const data = input.read();
    if (data === null) return text;
    if (data === undefined) yield { ready: () => hasData(input) };
    else text += data;
  }
}

/** The next line without its newline; null at the end. */
export function* readLine(input: Input): Work<string | null> {
  let text = "";
  for (;;) {
    if (text.length > MOST_BYTES) throw new FileError("ENOSPC");
    const data = input.read();
    if (data === null) return text === "" ? null : text;
    if (data === undefined) {
      yield { ready: () => hasData(input) };
      continue;
    }
    const end = data.indexOf("\n");
    if (end < 0) {
      text += data;
      continue;
    }
    input.unread(data.slice(end + 1));
    return text + data.slice(0, end);
  }
}

/** Looks whether a read would give something, or the end. */
export function hasData(input: Input): boolean {
  const data = input.read(1);
  if (data === undefined) return false;
  if (data !== null) input.unread(data);
  return true;
}

/** Waits until the output takes more, for programs that write without end. */
export function* whileFull(output: Output): Work {
  if (output.isFull) yield { ready: () => !output.isFull };
}
