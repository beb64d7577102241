/**
 * Stands before the API servers of a cluster while something is wrong with them as clients see it: late answers, refusals, failures, watches that end.
 * Everything else passes through. It shows the API servers' own certificate, and hands on who a client with a certificate is as their front proxies do.
 */
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import { Agent, createServer, request as httpsRequest, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../clock/clock.js";
import type { ApiServerImpairment } from "../../domain/impairments.js";

/** PEM, as masters have them. */
export interface FrontCertificates {
  /** Signs certificates of servers and of clients. */
  ca: string;
  server: { cert: string; key: string };
  /** By which API servers know who may tell them who somebody is. */
  proxy: { cert: string; key: string };
}

export interface ApiFront {
  readonly host: string;
  readonly port: number;
  set(trouble: ApiServerImpairment): void;
  close(): void;
}

/** Requests that carry it are eksim's own, and feel nothing. */
export const PASS_HEADER = "x-eksim-pass";

/** Asked by load balancers and probes, which are no clients. */
const HEALTH = /^\/(healthz|livez|readyz)(\/|\?|$)/;
/** Only who has the proxy's certificate may say who somebody is; and what is of one connection alone. */
const NOT_HANDED_ON = /^(x-remote-|keep-alive$|x-eksim-pass$)/;
/** Of the names in their certificates the one that all have. */
const SERVER_NAME = "localhost";

const REFUSALS = {
  429: { reason: "TooManyRequests", message: "Too many requests, please try again later.", retryAfterSeconds: 1 },
  // In words of a real server: clients are not told that somebody plays with them.
  500: { reason: "InternalError", message: "Internal error occurred: etcdserver: leader changed" },
  503: { reason: "ServiceUnavailable", message: "the server is currently unable to handle the request" },
} as const;

type Refusal = keyof typeof REFUSALS;

function statusOf(code: Refusal): { headers: Record<string, string>; body: string } {
  const { reason, message, ...details } = REFUSALS[code];
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, details, code };
  const body = JSON.stringify(status);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
  };
  if ("retryAfterSeconds" in details) headers["retry-after"] = String(details.retryAfterSeconds);
  return { headers, body };
}

/** Headers for an API server. Not `known`: whoever asks has no certificate, and says in them who he is. */
function handedOn(headers: IncomingHttpHeaders, socket: TLSSocket): { headers: IncomingHttpHeaders; known: boolean } {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_HANDED_ON.test(name)));
  const user = socket.authorized ? socket.getPeerCertificate().subject : undefined;
  if (!user?.CN) return { headers: kept, known: false };
  const groups = [user.O ?? []].flat();
  const said = { "x-remote-user": user.CN, ...(groups.length > 0 ? { "x-remote-group": groups } : {}) };
  return { headers: { ...kept, ...said }, known: true };
}

