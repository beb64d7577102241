/**
 * Addresses on kind's network. The engine gives the lowest free one to whoever starts, also that of a master that is off for a while and cannot do without it:
 * machines that eksim starts itself get theirs from the upper half, where the engine does not come.
 */
import { randomInt } from "node:crypto";

const ATTEMPTS = 100;

const toNumber = (address: string): number => address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);

const toAddress = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");

/**
 * A free address of the upper half of an IPv4 subnet such as `172.18.0.0/16`; undefined when there is none. Not drawn from the clock's seed: two
 * emulators with the same seed share the network.
 */
export function spareAddress(
  subnet: string,
  used: readonly string[],
  draw: (below: number) => number = (below) => randomInt(below),
): string | undefined {
  const [base = "", bits = ""] = subnet.split("/");
  const size = 2 ** (32 - Number(bits));
  // The last one is for broadcasts.
  const [first, count] = [toNumber(base) + size / 2, size / 2 - 1];
  if (!(count >= 1)) return undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const address = toAddress(first + draw(count));
    if (!used.includes(address)) return address;
  }
  return undefined;
}
