import type { Clock, Timer } from "../../../clock/clock.js";
import { FileError } from "./files.js";
import { BrokenPipe } from "./streams.js";

/**
 * Runs the processes of one pod: generators that yield what they wait for. Time in it is simulated time, and never later than the clock's; a kernel that
 * is asked late runs everything at the times that it would have had. A process that computes without ever waiting is slowed down, so that no script can
 * hold up the program.
 */
export interface Block {
  /** True when the process may go on. Asked again after anything has happened. */
  ready?: () => boolean;
  /** Goes on at this time, epoch ms, whatever `ready` says. */
  untilMs?: number;
  /** A signal that is not ignored ends the wait. */
  interruptible?: boolean;
}

export type Work<T = void> = Generator<Block, T, void>;

export type Signal = "HUP" | "INT" | "KILL" | "PIPE" | "TERM" | "USR1" | "USR2" | "QUIT" | "ALRM";
export const SIGNALS: Readonly<Record<Signal, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
};

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly container: string;
  argv: readonly string[];
  readonly startedMs: number;
  /** Undefined while it lives. */
  exit?: { code: number; atMs: number };
  /** Signals that came and were not handled yet. */
  readonly pending: Signal[];
  /** What it does about signals; absent: the default, which ends it. */
  readonly handlers: Map<Signal, "ignore" | "handle">;
  /** The first process of a container ignores what it has no handler for. */
  readonly isInit: boolean;
  onExit?: (process: Process) => void;
}

interface Task extends Process {
  work: Work<number>;
  block: Block | undefined;
}

/** Commands that may run at one instant before the processes are made to wait, a little longer each time. */
const BURST = 5_000;
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Commands that are made up for when the kernel is asked late; what is left then happens now. */
const CATCH_UP = 50_000;

export interface SpawnOptions {
  container: string;
  argv: readonly string[];
  parent?: number;
  isInit?: boolean;
  /** When it begins, epoch ms; default now. */
  atMs?: number;
  work: (process: Process) => Work<number>;
  onExit?: (process: Process) => void;
}

export class Kernel {
  private readonly tasks: Task[] = [];
  /** Every container counts its own: its first process is 1. */
  private readonly lastPids = new Map<string, number>();
  private timeMs: number;
  private timer: Timer | undefined;
  private running = false;
  private again = false;
  private bursts = 0;
  private steps = 0;
  private caughtUp = 0;
  private stopped = false;
  private frozen = false;

  /** `shown`: what the machine's clock shows at a time. */
  constructor(
    private readonly clock: Clock,
    private readonly onFault: (error: unknown) => void,
    private readonly shown: (ms: number) => number = (ms) => ms,
  ) {
    this.timeMs = clock.now();
  }

  /** The time inside, epoch ms. */
  now(): number {
    return this.running ? this.timeMs : this.clock.now();
  }

  /** The time that programs are told when they ask for it, epoch ms; they wait by `now`. */
  wallNow(): number {
    return this.shown(this.now());
  }

  /** Nothing runs until `thaw`, for which nothing will have been missed. */
  freeze(): void {
    this.frozen = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    this.timeMs = Math.max(this.timeMs, this.clock.now());
    this.kick();
  }

  processes(): readonly Process[] {
    return this.tasks;
  }

  spawn({ container, argv, parent = 0, isInit = false, atMs, work, onExit }: SpawnOptions): Process {
    const pid = isInit ? 1 : (this.lastPids.get(container) ?? 0) + 1;
    this.lastPids.set(container, pid);
    const process = {
      pid,
      parent,
      container,
      argv,
      startedMs: atMs ?? this.now(),
      pending: [],
      handlers: new Map(),
      isInit,
      onExit,
    } as unknown as Task;
    process.work = work(process);
    process.block = { untilMs: process.startedMs };
    this.tasks.push(process);
    if (!this.running && atMs !== undefined && atMs < this.timeMs) this.timeMs = atMs;
    return process;
  }

