/**
 * Turns away callers that may not reach the endpoint, before TLS and before anything is said about who they are, and breaks connections whose machine is
 * gone. They are reset: what a network does that does not let them through, only at once, where a real one may keep them waiting until they give up.
 */
import type { Socket } from "node:net";
import type { Random } from "../../clock/random.js";
import type { ClusterLog } from "../cluster.js";
import type { ServerDependencies } from "./context.js";

export interface ClientGate {
  /** To be told of every new connection. `from` = whose it is, where that is not whom the socket is connected with. */
  enter(socket: Socket, from?: string): void;
  /** Ends the connections of those that may no longer be here, watches included. */
  recheck(): void;
  /** Ends this share of the connections, 0 to 1: chance says which. */
  breakShare(share: number, random: Random): void;
}

/** `allowClient` is asked about every connection when it is made, and when all are looked at anew; `answers` when it is made. */
export function createClientGate(
  { allowClient, answers }: Pick<ServerDependencies, "allowClient" | "answers">,
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
      open.set(socket, from);
      socket.once("close", () => open.delete(socket));
      if (answers?.() === false) socket.resetAndDestroy();
      else check(socket, from);
    },
    recheck: () => {
      for (const [socket, from] of open) check(socket, from);
    },
    breakShare(share, random) {
      for (const socket of [...open.keys()]) if (random.next() < share) socket.resetAndDestroy();
    },
  };
}
