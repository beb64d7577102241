import type { WebSocket } from "ws";
import { MAX_BACKLOG_BYTES } from "./websocket.js";

/**
 * Several streams over one WebSocket, as Kubernetes' `channel.k8s.io` protocols do it: the first byte of each message says which stream the rest belongs to.
 * The base64 forms use text messages, whose first character is the stream's digit.
 */
export interface Channels {
  send(channel: number, bytes: Uint8Array): void;
  /** As `send`; resolves when there is room for more, or nobody who could take it. */
  sendPatiently(channel: number, bytes: Uint8Array): Promise<void>;
  /** Says good-bye; what has been sent before still arrives. */
  close(): void;
  /** Ceases to read from the connection, or goes on. */
  pause(paused: boolean): void;
  /** Aborted when the connection has ended, whoever ended it. */
  readonly signal: AbortSignal;
}

export interface ChannelListener {
  receive(channel: number, bytes: Buffer): void;
  /** v5: the client will send no more on this stream. */
  closed?(channel: number): void;
}

/** v5's own channel: its message holds the number of the stream that ends. */
const CLOSE_CHANNEL = 255;
const DIGIT_ZERO = 48;
const NORMAL_CLOSURE = 1000;

const isBase64 = (protocol: string): boolean => protocol.includes("base64.");
const knowsClose = (protocol: string): boolean => protocol.startsWith("v5.");

export function openChannels(ws: WebSocket, protocol: string, listener: ChannelListener): Channels {
  const base64 = isBase64(protocol);
  const gone = new AbortController();
  ws.on("message", (data: Buffer) => {
    if (data.length === 0) return;
    const first = data[0] as number;
    if (base64) listener.receive(first - DIGIT_ZERO, Buffer.from(data.toString("latin1", 1), "base64"));
    else if (first === CLOSE_CHANNEL && knowsClose(protocol)) listener.closed?.(data[1] ?? CLOSE_CHANNEL);
    else listener.receive(first, data.subarray(1));
  });
  ws.on("close", () => gone.abort(new Error("the client is gone")));
  function messageOf(channel: number, bytes: Uint8Array): string | Buffer {
    if (base64) return `${channel}${Buffer.from(bytes).toString("base64")}`;
    const message = Buffer.allocUnsafe(bytes.length + 1);
    message[0] = channel;
    message.set(bytes, 1);
    return message;
  }
  return {
    signal: gone.signal,
    send(channel, bytes) {
      if (ws.readyState !== ws.OPEN) return;
      if (ws.bufferedAmount > MAX_BACKLOG_BYTES) ws.terminate();
      else ws.send(messageOf(channel, bytes));
    },
    sendPatiently: (channel, bytes) => new Promise((resolve) => ws.send(messageOf(channel, bytes), () => resolve())),
    close: () => ws.close(NORMAL_CLOSURE),
    pause: (paused) => (paused ? ws.pause() : ws.resume()),
  };
}
