/**
 * Turns away callers that may not reach the endpoint, before TLS and before anything is said about who they are. Their connection is reset: what a network
 * does that does not let them through, only at once, where a real one may keep them waiting until they give up.
 */
import type { Socket } from "node:net";
import type { ClusterLog } from "../cluster.js";

export interface ClientGate {
  /** To be told of every new connection. */
  enter(socket: Socket): void;
  /** Ends the connections of those that may no longer be here, watches included. */
  recheck(): void;
}

/** `allowClient` is asked about every connection when it is made, and when all are looked at anew. */
export function createClientGate(
  allowClient: ((remoteAddress: string) => boolean) | undefined,
  log: ClusterLog | undefined,
): ClientGate {
  const open = new Set<Socket>();
  const check = (socket: Socket): void => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || !allowClient || allowClient(remoteAddress)) return;
    log?.warn({ remoteAddress }, "a caller that may not reach this endpoint was turned away");
    socket.resetAndDestroy();
  };
  return {
    enter(socket) {
      if (!allowClient) return;
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      check(socket);
    },
    recheck: () => {
      for (const socket of open) check(socket);
    },
  };
}
