/** Starting the built program as its users do, and finding the real clients. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const PROGRAM = fileURLToPath(new URL("../../dist/cli/eksim.js", import.meta.url));

if (!existsSync(PROGRAM)) throw new Error("dist/ is missing: run `npm run build` first (npm test does)");

export const temporaryDirectory = (): string => mkdtempSync(join(tmpdir(), "eksim-test-"));

export interface RunningEksim {
  endpoint: string;
  process: ChildProcess;
  stderr: () => string;
  /** Sends the signal and resolves with the exit code once the process is gone. */
  end: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/** Starts `eksim start` on a free port and resolves when it says it is ready; rejects with what it said when it ends before. */
export async function runEksim(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<RunningEksim> {
  const child = spawn(process.execPath, [PROGRAM, "start", "--port", "0", "--log-format", "json", ...args], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<string>((resolve) => {
    lines.on("line", (line) => {
      const entry = JSON.parse(line) as { event?: string; endpoint?: string };
      if (entry.event === "ready" && entry.endpoint) resolve(entry.endpoint);
    });
  });
  const endpoint = await Promise.race([
    ready,
    exited.then(([code]) => Promise.reject(new Error(`eksim ended with ${code}: ${stderr}`))),
  ]);
  return {
    endpoint,
    process: child,
    stderr: () => stderr,
    end: async (signal = "SIGTERM") => {
      child.kill(signal);
      return (await exited)[0];
    },
  };
}

/** Runs the program to its end. */
export async function runCommand(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM, ...args], {
      env: { ...process.env, ...environment },
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failure = error as { code?: number; stdout?: string; stderr?: string };
    return { code: failure.code ?? -1, stdout: failure.stdout ?? "", stderr: failure.stderr ?? "" };
  }
}

/** False, with the reason printed, where a real client is not installed. */
export function installed(tool: string, args: readonly string[]): boolean {
  try {
    execFileSync(tool, args, { stdio: "ignore", timeout: 60_000 });
    return true;
  } catch {
    console.warn(`skipped: ${tool} is not installed on this machine`);
    return false;
  }
}

/** Runs a real client and gives its stdout; its last words are in the error. */
export async function client(
  tool: string,
  args: readonly string[],
  environment: Record<string, string>,
  timeoutMs = 120_000,
): Promise<string> {
  const { stdout } = await promisify(execFile)(tool, args, {
    env: { ...process.env, ...environment },
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}
