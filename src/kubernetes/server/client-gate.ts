/**
 * Turns away callers that may not reach the endpoint, before TLS and before anything is said about who they are. Their connection is reset: what a network
 * does that does not let them through, only at once, where a real one may keep them waiting until they give up.
 */
import type { Socket } from "node:net";
import type { ClusterLog } from "../cluster.js";

export interface ClientGate {
  /** To be told of every new connection. `from` = whose it is, where that is not whom the socket is connected with. */
  enter(socket: Socket, from?: string): void;
  /** Ends the connections of those that may no longer be here, watches included. */
  recheck(): void;
}

/** `allowClient` is asked about every connection when it is made, and when all are looked at anew. */
export function createClientGate(
  allowClient: ((remoteAddress: string) => boolean) | undefined,
  log: ClusterLog | undefined,
): ClientGate {
  const open = new Map<Socket, string | undefined>();
  const check = (socket: Socket, remoteAddress = socket.remoteAddress): void => {
    if (remoteAddress === undefined || !allowClient || allowClient(remoteAddress)) return;
    log?.warn({ remoteAddress }, "a caller that may not reach this endpoint was turned away");
    socket.resetAndDestroy();
  };
  return {
    enter(socket, from) {
      if (!allowClient) return;
      open.set(socket, from);
      socket.once("close", () => open.delete(socket));
      check(socket, from);
    },
    recheck: () => {
      for (const [socket, from] of open) check(socket, from);
    },
  };
}