  signal(process: Process, signal: Signal): void {
    if (process.exit) return;
    if (signal === "KILL") {
      this.end(process as Task, 137);
      return;
    }
    const handler = process.handlers.get(signal);
    if (handler === "ignore" || (!handler && process.isInit)) return;
    if (handler === "handle") process.pending.push(signal);
    else this.end(process as Task, 128 + SIGNALS[signal]);
  }

  /** Ends every process of a container at once. */
  killContainer(container: string): void {
    for (const task of [...this.tasks]) if (task.container === container) this.end(task, 137);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    for (const task of [...this.tasks]) {
      task.onExit = undefined;
      this.end(task, 137);
    }
  }

  /** One command was run; throttles what never waits. */
  *charge(): Work {
    this.caughtUp++;
    if (++this.steps < BURST) return;
    this.steps = 0;
    this.bursts++;
    yield { untilMs: this.now() + Math.min(LONGEST_PAUSE_MS, PAUSE_MS * this.bursts) };
  }

  /** Something happened outside: whoever waits for it goes on. */
  kick(): void {
    if (this.stopped || this.frozen) return;
    if (this.running) {
      this.again = true;
      return;
    }
    this.timer?.cancel();
    this.timer = undefined;
    this.running = true;
    this.caughtUp = 0;
    const untilMs = this.clock.now();
    try {
      // What was due before comes first, each at its time; then what has just happened.
      for (let next = this.nextMs(); next !== undefined && next < untilMs; next = this.nextMs()) {
        if (next > this.timeMs) this.steps = 0;
        this.timeMs = this.caughtUp > CATCH_UP ? untilMs : Math.max(this.timeMs, next);
        this.settle();
      }
      if (untilMs > this.timeMs) this.steps = 0;
      this.timeMs = Math.max(this.timeMs, untilMs);
      this.settle();
    } finally {
      this.running = false;
    }
    const next = this.nextMs();
    if (next !== undefined && !this.stopped)
      this.timer = this.clock.timer(Math.max(0, next - this.clock.now()), () => {
        this.timer = undefined;
        this.kick();
      });
  }

  private nextMs(): number | undefined {
    let next: number | undefined;
    for (const { block } of this.tasks)
      if (block?.untilMs !== undefined && (next === undefined || block.untilMs < next)) next = block.untilMs;
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Runs what can run at the present time. */
  private settle(): void {
    do {
      this.again = false;
      for (const task of [...this.tasks]) {
        if (task.exit) continue;
        if (!this.mayGoOn(task)) continue;
        this.again = true;
        this.step(task);
      }
    } while (this.again && !this.stopped);
  }

  private mayGoOn({ block, pending }: Task): boolean {
    if (!block) return true;
    if (block.untilMs !== undefined && block.untilMs <= this.timeMs) return true;
    return (block.interruptible === true && pending.length > 0) || block.ready?.() === true;
  }

  private step(task: Task): void {
    try {
      const { done, value } = task.work.next();
      if (done) this.end(task, value as number);
      else task.block = value as Block;
    } catch (error) {
      if (error instanceof BrokenPipe) this.end(task, 128 + SIGNALS.PIPE);
      else if (error instanceof FileError) this.end(task, 1);
      // A pattern that is none, or something far too long or deep: the fault of whoever wrote the command.
      else if (error instanceof SyntaxError || error instanceof RangeError) this.end(task, 2);
      else {
        this.end(task, 139);
        this.onFault(error);
      }
    }
  }

  private end(task: Task, code: number): void {
    if (task.exit) return;
    task.exit = { code, atMs: this.now() };
    const at = this.tasks.indexOf(task);
    if (at >= 0) this.tasks.splice(at, 1);
    try {
      // Runs the `finally` blocks: descriptors are closed. A generator that is running itself ends by itself.
      task.work.return(code);
    } catch {
      // Already running: it ends with its present step.
    }
    this.again = true;
    task.onExit?.(task);
  }
}
