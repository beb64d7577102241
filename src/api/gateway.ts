/**
 * One port for everything: finds out which AWS service a request is for, who makes it and for which region, and hands it to that service's protocol. The
 * emulator's own routes (`/_eksim/*`) stand beside it. The only file of the AWS edge that knows the HTTP server.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { Socket } from "node:net";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { atRest, type Clock } from "../clock/clock.js";
import type { CallTroubles } from "../domain/call-trouble.js";
import { region } from "../domain/catalogue/index.js";
import { DomainError, type ErrorName } from "../domain/errors.js";
import type { Scope } from "../domain/model.js";
import { createDirectory, type Directory, type Identified } from "../identity/directory.js";
import type { WebIdentityVerifier } from "../identity/web-identity.js";
import type { EksConfig, WorkKind } from "./eks/index.js";
import { queryModel } from "./model/query-model.js";
import { isQueryRequest, queryParameters } from "./protocol/aws-query.js";
import { readCredentials, type SignedBy } from "./protocol/credentials.js";
import { type Answer, errorAnswer, namedAnswer } from "./protocol/errors.js";
import { isAllowedHost, isAllowedOrigin } from "./protocol/origin.js";
import { queryErrorAnswer } from "./protocol/query-errors.js";
import type { RestJsonRequest } from "./protocol/rest-json.js";
import { verifySignature } from "./protocol/signature.js";
import { createServices, type ServicesOptions, unknownService } from "./services.js";
import { createOperationFinder, suffer } from "./troubled-calls.js";

/** Largest body that is read, in bytes. */
const BODY_LIMIT = 1024 * 1024;
/** How long a client may take to send its request. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface GatewayDependencies extends ServicesOptions {
  clock: Clock;
  config: EksConfig & {
    /** Check SigV4 signatures with `secretFor`. */
    verifySignatures?: boolean;
    secretFor?: (accessKeyId: string) => string | undefined;
    /** Names of this machine that the Host header may have besides loopback names, addresses and AWS's own. */
    hosts?: readonly string[];
  };
  /** Who access keys are; made from `state` and `secretFor` when absent. */
  directory?: Directory;
  /** Who checks the tokens of AssumeRoleWithWebIdentity, asked one after the other. */
  webIdentityVerifiers?: readonly WebIdentityVerifier[];
  /** What faults do to calls; none befall them unless given. */
  callTroubles?: CallTroubles;
  /** Tells the reconcilers that there is work; called after the commit. */
  nudge(kind: WorkKind, key: string): void;
  log: { error(fields: Record<string, unknown>, message: string): void };
  /** Registers the emulator's own routes, under `/_eksim/`. DomainErrors that they throw are answered as the services' are. */
  admin?: (app: FastifyInstance) => void;
}

type Requested = { method?: string | undefined };
const isRead = ({ method }: Requested): boolean => method === "GET" || method === "HEAD";

/**
 * Under a stepped clock a run can be repeated, request ids and what derives from them included. Reads draw from a stream of their own: how often a client
 * looked changes nothing.
 */
function requestIds(clock: Clock): (request: Requested) => string {
  if (clock.kind !== "stepped") return () => randomUUID();
  const [reads, writes] = [clock.random("request-ids/reads"), clock.random("request-ids/writes")];
  return (request) => (isRead(request) ? reads : writes).uuid();
}

