import { StatusError } from "../errors.js";
import type { ObjectKey } from "../object.js";
import type { PodStreams, ProcessIo } from "../pod-streams.js";

/** A process in a container whose input and output a client has: exec and attach, whatever the protocol that carries them. */

/** What a client asked for in the query of exec or attach. */
export interface ProcessRequest {
  /** Undefined: attach, to the container's own process. */
  command?: readonly string[];
  container: string;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** One client's end of a process. */
export interface ProcessWire extends ProcessIo {
  /** Tells how it ended, and ends the connection. */
  finish(status: ProcessStatus): void;
}

/** A `Status` of apiVersion v1 as the kubelet writes it on the error stream. */
export interface ProcessStatus {
  metadata: Record<string, never>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: object;
  code?: number;
}

function statusOfExit(exitCode: number, command: readonly string[] | undefined): ProcessStatus {
  if (exitCode === 0) return { metadata: {}, status: "Success" };
  const what = command
    ? `error executing command [${command.join(" ")}], exit code ${exitCode}`
    : `exit code ${exitCode}`;
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: ${what}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

function statusOfError(error: unknown): ProcessStatus {
  const { code, reason, message, details } =
    error instanceof StatusError
      ? error
      : new StatusError(500, "InternalError", `Internal error occurred: ${(error as Error).message}`);
  return { metadata: {}, status: "Failure", message, reason, ...(details ? { details } : {}), code };
}

/** Runs until the process has ended or the client is gone. Never rejects. */
export async function runProcess(
  streams: PodStreams,
  pod: ObjectKey,
  { command, container, stdout, stderr, tty }: ProcessRequest,
  wire: ProcessWire,
): Promise<void> {
  const io: ProcessIo = {
    stdin: wire.stdin,
    resizes: wire.resizes,
    signal: wire.signal,
    // Output that was not asked for is thrown away; with a terminal there is but one.
    stdout: (bytes) => stdout && wire.stdout(bytes),
    stderr: (bytes) => (tty ? stdout && wire.stdout(bytes) : stderr && wire.stderr(bytes)),
  };
  let status: ProcessStatus;
  try {
    const exitCode = command
      ? await streams.exec(pod, { container, command, tty }, io)
      : await streams.attach(pod, { container, tty }, io);
    status = statusOfExit(exitCode, command);
  } catch (error) {
    status = statusOfError(error);
  }
  if (!wire.signal.aborted) wire.finish(status);
}

/** Sizes of a terminal from the JSON objects that clients write one after the other: `{"Width":80,"Height":24}`. What is no size is passed over. */
export async function* terminalSizes(
  bytes: AsyncIterable<Uint8Array>,
): AsyncIterable<{ width: number; height: number }> {
  let text = "";
  for await (const chunk of bytes) {
    text += Buffer.from(chunk).toString("utf8");
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = sizeOf(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size) yield size;
    }
  }
}

function sizeOf(text: string): { width: number; height: number } | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    return typeof width === "number" && typeof height === "number" ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}
