/**
 * The token webhook of API servers that run outside this process: TokenReviews over HTTPS, answered by the same code that the embedded API servers call.
 * Sources: Kubernetes' documentation on webhook token authentication (v1 and v1beta1; who is not authenticated is told so with status 200) and
 * aws-iam-authenticator's server.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Authentication } from "../../identity/cluster-access.js";

/** A review with the longest token there may be is a tenth of this. Bytes. */
const MAX_BODY_BYTES = 64 * 1024;
/** How long an API server may take to send its review, milliseconds of the machine's time. */
const REQUEST_TIMEOUT_MS = 10_000;
/** API servers keep their connections; it must not be the webhook that ends an idle one first. */
const KEEP_ALIVE_MS = 120_000;

const VERSIONS: readonly unknown[] = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"];

export interface TokenWebhookDependencies {
  /** PEM. */
  tls: { cert: string; key: string };
  /** Judges a token for the cluster of that id; "no such cluster" where there is none, undefined for what is no EKS token. */
  authenticate(clusterId: string, token: string): Authentication | "no such cluster" | undefined;
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

export function createTokenWebhook({ tls, authenticate, log }: TokenWebhookDependencies): TokenWebhook {
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
    const { method, url = "" } = request;
    if (url === "/healthz") return { status: 200, body: "ok" };
    const clusterId = /^\/clusters\/([0-9A-Za-z-]{1,64})\/authenticate$/.exec(url)?.[1];
    if (clusterId === undefined) return { status: 404, body: "the webhook is at /clusters/<id>/authenticate" };
    if (method !== "POST") return { status: 405, body: "expected POST" };
    const body = await read(request);
    if (body === undefined) return { status: 413, body: "expected a request body to be a TokenReview" };
    const review = parseReview(body);
    if (!review) return { status: 400, body: "expected a request body to be a TokenReview" };
    const result = authenticate(clusterId, review.token);
    if (result === "no such cluster") return { status: 404, body: `there is no cluster ${clusterId}` };
    return { status: 200, body: JSON.stringify({ ...review.type, status: statusOf(clusterId, result) }) };
  }

  function statusOf(clusterId: string, result: Authentication | undefined): Record<string, unknown> {
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

function parseReview(body: Buffer): { type: { apiVersion: string; kind: string }; token: string } | undefined {
  let review: unknown;
  try {
    review = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const { apiVersion, kind, spec } = (review ?? {}) as { apiVersion?: unknown; kind?: unknown; spec?: unknown };
  const { token } = (spec ?? {}) as { token?: unknown };
  if (!VERSIONS.includes(apiVersion) || kind !== "TokenReview" || typeof token !== "string") return undefined;
  return { type: { apiVersion: apiVersion as string, kind }, token };
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