/** Builds the server; it listens when told to. */
export function buildGateway(dependencies: GatewayDependencies): FastifyInstance {
  const { state, clock, config, nudge, log } = dependencies;
  const hosts = (config.hosts ?? []).map((host) => host.toLowerCase());
  const newRequestId = requestIds(clock);
  const services = createServices(dependencies);
  const operationOf = createOperationFinder();
  const directory = dependencies.directory ?? ownDirectory(dependencies);
  const webIdentityVerifiers = dependencies.webIdentityVerifiers ?? [];

  const report =
    (request: { id: string; method: string; url: string }) =>
    (error: unknown): void =>
      // A query may hold a signature or a token.
      log.error(
        { requestId: request.id, method: request.method, url: request.url.split("?")[0], err: error },
        "request failed",
      );

  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    genReqId: newRequestId,
    routerOptions: { maxParamLength: 16 * 1024 },
    frameworkErrors: (error, request, reply) => {
      send(reply, refusal(request, serverRefusal(error)));
    },
    clientErrorHandler: (_error, socket) => {
      if (!socket.writable) return;
      const { headers, body } = namedAnswer("SerializationException", "Malformed HTTP request", randomUUID());
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.end(
        `HTTP/1.1 400 Bad Request\r\n${lines.join("")}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    },
  });

  app.addHook("onRequest", (request, _reply, done) => {
    const { host, origin } = request.raw.headers;
    if (!isAllowedHost(host, hosts)) {
      done(new DomainError("AccessDeniedException", `This server does not answer to the host name ${host}`));
    } else if (!isAllowedOrigin(origin, host)) {
      done(new DomainError("AccessDeniedException", `Web pages of ${origin} may not use this server`));
    } else {
      done();
    }
  });
  if (clock.kind === "stepped") {
    app.addHook("preHandler", async (request) => {
      // What simulated programs ask for themselves is part of what everybody else waits for.
      const isInside = !(request.raw.socket instanceof Socket);
      if (!isRead(request) && !isInside) await atRest(clock);
    });
  }
  app.setErrorHandler((error, request, reply) => {
    send(reply, refusal(request, serverRefusal(error)));
  });
  app.setNotFoundHandler((request, reply) => {
    send(reply, namedAnswer("UnknownOperationException", `No operation ${request.method} ${request.url}`, request.id));
  });

  const { admin } = dependencies;
  if (admin) {
    app.register((scope, _options, done) => {
      admin(scope);
      done();
    });
  }

  app.register((scope, _options, done) => {
    // Clients send all kinds of content types, none, or what is no content type at all; the protocol knows what a body is.
    scope.addHook("onRequest", (request, _reply, hookDone) => {
      const type = request.raw.headers["content-type"];
      if (type !== undefined && type !== "application/json") request.headers = { "content-type": undefined };
      hookDone();
    });
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, parsed) => parsed(null, body));
    scope.all("/*", (request, reply) => {
      let answer: Answer | Promise<Answer>;
      try {
        answer = handle(request);
      } catch (error) {
        answer = refusal(request, error);
      }
      if (!(answer instanceof Promise)) return send(reply, answer);
      return answer.catch((error) => refusal(request, error)).then((settled) => send(reply, settled));
    });
    done();
  });

  /** In the protocol that the client speaks. */
  function refusal(request: FastifyRequest, error: unknown): Answer {
    const { raw, id } = request;
    const url = raw.url ?? request.url;
    if (url.startsWith("/_eksim") || !isQueryRequest({ method: request.method, url }, raw.headers["content-type"]))
      return errorAnswer(error, id, report(request));
    const { namespace } = queryModel(
      /Credential=[^/]+\/\d+\/[^/]+\/iam\//.test(raw.headers.authorization ?? "") ? "iam" : "sts",
    );
    return queryErrorAnswer(error, { namespace, requestId: id, report: report(request) });
  }

  function handle(request: FastifyRequest): Answer | Promise<Answer> {
    const { method, raw } = request;
    const { headers } = raw;
    const url = raw.url ?? request.url;
    if (url.startsWith("/_eksim")) throw new DomainError("UnknownOperationException", `eksim has no ${method} ${url}`);
    const body = Buffer.isBuffer(request.body) ? request.body : undefined;
    const at = url.indexOf("?");
    const asked = { method, url, body };
    const common = {
      requestId: request.id,
      state,
      clock,
      config,
      nudge,
      directory,
      webIdentityVerifiers,
      ...(raw.socket.remoteAddress === undefined ? {} : { sourceIp: raw.socket.remoteAddress }),
    };
    const query = at < 0 ? "" : url.slice(at + 1);
    if (isUnsigned(asked, headers, query)) {
      const scope = { accountId: "", region: regionOfHost(headers.host) };
      // Whose the role is, is what the caller says.
      const accountId = queryParameters(asked).get("RoleArn")?.split(":")[4] ?? "";
      return unlessTroubled({ ...scope, accountId }, "sts", asked, () =>
        services.sts(asked, { ...common, scope, principalArn: "anonymous" }),
      );
    }
    const signedBy = readCredentials(headers, query);
    const identified = identify(signedBy);
    if (config.verifySignatures) {
      if (identified.secretAccessKey === undefined) throw unknownKey();
      verifySignature({ method, url, headers, body }, signedBy, identified.secretAccessKey, clock.wallNow());
    }
    const service = Object.hasOwn(services, signedBy.service) ? services[signedBy.service] : undefined;
    if (!service) throw unknownService(signedBy.service, headers["x-amz-target"]);
    if (!region(signedBy.region)) {
      throw new DomainError(
        "InvalidSignatureException",
        `Credential should be scoped to a valid region, not '${signedBy.region}'.`,
      );
    }
    const { principal, session } = identified;
    const scope = { accountId: principal.accountId, region: signedBy.region };
    return unlessTroubled(scope, signedBy.service, asked, () =>
      service(asked, {
        ...common,
        scope,
        principalArn: principal.arn,
        principal,
        ...(session ? { session } : {}),
      }),
    );
  }

  function unlessTroubled(
    scope: Scope,
    service: string,
    asked: RestJsonRequest,
    answer: () => Answer | Promise<Answer>,
  ): Answer | Promise<Answer> {
    const trouble = dependencies.callTroubles?.(scope, service, () => operationOf(service, asked));
    return trouble ? suffer(trouble, clock).then(answer) : answer();
  }

  /** Throws what AWS says of keys that it does not take. */
  function identify({ accessKeyId, sessionToken }: SignedBy): Exclude<Identified, { refusal: unknown }> {
    const identified = directory.identify(accessKeyId, sessionToken);
    if (!("refusal" in identified)) return identified;
    if (identified.refusal === "expired-session")
      throw new DomainError("ExpiredTokenException", "The security token included in the request is expired");
    throw unknownKey();
  }

  return app;
}

const unknownKey = (): DomainError =>
  new DomainError("UnrecognizedClientException", "The security token included in the request is invalid.");

/** For servers that nobody gave one. */
function ownDirectory({ state, clock, config }: GatewayDependencies): Directory {
  const { secretFor } = config;
  return createDirectory({
    iam: state.iam,
    strict: config.strict && secretFor !== undefined,
    credentials: { get: secretFor ?? (() => undefined) },
    clock,
    randomBytes,
  });
}

/** Calls that nobody signs: who makes them says so with a token inside. */
const UNSIGNED = ["AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"];

function isUnsigned(request: RestJsonRequest, headers: IncomingHttpHeaders, query: string): boolean {
  if (headers.authorization || query.includes("X-Amz-Credential=")) return false;
  if (!isQueryRequest(request, headers["content-type"])) return false;
  return UNSIGNED.includes(queryParameters(request).get("Action") ?? "");
}

/** `sts.eu-west-1.amazonaws.com`; the default region for every other host. */
const regionOfHost = (host = ""): string => region(/^sts\.([a-z0-9-]+)\./.exec(host)?.[1] ?? "")?.name ?? "us-east-1";

/** Writes past Fastify's serialisation, which would add a charset that AWS does not send. */
function send(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  reply.hijack();
  reply.raw
    .writeHead(status, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      ...headers,
      "content-length": Buffer.byteLength(body),
    })
    .end(body);
  return reply;
}

/** What the HTTP server itself refuses, by its code. */
const SERVER_REFUSALS: Record<string, [ErrorName, string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ["RequestEntityTooLargeException", `The request body is larger than ${BODY_LIMIT} bytes`],
  FST_ERR_BAD_URL: ["SerializationException", "Malformed percent-encoding in the path"],
};

/** The refusal behind an error of the HTTP server; what is none stays as it is. */
function serverRefusal(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  const { code = "", statusCode = 500 } = error as Partial<FastifyError>;
  const refusal = SERVER_REFUSALS[code];
  if (refusal) return new DomainError(...refusal);
  const isClients = statusCode >= 400 && statusCode < 500;
  return isClients ? new DomainError("SerializationException", (error as Error).message) : error;
}
