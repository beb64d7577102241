/** Rules of a cluster's networks: who may reach the endpoint, the service CIDR, the networks of hybrid nodes. */
import { zonesOfSubnets } from "../zones.js";
import { type Cidr, isIpv6Cidr, isPrivate, isPrivateOrCarrierGrade, overlaps, parseCidr } from "./cidr.js";
import { invalidParameter } from "./refusals.js";

const MAX_PUBLIC_ACCESS_CIDRS = 40;
const MAX_SECURITY_GROUPS = 5;

/** Where clusters take service addresses from unless told. EKS turns to 172.20.0.0/16 where this would lie in the VPC; no VPC is known here. */
export const DEFAULT_SERVICE_CIDR = "10.100.0.0/16";

export const DEFAULT_PUBLIC_ACCESS_CIDRS: Record<"ipv4" | "ipv6", readonly string[]> = {
  ipv4: ["0.0.0.0/0"],
  ipv6: ["0.0.0.0/0", "::/0"],
};

/** Control planes need subnets in two zones. */
export function checkSubnetZones(region: string, subnetIds: readonly string[]): void {
  const zones = new Set([...zonesOfSubnets(region, subnetIds).values()].map((zone) => zone.name));
  if (zones.size < 2) throw invalidParameter("Subnets specified must be in at least two different AZs");
}

export function checkSecurityGroups(securityGroupIds: readonly string[]): void {
  if (securityGroupIds.length > MAX_SECURITY_GROUPS) {
    throw invalidParameter(`At most ${MAX_SECURITY_GROUPS} security groups can be specified for a cluster`);
  }
}

export function checkEndpointAccess(access: {
  endpointPublicAccess: boolean;
  endpointPrivateAccess: boolean;
  publicAccessCidrs: readonly string[];
}): void {
  if (!access.endpointPublicAccess && !access.endpointPrivateAccess) {
    throw invalidParameter("Private and public endpoint access cannot be false");
  }
  const cidrs = access.publicAccessCidrs;
  if (cidrs.length > MAX_PUBLIC_ACCESS_CIDRS) {
    throw invalidParameter(`At most ${MAX_PUBLIC_ACCESS_CIDRS} CIDRs can be specified in publicAccessCidrs`);
  }
  const invalid = cidrs.filter((cidr) => !parseCidr(cidr) && !isIpv6Cidr(cidr));
  if (invalid.length > 0)
    throw invalidParameter(`The following CIDRs are invalid in publicAccessCidrs: [${invalid.join(", ")}]`);
  const reserved = cidrs.filter((cidr) => {
    const parsed = parseCidr(cidr);
    return parsed && isPrivate(parsed);
  });
  if (reserved.length > 0) {
    throw invalidParameter(`The following CIDRs are not allowed in publicAccessCidrs: [${reserved.join(", ")}]`);
  }
}

export function checkServiceCidr(text: string): void {
  const cidr = parseCidr(text);
  if (!cidr) throw invalidParameter(`serviceIpv4Cidr ${text} is not a valid IPv4 CIDR`);
  if (cidr.prefix < 12 || cidr.prefix > 24) {
    throw invalidParameter(`serviceIpv4Cidr ${text} must have netmask size between /12 and /24 inclusive`);
  }
  if (!isPrivate(cidr)) throw invalidParameter(`serviceIpv4Cidr ${text} must be within RFC1918 range`);
}

export interface RemoteNetworkConfig {
  remoteNodeNetworks?: { cidrs?: string[] }[];
  remotePodNetworks?: { cidrs?: string[] }[];
}

/** Networks of nodes and pods outside AWS: private, and apart from each other and from the services. */
export function checkRemoteNetworks(config: RemoteNetworkConfig, serviceCidr: string | undefined): void {
  const networks = (list: { cidrs?: string[] }[] | undefined): string[] =>
    (list ?? []).flatMap((entry) => entry.cidrs ?? []);
  if (networks(config.remoteNodeNetworks).length === 0) {
    throw invalidParameter("remoteNodeNetworks are required when specifying remoteNetworkConfig.");
  }
  const service = serviceCidr === undefined ? undefined : parseCidr(serviceCidr);
  const taken: { text: string; cidr: Cidr }[] = [];
  for (const [kind, list] of [
    ["node", networks(config.remoteNodeNetworks)],
    ["pod", networks(config.remotePodNetworks)],
  ] as const) {
    for (const text of list) {
      const cidr = parseCidr(text);
      const refusal = (reason: string): Error =>
        invalidParameter(`Invalid remote ${kind} network: CIDR ${text} ${reason}`);
      if (!cidr) throw refusal("is not valid");
      if (!isPrivateOrCarrierGrade(cidr)) throw refusal("is not part of RFC 1918 or CGNAT");
      if (service && overlaps(cidr, service)) throw refusal(`overlaps with service CIDR ${serviceCidr}`);
      const other = taken.find((earlier) => overlaps(earlier.cidr, cidr));
      if (other) throw refusal(`overlaps with already existing CIDR ${other.text}`);
      taken.push({ text, cidr });
    }
  }
}
