import { type IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { atRest } from "../../clock/clock.js";
import type { UserInfo } from "../api.js";
import type { ClusterTls } from "../cluster.js";
import { methodNotAllowed, StatusError } from "../errors.js";
import type { OpenApi } from "../schema/openapi/documents.js";
import { preferredVersion } from "../schema/resources.js";
import type { Streams } from "../streams/index.js";
import { isWebSocket, takeBearerProtocol, type Upgrade } from "../streams/upgrade.js";
import { createWebSocketAcceptor } from "../streams/websocket.js";
import { createDiscovery } from "../wire/discovery.js";
import { negotiate, parseAccept } from "../wire/negotiate.js";
import type { ApiTroubles } from "./api-troubles.js";
import { authenticate, impersonated } from "./authenticate.js";
import { assertAllowed, assertMayImpersonate, attributesOf } from "./authorize.js";
import { createClientGate } from "./client-gate.js";
import { startCompaction } from "./compaction.js";
import type { Exchange, ServerDependencies } from "./context.js";
import { createFlowControl } from "./flow-control.js";
import { answerHealth, isHealthCheck } from "./health.js";
import { createInProcessCaller, type InProcessCaller } from "./in-process.js";
import { createRequestMetrics } from "./metrics.js";
import { parseRequest, type RequestInfo } from "./request-info.js";
import { prepareAll } from "./resource-requests.js";
import { type Answer, answerOfError, PageNotFound, send } from "./respond.js";
import { isServed, rootPaths } from "./root-paths.js";
import { answerResource, isConnection, needsNoEtcd, resolve, unknownPath } from "./routing.js";
import { versionDocument } from "./version.js";
import { createWatches } from "./watching.js";

/** Longer than the 90 seconds for which Go clients keep idle connections, so that it is never the server that closes first. */
const KEEP_ALIVE_MS = 120_000;
const READING_METHODS = new Set(["GET", "HEAD"]);

/** `ca` is who may have signed the certificates of clients. */
const secureContext = ({ serverKey, serverCert, caCert }: ClusterTls): { key: string; cert: string; ca: string } => ({
  key: serverKey,
  cert: serverCert,
  ca: caCert,
});

/** The answer with its entity tag, or 304 for a client that has it already. */
function ifChanged(request: IncomingMessage, etag: string | undefined, answer: Answer): Answer {
  if (!etag) return answer;
  const headers = { etag, vary: "Accept" };
  // Caches take the Content-Type of a 304 over, and discovery clients read the form of the document from it.
  if (request.headers["if-none-match"] === etag) return { code: 304, contentType: answer.contentType, headers };
  return { ...answer, headers };
}

/** The answer to bytes that are no HTTP request, as Go's server words it. */
function refusalOf(code: string | undefined): string {
  const status = code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`;
}

/** The older name of the type is no header by the rules of HTTP, but it is what older clients send; the answer is the newer one's. */
const GNOSTIC = /^application\/com\.github\.proto-openapi\.spec\.v2[.@]v1\.0\+protobuf$/;

/** The Content-Type of protobuf if that is what the client likes best. */
function gnosticType(accept: string | undefined): string | undefined {
  const [first] = accept ? parseAccept(accept) : [];
  return first && GNOSTIC.test(first.type) ? first.type.replace("@", ".") : undefined;
}

/** Whether a path lies in no group of the API server's own. */
const isGroupless = (path: string): boolean =>
  path.startsWith("/apis/") && preferredVersion(path.split("/")[2] ?? "") === undefined;

/** Under a group of its own the API server's router answers; for others nobody is there. */
const nobodyAt = (path: string): StatusError => (isGroupless(path) ? new PageNotFound() : unknownPath());

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
  const { aggregator, aggregated } = dependencies;
  const discovery = createDiscovery({
    resources: () => [...registry.catalogue.infos(), ...(aggregated?.infos() ?? [])],
    generation: () => registry.catalogue.generation + (aggregated?.generation ?? 0),
    serverAddress: () => `127.0.0.1:${port}`,
  });

  let streams: Promise<Streams> | undefined;

  /** Loaded when somebody first asks for a connection into a pod. */
  async function loadStreams(): Promise<Streams> {
    const { createStreams } = await import("../streams/index.js");
    return createStreams(dependencies);
  }

  let openApi: { version: string; documents: OpenApi } | undefined;

  /** Loaded when somebody first asks: most clusters are never asked, and their documents are large. */
  async function openApiDocuments(): Promise<OpenApi> {
    const version = dependencies.gitVersion();
    if (openApi?.version !== version) {
      const { createOpenApi } = await import("../schema/openapi/documents.js");
      const documents = createOpenApi({
        resources: () => registry.catalogue.infos(),
        generation: () => registry.catalogue.generation,
        gitVersion: version,
        customSchema: dependencies.customSchema,
      });
      openApi = { version, documents };
    }
    return openApi.documents;
  }

  let openApi2: { etag: string; bytes: Buffer } | undefined;

  /** Version 2 for clients that want it as protobuf: kubectl, for manifests that are lists, and Helm. */
  async function answerGnostic(request: IncomingMessage, contentType: string): Promise<Answer> {
    const { etag, body } = (await openApiDocuments()).v2();
    if (openApi2?.etag !== etag) {
      const { gnosticDocument } = await import("../schema/openapi/gnostic.js");
      openApi2 = { etag, bytes: gnosticDocument(body) };
    }
    return ifChanged(request, etag, { code: 200, body: openApi2.bytes, contentType });
  }

  async function answerOpenApi(path: string, request: IncomingMessage): Promise<Answer> {
    const gnostic = path === "/openapi/v2" && gnosticType(request.headers.accept);
    if (gnostic) return answerGnostic(request, gnostic);
    const { contentType } = negotiate(request.headers.accept, [], ["json"]);
    const documents = await openApiDocuments();
    const rest = path.slice("/openapi/v3".length).replace(/^\/|\/$/g, "");
    const document =
      path === "/openapi/v2" ? documents.v2() : rest === "" ? documents.index() : documents.groupVersion(rest);
    if (!document) throw unknownPath();
    return ifChanged(request, document.etag, { code: 200, body: document.body, contentType });
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
    if (READING_METHODS.has(request.method ?? "")) return answerResource(dependencies, resolved);
    if (!exchange.inside) await atRest(registry.clock);
    const given = await answerResource(dependencies, resolved);
    await registry.store.flushed();
    return given;
  }

  async function answerPath(info: RequestInfo, request: IncomingMessage): Promise<Answer> {
    const { path } = info;
    const health = answerHealth(info, registry.available);
    if (health) return health;
    if (!isServed(path)) throw new PageNotFound();
    if (!READING_METHODS.has(request.method ?? "")) throw isGroupless(path) ? new PageNotFound() : methodNotAllowed();
    if (path === "/version" || path === "/version/")
      return { code: 200, body: versionDocument(dependencies.gitVersion()) };
    if (path === "/metrics")
      return {
        code: 200,
        body: metrics.text(registry.store, watches.count),
        contentType: "text/plain; version=0.0.4; charset=utf-8",
      };
    if (path === "/" || path === "")
      return {
        code: 200,
        body: { paths: rootPaths(registry.catalogue.infos(), { openid: dependencies.jwks !== undefined }) },
      };
    const { openidConfiguration, jwks } = dependencies;
    if (path === "/.well-known/openid-configuration" && openidConfiguration)
      return { code: 200, body: await openidConfiguration() };
    if (path === "/openid/v1/jwks" && jwks)
      return { code: 200, body: await jwks(), contentType: "application/jwk-set+json" };
    if (path === "/api" || path === "/apis" || path.startsWith("/api/") || path.startsWith("/apis/")) {
      const found = discovery.answer(path, request.headers.accept);
      if (!found) throw nobodyAt(path);
      return ifChanged(request, found.etag, { code: 200, body: found.body, contentType: found.contentType });
    }
    if (path === "/openapi/v2" || path === "/openapi/v3" || path.startsWith("/openapi/v3/")) {
      return answerOpenApi(path, request);
    }
    throw new PageNotFound();
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
