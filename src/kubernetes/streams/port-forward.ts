import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { badRequest } from "../errors.js";
import type { ObjectKey } from "../object.js";
import type { PodStreams } from "../pod-streams.js";
import { openChannels } from "./channels.js";
import { serveSpdy } from "./spdy/session.js";
import { acceptSpdy, chooseProtocol, chooseSpdyProtocol, offeredProtocols, type Upgrade } from "./upgrade.js";

/** Connections to ports of a pod through the API server: what `kubectl port-forward` does. */

interface Forwarding {
  streams: PodStreams;
  pod: ObjectKey;
}

/** Joins the client's bytes and the port, in both directions, until both have ended. Never rejects; `report` gets what has gone wrong, in the kubelet's words. */
async function forward(
  { streams, pod }: Forwarding,
  port: number,
  client: Duplex,
  report: (message: string) => void,
): Promise<void> {
  try {
    const connection = await streams.connect(pod, port);
    connection.on("error", () => {});
    // Each direction ends by itself: who has sent everything may still want to read.
    await Promise.all([
      pipeline(client, connection).catch(() => connection.destroy()),
      pipeline(connection, client).catch(() => client.destroy()),
    ]);
  } catch (error) {
    report(`error forwarding port ${port} to pod ${pod.namespace}/${pod.name}, uid : ${(error as Error).message}`);
  }
}

const SPDY_PROTOCOLS = ["portforward.k8s.io"];
const TUNNEL_PREFIX = "SPDY/3.1+";
const CHANNEL_PROTOCOLS = ["", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"];

export const spdyForwardProtocol = (request: IncomingMessage): string => chooseSpdyProtocol(request, SPDY_PROTOCOLS);

/** kubectl 1.31 and later carry SPDY inside of a WebSocket; others have two channels for each port. */
export function websocketForwardProtocol(request: IncomingMessage): { protocol: string; tunnel: boolean } {
  const offered = offeredProtocols(request);
  const tunnel = offered.some((protocol) => protocol.startsWith(TUNNEL_PREFIX));
  const supported = tunnel ? SPDY_PROTOCOLS.map((protocol) => TUNNEL_PREFIX + protocol) : CHANNEL_PROTOCOLS;
  return { protocol: chooseProtocol(offered, supported), tunnel };
}

function portOf(text: string, what: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 65535) throw new Error(`unable to parse ${JSON.stringify(text)} as a port`);
  if (Number(text) < 1) throw new Error(`${what} ${JSON.stringify(text)} must be > 0`);
  return Number(text);
}

/** The ports in the query of a request with channels: `?ports=80,443` or `?ports=80&ports=443`. Throws 400. */
export function requestedPorts(query: URLSearchParams): number[] {
  const texts = query.getAll("ports").flatMap((value) => value.split(","));
  if (texts.length === 0) throw badRequest('query parameter "ports" is required');
  return texts.map((text) => {
    if (text === "") throw badRequest('query parameter "ports" cannot be empty');
    try {
      return portOf(text, "port");
    } catch (error) {
      throw badRequest((error as Error).message);
    }
  });
}

/** Over SPDY: for each connection a stream with its bytes and one for what goes wrong, which name the port and belong together by their request's id. */
async function forwardOverSpdy(forwarding: Forwarding, carrier: Duplex): Promise<void> {
  const halves = new Map<string, { data?: Duplex; error?: Duplex }>();
  const session = serveSpdy({
    carrier,
    onStream({ id, headers, data }) {
      const type = headers.get("streamtype");
      const port = portOf(headers.get("port") ?? "", "port");
      if (type !== "data" && type !== "error") throw new Error(`invalid stream type ${JSON.stringify(type ?? "")}`);
      // Clients from before ids open the error stream first and the data stream right after it.
      const request = headers.get("requestid") ?? String(type === "error" ? id : id - 2);
      const pair = { ...halves.get(request), [type]: data };
      const { data: bytes, error } = pair;
      if (!bytes || !error) {
        halves.set(request, pair);
        return;
      }
      halves.delete(request);
      error.resume();
      void forward(forwarding, port, bytes, (message) => {
        error.write(message);
      }).then(() => {
        error.end();
        bytes.end();
        bytes.resume();
      });
    },
  });
  await session.closed;
}

export async function forwardOverTunnel(forwarding: Forwarding, upgrade: Upgrade, protocol: string): Promise<void> {
  const ws = await upgrade.websocket(protocol);
  const { createWebSocketStream } = await import("ws");
  const carrier = createWebSocketStream(ws);
  carrier.on("error", () => {});
  await forwardOverSpdy(forwarding, carrier);
}

export const forwardOverRawSpdy = (forwarding: Forwarding, upgrade: Upgrade, protocol: string): Promise<void> =>
  forwardOverSpdy(forwarding, acceptSpdy(upgrade, protocol));

/** Over channels: 2n holds the bytes of the nth port, 2n+1 what goes wrong; both begin with the port, two bytes, little end first. */
export async function forwardOverChannels(
  forwarding: Forwarding,
  upgrade: Upgrade,
  { protocol, ports }: { protocol: string; ports: readonly number[] },
): Promise<void> {
  const ws = await upgrade.websocket(protocol);
  const clients = ports.map((_port, index) => {
    const client = new Duplex({
      read: () => channels.pause(false),
      write: (bytes: Buffer, _encoding, done) => void channels.sendPatiently(2 * index, bytes).then(() => done()),
      // These protocols cannot say that one direction has ended: with the port's own end the connection is over.
      final(done) {
        client.push(null);
        done();
      },
    });
    client.on("error", () => {});
    return client;
  });
  const channels = openChannels(ws, protocol, {
    receive(channel, bytes) {
      const client = channel % 2 === 0 ? clients[channel / 2] : undefined;
      if (client && !client.readableEnded && !client.push(bytes)) channels.pause(true);
    },
  });
  channels.signal.addEventListener("abort", () => {
    for (const client of clients) client.destroy();
  });
  await Promise.all(
    clients.map((client, index) => {
      const port = ports[index] as number;
      const opening = Buffer.from([port & 0xff, port >> 8]);
      channels.send(2 * index, opening);
      channels.send(2 * index + 1, opening);
      return forward(forwarding, port, client, (message) => channels.send(2 * index + 1, Buffer.from(message)));
    }),
  );
  channels.close();
}
