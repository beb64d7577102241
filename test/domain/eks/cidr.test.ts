import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, isIpv6Cidr, isPrivate, overlaps, parseCidr } from "../../../src/domain/eks/cidr.js";

const cidr = (text: string) => {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error(`no CIDR: ${text}`);
  return parsed;
};
const anyCidr = fc
  .tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(32))
  .map(([a, b, c, d, prefix]) => cidr(`${a}.${b}.${c}.${d}/${prefix}`));

describe("CIDR blocks", () => {
  it.each(["10.0.0.0", "10.0.0/8", "256.0.0.0/8", "10.0.0.0/33", "a.b.c.d/8", "", "::/0"])("are not %j", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it("clear the bits of the host", () => {
    expect(cidr("10.1.2.3/8")).toEqual(cidr("10.0.0.0/8"));
    expect(cidr("255.255.255.255/0")).toEqual({ base: 0, prefix: 0 });
  });

  it("overlap exactly when one contains the other", () => {
    fc.assert(
      fc.property(anyCidr, anyCidr, (a, b) => {
        expect(overlaps(a, b)).toBe(contains(a, b) || contains(b, a));
        expect(overlaps(a, b)).toBe(overlaps(b, a));
      }),
    );
  });

  it.each([
    ["10.0.0.0/8", true],
    ["172.31.255.0/24", true],
    ["172.32.0.0/16", false],
    ["192.168.0.0/15", false],
    ["0.0.0.0/0", false],
  ])("know whether %s is private", (text, expected) => {
    expect(isPrivate(cidr(text))).toBe(expected);
  });

  it.each([
    ["::/0", true],
    ["2001:db8::/32", true],
    ["2001::db8::/32", false],
    ["::/129", false],
    ["1.2.3.4/5", false],
  ])("recognise %s as IPv6 or not", (text, expected) => {
    expect(isIpv6Cidr(text)).toBe(expected);
  });
});
