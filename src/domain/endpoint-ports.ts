/**
 * Ports of this machine for the API servers of clusters, first and last both included. Kubeconfigs carry the port, so it must still be free after a restart:
 * the range lies below the one that operating systems hand out by themselves (32768 and up on Linux, 49152 and up elsewhere), and 10,000 of them leave room
 * for many clusters in many emulators on one machine.
 */
export const ENDPOINT_PORTS: PortRange = { first: 20_000, last: 29_999 };

/** Both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}
