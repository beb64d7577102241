/** A node of the backend contract -> what the simulated kubelet registers with. */
import { nodeInfo, nodeResources, podCidr, providerId } from "../../domain/node.js";
import type { NodeSpec as KubeletNodeSpec } from "../../kubernetes/cluster.js";
import type { NodeSpec } from "../backend.js";

export function kubeletNodeSpec(node: NodeSpec): KubeletNodeSpec {
  return {
    name: node.name,
    providerId: providerId(node.zone, node.instanceId),
    zone: node.zone,
    labels: node.labels,
    taints: node.taints,
    addresses: [
      { type: "InternalIP", address: node.privateIp },
      { type: "InternalDNS", address: node.name },
      { type: "Hostname", address: node.name },
    ],
    ...nodeResources(node.instanceType, node.diskSizeGiB),
    nodeInfo: nodeInfo(node),
    podCidr: podCidr(node.privateIp),
  };
}
