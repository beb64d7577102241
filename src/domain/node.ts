/**
 * What a managed EC2 node looks like to Kubernetes: name, labels, provider id, capacity and what it says about its software. Sources: the EKS AMI's
 * nodeadm (reservations, pods), cloud-provider-aws (labels, names), the user guide on managed node groups (their labels).
 */
import { amiType, instanceType, kubeletVersion, osImage } from "./catalogue/index.js";
import type { NodegroupRecord } from "./model.js";
import { stableHex } from "./stable-hex.js";

/** `ip-10-0-1-106.ec2.internal` in us-east-1, `ip-10-0-1-106.<region>.compute.internal` elsewhere. */
export function privateDnsName(region: string, privateIp: string): string {
  const domain = region === "us-east-1" ? "ec2.internal" : `${region}.compute.internal`;
  return `ip-${privateIp.replaceAll(".", "-")}.${domain}`;
}

export const providerId = (zone: string, instanceId: string): string => `aws:///${zone}/${instanceId}`;

/** The AMI of a release: the same id for the same release, type and region. */
export const amiId = (region: string, type: string, releaseVersion: string): string =>
  `ami-${stableHex(`${region} ${type} ${releaseVersion}`, 17)}`;

/** Node addresses are in 10.0.0.0/18, a /20 for each of a region's first zones: 14 bits that also number the nodes' pod ranges. */
const HOSTS_PER_ZONE = 4096;
/** AWS keeps the first four addresses of a subnet and its last. */
const RESERVED_HOSTS = 4;

/** Address number `host` (taken modulo what there is) of the zone at `zoneIndex` of its region. */
export function privateIp(zoneIndex: number, host: number): string {
  const usable = HOSTS_PER_ZONE - RESERVED_HOSTS - 1;
  const offset = (zoneIndex % 4) * HOSTS_PER_ZONE + RESERVED_HOSTS + (((host % usable) + usable) % usable);
  return `10.0.${offset >> 8}.${offset & 255}`;
}

/**
 * The pod range of a node, a /24 of 100.64.0.0/10 found from the node's address. With the VPC CNI pods get addresses of secondary interfaces; that range
 * is the one the EKS guide proposes for them.
 */
export function podCidr(nodeIp: string): string {
  const [, , third = 0, fourth = 0] = nodeIp.split(".").map(Number);
  const offset = ((third & 63) << 8) | fourth;
  return `100.${64 + (offset >> 8)}.${offset & 255}.0/24`;
}

/** In clusters of IPv6 a node has an address of its zone's subnet, a /64 of the range for documentation, and ... */
export function ipv6Address(nodeIp: string): string {
  const [subnet, host] = ipv6Parts(nodeIp);
  return `2001:db8:0:${subnet}::${host}`;
}

/** ... a /80 of that subnet for its pods, as the VPC CNI's prefix delegation gives it. */
export function ipv6PodCidr(nodeIp: string): string {
  const [subnet, host] = ipv6Parts(nodeIp);
  return `2001:db8:0:${subnet}:${host}::/80`;
}

/** Subnet and host of a node's IPv4 address in hexadecimal: a host number of 12 bits, never 0. */
function ipv6Parts(nodeIp: string): [subnet: string, host: string] {
  const [, , third = 0, fourth = 0] = nodeIp.split(".").map(Number);
  return [(third >> 4).toString(16), (((third & 15) << 8) | fourth).toString(16)];
}

/** API spelling of taint effects -> Kubernetes'. */
const TAINT_EFFECTS: Readonly<Record<string, string>> = {
  NO_SCHEDULE: "NoSchedule",
  NO_EXECUTE: "NoExecute",
  PREFER_NO_SCHEDULE: "PreferNoSchedule",
};

export const kubernetesTaints = (
  taints: NodegroupRecord["taints"],
): { key: string; value?: string; effect: string }[] =>
  taints.map(({ key, value, effect }) => ({
    key,
    ...(value === undefined || value === "" ? {} : { value }),
    effect: TAINT_EFFECTS[effect] ?? effect,
  }));

/** Labels that the cloud controller and the kubelet give a node, by where and what it is. */
export function machineLabels(node: {
  name: string;
  region: string;
  zone: string;
  zoneId: string;
  instanceType: string;
  amiType: string;
  clusterName: string;
}): Record<string, string> {
  const type = amiType(node.amiType);
  const arch = type?.arch ?? instanceType(node.instanceType)?.arch ?? "amd64";
  const os = type?.os ?? "linux";
  return {
    "beta.kubernetes.io/arch": arch,
    "beta.kubernetes.io/instance-type": node.instanceType,
    "beta.kubernetes.io/os": os,
    "failure-domain.beta.kubernetes.io/region": node.region,
    "failure-domain.beta.kubernetes.io/zone": node.zone,
    // The tagging controller hashes the cluster's tag once it has tagged the instance.
    "k8s.io/cloud-provider-aws": stableHex(`kubernetes.io/cluster/${node.clusterName}`, 32),
    "kubernetes.io/arch": arch,
    "kubernetes.io/hostname": node.name,
    "kubernetes.io/os": os,
    "node.kubernetes.io/instance-type": node.instanceType,
    "topology.k8s.aws/zone-id": node.zoneId,
    "topology.kubernetes.io/region": node.region,
    "topology.kubernetes.io/zone": node.zone,
  };
}

