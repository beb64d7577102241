/** Checks SigV4 signatures of requests signed in the Authorization header. Only used when the emulator is told to; any secret passes otherwise. */
import { timingSafeEqual } from "node:crypto";
import { DomainError } from "../../domain/errors.js";
import { canonicalPath, parseAmzDate, percentEncode, sha256Hex, signatureOf } from "../../identity/sigv4.js";
import type { SignedBy } from "./credentials.js";

export interface SignedRequest {
  method: string;
  /** Path and query as they came. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer | undefined;
}

/** How far a request's own time may be from ours. */
const MAX_SKEW_MS = 15 * 60_000;

/**
 * Throws InvalidSignatureException, UnrecognizedClientException or IncompleteSignatureException. `wallNowMs` is the machine's own time: the stamp was made by
 * a program that knows no other.
 */
export function verifySignature(
  request: SignedRequest,
  signedBy: SignedBy,
  secretFor: (accessKeyId: string) => string | undefined,
  wallNowMs: number,
): void {
  const secret = secretFor(signedBy.accessKeyId);
  if (secret === undefined) {
    throw new DomainError("UnrecognizedClientException", "The security token included in the request is invalid.");
  }
  if (request.headers.authorization === undefined) {
    throw new DomainError("IncompleteSignatureException", "eksim checks signatures in the Authorization header only");
  }
  const stamp = header(request, "x-amz-date");
  const stampMs = parseAmzDate(stamp);
  if (stampMs === undefined || !stamp.startsWith(signedBy.date)) {
    throw new DomainError(
      "IncompleteSignatureException",
      "Authorization header requires an 'X-Amz-Date' header of the date in its credential scope.",
    );
  }
  if (Math.abs(wallNowMs - stampMs) > MAX_SKEW_MS) {
    throw new DomainError(
      "InvalidSignatureException",
      `Signature expired: ${stamp} is too far from the time of the service`,
    );
  }
  const scope = `${signedBy.date}/${signedBy.region}/${signedBy.service}/aws4_request`;
  const expected = Buffer.from(signatureOf(secret, stamp, scope, canonicalRequest(request, signedBy)), "hex");
  const given = Buffer.from(signedBy.signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new DomainError(
      "InvalidSignatureException",
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    );
  }
}

function canonicalRequest(request: SignedRequest, { signedHeaders }: SignedBy): string {
  const at = request.url.indexOf("?");
  const path = at < 0 ? request.url : request.url.slice(0, at);
  const query = at < 0 ? "" : request.url.slice(at + 1);
  return [
    request.method,
    canonicalPath(path),
    query
      .split("&")
      .filter((pair) => pair !== "")
      .map((pair) => {
        const [name = "", ...value] = pair.split("=");
        return `${percentEncode(decode(name))}=${percentEncode(decode(value.join("=")))}`;
      })
      .sort()
      .join("&"),
    ...signedHeaders.map((name) => `${name}:${header(request, name).trim().replace(/ +/g, " ")}`),
    "",
    signedHeaders.join(";"),
    header(request, "x-amz-content-sha256") || sha256Hex(request.body ?? ""),
  ].join("\n");
}

function header(request: SignedRequest, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : (value ?? "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
