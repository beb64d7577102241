/** Requests to the API server from inside this process, such as those of programs in simulated containers: HTTP over a pipe, without TLS. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import { duplexPair } from "node:stream";
import type { OutsideAnswer, OutsideRequest } from "../cluster.js";

export type InProcessRequest = Pick<OutsideRequest, "method" | "path" | "headers" | "body">;

export interface InProcessCaller {
  ask(request: InProcessRequest): Promise<OutsideAnswer>;
  /** Whether a request came this way: it is part of what happens inside, and must not wait for that to come to rest. */
  isInside(request: IncomingMessage): boolean;
}

/** Headers of one connection, which mean nothing on another. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"]);

export function createInProcessCaller(server: Server): InProcessCaller {
  const inside = new WeakSet<object>();
  return {
    isInside: ({ socket }) => inside.has(socket),
    ask: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        const [near, far] = duplexPair();
        inside.add(far);
        // What the server asks of a connection beside its bytes: it has no client certificate.
        server.emit("secureConnection", Object.assign(far, { getPeerCertificate: () => undefined }));
        const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name));
        const sent = httpRequest({
          method,
          path,
          headers: {
            host: "kubernetes.default.svc",
            ...Object.fromEntries(kept),
            connection: "close",
            ...(body.length > 0 ? { "content-length": body.length } : {}),
          },
          createConnection: () => near as Socket,
        });
        sent.on("error", reject);
        sent.on("response", (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
          response.on("end", () => {
            const texts = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
            resolve({
              status: response.statusCode ?? 0,
              headers: Object.fromEntries(texts) as Record<string, string>,
              body: Buffer.concat(chunks),
            });
            near.destroy();
          });
        });
        sent.end(body);
      }),
  };
}
