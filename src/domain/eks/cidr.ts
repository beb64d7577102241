/** IPv4 blocks in CIDR notation as numbers, and the ranges that EKS's rules speak of. IPv6 is only recognised. */
export interface Cidr {
  /** First address as an unsigned 32-bit number. */
  base: number;
  prefix: number;
}

/** Undefined when the text is no IPv4 block. Host bits may be set, they are cleared. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, prefix = 0] = match.slice(1).map(Number);
  if (Math.max(a, b, c, d) > 255 || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  return { base: address - (address % size), prefix };
}

const end = (cidr: Cidr): number => cidr.base + 2 ** (32 - cidr.prefix);

export const overlaps = (a: Cidr, b: Cidr): boolean => a.base < end(b) && b.base < end(a);

export const contains = (outer: Cidr, inner: Cidr): boolean => outer.base <= inner.base && end(inner) <= end(outer);

const ranges = (...texts: string[]): readonly Cidr[] => texts.flatMap((text) => parseCidr(text) ?? []);

/** The private ranges of RFC 1918. */
const PRIVATE = ranges("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16");
/** Carrier-grade NAT, RFC 6598. */
const CARRIER_GRADE_NAT = ranges("100.64.0.0/10");

export const isPrivate = (cidr: Cidr): boolean => PRIVATE.some((range) => contains(range, cidr));

export const isPrivateOrCarrierGrade = (cidr: Cidr): boolean =>
  [...PRIVATE, ...CARRIER_GRADE_NAT].some((range) => contains(range, cidr));

/** A rough look, enough to tell an IPv6 block from a typing mistake. */
export const isIpv6Cidr = (text: string): boolean =>
  /^[0-9a-f:]*:[0-9a-f:]*\/(\d{1,2}|1[01]\d|12[0-8])$/i.test(text) && (text.match(/::/g)?.length ?? 0) <= 1;
