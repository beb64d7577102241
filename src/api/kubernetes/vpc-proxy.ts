/**
 * A way into clusters' VPCs: an HTTP proxy (CONNECT) on the emulator's own port, which reaches API servers of clusters by their private endpoints and nothing
 * else. Whoever uses it is a caller inside the VPC; who that is, the API server finds out for itself.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { endpointHostName } from "../../domain/eks/endpoint-access.js";
import type { ClusterRecord, MemberRecord } from "../../domain/model.js";

export interface VpcProxyDependencies {
  clusters(): readonly ClusterRecord[];
  members(clusterId: string): readonly MemberRecord[];
  /** Takes the connection over. Throws when the cluster cannot be reached. */
  accept(cluster: ClusterRecord, socket: Socket): void;
  log: { debug(fields: Record<string, unknown>, message: string): void };
}

export type Destination = { cluster: ClusterRecord } | { status: 403 | 502; reason: string };

/**
 * Which cluster `host:port` means: the endpoint's name as AWS has it, the endpoint that DescribeCluster shows (so that a kubeconfig only needs a `proxy-url`
 * more), or the private address of one of its masters where no other cluster has the same.
 */
export function destinationOf(
  authority: string,
  { clusters, members }: Pick<VpcProxyDependencies, "clusters" | "members">,
): Destination {
  const [, host = "", port = "443"] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(authority.toLowerCase()) ?? [];
  const served = clusters().filter(({ endpoint }) => endpoint !== undefined);
  const named = served.find(
    ({ id, region, endpoint = "" }) =>
      (port === "443" && host === endpointHostName(id, region)) || authority.toLowerCase() === hostOf(endpoint),
  );
  if (named) return { cluster: named };
  const owners = served.filter(({ id }) =>
    members(id).some(({ networkInterface }) => port === "443" && networkInterface?.privateIp === host),
  );
  const [owner] = owners;
  if (owner && owners.length === 1) return { cluster: owner };
  if (owner)
    return { status: 502, reason: `${host} is an address in ${owners.length} VPCs - name the cluster's endpoint` };
  return { status: 403, reason: `no cluster has its endpoint at ${authority.replace(/[^\w.:[\]-]/g, "?")}` };
}

const hostOf = (endpoint: string): string => endpoint.replace(/^https:\/\//, "").toLowerCase();

/** Serves CONNECT on a server that does something else besides. Returns what ends the connections that are open. */
export function serveVpcProxy(server: Server, dependencies: VpcProxyDependencies): () => void {
  const open = new Set<Socket>();
  const connect = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    socket.on("error", () => {});
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const destination = destinationOf(request.url ?? "", dependencies);
    if ("reason" in destination) {
      refuse(socket, destination);
      return;
    }
    socket.setTimeout(0);
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.length > 0) socket.unshift(head);
    try {
      dependencies.accept(destination.cluster, socket);
    } catch (error) {
      dependencies.log.debug({ cluster: destination.cluster.name, err: error }, "no way into the VPC");
      socket.destroy();
    }
  };
  server.on("connect", connect);
  return () => {
    server.off("connect", connect);
    for (const socket of open) socket.destroy();
  };
}

/** Clients show the status line to their users. */
function refuse(socket: Socket, { status, reason }: { status: number; reason: string }): void {
  socket.end(
    `HTTP/1.1 ${status} eksim: ${reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${reason.length + 1}\r\nconnection: close\r\n\r\n${reason}\n`,
  );
}
