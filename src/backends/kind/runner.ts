/**
 * The one place that runs another program: arguments as a list and never a shell, an environment of named variables only, a time limit, an end when it is no
 * longer wanted, and the program's own last words in the error.
 */
import type { Clock } from "../../clock/clock.js";
import { BackendError } from "../backend.js";
import { lineSplitter } from "./lines.js";

export interface RunOptions {
  input?: string;
  /** Default 60 s. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Called with each line as it is written. */
  onStderrLine?: (line: string) => void;
  /** Exit codes other than 0 are an answer too. */
  anyExitCode?: boolean;
  /** Texts among the arguments that must not be told to anyone. */
  secrets?: readonly string[];
}

export interface RunResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface Runner {
  /**
   * Rejects with BackendError: `failed` with the last lines of stderr, `timeout`, or `unavailable` when it was called off. A program that is not installed
   * is `failed`, naming it.
   */
  run(tool: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs a program that goes on by itself; tells its lines and, unless it was stopped, its end. Returns how to stop it. */
  follow(tool: string, args: readonly string[], listener: { onLine(line: string): void; onEnd(): void }): () => void;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** Lines of stderr that an error repeats. */
const LAST_LINES = 8;
/** Characters of stderr that are kept for one that has to be given up. */
const HEARD_LENGTH = 16_384;
const KILL_AFTER_MS = 5_000;
/** How long the end of one that was killed is waited for, in milliseconds. */
const ENDED_AFTER_MS = 1_000;

export interface RunnerOptions {
  clock: Clock;
  log: { debug(fields: Record<string, unknown>, message: string): void };
  /** All that programs see of the environment. */
  environment: Readonly<Record<string, string>>;
  /** How long a program that is told to end may take before it is killed, in milliseconds. Default 5000. */
  killAfterMs?: number;
}

export function createRunner({ clock, log, environment, killAfterMs = KILL_AFTER_MS }: RunnerOptions): Runner {
  const common = { env: environment, extendEnv: false, forceKillAfterDelay: killAfterMs, reject: false } as const;

  /** A program that was killed may leave others behind that keep its output open: nobody waits for them. */
  const left = (
    signal: AbortSignal,
    ended: AbortSignal,
    heard: () => string,
  ): Promise<Partial<RunResult> & { stdout: string; stderr: string; code?: string; signal?: string }> =>
    new Promise((resolve) => {
      const give = (): void => {
        const timer = clock.timer(killAfterMs + ENDED_AFTER_MS, () => resolve({ stdout: "", stderr: heard() }));
        ended.addEventListener("abort", () => timer.cancel(), { once: true });
      };
      if (signal.aborted) give();
      else signal.addEventListener("abort", give, { once: true, signal: ended });
    });

  return {
    async run(tool, args, options = {}) {
      const { input = "", timeoutMs = DEFAULT_TIMEOUT_MS, signal, onStderrLine, secrets = [] } = options;
      const { execa } = await import("execa");
      const told = (text: string): string => secrets.reduce((kept, secret) => kept.replaceAll(secret, "***"), text);
      const command = told([tool, ...args].join(" "));
      const limit = new AbortController();
      const ended = new AbortController();
      const timer = clock.timer(timeoutMs, () => limit.abort());
      const cancelSignal = signal ? AbortSignal.any([limit.signal, signal]) : limit.signal;
      const startedMs = clock.now();
      try {
        const subprocess = execa(tool, args, { ...common, input, cancelSignal });
        // Called off because this process ends: there may be no time for asking it twice.
        const killNow = (): void => void (signal?.aborted && subprocess.kill("SIGKILL"));
        // Of this run alone: whoever calls off may have a hundred of them.
        cancelSignal.addEventListener("abort", killNow, { once: true, signal: ended.signal });
        let heard = "";
        subprocess.stderr.on("data", (chunk: Buffer) => {
          heard = `${heard}${chunk.toString()}`.slice(-HEARD_LENGTH);
        });
        if (onStderrLine) subprocess.stderr.on("data", lineSplitter(onStderrLine));
        const {
          stdout,
          stderr,
          exitCode,
          code,
          signal: endedBy,
        } = await Promise.race([subprocess, left(cancelSignal, ended.signal, () => heard)]);
        const tookMs = Math.round(clock.now() - startedMs);
        log.debug({ command, exitCode, tookMs }, "ran a program");
        if (limit.signal.aborted)
          throw new BackendError(
            "timeout",
            `${name(tool, args)} did not end within ${timeoutMs / 1000} s${lastWords(told(stderr))}`,
          );
        if (signal?.aborted) throw new BackendError("unavailable", `${name(tool, args)} was called off`);
        if (code === "ENOENT")
          throw new BackendError("failed", `${tool} is not installed, or not in the PATH that eksim was started with`);
        if (exitCode === undefined)
          throw new BackendError(
            "failed",
            `${name(tool, args)} ended by ${endedBy ?? code ?? "itself"}${lastWords(told(stderr))}`,
          );
        if (exitCode !== 0 && !options.anyExitCode)
          throw new BackendError(
            "failed",
            `${name(tool, args)} failed with exit code ${exitCode}${lastWords(told(stderr) || stdout)}`,
          );
        return { stdout, stderr, exitCode };
      } finally {
        timer.cancel();
        ended.abort();
      }
    },

    follow(tool, args, { onLine, onEnd }) {
      const stopping = new AbortController();
      const work = async (): Promise<void> => {
        const { execa } = await import("execa");
        if (stopping.signal.aborted) return;
        const subprocess = execa(tool, args, {
          ...common,
          stdin: "ignore",
          buffer: false,
          cancelSignal: stopping.signal,
        });
        subprocess.stdout.on("data", lineSplitter(onLine));
        subprocess.stderr.resume();
        const { exitCode } = await subprocess;
        log.debug({ command: [tool, ...args].join(" "), exitCode }, "a program that was followed has ended");
      };
      void work().then(() => {
        if (!stopping.signal.aborted) onEnd();
      });
      return () => stopping.abort();
    },
  };
}

/** `docker network inspect`: enough to know which command is meant. */
const name = (tool: string, args: readonly string[]): string =>
  [tool, ...args.slice(0, 2).filter((arg) => /^[a-z]/.test(arg))].join(" ");

/** Lines of Go's stack traces, which tools print after what they have to say. */
const TRACE = /^(goroutine \d+|[\w./-]+\.go:\d+|[\w./*()-]+\.[\w.()*]+|main\.main|Stack Trace:?)$/;

/** The last lines that say something; the one that names the error comes first if it is further up. */
function lastWords(text: string): string {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !TRACE.test(line));
  const last = lines.slice(-LAST_LINES);
  const named = lines.find((line) => /^(ERROR|error):/.test(line));
  const told = named === undefined || last.includes(named) ? last : [named, ...last];
  return told.length === 0 ? "" : `: ${told.join("\n")}`;
}
