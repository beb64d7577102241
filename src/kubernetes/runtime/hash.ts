import { hash32 } from "../../clock/random.js";

/** Short deterministic names out of content: `pod-template-hash`, ControllerRevision names, EndpointSlice names. */

/** Without vowels and look-alikes, so that no words come out (apimachinery `rand.SafeEncodeString`). */
const SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function safeEncode(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) out += SAFE_ALPHABET.charAt(text.charCodeAt(i) % SAFE_ALPHABET.length);
  return out;
}

/** JSON with sorted keys and without undefined members: equal for equal content. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

const hashes = new WeakMap<object, string>();

/**
 * The hash of a pod template (or other immutable content) in the form of upstream's ComputeHash: 32 bits as decimal digits, safely encoded. The
 * values differ from upstream's, which hashes Go's own rendering of its structs. `collisionCount` gives another hash after a name collision.
 */
export function contentHash(content: object, collisionCount?: number): string {
  if (collisionCount !== undefined) return safeEncode(String(hash32(`${canonicalJson(content)}#${collisionCount}`)));
  const known = hashes.get(content);
  if (known !== undefined) return known;
  const hash = safeEncode(String(hash32(canonicalJson(content))));
  hashes.set(content, hash);
  return hash;
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, i) => isEqual(item, b[i]));

/** Equality of JSON values; an undefined member equals an absent one. Shared parts cost nothing. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && sameList(a, b);
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!isEqual(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** 64 hexadecimal digits that depend on `text` alone: digests and container IDs. */
export function digestOf(text: string): string {
  let digest = "";
  for (let part = 0; part < 8; part++) digest += hash32(`${part}${text}${part}`).toString(16).padStart(8, "0");
  return digest;
}
