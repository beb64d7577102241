/** A node of the backend contract -> what the simulated kubelet registers with. */
import { ipv6Address, ipv6PodCidr, nodeInfo, nodeResources, podCidr, providerId } from "../../domain/node.js";
import type { NodeSpec as KubeletNodeSpec } from "../../kubernetes/cluster.js";
import type { NodeSpec } from "../backend.js";

/** Nodes have addresses of the family that services have: EKS knows no clusters of both. */
export function kubeletNodeSpec(node: NodeSpec, { serviceCidr }: { serviceCidr: string }): KubeletNodeSpec {
  const isIpv6 = serviceCidr.includes(":");
  return {
    name: node.name,
    providerId: providerId(node.zone, node.instanceId),
    zone: node.zone,
    labels: node.labels,
    taints: node.taints,
    addresses: [
      { type: "InternalIP", address: isIpv6 ? ipv6Address(node.privateIp) : node.privateIp },
      { type: "InternalDNS", address: node.name },
      { type: "Hostname", address: node.name },
    ],
    ...nodeResources(node.instanceType, node.diskSizeGiB),
    nodeInfo: nodeInfo(node),
    podCidr: isIpv6 ? ipv6PodCidr(node.privateIp) : podCidr(node.privateIp),
  };
}
