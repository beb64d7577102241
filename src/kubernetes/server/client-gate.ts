/**
 * Turns away callers that may not reach the endpoint, before TLS and before anything is said about who they are. Their connection is reset: what a network
 * does that does not let them through, only at once, where a real one may keep them waiting until they give up.
 */
import type { Socket } from "node:net";
import type { ClusterLog } from "../cluster.js";

/** Whether the caller at the other end may go on. */
export type ClientGate = (socket: Socket) => boolean;

/** `allowClient` is asked about each connection and each request, so that a change counts for connections that are open already. */
export function createClientGate(
  allowClient: ((remoteAddress: string) => boolean) | undefined,
  log: ClusterLog | undefined,
): ClientGate {
  if (!allowClient) return () => true;
  return (socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || allowClient(remoteAddress)) return true;
    log?.warn({ remoteAddress }, "a caller that may not reach this endpoint was turned away");
    return false;
  };
}