/** Labels of a managed node group's nodes: EKS's own, then those of the group. */
export function nodegroupLabels(group: NodegroupRecord, imageId: string): Record<string, string> {
  return {
    ...group.labels,
    "eks.amazonaws.com/capacityType": group.capacityType,
    "eks.amazonaws.com/nodegroup": group.name,
    "eks.amazonaws.com/nodegroup-image": imageId,
    ...(group.launchTemplate?.id ? { "eks.amazonaws.com/sourceLaunchTemplateId": group.launchTemplate.id } : {}),
    ...(group.launchTemplate?.version
      ? { "eks.amazonaws.com/sourceLaunchTemplateVersion": group.launchTemplate.version }
      : {}),
  };
}

/** Instances of a type nobody knows are taken for a common one. */
const UNKNOWN_TYPE = { vcpu: 2, memoryMiB: 8192, enis: 3, ipv4PerEni: 10, accelerator: undefined };

/** Pods by network interfaces: each ENI's first address is its own; two host-network pods need none. */
export function maxPods(type: { enis: number; ipv4PerEni: number }): number {
  return type.enis * (type.ipv4PerEni - 1) + 2;
}

/** CPU that the EKS AMI reserves: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest; in thousandths of a core. */
export function reservedCpuMillis(cores: number): number {
  const share = [60, 10, 5, 5].slice(0, cores).reduce((sum, millis) => sum + millis, 0);
  return share + Math.max(0, cores - 4) * 2.5;
}

/** Part of the nominal memory that firmware and kernel keep, as Karpenter reckons. */
const MEMORY_OVERHEAD = 0.075;
const EVICTION_MEMORY_MIB = 100;
const RESERVED_STORAGE_BYTES = 1024 ** 3;
/** What XFS takes of a root volume, KiB. */
const FILE_SYSTEM_KIB = 12_308;
/** The kubelet reads its 10 % threshold as a 32-bit float; the last digits of allocatable storage show it. */
const STORAGE_THRESHOLD = Math.fround(0.1);

/** Quantities of a node's status. `diskSizeGiB` = root volume. */
export function nodeResources(
  typeName: string,
  diskSizeGiB: number,
): { capacity: Record<string, string>; allocatable: Record<string, string> } {
  const type = instanceType(typeName) ?? UNKNOWN_TYPE;
  const pods = String(maxPods(type));
  const memoryKiB = Math.floor(type.memoryMiB * 1024 * (1 - MEMORY_OVERHEAD));
  const reservedMemoryMiB = 255 + 11 * maxPods(type) + EVICTION_MEMORY_MIB;
  const storageKiB = diskSizeGiB * 1024 ** 2 - FILE_SYSTEM_KIB;
  const storageBytes = storageKiB * 1024;
  const shared = {
    ...(type.accelerator ? { [type.accelerator.resource]: String(type.accelerator.count) } : {}),
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    pods,
  };
  return {
    capacity: {
      cpu: String(type.vcpu),
      "ephemeral-storage": `${storageKiB}Ki`,
      memory: `${memoryKiB}Ki`,
      ...shared,
    },
    allocatable: {
      cpu: `${Math.floor(type.vcpu * 1000 - reservedCpuMillis(type.vcpu))}m`,
      "ephemeral-storage": String(storageBytes - Math.floor(storageBytes * STORAGE_THRESHOLD) - RESERVED_STORAGE_BYTES),
      // The smallest types have less than the rules reserve; the kubelet then offers nothing.
      memory: `${Math.max(0, memoryKiB - reservedMemoryMiB * 1024)}Ki`,
      ...shared,
    },
  };
}

/** status.nodeInfo. Identifiers of the machine are made from the instance id, so that they never change. */
export function nodeInfo(node: {
  instanceId: string;
  amiType: string;
  instanceType: string;
  version: string;
  releaseVersion: string;
}): Record<string, string> {
  const type = amiType(node.amiType) ?? amiType("CUSTOM");
  const uuid = (salt: string): string =>
    stableHex(`${salt} ${node.instanceId}`, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return {
    architecture: type?.arch ?? instanceType(node.instanceType)?.arch ?? "amd64",
    bootID: uuid("boot"),
    containerRuntimeVersion: type?.containerRuntimeVersion ?? "",
    kernelVersion: type?.kernelVersion ?? "",
    kubeProxyVersion: "",
    kubeletVersion: kubeletVersion(node.version, node.releaseVersion),
    machineID: `ec2${stableHex(`machine ${node.instanceId}`, 29)}`,
    operatingSystem: type?.os ?? "linux",
    osImage: type ? osImage(type, node.version) : "",
    // EC2 system UUIDs begin with `ec2`.
    systemUUID: `ec2${uuid("system").slice(3)}`,
  };
}
