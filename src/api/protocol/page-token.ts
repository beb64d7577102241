/**
 * `nextToken`s: where the last page ended, together with a checksum over the list that it belongs to, so that a token that is damaged, made up or taken from
 * another list is refused instead of answered with the wrong page.
 */
import { createHash } from "node:crypto";
import { DomainError } from "../../domain/errors.js";

const CHECKSUM_LENGTH = 16;

/** `list` names the list and its filters: the operation, account, region and whatever else the page depends on. */
export function encodePageToken(list: readonly unknown[], after: string): string {
  return Buffer.from(checksum(list, after) + after, "utf8").toString("base64url");
}

/** Throws InvalidParameterException when the token is not one of this list. */
export function decodePageToken(list: readonly unknown[], token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  const after = text.slice(CHECKSUM_LENGTH);
  if (text.slice(0, CHECKSUM_LENGTH) !== checksum(list, after) || encodePageToken(list, after) !== token) {
    throw new DomainError("InvalidParameterException", "The value of nextToken is not valid for this request");
  }
  return after;
}

const checksum = (list: readonly unknown[], after: string): string =>
  createHash("sha256")
    .update(JSON.stringify([list, after]))
    .digest("hex")
    .slice(0, CHECKSUM_LENGTH);
