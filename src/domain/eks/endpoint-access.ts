/**
 * Who reaches the Kubernetes endpoint of a cluster. Callers on this machine come from outside the VPC: the public endpoint decides about them by its
 * CIDRs. Callers with a private address, such as containers of a Docker network, stand for machines in the VPC: the private endpoint lets them in.
 */
import { contains, isPrivate, parseCidr } from "./cidr.js";

/** A machine in the VPC that is nobody's node: in 10.0.0.0/16, above all subnets. */
export const VPC_CALLER = "10.0.255.254";

/** The public address of the VPC's NAT gateway (TEST-NET-2): who is in the VPC comes from there to the public endpoint. */
const NAT_GATEWAY = "198.51.100.1";

export interface EndpointAccess {
  endpointPublicAccess: boolean;
  endpointPrivateAccess: boolean;
  publicAccessCidrs: readonly string[];
}

/** Whence callers in the VPC come: with the private endpoint on they find it by the cluster's name, without it they go out like everybody else. */
export const vpcCallerAddress = ({ endpointPrivateAccess }: EndpointAccess): string =>
  endpointPrivateAccess ? VPC_CALLER : NAT_GATEWAY;

/** Host name that EKS gives to a cluster's endpoint. */
export const endpointHostName = (clusterId: string, region: string): string =>
  `${clusterId}.gr7.${region}.eks.amazonaws.com`.toLowerCase();

/** `remoteAddress` as a socket tells it: IPv4, IPv6, or IPv4 written as IPv6. */
export function admitsClient(access: EndpointAccess, remoteAddress: string): boolean {
  const address = plainAddress(remoteAddress);
  const ipv4 = parseCidr(`${address}/32`);
  if (ipv4 && access.endpointPrivateAccess && isPrivate(ipv4)) return true;
  if (!access.endpointPublicAccess) return false;
  return access.publicAccessCidrs.some((text) => {
    const block = parseCidr(text);
    if (block) return ipv4 !== undefined && contains(block, ipv4);
    return ipv4 === undefined && ipv6Contains(text, address);
  });
}

/** `::ffff:127.0.0.1` and the loopback address of IPv6 are the loopback address of IPv4. */
function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? (address === "::1" ? "127.0.0.1" : address);
}

function ipv6Contains(block: string, address: string): boolean {
  const [base = "", prefix = "128"] = block.split("/");
  const shift = 128n - BigInt(prefix);
  return ipv6Number(base) >> shift === ipv6Number(address) >> shift;
}

/** An IPv6 address as a number; a zone index such as `%eth0` is left out. */
function ipv6Number(text: string): bigint {
  const [head = "", tail] = text.replace(/%.*$/, "").split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(missing).fill("0"), ...after].reduce(
    (number, group) => (number << 16n) | BigInt(Number.parseInt(group, 16) || 0),
    0n,
  );
}
