import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import type { Clock } from "../../../clock/clock.js";
import type { PodStreams } from "../../pod-streams.js";
import { leaveHttp, type Upgrade } from "../upgrade.js";
import { type ProxiedPage, rewriteLinks, rewriteUrl } from "./html-links.js";
import { type PodTarget, type ProxyTarget, unreachable } from "./target.js";

/** Sends a client's HTTP request on to a port of a pod, or to a process of this machine, and the answer back. */

/** Belong to one connection, not to the message. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** The credentials were for the API server. */
const PRIVATE = new Set(["authorization"]);

function headersFor({ request, page, path, upgrade }: ProxiedRequest): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (!HOP_BY_HOP.has(name) && !PRIVATE.has(name) && !name.startsWith("impersonate-")) headers[name] = value;
  }
  if (upgrade) {
    headers.connection = "Upgrade";
    headers.upgrade = request.headers.upgrade;
  }
  const earlier = request.headers["x-forwarded-for"];
  const from = request.socket.remoteAddress ?? "";
  headers["x-forwarded-for"] = earlier ? `${String(earlier)}, ${from}` : from;
  headers["x-forwarded-uri"] = `${page.prefix}${path.replace(/\?.*$/s, "")}`;
  return headers;
}

export interface ProxiedRequest {
  /** By which the way to the target takes its time; undefined: it takes none. */
  clock?: Clock;
  streams: PodStreams | undefined;
  target: ProxyTarget;
  /** Path and query for the target. */
  path: string;
  page: ProxiedPage;
  request: IncomingMessage;
  response: ServerResponse;
  upgrade?: Upgrade;
}

async function openRequest(proxied: ProxiedRequest): Promise<ClientRequest> {
  const { target, path, request, streams } = proxied;
  const options: RequestOptions = { method: request.method, path, headers: headersFor(proxied), setHost: false };
  if (target.kind === "process") {
    const { hostname, port, protocol, pathname } = target.url;
    const at = { ...options, hostname, port, path: `${pathname.replace(/\/$/, "")}${path}`, agent: false as const };
    // As upstream: what a proxied server's certificate says is not looked at.
    return protocol === "https:" ? httpsRequest({ ...at, rejectUnauthorized: false }) : httpRequest(at);
  }
  if (!streams) throw unreachable(`dial tcp ${target.host}: connect: no route to host`);
  const connection = await connectTo(proxied.clock, streams, target);
  return httpRequest({ ...options, createConnection: () => connection });
}

async function connectTo(
  clock: Clock | undefined,
  streams: PodStreams,
  { pod, port, host, scheme }: PodTarget,
): Promise<Duplex> {
  try {
    const ms = streams.dial?.(pod).totalMs ?? 0;
    if (ms > 0) await clock?.sleep(ms);
    const connection = await streams.connect(pod, port);
    if (scheme === "http") return connection;
    // Programs that are stood in for have no certificate, although the real ones would: they are spoken to without TLS.
    return (await encrypted(connection)) ?? (await streams.connect(pod, port));
  } catch (error) {
    const refused = (error as Error).message.includes("connection refused");
    throw unreachable(`dial tcp ${host}: ${refused ? "connect: connection refused" : "i/o timeout"}`);
  }
}

/** TLS over the connection, whatever the certificate says; undefined when the other side does not speak it. */
async function encrypted(connection: Duplex): Promise<Duplex | undefined> {
  const { connect } = await import("node:tls");
  return new Promise((resolve) => {
    const secured = connect({ socket: connection, rejectUnauthorized: false }, () => resolve(secured));
    const giveUp = (): void => {
      connection.destroy();
      resolve(undefined);
    };
    secured.on("error", giveUp).on("close", giveUp);
  });
}

/** Resolves when the answer has begun, and throws StatusError (503) when there is none. */
export async function proxyRequest(proxied: ProxiedRequest): Promise<void> {
  const { request, response, upgrade, page } = proxied;
  const outgoing = await openRequest(proxied);
  const client = upgrade?.socket ?? response;
  client.on("close", () => outgoing.destroy());
  const answer = await new Promise<IncomingMessage | undefined>((resolve, reject) => {
    outgoing.on("response", resolve);
    outgoing.on("upgrade", (incoming, socket, head) => {
      if (upgrade) {
        leaveHttp({ response });
        joinUpgraded(incoming, socket, head, upgrade);
      } else socket.destroy();
      resolve(undefined);
    });
    outgoing.on("error", (error) => reject(unreachable(error.message)));
    if (upgrade) outgoing.end();
    else void pipeline(request, outgoing).catch(() => {});
  });
  if (!answer) return;
  answer.on("error", () => {});
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(answer.headers)) if (!HOP_BY_HOP.has(name)) headers[name] = value;
  if (headers.location) headers.location = rewriteUrl(headers.location, page);
  const code = answer.statusCode ?? 502;
  const changed = headers.location ? undefined : await rewrittenPage(answer, request.method, page);
  if (changed !== undefined) {
    delete headers["content-encoding"];
    headers["content-length"] = String(changed.length);
    response.writeHead(code, answer.statusMessage, headers);
    response.end(changed);
    return;
  }
  response.writeHead(code, answer.statusMessage, headers);
  response.flushHeaders();
  void pipeline(answer, response).catch(() => response.destroy());
}

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  "": async (bytes) => bytes,
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
};

/** The bytes of an HTML page with its links changed; undefined for everything else, which is passed on as it comes. */
async function rewrittenPage(
  answer: IncomingMessage,
  method: string | undefined,
  page: ProxiedPage,
): Promise<Buffer | undefined> {
  const type = (answer.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  const decode = DECODERS[answer.headers["content-encoding"] ?? ""];
  if (type !== "text/html" || method === "HEAD" || !decode) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const html = await decode(Buffer.concat(chunks));
  return Buffer.from(rewriteLinks(html.toString("utf8"), (url) => rewriteUrl(url, page)));
}

/** Another protocol has been agreed on: from here on bytes go both ways as they are. */
function joinUpgraded(
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { socket: client, head: sent }: Upgrade,
): void {
  const lines = [`HTTP/1.1 ${incoming.statusCode} ${incoming.statusMessage}`];
  for (let i = 0; i < incoming.rawHeaders.length; i += 2)
    lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
  client.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (head.length > 0) client.write(head);
  if (sent.length > 0) socket.write(sent);
  client.pipe(socket).on("error", () => {});
  socket.pipe(client);
  client.on("close", () => socket.destroy());
  socket.on("close", () => client.destroy());
}
