import { describe, expect, it } from "vitest";
import type { NetworkInterface } from "../../src/domain/model.js";
import { masterAddress, masterInterface } from "../../src/domain/network-interface.js";

const cluster = (...subnetIds: string[]) => ({
  id: "0123456789ABCDEF0123456789ABCDEF",
  region: "us-east-1",
  vpcConfig: { subnetIds } as never,
});
const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const free = () => false;

/** One after the other, as the masters of a new cluster get them. */
function interfacesOf(subnetIds: string[], isTaken: (address: string) => boolean = free): NetworkInterface[] {
  const made: NetworkInterface[] = [];
  for (const [index, zone] of ZONES.entries()) {
    const next = masterInterface(cluster(...subnetIds), { id: `master-${index + 1}`, zone }, made, isTaken);
    if (next) made.push(next);
  }
  return made;
}

describe("the network interface of a master", () => {
  it("is in the subnet of its own zone", () => {
    const made = interfacesOf(["subnet-1", "subnet-2", "subnet-3"]);
    expect(made.map(({ subnetId, zone }) => [subnetId, zone])).toEqual([
      ["subnet-1", "us-east-1a"],
      ["subnet-2", "us-east-1b"],
      ["subnet-3", "us-east-1c"],
    ]);
  });

  it("is, without one, in the subnet with fewest", () => {
    const made = interfacesOf(["subnet-1", "subnet-2"]);
    expect(made.map(({ subnetId }) => subnetId).sort()).toEqual(["subnet-1", "subnet-1", "subnet-2"]);
    expect(interfacesOf([])).toEqual([]);
  });

  it("has an address of its zone's range, that nobody else has, and the same each time", () => {
    const made = interfacesOf(["subnet-1", "subnet-2", "subnet-3"]);
    const thirds = made.map(({ privateIp }) => Number(privateIp.split(".")[2]) >> 4);
    expect(thirds).toEqual([0, 1, 2]);
    expect(interfacesOf(["subnet-1", "subnet-2", "subnet-3"])).toEqual(made);
    const taken = new Set(made.map(({ privateIp }) => privateIp));
    const others = interfacesOf(["subnet-1", "subnet-2", "subnet-3"], (address) => taken.has(address));
    for (const { privateIp } of others) expect(taken).not.toContain(privateIp);
    expect(new Set(interfacesOf(["subnet-1"]).map(({ privateIp }) => privateIp)).size).toBe(3);
  });

  it("is reached in the family of the cluster's services", () => {
    const [made] = interfacesOf(["subnet-1"]) as [NetworkInterface];
    expect(masterAddress({ networkConfig: { ipFamily: "ipv4" } }, made)).toBe(made.privateIp);
    expect(masterAddress({ networkConfig: { ipFamily: "ipv6" } }, made)).toMatch(/^2001:db8:/);
  });
});