/** Rejects when nothing can be served at `host`. */
export async function createApiFront(options: {
  clock: Clock;
  host: string;
  certificates: FrontCertificates;
  /** What eksim's own requests carry. */
  pass: string;
  /** Addresses of API servers that run, each with port 6443 unless it says another. */
  servers(): readonly { host: string; port?: number }[];
}): Promise<ApiFront> {
  const { clock, certificates, pass } = options;
  const random = clock.random("kind-api-front");
  let trouble: ApiServerImpairment = {};
  let turn = 0;
  const common = { keepAlive: true, ca: certificates.ca };
  const agents = { own: new Agent(common), proxy: new Agent({ ...common, ...certificates.proxy }) };

  const happens = (percent = 0): boolean => percent > 0 && random.next() * 100 < percent;

  /** What becomes of a request before any API server hears of it. */
  const judge = async ({ url = "", headers }: IncomingMessage): Promise<Refusal | undefined> => {
    if (headers[PASS_HEADER] === pass || HEALTH.test(url)) return undefined;
    const { latencyMs = 0, throttledPercent, failedPercent } = trouble;
    if (latencyMs > 0) await clock.sleep(latencyMs);
    // Whoever is turned away at the door meets nothing of what is wrong behind it.
    return happens(throttledPercent) ? 429 : happens(failedPercent) ? 500 : undefined;
  };

  const upstream = (message: IncomingMessage): (RequestOptions & { servername: string }) | undefined => {
    const servers = options.servers();
    const server = servers[turn++ % Math.max(1, servers.length)];
    if (!server) return undefined;
    const { headers, known } = handedOn(message.headers, message.socket as TLSSocket);
    const { method, url } = message;
    return {
      host: server.host,
      port: server.port ?? 6443,
      ...(method === undefined ? {} : { method }),
      ...(url === undefined ? {} : { path: url }),
      headers,
      servername: SERVER_NAME,
      agent: known ? agents.proxy : agents.own,
    };
  };

  const refuse = (response: ServerResponse, code: Refusal): void => {
    const { headers, body } = statusOf(code);
    response.writeHead(code, headers).end(body);
  };

  const isWatch = (url = ""): boolean => /[?&]watch=(1|true)(&|$)/.test(url);

  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refusal = await judge(message);
    // Whoever has not waited for it asks for nothing any more.
    if (response.destroyed) return;
    const to = upstream(message);
    if (refusal !== undefined || !to) return refuse(response, refusal ?? 503);
    const ends = isWatch(message.url) && message.headers[PASS_HEADER] !== pass ? trouble.watchesEndAfterMs : undefined;
    const asked = httpsRequest(to, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(response);
      answered.on("error", () => response.destroy());
      if (ends === undefined) return;
      const timer = clock.timer(ends, () => {
        // What comes from now on belongs to no answer any more.
        answered.unpipe(response);
        response.end();
      });
      response.on("close", () => timer.cancel());
    });
    asked.on("error", () => (response.headersSent ? response.destroy() : refuse(response, 503)));
    response.on("close", () => asked.destroy());
    response.on("error", () => asked.destroy());
    message.pipe(asked);
  };

  /** Commands in containers, logs that are followed, ports that are forwarded: two streams from then on. */
  const join = async (message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const say = (code: number, headers: Record<string, unknown>, body = ""): void => {
      const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
      socket.write([`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ""}`, ...lines, "", body].join("\r\n"));
    };
    const refused = (code: Refusal): void => {
      const { headers, body } = statusOf(code);
      say(code, { ...headers, connection: "close" }, body);
      socket.end();
    };
    socket.on("error", () => socket.destroy());
    const refusal = await judge(message);
    if (socket.destroyed) return;
    const to = upstream(message);
    if (refusal !== undefined || !to) return refused(refusal ?? 503);
    const asked = httpsRequest(to);
    socket.on("close", () => asked.destroy());
    asked.on("upgrade", (answered, other, first) => {
      say(answered.statusCode ?? 101, answered.headers);
      other.on("error", () => socket.destroy());
      other.on("close", () => socket.destroy());
      socket.on("close", () => other.destroy());
      socket.write(first);
      other.write(head);
      socket.pipe(other).pipe(socket);
    });
    asked.on("response", (answered) => {
      const { connection: _, "transfer-encoding": __, ...headers } = answered.headers;
      say(answered.statusCode ?? 502, { ...headers, connection: "close" });
      answered.pipe(socket);
    });
    asked.on("error", () => refused(503));
    asked.end();
  };

  const server: Server = createServer(
    { ...certificates.server, ca: certificates.ca, requestCert: true, rejectUnauthorized: false },
    (message, response) => void answer(message, response).catch(() => response.destroy()),
  );
  server.on("upgrade", (message, socket, head) => void join(message, socket, head).catch(() => socket.destroy()));
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen({ host: options.host, port: 0 }, resolve),
  );
  // It must not keep the process alive.
  server.unref();
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      trouble = next;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}
