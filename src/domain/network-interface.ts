/**
 * The network interfaces that EKS puts into a cluster's subnets, one for each master: over them the VPC reaches the API server, and the API server the
 * nodes. Source: user guide, "VPC and subnet requirements" (two to four, described as `Amazon EKS <cluster>`, made anew when subnets change).
 */
import { zonesOf } from "./catalogue/index.js";
import type { ClusterRecord, NetworkInterface } from "./model.js";
import { ipv6Address, privateDnsName, privateIp } from "./node.js";
import { stableHex } from "./stable-hex.js";
import { zonesOfSubnets } from "./zones.js";

type ClusterNetwork = Pick<ClusterRecord, "id" | "region" | "vpcConfig">;

/**
 * A master's interface: in a subnet of its own zone where the cluster has one, else in the one that has fewest. It follows from its arguments, so that
 * runs can be repeated. `isTaken` knows the addresses that are somebody else's. Undefined for a cluster without subnets.
 */
export function masterInterface(
  cluster: ClusterNetwork,
  master: { id: string; zone: string },
  others: readonly NetworkInterface[],
  isTaken: (privateIp: string) => boolean,
): NetworkInterface | undefined {
  const zones = zonesOfSubnets(cluster.region, cluster.vpcConfig.subnetIds);
  const used = (subnetId: string): number => others.filter((other) => other.subnetId === subnetId).length;
  const all = [...zones.keys()];
  const near = all.filter((subnetId) => zones.get(subnetId)?.name === master.zone);
  const [subnetId] = (near.length > 0 ? near : all).sort((a, b) => used(a) - used(b));
  const zone = subnetId === undefined ? undefined : zones.get(subnetId);
  if (subnetId === undefined || !zone) return undefined;
  const zoneIndex = zonesOf(cluster.region).findIndex(({ name }) => name === zone.name);
  const seed = `interface ${cluster.id} ${master.id} ${subnetId}`;
  const first = Number.parseInt(stableHex(seed, 7), 16);
  let address = privateIp(zoneIndex, first);
  for (let next = 1; isTaken(address) || others.some((other) => other.privateIp === address); next++)
    address = privateIp(zoneIndex, first + next);
  return { id: `eni-${stableHex(`${seed} id`, 17)}`, subnetId, zone: zone.name, privateIp: address };
}

/** Where the API server behind an interface is reached from inside the cluster: in the family that its services have. */
export const masterAddress = (
  { networkConfig }: Pick<ClusterRecord, "networkConfig">,
  { privateIp: address }: NetworkInterface,
): string => (networkConfig.ipFamily === "ipv6" ? ipv6Address(address) : address);

/** An interface as EC2 shows it. */
export function describeInterface(
  cluster: Pick<ClusterRecord, "name" | "region" | "vpcConfig">,
  networkInterface: NetworkInterface,
): Record<string, unknown> {
  const { id, subnetId, zone, privateIp: address } = networkInterface;
  const { vpcId, clusterSecurityGroupId, securityGroupIds } = cluster.vpcConfig;
  return {
    networkInterfaceId: id,
    description: `Amazon EKS ${cluster.name}`,
    subnetId,
    vpcId,
    availabilityZone: zone,
    privateIpAddress: address,
    privateDnsName: privateDnsName(cluster.region, address),
    groups: [clusterSecurityGroupId, ...securityGroupIds],
  };
}
