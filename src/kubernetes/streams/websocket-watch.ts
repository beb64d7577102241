import type { ServerResponse } from "node:http";
import { badRequest } from "../errors.js";
import type { ResourceExchange } from "../server/context.js";
import { leaveHttp, offeredProtocols } from "./upgrade.js";

/** Where a watch writes: as much of a response as it uses. */
export type WatchSink = Pick<ServerResponse, "writeHead" | "flushHeaders" | "destroy"> & {
  /** `done` is called when they are on their way, or cannot be sent. */
  write(bytes: Buffer, done: (error?: Error | null) => void): unknown;
  end(text?: string): unknown;
  on(event: "close", callback: () => void): unknown;
};

const NORMAL_CLOSURE = 1000;

/** A watch over a WebSocket, as browsers open it: each event is a text message. What the client sends is not looked at. */
export async function openWatchSocket(exchange: ResourceExchange): Promise<WatchSink> {
  const { request, upgrade } = exchange;
  if (!upgrade) throw badRequest("Upgrade request required");
  const [protocol = ""] = offeredProtocols(request);
  leaveHttp(exchange);
  const ws = await upgrade.websocket(protocol);
  const write = (text: string, done: (error?: Error) => void): void => {
    const lines = ws.readyState === ws.OPEN ? text.split("\n").filter((line) => line !== "") : [];
    const last = lines.pop();
    for (const line of lines) ws.send(line);
    if (last !== undefined) ws.send(last, done);
  };
  return {
    write: (bytes, done) => write(bytes.toString(), done),
    end(text = "") {
      write(text, () => {});
      ws.close(NORMAL_CLOSURE);
    },
    on: (event, callback) => ws.on(event, callback),
    // A message needs no head: the connection has had it.
    writeHead: () => exchange.response,
    flushHeaders: () => {},
    destroy() {
      ws.terminate();
      return exchange.response;
    },
  };
}
