/**
 * Checks SigV4 signatures, in the Authorization header or in the query of a presigned request. Only used when the emulator is told to; any secret passes
 * otherwise.
 */
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

const MINUTE_MS = 60_000;
/** How far a request's own time may be from ours. */
const MAX_SKEW_MINUTES = 15;
/** Longest life of a presigned request: a week. */
const MAX_EXPIRES_SECONDS = 604_800;

const incomplete = (message: string): DomainError => new DomainError("IncompleteSignatureException", message);
const invalid = (message: string): DomainError => new DomainError("InvalidSignatureException", message);
const mismatch = (): DomainError =>
  invalid(
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
  );

/**
 * Throws InvalidSignatureException or IncompleteSignatureException. `wallNowMs` is the machine's own time: the stamp was made by a program that knows no
 * other.
 */
export function verifySignature(request: SignedRequest, signedBy: SignedBy, secret: string, wallNowMs: number): void {
  const { presigned } = signedBy;
  const stamp = presigned?.stamp ?? header(request, "x-amz-date");
  const stampMs = parseAmzDate(stamp);
  if (stampMs === undefined) {
    throw incomplete(
      presigned
        ? `Date must be in ISO-8601 'basic format'. Got '${stamp}'. See http://en.wikipedia.org/wiki/ISO_8601`
        : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  if (!stamp.startsWith(signedBy.date)) {
    throw invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${signedBy.date}' != '${stamp.slice(0, 8)}', from '${stamp}'.`,
    );
  }
  if (!signedBy.signedHeaders.includes("host"))
    throw invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  checkTime(stamp, stampMs, signedBy, wallNowMs);
  const scope = `${signedBy.date}/${signedBy.region}/${signedBy.service}/aws4_request`;
  const expected = Buffer.from(signatureOf(secret, stamp, scope, canonicalRequest(request, signedBy)), "hex");
  const given = Buffer.from(signedBy.signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw mismatch();
}

const stampOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;

function checkTime(stamp: string, stampMs: number, { presigned, service }: SignedBy, nowMs: number): void {
  const skewMs = MAX_SKEW_MINUTES * MINUTE_MS;
  if (stampMs - nowMs > skewMs) {
    throw invalid(
      `Signature not yet current: ${stamp} is still later than ${stampOf(nowMs + skewMs)} (${stampOf(nowMs)} + ${MAX_SKEW_MINUTES} min.)`,
    );
  }
  if (presigned) {
    const seconds = Number(presigned.expiresSeconds);
    if (!/^\d+$/.test(presigned.expiresSeconds) || seconds < 1 || seconds > MAX_EXPIRES_SECONDS)
      throw incomplete("X-Amz-Expires must be a number of seconds between 1 and 604800");
    // STS honours presigned requests for a quarter of an hour, whatever they say.
    const livesMs = service === "sts" ? skewMs : seconds * 1000;
    if (nowMs - stampMs <= livesMs) return;
    throw invalid(`Signature expired: ${stamp} is now earlier than ${stampOf(nowMs - livesMs)} (${stampOf(nowMs)})`);
  }
  if (nowMs - stampMs <= skewMs) return;
  throw invalid(
    `Signature expired: ${stamp} is now earlier than ${stampOf(nowMs - skewMs)} (${stampOf(nowMs)} - ${MAX_SKEW_MINUTES} min.)`,
  );
}

function canonicalRequest(request: SignedRequest, { signedHeaders, presigned }: SignedBy): string {
  const at = request.url.indexOf("?");
  const path = at < 0 ? request.url : request.url.slice(0, at);
  const query = at < 0 ? "" : request.url.slice(at + 1);
  return [
    request.method,
    canonicalPath(path),
    query
      .split("&")
      .filter((pair) => pair !== "" && !(presigned && pair.startsWith("X-Amz-Signature=")))
      .map((pair) => {
        const [name = "", ...value] = pair.split("=");
        return `${percentEncode(decode(name))}=${percentEncode(decode(value.join("=")))}`;
      })
      .sort()
      .join("&"),
    ...signedHeaders.map((name) => `${name}:${header(request, name).trim().replace(/ +/g, " ")}`),
    "",
    signedHeaders.join(";"),
    payloadHash(request),
  ].join("\n");
}

/** The hash that was signed must be the body's: it is taken from no header. */
const payloadHash = ({ body }: SignedRequest): string => sha256Hex(body ?? "");

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
