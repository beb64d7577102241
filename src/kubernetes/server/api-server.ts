/** The HTTPS endpoint of a cluster: connections, and the way of every request. */
import { type IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { atRest } from "../../clock/clock.js";
import type { UserInfo } from "../api.js";
import type { ClusterTls } from "../cluster.js";
import { methodNotAllowed, StatusError } from "../errors.js";
import type { Streams } from "../streams/index.js";
import { isWebSocket, takeBearerProtocol, type Upgrade } from "../streams/upgrade.js";
import { createWebSocketAcceptor } from "../streams/websocket.js";
import type { ApiTroubles } from "./api-troubles.js";
import { authenticate, impersonated } from "./authenticate.js";
import { assertAllowed, assertMayImpersonate, attributesOf } from "./authorize.js";
import { createClientGate } from "./client-gate.js";
import { startCompaction } from "./compaction.js";
import type { Exchange, ServerDependencies } from "./context.js";
import { createFlowControl } from "./flow-control.js";
import { isHealthCheck } from "./health.js";
import { createInProcessCaller, type InProcessCaller } from "./in-process.js";
import { createRequestMetrics } from "./metrics.js";
import { createPathAnswers } from "./path-requests.js";
import { parseRequest, type RequestInfo, readsOnly } from "./request-info.js";
import { prepareAll } from "./resource-requests.js";
import { type Answer, answerOfError, send } from "./respond.js";
import { answerResource, isConnection, needsNoEtcd, resolve } from "./routing.js";
import { createWatches } from "./watching.js";

/** Longer than the 90 seconds for which Go clients keep idle connections, so that it is never the server that closes first. */
const KEEP_ALIVE_MS = 120_000;

/** `ca` is who may have signed the certificates of clients. */
const secureContext = ({ serverKey, serverCert, caCert }: ClusterTls): { key: string; cert: string; ca: string } => ({
  key: serverKey,
  cert: serverCert,
  ca: caCert,
});

/** The answer to bytes that are no HTTP request, as Go's server words it. */
function refusalOf(code: string | undefined): string {
  const status = code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`;
}

export interface ApiServer {
  /** Resolves with the port bound; port 0 picks a free one. Rejects when the address is taken. */
  listen(address: { host: string; port: number }): Promise<number>;
  /** Serves a connection that somebody else accepted, as that of a caller at `remoteAddress`. */
  accept(socket: Socket, remoteAddress: string): void;
  /** A request of somebody in this process, answered as one that came over the network. */
  ask: InProcessCaller["ask"];
  /** Certificates for connections that are made from now on. */
  setTls(tls: ClusterTls): void;
  close(): Promise<void>;
  /** Ends the connections of callers that `allowClient` no longer lets in. */
  recheckClients(): void;
  /** One of the machines behind the endpoint is gone, and with it this share, 0 to 1, of the connections. */
  breakConnections(share: number): void;
  /** Watches open now. */
  readonly watches: number;
}

/**
 * The HTTPS endpoint of a cluster. Every request goes the same way: parse the raw path, authenticate, impersonate, authorise, answer; writes are
 * answered when they are durable.
 */
export function createApiServer(dependencies: ServerDependencies & { tls: ClusterTls }): ApiServer {
  const { registry, authorizers, log, tls, troubles } = dependencies;
  const watches = createWatches(registry, dependencies.troubles);
  const metrics = createRequestMetrics();
  const flowControl = createFlowControl(registry);
  const auditIds = registry.clock.random("audit-ids");
  let compaction: { stop(): void } | undefined;
  let port = 0;
  const { aggregator } = dependencies;
  const answerPath = createPathAnswers(dependencies, {
    serverAddress: () => `127.0.0.1:${port}`,
    metrics: () => metrics.text(registry.store, watches.count),
  });

  let streams: Promise<Streams> | undefined;

  /** Loaded when somebody first asks for a connection into a pod. */
  async function loadStreams(): Promise<Streams> {
    const { createStreams } = await import("../streams/index.js");
    return createStreams(dependencies);
  }

  async function identify(request: IncomingMessage): Promise<UserInfo> {
    const user = await authenticate(request, dependencies);
    const wanted = impersonated(request);
    if (!wanted) return user;
    assertMayImpersonate(authorizers, user, wanted, request.headersDistinct["impersonate-group"] ?? []);
    return wanted;
  }

  /** Undefined when the answer is a watch, which has begun by itself. */
  async function answer(exchange: Exchange): Promise<Answer | undefined> {
    const { info, request } = exchange;
    const passedOn = aggregator?.answer(exchange);
    if (passedOn) return (await passedOn).answer;
    if (!info.resource) {
      return answerPath(info, request);
    }
    if (!registry.available && !needsNoEtcd(info)) registry.assertAvailable();
    const resolved = resolve(dependencies, exchange);
    if (isConnection(resolved)) {
      streams ??= loadStreams();
      return (await streams).answer(resolved);
    }
    if (info.verb === "watch" && resolved.target.subresource === undefined) {
      if (!resolved.entry.info.verbs.includes("watch")) throw methodNotAllowed();
      const preparing = prepareAll(registry, resolved);
      if (preparing) await preparing;
      if (resolved.upgrade && isWebSocket(request)) {
        const { openWatchSocket } = await import("../streams/websocket-watch.js");
        watches.open(resolved, await openWatchSocket(resolved));
      } else watches.open(resolved);
      return undefined;
    }
    if (readsOnly(request.method)) return answerResource(dependencies, resolved);
    if (!exchange.inside) await atRest(registry.clock);
    const given = await answerResource(dependencies, resolved);
    await registry.store.flushed();
    return given;
  }

  /** What is wrong with this server, as one request meets it. Health checks are only late. */
  async function meetTrouble({ present, assertSpared }: ApiTroubles, path: string, inside: boolean): Promise<void> {
    // Whoever asks from inside has waited for the answer's time already.
    if (present?.latencyMs && !inside) await registry.clock.sleep(present.latencyMs);
    if (!isHealthCheck(path)) assertSpared();
  }

  async function handle(request: IncomingMessage, response: ServerResponse, upgrade?: Upgrade): Promise<void> {
    let info: RequestInfo | undefined;
    let given: Answer | undefined;
    if (!upgrade) response.setHeader("Audit-Id", String(request.headers["audit-id"] ?? auditIds.uuid()));
    try {
      info = parseRequest(request.method ?? "GET", request.url ?? "/");
      const user = await identify(request);
      const inside = inProcess.isInside(request);
      if (troubles?.present) {
        await meetTrouble(troubles, info.path, inside);
        // Nobody waits for the answer any more.
        if (request.socket.destroyed) return;
      }
      if (!upgrade) for (const [name, value] of flowControl.headers(user, info)) response.setHeader(name, value);
      if (info.resource) dependencies.deprecated?.note(info.resource, request.headers["user-agent"]);
      assertAllowed(authorizers, attributesOf(user, info));
      const exchange: Exchange = { request, response, info, user };
      if (inside) exchange.inside = true;
      if (upgrade) exchange.upgrade = upgrade;
      given = await answer(exchange);
    } catch (error) {
      if (!(error instanceof StatusError))
        log?.error({ error, method: request.method, path: info?.path }, "a request failed");
      given = answerOfError(error);
      // Too late for an answer: the connection speaks another protocol by now.
      if (upgrade && !response.socket) upgrade.socket.destroy();
    }
    if (info) {
      const target = info.resource;
      const entry = target && registry.catalogue.byPath(target.group, target.version, target.resource);
      metrics.count(info, entry?.info, given?.code ?? 200);
    }
    if (!given) return;
    const sending = send(request, response, given);
    // A body that was refused unread must not be mistaken for the next request.
    if (!request.complete) request.resume();
    if (sending) await sending;
  }

  const gate = createClientGate(dependencies, log);
  const server = createServer(
    {
      ...secureContext(tls),
      requestCert: true,
      rejectUnauthorized: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      handle(request, response).catch((error: unknown) => {
        log?.error({ error, method: request.method, path: request.url }, "an answer could not be sent");
        response.destroy();
      });
    },
  );
  const inProcess = createInProcessCaller(server);
  const acceptWebSocket = createWebSocketAcceptor();
  const upgraded = new Set<Socket>();
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Breaks of such connections end what runs on them, by their `close`.
    socket.on("error", () => {});
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    takeBearerProtocol(request);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on("finish", () => socket.end());
    const websocket = (protocol: string) => acceptWebSocket(request, { socket, head }, protocol);
    void handle(request, response, { socket, head, websocket });
  });
  /** Connections that were handed over by somebody else who listens, and whose they are. */
  const handedOver = new WeakMap<Socket, string>();
  server.on("connection", (socket: Socket) => gate.enter(socket, handedOver.get(socket)));
  // Node's parser is paused while a long answer is still on its way, but takes what TLS decrypts all the same and fails with HPE_PAUSED: the next request
  // of a quick client, if it is longer than a TLS record. Once somebody has listened for data, the bytes come to it through the stream, which does wait.
  server.on("secureConnection", (socket) => {
    const nobody = (): void => {};
    socket.on("data", nobody);
    socket.off("data", nobody);
  });
  // Broken handshakes and connections cut off in the middle are the clients' affair.
  server.on("tlsClientError", () => {});
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
    else socket.end(refusalOf(error.code));
  });

  return {
    get watches() {
      return watches.count;
    },
    recheckClients: gate.recheck,
    breakConnections: (share) =>
      gate.breakShare(share, registry.clock.random(`connections/${registry.store.revision}`)),
    ask: inProcess.ask,
    accept(socket, remoteAddress) {
      handedOver.set(socket, remoteAddress);
      server.emit("connection", socket);
    },
    listen: (address) =>
      new Promise((resolvePort, reject) => {
        server.once("error", reject);
        server.listen(address.port, address.host, () => {
          server.removeListener("error", reject);
          port = (server.address() as AddressInfo).port;
          compaction ??= startCompaction(registry);
          resolvePort(port);
        });
      }),
    setTls: (next) => server.setSecureContext(secureContext(next)),
    close: () =>
      new Promise((done) => {
        watches.close();
        for (const socket of upgraded) socket.destroy();
        compaction?.stop();
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
