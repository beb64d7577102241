/** Answers to requests under /openapi: which document, in which form, and how long it may be cached. */

import type { OpenApi, OpenApiDocument } from "../schema/openapi/documents.js";
import { negotiate, notAcceptable } from "./negotiate.js";

export interface OpenApiAnswer {
  body: string;
  contentType: string;
  etag: string;
  /** Value of Cache-Control: documents that are asked for by their hash never change. */
  cacheControl: string;
}

/**
 * The document at `/openapi/v3`, `/openapi/v3/api/v1`, `/openapi/v3/apis/<group>/<version>` or `/openapi/v2`; undefined when nothing is there. Throws
 * StatusError 406 for clients that take only the protobuf form, which none needs that can read version 3.
 */
export function answerOpenApi(
  openApi: OpenApi,
  { path, hash, accept }: { path: string; hash?: string | undefined; accept?: string | undefined },
): OpenApiAnswer | undefined {
  if (negotiate(accept).format !== "json") throw notAcceptable();
  const document = find(openApi, path);
  if (!document) return undefined;
  return {
    ...document,
    contentType: "application/json",
    cacheControl: hash ? "public, immutable" : "no-cache, private",
  };
}

function find(openApi: OpenApi, path: string): OpenApiDocument | undefined {
  const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  if (trimmed === "/openapi/v3") return openApi.index();
  if (trimmed === "/openapi/v2") return openApi.v2();
  return trimmed.startsWith("/openapi/v3/") ? openApi.groupVersion(trimmed.slice("/openapi/v3/".length)) : undefined;
}
