/** AWS Signature Version 4: the arithmetic that signing and verifying share. */
import { createHash, createHmac } from "node:crypto";

export const sha256Hex = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");

const hmac = (key: string | Buffer, data: string): Buffer => createHmac("sha256", key).update(data).digest();

/** RFC 3986: everything but letters, digits and `-._~` is escaped. */
export const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** All services but S3 escape the path once more: `%2F` in a label is signed as `%252F`. */
export const canonicalPath = (path: string): string => path.split("/").map(percentEncode).join("/");

/** In hex. `dateTime` is the X-Amz-Date stamp; `scope` is `<date>/<region>/<service>/aws4_request`. */
export function signatureOf(secret: string, dateTime: string, scope: string, canonicalRequest: string): string {
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, ["AWS4-HMAC-SHA256", dateTime, scope, sha256Hex(canonicalRequest)].join("\n")).toString("hex");
}

/** `YYYYMMDDTHHMMSSZ` to epoch ms; undefined for anything else. */
export function parseAmzDate(text: string): number | undefined {
  const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!m) return undefined;
  const ms = Date.parse(`${m[1]}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6]}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
