import type { IncomingMessage } from "node:http";
import { StatusError } from "../errors.js";

/** The API server takes bodies of up to 3 MiB. */
const LIMIT_BYTES = 3 * 1024 * 1024;

const tooLarge = (): StatusError =>
  new StatusError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${LIMIT_BYTES}`);

/** The whole body. Throws 413 as soon as it is clear that it is too large. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > LIMIT_BYTES) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > LIMIT_BYTES) {
        request.removeAllListeners("data");
        request.resume();
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => {
      if (!request.complete) reject(new StatusError(499, "ClientClosedRequest", "the client closed the connection"));
    });
  });
}
