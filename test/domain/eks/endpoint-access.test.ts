import { describe, expect, it } from "vitest";
import { admitsClient } from "../../../src/domain/eks/endpoint-access.js";

const PUBLIC = { endpointPublicAccess: true, endpointPrivateAccess: false };
const PRIVATE = { endpointPublicAccess: false, endpointPrivateAccess: true };

describe("the endpoint of a cluster", () => {
  it.each([
    [PUBLIC, ["0.0.0.0/0"], "127.0.0.1", true],
    [PUBLIC, ["0.0.0.0/0"], "::ffff:127.0.0.1", true],
    [PUBLIC, ["0.0.0.0/0"], "::1", true],
    [PUBLIC, ["0.0.0.0/0"], "2001:db8::7", false],
    [PUBLIC, ["203.0.113.0/24"], "127.0.0.1", false],
    [PUBLIC, ["203.0.113.0/24", "127.0.0.1/32"], "127.0.0.1", true],
    [PUBLIC, ["203.0.113.0/24"], "203.0.113.9", true],
    [PUBLIC, ["0.0.0.0/0", "::/0"], "2001:db8::7", true],
    [PUBLIC, ["2001:db8::/32"], "2001:db8:1::7", true],
    [PUBLIC, ["2001:db8::/32"], "2001:db9::7", false],
    // Without the private endpoint, machines of the VPC come in through the public one.
    [PUBLIC, ["203.0.113.0/24"], "172.17.0.2", false],
    [PRIVATE, [], "127.0.0.1", false],
    [PRIVATE, ["0.0.0.0/0"], "127.0.0.1", false],
    [PRIVATE, [], "172.17.0.2", true],
  ] as const)("with %o and CIDRs %o lets %s in: %s", (flags, publicAccessCidrs, address, admitted) => {
    expect(admitsClient({ ...flags, publicAccessCidrs }, address)).toBe(admitted);
  });
});
