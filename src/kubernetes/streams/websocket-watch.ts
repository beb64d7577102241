import type { ServerResponse } from "node:http";
import { badRequest } from "../errors.js";
import type { ResourceExchange } from "../server/context.js";
import { leaveHttp, offeredProtocols } from "./upgrade.js";

/** Where a watch writes: as much of a response as it uses. */
export type WatchSink = Pick<ServerResponse, "writableLength" | "writeHead" | "flushHeaders" | "destroy"> & {
  write(text: string): unknown;
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
  const write = (text: string): void => {
    if (ws.readyState === ws.OPEN) for (const line of text.split("\n")) if (line !== "") ws.send(line);
  };
  return {
    get writableLength() {
      return ws.bufferedAmount;
    },
    write,
    end(text = "") {
      write(text);
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
