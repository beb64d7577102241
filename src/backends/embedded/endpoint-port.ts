/**
 * On which port of this machine a new cluster's API server listens. Kubeconfigs carry the port, so it must still be free after a restart: it is taken
 * from a range below the one that operating systems hand out by themselves (32768 and up on Linux, 49152 and up elsewhere), where whatever connects
 * or listens while eksim is down could take it.
 */
import { randomInt } from "node:crypto";
import { ENDPOINT_PORTS, type PortRange } from "../../domain/endpoint-ports.js";
import { BackendError } from "../backend.js";

/** How many ports of the range are tried before any free port will do. */
const ATTEMPTS = 20;

const isTaken = (error: unknown): boolean =>
  error instanceof Error && ["EADDRINUSE", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "");

/**
 * Listens on a free port of the range and returns it. Not drawn from the clock's seed: two emulators with the same seed must not meet at one port.
 * Rejects with what `listen` says when the address itself cannot be listened on, and when each port is taken of a range that somebody has chosen: those are
 * open to where clients are, and no other would be.
 */
export async function listenOnStablePort(
  listen: (port: number) => Promise<number>,
  { first, last }: PortRange = ENDPOINT_PORTS,
): Promise<number> {
  const isChosen = first !== ENDPOINT_PORTS.first || last !== ENDPOINT_PORTS.last;
  const span = last - first + 1;
  const from = randomInt(span);
  for (let attempt = 0; attempt < (isChosen ? span : ATTEMPTS); attempt++) {
    try {
      return await listen(first + ((from + attempt) % span));
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
  if (isChosen)
    throw new BackendError("failed", `no port from ${first} to ${last} is free: --endpoint-ports has to name more`);
  return listen(0);
}
