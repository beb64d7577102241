import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ByteQueue, createByteQueue } from "./byte-queue.js";
import { type ProcessRequest, type ProcessWire, terminalSizes } from "./remote-process.js";
import { serveSpdy } from "./spdy/session.js";
import { acceptSpdy, chooseSpdyProtocol, type Upgrade } from "./upgrade.js";
import { MAX_BACKLOG_BYTES } from "./websocket.js";

/**
 * exec and attach over SPDY, as kubectl before 1.31 does it: the client opens a stream for each of stdin, stdout, stderr, resize and error, and the command runs
 * when all that its query announces are there.
 */

/** v4 and v5 write how it ended as JSON, v3 and later can resize a terminal. */
const PROTOCOLS = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
];
const TEXT_STATUS = new Set(["", "channel.k8s.io", "v2.channel.k8s.io", "v3.channel.k8s.io"]);
const WITHOUT_RESIZE = new Set(["", "channel.k8s.io", "v2.channel.k8s.io"]);

export const spdyProcessProtocol = (request: IncomingMessage): string => chooseSpdyProtocol(request, PROTOCOLS);

/** What comes on a stream; ends gently when the connection breaks. */
export function bytesOf(data: Duplex): ByteQueue {
  const queue = createByteQueue((full) => (full ? data.pause() : data.resume()));
  data.on("data", (chunk: Buffer) => queue.push(chunk));
  data.on("end", queue.end).on("close", queue.end);
  return queue;
}

/** Resolves when all streams are there; never when the client goes before, which is the end of it. */
export function openSpdyProcess(upgrade: Upgrade, protocol: string, wanted: ProcessRequest): Promise<ProcessWire> {
  const expected = new Set(["error"]);
  for (const name of ["stdin", "stdout", "stderr"] as const) if (wanted[name]) expected.add(name);
  // With a terminal there is one output only.
  if (wanted.tty) expected.delete("stderr");
  if (wanted.tty && !WITHOUT_RESIZE.has(protocol)) expected.add("resize");

  const carrier = acceptSpdy(upgrade, protocol);
  const gone = new AbortController();
  const streams = new Map<string, Duplex>();
  return new Promise((resolve) => {
    const session = serveSpdy({
      carrier,
      onStream({ headers, data }) {
        const type = headers.get("streamtype") ?? "";
        if (!expected.has(type) || streams.has(type))
          throw new Error(`unexpected stream type: ${JSON.stringify(type)}`);
        streams.set(type, data);
        if (streams.size === expected.size) resolve(wireOf());
      },
    });
    void session.closed.then(() => gone.abort(new Error("the client is gone")));

    const write = (type: string, bytes: Uint8Array): void => {
      const data = streams.get(type);
      if (!data?.writable) return;
      if (carrier.writableLength + data.writableLength > MAX_BACKLOG_BYTES) carrier.destroy();
      else data.write(bytes);
    };
    const input = (type: string): ByteQueue | undefined => {
      const data = streams.get(type);
      return data && bytesOf(data);
    };
    function wireOf(): ProcessWire {
      const stdin = input("stdin");
      const sizes = input("resize");
      // Nobody writes on these, but their ends have to be seen.
      for (const type of ["stdout", "stderr", "error"]) streams.get(type)?.resume();
      return {
        ...(stdin ? { stdin } : {}),
        ...(sizes ? { resizes: terminalSizes(sizes) } : {}),
        signal: gone.signal,
        stdout: (bytes) => write("stdout", bytes),
        stderr: (bytes) => write("stderr", bytes),
        finish(status) {
          if (!TEXT_STATUS.has(protocol)) write("error", Buffer.from(JSON.stringify(status)));
          else if (status.status !== "Success") write("error", Buffer.from(status.message ?? ""));
          stdin?.end();
          void session.close();
        },
      };
    }
  });
}
