/** IP addresses and CIDR blocks, as Go's netip reads them: no zones, no IPv4 inside IPv6, no leading zeros. */
import { isIP } from "node:net";
import { CelError } from "../scalars.js";
import { Opaque } from "../values.js";
import { define, type Overload, traversal } from "./declare.js";

const IP = "net.IP";
const CIDR = "net.CIDR";

function toBits(text: string, family: number): bigint {
  if (family === 4) return text.split(".").reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
  const [head = "", tail] = text.split("::");
  const groups = (part: string | undefined): string[] => (part ? part.split(":") : []);
  const [left, right] = [groups(head), groups(tail)];
  const all = tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
  return all.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

/** The longest run of two or more zero groups, as RFC 5952 shortens it. */
function format6(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === "0") length++;
    if (length > best.length) best = { at: i, length };
  }
  if (best.at < 0) return groups.join(":");
  return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.length).join(":")}`;
}

const format4 = (bits: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join(".");

class Address {
  constructor(
    readonly family: 4 | 6,
    readonly bits: bigint,
  ) {}
  equals(other: Address): boolean {
    return other.family === this.family && other.bits === this.bits;
  }
  toString(): string {
    return this.family === 4 ? format4(this.bits) : format6(this.bits);
  }
  /** The first `length` bits. */
  prefix(length: number): bigint {
    return this.bits >> BigInt((this.family === 4 ? 32 : 128) - length);
  }
}

class Block {
  constructor(
    readonly address: Address,
    readonly length: number,
  ) {}
  equals(other: Block): boolean {
    return other.length === this.length && other.address.equals(this.address);
  }
  toString(): string {
    return `${this.address}/${this.length}`;
  }
  contains({ family, bits }: Address): boolean {
    return (
      family === this.address.family &&
      new Address(family, bits).prefix(this.length) === this.address.prefix(this.length)
    );
  }
}

type IpValue = Opaque<Address>;
type CidrValue = Opaque<Block>;

function parseIp(text: string): Address {
  const family = text.includes("%") ? 0 : isIP(text);
  if (family === 0)
    throw new CelError(
      `IP Address '${text}' parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    );
  if (family === 6 && text.includes("."))
    throw new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new Address(family as 4 | 6, toBits(text, family));
}

function parseBlock(text: string): Block {
  const match = /^(.*)\/(0|[1-9]\d{0,2})$/.exec(text);
  const length = Number(match?.[2]);
  const refuse = (why: string): never => {
    throw new CelError(
      `network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): ${why}`,
    );
  };
  if (!match) return refuse("no '/'");
  const address = parseIp(match[1] as string);
  if (length > (address.family === 4 ? 32 : 128)) refuse("prefix length out of range");
  return new Block(address, length);
}

const ip = (text: string): IpValue => new Opaque(IP, parseIp(text));
const cidr = (text: string): CidrValue => new Opaque(CIDR, parseBlock(text));

function readable(make: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      make(text);
      return true;
    } catch (error) {
      if (error instanceof CelError) return false;
      throw error;
    }
  };
}

const inRanges =
  (...ranges: readonly string[]) =>
  ({ content }: IpValue): boolean =>
    ranges.some((range) => parseBlock(range).contains(content));

const unspecified = inRanges("0.0.0.0/32", "::/128");
const loopback = inRanges("127.0.0.0/8", "::1/128");
const multicast = inRanges("224.0.0.0/4", "ff00::/8");
const linkLocal = inRanges("169.254.0.0/16", "fe80::/10");
const linkLocalMulticast = inRanges("224.0.0.0/24", "ff02::/16");

const containsBlock = (outer: Block, inner: Block): boolean =>
  inner.length >= outer.length && outer.contains(inner.address);

export const networkFunctions: readonly Overload[] = [
  define("isIP", "(string) -> bool", readable(parseIp), traversal),
  define("ip", `(string) -> ${IP}`, ip, traversal),
  define("ip.isCanonical", "(string) -> bool", (text: string) => parseIp(text).toString() === text, traversal),
  define("string", `(${IP}) -> string`, ({ content }: IpValue) => content.toString()),
  define("family", `${IP}.() -> int`, ({ content }: IpValue) => BigInt(content.family)),
  define("isUnspecified", `${IP}.() -> bool`, unspecified),
  define("isLoopback", `${IP}.() -> bool`, loopback),
  define("isLinkLocalMulticast", `${IP}.() -> bool`, linkLocalMulticast),
  define("isLinkLocalUnicast", `${IP}.() -> bool`, linkLocal),
  define(
    "isGlobalUnicast",
    `${IP}.() -> bool`,
    (address: IpValue) =>
      !unspecified(address) &&
      !loopback(address) &&
      !multicast(address) &&
      !linkLocal(address) &&
      address.content.toString() !== "255.255.255.255",
  ),
  define("isCIDR", "(string) -> bool", readable(parseBlock), traversal),
  define("cidr", `(string) -> ${CIDR}`, cidr, traversal),
  define("string", `(${CIDR}) -> string`, ({ content }: CidrValue) => content.toString()),
  define("containsIP", `${CIDR}.(${IP}) -> bool`, (block: CidrValue, address: IpValue) =>
    block.content.contains(address.content),
  ),
  define("containsIP", `${CIDR}.(string) -> bool`, (block: CidrValue, text: string) =>
    block.content.contains(parseIp(text)),
  ),
  define("containsCIDR", `${CIDR}.(${CIDR}) -> bool`, (a: CidrValue, b: CidrValue) =>
    containsBlock(a.content, b.content),
  ),
  define("containsCIDR", `${CIDR}.(string) -> bool`, (a: CidrValue, b: string) =>
    containsBlock(a.content, parseBlock(b)),
  ),
  define("ip", `${CIDR}.() -> ${IP}`, ({ content }: CidrValue): IpValue => new Opaque(IP, content.address)),
  define("masked", `${CIDR}.() -> ${CIDR}`, ({ content: { address, length } }: CidrValue): CidrValue => {
    const rest = BigInt((address.family === 4 ? 32 : 128) - length);
    return new Opaque(CIDR, new Block(new Address(address.family, (address.bits >> rest) << rest), length));
  }),
  define("prefixLength", `${CIDR}.() -> int`, ({ content }: CidrValue) => BigInt(content.length)),
];
