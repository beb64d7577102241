/** Commands of drills, run on this machine: an argument array, never a shell. */
import type { CommandOutcome } from "../../faults/drills/target.js";

/** `environment`: added to that of this process, so that AWS's tools find the emulator. */
export async function runCommand(
  argv: readonly string[],
  timeoutMs: number,
  environment: Readonly<Record<string, string>>,
): Promise<CommandOutcome> {
  const { execa } = await import("execa");
  const [program = "", ...args] = argv;
  const outcome = await execa(program, args, {
    env: { ...environment },
    timeout: timeoutMs,
    reject: false,
    all: true,
    stdin: "ignore",
    stripFinalNewline: false,
  });
  const output = outcome.all ?? "";
  if (outcome.exitCode !== undefined) return { exitCode: outcome.exitCode, output };
  if (outcome.timedOut) return { output: `took longer than ${timeoutMs / 1000} s` };
  return {
    output: outcome.signal ? `was ended by ${outcome.signal}` : (outcome.originalMessage ?? "could not be started"),
  };
}
