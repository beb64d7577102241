import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { StatusError } from "../errors.js";

/**
 * HTTP requests that ask for another protocol on their connection: WebSocket or SPDY/3.1. What they are, and how the protocol spoken on top of it
 * (`v5.channel.k8s.io`, `portforward.k8s.io`) is agreed on.
 */

/** A connection that Node's HTTP server has let go of because its request asks for an upgrade. */
export interface Upgrade {
  socket: Duplex;
  /** What the client has sent after the head of its request. */
  head: Buffer;
  /**
   * Answers a WebSocket's handshake with the protocol chosen ("": none). A broken handshake is answered by itself; the promise then never resolves, and the
   * connection is closed.
   */
  websocket(protocol: string): Promise<WebSocket>;
}

const SPDY = "spdy/3.1";
const WEBSOCKET = "websocket";
const PROTOCOL_VERSION = "x-stream-protocol-version";
const WEBSOCKET_PROTOCOL = "sec-websocket-protocol";
/** Browsers cannot set Authorization on a WebSocket: there the bearer token comes, base64url without padding, as one more protocol. */
const BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io.";

const upgradeOf = ({ headers }: IncomingMessage): string => (headers.upgrade ?? "").toLowerCase();

export const isWebSocket = (request: IncomingMessage): boolean => upgradeOf(request) === WEBSOCKET;
export const isSpdy = (request: IncomingMessage): boolean => upgradeOf(request) === SPDY;

const listed = (values: readonly string[] | undefined): string[] =>
  (values ?? [])
    .join(",")
    .split(",")
    .map((value) => value.trim())
    .filter((value) => value !== "");

/** The protocols that a WebSocket client offers, in its order of preference. */
export const offeredProtocols = (request: IncomingMessage): string[] =>
  listed(request.headersDistinct[WEBSOCKET_PROTOCOL]);

/** Moves a bearer token out of the list of WebSocket protocols to where bearer tokens are looked for. An Authorization header wins. */
export function takeBearerProtocol(request: IncomingMessage): void {
  if (!isWebSocket(request) || request.headers.authorization !== undefined) return;
  const offered = offeredProtocols(request);
  const bearer = offered.find((protocol) => protocol.startsWith(BEARER_PROTOCOL));
  const others = offered.filter((protocol) => protocol !== bearer);
  // As upstream: the token alone names no protocol that could be spoken, so it is no credential either.
  if (!bearer || others.length === 0) return;
  request.headers.authorization = `Bearer ${Buffer.from(bearer.slice(BEARER_PROTOCOL.length), "base64url")}`;
  request.headers[WEBSOCKET_PROTOCOL] = others.join(", ");
  request.headersDistinct[WEBSOCKET_PROTOCOL] = others;
}

/** The first of the client's protocols that is supported; "" where it names none and that is allowed. Throws 403 when nothing fits. */
export function chooseProtocol(offered: readonly string[], supported: readonly string[]): string {
  const chosen = (offered.length === 0 ? [""] : offered).find((protocol) => supported.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw new StatusError(
    403,
    "Forbidden",
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${supported.join(" ")}]`,
  );
}

/** The protocol for streams over SPDY, which clients offer in headers of their own; "" for clients that offer none. */
export function chooseSpdyProtocol(request: IncomingMessage, supported: readonly string[]): string {
  const offered = listed(request.headersDistinct[PROTOCOL_VERSION]);
  return offered.length === 0 ? "" : chooseProtocol(offered, supported);
}

/** From here on the connection speaks something else than HTTP, and the response is not used. */
export function leaveHttp({ response }: { response: ServerResponse }): void {
  if (response.socket) response.detachSocket(response.socket);
}

/** Answers a request for SPDY: from here on the connection carries its frames. */
export function acceptSpdy({ socket, head }: Upgrade, protocol: string): Duplex {
  const lines = [`HTTP/1.1 101 ${STATUS_CODES[101]}`, "Connection: Upgrade", "Upgrade: SPDY/3.1"];
  if (protocol) lines.push(`X-Stream-Protocol-Version: ${protocol}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}
