import type { IncomingMessage } from "node:http";
import { createByteQueue } from "./byte-queue.js";
import { openChannels } from "./channels.js";
import { type ProcessRequest, type ProcessWire, terminalSizes } from "./remote-process.js";
import { chooseProtocol, offeredProtocols, type Upgrade } from "./upgrade.js";

/** exec and attach over a WebSocket. Channels: 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 4 sizes of the terminal. */

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;

const V5 = "v5.channel.k8s.io";
/** v5 ends single streams, v4 writes its end as JSON; the older ones write text, and nothing at all for success. */
const PROTOCOLS = [V5, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "", "channel.k8s.io", "base64.channel.k8s.io"];
const NOTHING = new Uint8Array(0);

/** Throws 403 when the client speaks no protocol of these. */
export function processProtocol(request: IncomingMessage): string {
  return chooseProtocol(offeredProtocols(request), PROTOCOLS);
}

export async function openWebSocketProcess(
  upgrade: Upgrade,
  protocol: string,
  wanted: ProcessRequest,
): Promise<ProcessWire> {
  const ws = await upgrade.websocket(protocol);
  const stdin = createByteQueue((full) => channels.pause(full));
  const sizes = createByteQueue();
  const channels = openChannels(ws, protocol, {
    receive(channel, bytes) {
      if (channel === STDIN && wanted.stdin) stdin.push(bytes);
      else if (channel === RESIZE) sizes.push(bytes);
    },
    closed(channel) {
      if (channel === STDIN) stdin.end();
    },
  });
  channels.signal.addEventListener("abort", () => {
    stdin.end();
    sizes.end();
  });
  // An empty message tells the client that the streams are there.
  channels.send(wanted.stdout ? STDOUT : wanted.stderr ? STDERR : ERROR, NOTHING);
  const saysAll = protocol.startsWith("v");
  return {
    ...(wanted.stdin ? { stdin } : {}),
    ...(wanted.tty ? { resizes: terminalSizes(sizes) } : {}),
    signal: channels.signal,
    stdout: (bytes) => channels.send(STDOUT, bytes),
    stderr: (bytes) => channels.send(STDERR, bytes),
    finish(status) {
      // Input that still comes must not hold up the client's good-bye.
      stdin.end();
      channels.pause(false);
      if (saysAll) channels.send(ERROR, Buffer.from(JSON.stringify(status)));
      else if (status.status !== "Success") channels.send(ERROR, Buffer.from(status.message ?? ""));
      channels.close();
    },
  };
}
