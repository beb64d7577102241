import type { IncomingMessage } from "node:http";
import type { WebSocket, WebSocketServer } from "ws";
import type { Upgrade } from "./upgrade.js";

/** Most that may wait to be taken by a client that reads slowly, bytes; a client that is further behind is cut off. */
export const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;

/** Accepts WebSocket connections, see Upgrade.websocket. The library is loaded with the first of them. */
export function createWebSocketAcceptor(): (
  request: IncomingMessage,
  connection: Pick<Upgrade, "socket" | "head">,
  protocol: string,
) => Promise<WebSocket> {
  let loading: Promise<WebSocketServer> | undefined;
  async function load(): Promise<WebSocketServer> {
    const { WebSocketServer } = await import("ws");
    return new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // The caller has chosen already, and written the choice in the place of what the client offered.
      handleProtocols: (protocols) => [...protocols][0] ?? false,
    });
  }
  return async (request, { socket, head }, protocol) => {
    loading ??= load();
    const server = await loading;
    if (protocol) request.headers["sec-websocket-protocol"] = protocol;
    else delete request.headers["sec-websocket-protocol"];
    return new Promise((resolve) => {
      server.handleUpgrade(request, socket, head, (ws) => {
        // Connections that break are the client's affair; `close` follows and is what everybody listens to.
        ws.on("error", () => {});
        resolve(ws);
      });
    });
  };
}
