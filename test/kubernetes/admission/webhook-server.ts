import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { issueAuthority, issueServerCertificate } from "../../../src/kubernetes/pki/certificates.js";

// biome-ignore lint/suspicious/noExplicitAny: reviews are judged by the tests
export type Review = any;

/** What a path answers; undefined: never. */
export type Handler = (review: Review) => object | undefined;

export interface WebhookServer {
  port: number;
  /** For `caBundle`. */
  caBundle: string;
  /** Requests so far, by path. */
  seen: { path: string; review: Review }[];
  handlers: Record<string, Handler>;
  close(): Promise<void>;
}

export const response = (review: Review, answer: object): object => ({
  apiVersion: review.apiVersion,
  kind: review.kind,
  response: { uid: review.request.uid, ...answer },
});

export const allow = (review: Review): object => response(review, { allowed: true });

export const patch =
  (operations: object[]): Handler =>
  (review) =>
    response(review, {
      allowed: true,
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
    });

/** A webhook's process: HTTPS on the loopback with a certificate for the names, of an authority of its own. */
export async function startWebhookServer(names: readonly string[]): Promise<WebhookServer> {
  const nowMs = Date.now();
  const authority = issueAuthority("webhook-ca", nowMs);
  const leaf = issueServerCertificate({
    authority,
    authorityName: "webhook-ca",
    commonName: names[0] ?? "webhook",
    names,
    nowMs,
  });
  const seen: WebhookServer["seen"] = [];
  const handlers: Record<string, Handler> = {};
  const server: Server = createServer({ cert: leaf.certificate, key: leaf.key }, (request, answer) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = (request.url ?? "").replace(/\?.*$/, "");
      const review: Review = JSON.parse(Buffer.concat(chunks).toString());
      seen.push({ path, review });
      const handler = handlers[path];
      if (!handler) {
        answer.writeHead(404).end("nothing here");
        return;
      }
      const body = handler(review);
      if (body) answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(authority.certificate).toString("base64"),
    seen,
    handlers,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
