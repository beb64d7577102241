/** What the API server answers beside resources: health, discovery, OpenAPI, metrics, and who issues its tokens. */
import type { IncomingMessage } from "node:http";
import { methodNotAllowed, type StatusError } from "../errors.js";
import type { OpenApi } from "../schema/openapi/documents.js";
import { preferredVersion } from "../schema/resources.js";
import { createDiscovery } from "../wire/discovery.js";
import { negotiate, parseAccept } from "../wire/negotiate.js";
import type { ServerDependencies } from "./context.js";
import { answerHealth } from "./health.js";
import { type RequestInfo, readsOnly } from "./request-info.js";
import { type Answer, PageNotFound } from "./respond.js";
import { isServed, rootPaths } from "./root-paths.js";
import { unknownPath } from "./routing.js";
import { versionDocument } from "./version.js";

/** The answer with its entity tag, or 304 for a client that has it already. */
function ifChanged(request: IncomingMessage, etag: string | undefined, answer: Answer): Answer {
  if (!etag) return answer;
  const headers = { etag, vary: "Accept" };
  // Caches take the Content-Type of a 304 over, and discovery clients read the form of the document from it.
  if (request.headers["if-none-match"] === etag) return { code: 304, contentType: answer.contentType, headers };
  return { ...answer, headers };
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

/** Answers to paths that name no resource. `serverAddress`: where discovery says that the server is; `metrics`: the text of `/metrics`. */
export function createPathAnswers(
  dependencies: ServerDependencies,
  { serverAddress, metrics }: { serverAddress: () => string; metrics: () => string },
): (info: RequestInfo, request: IncomingMessage) => Promise<Answer> {
  const { registry, aggregated } = dependencies;
  const discovery = createDiscovery({
    resources: () => [...registry.catalogue.infos(), ...(aggregated?.infos() ?? [])],
    generation: () => registry.catalogue.generation + (aggregated?.generation ?? 0),
    serverAddress,
  });

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

  async function answerPath(info: RequestInfo, request: IncomingMessage): Promise<Answer> {
    const { path } = info;
    const health = answerHealth(info, registry.available);
    if (health) return health;
    if (!isServed(path)) throw new PageNotFound();
    if (!readsOnly(request.method)) throw isGroupless(path) ? new PageNotFound() : methodNotAllowed();
    if (path === "/version" || path === "/version/")
      return { code: 200, body: versionDocument(dependencies.gitVersion()) };
    if (path === "/metrics")
      return {
        code: 200,
        body: metrics(),
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

  return answerPath;
}
