/**
 * The webhook of API servers that run outside this process: TokenReviews and SubjectAccessReviews over HTTPS, answered by the same code that the embedded API
 * servers call. Sources: Kubernetes' documentation on webhook token authentication (v1 and v1beta1; who is not authenticated is told so with status 200) and
 * on webhook authorization (who is neither allowed nor denied is judged by the next authorizer), and aws-iam-authenticator's server.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A review with the longest token there may be is a tenth of this. Bytes. */
const MAX_BODY_BYTES = 64 * 1024;
/** How long an API server may take to send its review, milliseconds of the machine's time. */
const REQUEST_TIMEOUT_MS = 10_000;
/** API servers keep their connections; it must not be the webhook that ends an idle one first. */
const KEEP_ALIVE_MS = 120_000;

/** Reviews by what they are asked for with, and the API versions that there are of each. */
const REVIEWS = {
  authenticate: { kind: "TokenReview", versions: ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"] },
  authorize: { kind: "SubjectAccessReview", versions: ["authorization.k8s.io/v1", "authorization.k8s.io/v1beta1"] },
} as const;

/** What somebody wants to do, as EKS access policies are asked. */
export interface AccessQuestion {
  user: { username: string; groups: readonly string[]; extra: Readonly<Record<string, readonly string[]>> };
  verb: string;
  resource?: {
    group: string;
    version: string;
    resource: string;
    subresource?: string;
    namespace?: string;
    name?: string;
  };
  path?: string;
}

/** The user as a TokenReview tells it, or why there is none. */
type Verdict = { user: object } | { error: string };

type Judged<T> = T | Promise<T>;

export interface TokenWebhookDependencies {
  /** PEM. */
  tls: { cert: string; key: string };
  /** Judges a token for the cluster of that id; "no such cluster" where there is none, undefined for what is no EKS token. */
  authenticate(clusterId: string, token: string): Judged<Verdict | "no such cluster" | undefined>;
  /** What the cluster's access policies say; absent: they are not asked here. */
  authorize?(
    clusterId: string,
    question: AccessQuestion,
  ): { decision: "allow" | "no-opinion"; reason: string } | "no such cluster";
  log: { debug(fields: Record<string, unknown>, message: string): void };
}

export interface TokenWebhook {
  /** Resolves with the port bound; 0 picks a free one. */
  listen(address: { host: string; port: number }): Promise<number>;
  close(): Promise<void>;
}

interface Answer {
  status: number;
  body: string;
}

export function createTokenWebhook({ tls, authenticate, authorize, log }: TokenWebhookDependencies): TokenWebhook {
  const server = createServer(
    { ...tls, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => {
      answer(request).then(
        (given) => send(response, given),
        () => response.destroy(),
      );
    },
  );
  // Broken handshakes are the clients' affair.
  server.on("tlsClientError", () => {});

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { method } = request;
    // API servers say in the query how long they wait.
    const [url = ""] = (request.url ?? "").split("?");
    if (url === "/healthz") return { status: 200, body: "ok" };
    const [, clusterId, asked] = /^\/clusters\/([0-9A-Za-z-]{1,64})\/(authenticate|authorize)$/.exec(url) ?? [];
    if (clusterId === undefined || (asked === "authorize" && !authorize))
      return { status: 404, body: "the webhook is at /clusters/<id>/authenticate" };
    if (method !== "POST") return { status: 405, body: "expected POST" };
    const expected = REVIEWS[asked as keyof typeof REVIEWS];
    const refusal = `expected a request body to be a ${expected.kind}`;
    const body = await read(request);
    if (body === undefined) return { status: 413, body: refusal };
    const review = parseReview(body, expected);
    const status = review && (await judge(clusterId, review.spec, asked as keyof typeof REVIEWS));
    if (!status) return { status: 400, body: refusal };
    if (status === "no such cluster") return { status: 404, body: `there is no cluster ${clusterId}` };
    return { status: 200, body: JSON.stringify({ ...review.type, status }) };
  }

  /** The review's status; undefined when its spec is none. */
  async function judge(
    clusterId: string,
    spec: Record<string, unknown>,
    asked: keyof typeof REVIEWS,
  ): Promise<Record<string, unknown> | "no such cluster" | undefined> {
    if (asked === "authenticate") {
      if (typeof spec.token !== "string") return undefined;
      const result = await authenticate(clusterId, spec.token);
      return result === "no such cluster" ? result : statusOf(clusterId, result);
    }
    const question = questionOf(spec);
    const result = question && authorize?.(clusterId, question);
    if (!result || result === "no such cluster") return result;
    return { allowed: result.decision === "allow", reason: result.reason };
  }

  function statusOf(clusterId: string, result: Verdict | undefined): Record<string, unknown> {
    if (result && "user" in result) return { authenticated: true, user: result.user };
    const error = result?.error ?? "not a token of EKS";
    log.debug({ clusterId, why: error }, "refused a token");
    return { authenticated: false, error };
  }

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.removeListener("error", reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Undefined when there is more than anybody needs; the rest is not read. */
async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseReview(
  body: Buffer,
  expected: { kind: string; versions: readonly string[] },
): { type: { apiVersion: string; kind: string }; spec: Record<string, unknown> } | undefined {
  let review: unknown;
  try {
    review = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const { apiVersion, kind, spec } = (review ?? {}) as { apiVersion?: unknown; kind?: unknown; spec?: unknown };
  if (typeof apiVersion !== "string" || !expected.versions.includes(apiVersion) || kind !== expected.kind)
    return undefined;
  if (typeof spec !== "object" || spec === null) return undefined;
  return { type: { apiVersion, kind }, spec: spec as Record<string, unknown> };
}

/** Undefined when it names neither a resource nor a path. v1beta1 calls the groups `group`. */
function questionOf(spec: Record<string, unknown>): AccessQuestion | undefined {
  const {
    user = "",
    groups,
    group,
    extra,
    resourceAttributes,
    nonResourceAttributes,
  } = spec as {
    user?: string;
    groups?: string[];
    group?: string[];
    extra?: Record<string, string[]>;
    resourceAttributes?: Record<string, string>;
    nonResourceAttributes?: { path?: string; verb?: string };
  };
  const known = { username: user, groups: groups ?? group ?? [], extra: extra ?? {} };
  if (resourceAttributes) {
    const { verb = "", group: apiGroup = "", version = "*", resource = "", ...rest } = resourceAttributes;
    const { subresource, namespace, name } = rest;
    return {
      user: known,
      verb,
      resource: {
        group: apiGroup,
        version,
        resource,
        ...(subresource ? { subresource } : {}),
        ...(namespace ? { namespace } : {}),
        ...(name ? { name } : {}),
      },
    };
  }
  if (!nonResourceAttributes) return undefined;
  const { verb = "", path = "" } = nonResourceAttributes;
  return { user: known, verb, path };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const type = status === 200 && body.startsWith("{") ? "application/json" : "text/plain; charset=utf-8";
  // What was not read to its end must not be taken for the next request.
  const unread = !response.req.complete;
  response
    .writeHead(status, {
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      ...(unread ? { connection: "close" } : {}),
    })
    .end(body);
}
