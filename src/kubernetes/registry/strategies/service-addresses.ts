/**
 * Cluster IPs and node ports of Services. Nothing is kept beside the Services themselves: what is taken is read off them, and a free place is looked for from
 * a point that follows from the Service's name. So allocation is deterministic, needs no undo, and looks as scattered as upstream's random choice.
 */

import { hash32 } from "../../../clock/random.js";

export interface AddressRange {
  cidr: string;
  family: "IPv4" | "IPv6";
  /** Number of addresses, at most 2^20 as upstream. */
  size: number;
  /** The address `offset` places above the network's own. */
  at(offset: number): string;
  /** Place of an address in the range; undefined outside of it. */
  offsetOf(address: string): number | undefined;
}

export const NODE_PORTS = { least: 30_000, most: 32_767 } as const;
/** Lower parts of both ranges that are left to those who choose for themselves. */
const STATIC_NODE_PORTS = 86;
const MAX_STATIC_ADDRESSES = 256;

function parseAddress(address: string): bigint | undefined {
  if (!address.includes(":")) {
    const parts = address.split(".");
    if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
    return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
  }
  const halves = address.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const gap = halves.length === 2 ? 8 - head.length - tail.length : 0;
  const groups = [...head, ...Array<string>(Math.max(gap, 0)).fill("0"), ...tail];
  if (groups.length !== 8 || !groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function printAddress(value: bigint, family: AddressRange["family"]): string {
  if (family === "IPv4") return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  ).join(":");
  const longest = [...groups.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length)[0];
  return longest ? `${groups.slice(0, longest.index)}::${groups.slice(longest.index + longest[0].length + 1)}` : groups;
}

/** True for textual IPv4 and IPv6 addresses. */
export const isAddress = (text = ""): boolean => parseAddress(text) !== undefined;

/** The one spelling of an address that Kubernetes writes; undefined for what is none. */
export function canonicalAddress(text: string): string | undefined {
  const value = parseAddress(text);
  return value === undefined ? undefined : printAddress(value, text.includes(":") ? "IPv6" : "IPv4");
}

export function isCidr(text = ""): boolean {
  const [address = "", length = "", ...rest] = text.split("/");
  const bits = address.includes(":") ? 128 : 32;
  return rest.length === 0 && isAddress(address) && /^\d{1,3}$/.test(length) && Number(length) <= bits;
}

export function addressRange(cidr: string): AddressRange {
  const [address = "", length = ""] = cidr.split("/");
  const base = parseAddress(address);
  if (base === undefined || !isCidr(cidr)) throw new Error(`not a CIDR: ${cidr}`);
  const family = address.includes(":") ? "IPv6" : "IPv4";
  const hostBits = (family === "IPv6" ? 128 : 32) - Number(length);
  const network = (base >> BigInt(hostBits)) << BigInt(hostBits);
  const size = 2 ** Math.min(hostBits, 20);
  return {
    cidr,
    family,
    size,
    at: (offset) => printAddress(network + BigInt(offset), family),
    offsetOf(text) {
      const value = text.includes(":") === (family === "IPv6") ? parseAddress(text) : undefined;
      if (value === undefined) return undefined;
      const offset = value - network;
      return offset >= 0n && offset < BigInt(size) ? Number(offset) : undefined;
    },
  };
}

/** The first free number of [least, most], searched upwards and around from a point given by `seed`; the part below `dynamicFrom` comes last. */
function firstFree(
  seed: string,
  least: number,
  dynamicFrom: number,
  most: number,
  taken: (candidate: number) => boolean,
): number | undefined {
  for (const [from, to] of [
    [dynamicFrom, most],
    [least, dynamicFrom - 1],
  ] as const) {
    const count = to - from + 1;
    const start = hash32(seed) % Math.max(count, 1);
    for (let step = 0; step < count; step++) {
      const candidate = from + ((start + step) % count);
      if (!taken(candidate)) return candidate;
    }
  }
  return undefined;
}

export function freeAddress(range: AddressRange, seed: string, taken: ReadonlySet<string>): string | undefined {
  // The network's own address, and for IPv4 the broadcast address, are never handed out.
  const most = range.family === "IPv4" ? range.size - 2 : range.size - 1;
  const reserved = Math.min(Math.max(16, Math.floor(range.size / 16)), MAX_STATIC_ADDRESSES);
  const offset = firstFree(seed, 1, Math.min(reserved, most), most, (candidate) => taken.has(range.at(candidate)));
  return offset === undefined ? undefined : range.at(offset);
}

export const freeNodePort = (seed: string, taken: ReadonlySet<number>): number | undefined =>
  firstFree(seed, NODE_PORTS.least, NODE_PORTS.least + STATIC_NODE_PORTS, NODE_PORTS.most, (port) => taken.has(port));
