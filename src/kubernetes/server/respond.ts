import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, gzip } from "node:zlib";
import { StatusError, TooManyRequests } from "../errors.js";
import { negotiate } from "../wire/negotiate.js";
import { formatYaml } from "../wire/yaml.js";

/** Answers smaller than this are not compressed; the API server's own threshold, in bytes. */
const GZIP_THRESHOLD_BYTES = 128 * 1024;
const GZIP_LEVEL = 4;

export interface Answer {
  code: number;
  /** Text or bytes, or an object that is written as JSON. */
  body?: string | Buffer | object;
  /** In place of `body`: a text that may be long, made while it is sent. */
  pieces?: Iterable<string>;
  contentType?: string;
  headers?: Record<string, string>;
  warnings?: readonly string[];
}

/** `Warning: 299 - "text"` headers, as RFC 7234 quotes them. What clients wrote may be in it: control characters go, everything else travels as UTF-8. */
export function warningHeader(text: string): string {
  const quoted = text.replace(/\p{Cc}+/gu, " ").replace(/[\\"]/g, "\\$&");
  return `299 - "${Buffer.from(quoted).toString("latin1")}"`;
}

const JSON_TYPE = "application/json";

/** Clients in front of which people sit get indented JSON, as from upstream; `?pretty=` overrules. */
function wantsIndent(request: IncomingMessage): boolean {
  const asked = request.url?.includes("pretty=") ? /[?&]pretty=([^&]*)/.exec(request.url)?.[1] : undefined;
  if (asked) return asked === "1" || asked.toLowerCase() === "true" || asked.toLowerCase() === "t";
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(request.headers["user-agent"] ?? "");
}

/** The answer in the spelling that was asked for: everything is made as JSON, and few ask for another. */
function rendered(request: IncomingMessage, answer: Answer): Pick<Answer, "body" | "contentType"> {
  const { body, contentType = typeof body === "object" && !Buffer.isBuffer(body) ? JSON_TYPE : undefined } = answer;
  if (contentType !== JSON_TYPE || body === undefined || Buffer.isBuffer(body)) return { body, contentType };
  const spelling = otherSpelling(request);
  if (!spelling) return { body, contentType };
  const document: unknown = typeof body === "string" ? JSON.parse(body) : body;
  if (spelling === "yaml") return { body: formatYaml(document), contentType: "application/yaml" };
  return { body: `${JSON.stringify(document, undefined, 2)}\n`, contentType };
}

/** How to spell what is made as JSON, if not as it is. */
function otherSpelling(request: IncomingMessage): "yaml" | "indented" | undefined {
  if (request.headers.accept?.includes("yaml") && prefersYaml(request.headers.accept)) return "yaml";
  return wantsIndent(request) ? "indented" : undefined;
}

/** For refusals too, which say what they have to say to any Accept header. */
function prefersYaml(accept: string): boolean {
  try {
    return negotiate(accept, ["Table", "PartialObjectMetadata", "PartialObjectMetadataList"]).format === "yaml";
  } catch {
    return false;
  }
}

/** Sends the answer. A promise where that takes a while; it rejects when the answer turns out not to be made. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  { pieces, ...answer }: Answer,
): Promise<void> | undefined {
  if (response.headersSent || response.destroyed) return undefined;
  if (!pieces) return sendWhole(request, response, answer);
  const left = pieces[Symbol.iterator]();
  const first = left.next().value ?? "";
  const second = left.next();
  if (second.done) return sendWhole(request, response, { ...answer, body: first });
  let failure: { error: unknown } | undefined;
  const texts = function* (): Generator<string, void, void> {
    yield first;
    yield second.value;
    try {
      for (let next = left.next(); !next.done; next = left.next()) yield next.value;
    } catch (error) {
      failure = { error };
      throw error;
    }
  };
  const { contentType = JSON_TYPE } = answer;
  if (contentType === JSON_TYPE && otherSpelling(request))
    return sendWhole(request, response, { ...answer, contentType, body: [...texts()].join("") });
  const packed = takesGzip(request);
  response.writeHead(answer.code, { ...headersOf({ ...answer, contentType }), ...(packed ? GZIP_HEADERS : {}) });
  const source = Readable.from(texts());
  const sending = packed ? pipeline(source, createGzip({ level: GZIP_LEVEL }), response) : pipeline(source, response);
  return sending.catch(() => {
    // Without a failure of ours it is the client that has gone away.
    if (failure) throw failure.error;
  });
}

const GZIP_HEADERS = { "content-encoding": "gzip", vary: "Accept-Encoding" };

const takesGzip = (request: IncomingMessage): boolean =>
  /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));

function headersOf({ contentType, headers, warnings }: Answer): Record<string, string | string[]> {
  return {
    "cache-control": "no-cache, private",
    "content-type": contentType ?? JSON_TYPE,
    ...headers,
    ...(warnings?.length ? { warning: warnings.map(warningHeader) } : {}),
  };
}

function sendWhole(request: IncomingMessage, response: ServerResponse, answer: Answer): undefined {
  const { body = "", contentType = typeof body === "string" ? "text/plain; charset=utf-8" : undefined } = rendered(
    request,
    answer,
  );
  const content = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const headers = headersOf({ ...answer, contentType });
  if (answer.code === 204) {
    delete headers["content-type"];
    response.writeHead(answer.code, headers);
    response.end();
    return;
  }
  const finish = (payload: string | Buffer): void => {
    headers["content-length"] = String(Buffer.byteLength(payload));
    response.writeHead(answer.code, headers);
    response.end(payload);
  };
  // A short text goes out in one write with its headers, unless these hold raw bytes, which would be encoded with it.
  if (typeof content === "string" && content.length < GZIP_THRESHOLD_BYTES / 4 && !headers.warning) {
    finish(content);
    return;
  }
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  if (bytes.length >= GZIP_THRESHOLD_BYTES && takesGzip(request)) {
    gzip(bytes, { level: GZIP_LEVEL }, (error, compressed) => {
      if (response.headersSent || response.destroyed) return;
      if (error) return finish(bytes);
      Object.assign(headers, GZIP_HEADERS);
      finish(compressed);
    });
    return;
  }
  finish(bytes);
}

/** Refuses a path that nothing at all is registered for: answered as Go's own server does it, without a Status. */
export class PageNotFound extends StatusError {
  constructor() {
    super(404, "NotFound", "404 page not found");
    this.name = "PageNotFound";
  }
}

/** The Status of anything thrown. What is not a StatusError is a bug: the client learns nothing of it. */
export function answerOfError(error: unknown): Answer {
  // Priority and fairness answers as Go's server does, too; clients make the Status of it themselves.
  if (error instanceof PageNotFound || error instanceof TooManyRequests)
    return {
      code: error.code,
      body: `${error.message}\n`,
      headers: {
        "x-content-type-options": "nosniff",
        ...(error.details?.retryAfterSeconds ? { "retry-after": String(error.details.retryAfterSeconds) } : {}),
      },
    };
  const status =
    error instanceof StatusError
      ? error
      : new StatusError(500, "InternalError", "Internal error occurred: the server failed to handle the request");
  const headers: Record<string, string> = {};
  const retryAfter = status.details?.retryAfterSeconds;
  if (retryAfter) headers["retry-after"] = String(retryAfter);
  return { code: status.code, body: status.toStatus(), headers };
}
