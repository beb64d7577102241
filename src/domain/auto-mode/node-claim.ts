/** What a NodeClaim of EKS Auto Mode says of the instance behind it. Source: Karpenter's API reference (karpenter.sh/v1). */
import type { Manifest } from "../addons/manifest.js";
import type { InstanceRecord } from "../model.js";
import { nodeResources, providerId } from "../node.js";
import { stableHex } from "../stable-hex.js";
import { AUTO_MODE_DISK_GIB } from "./requirements.js";

export const NODE_CLAIMS = "nodeclaims.karpenter.sh";
/** API group of Auto Mode's node classes: claims that refer to one are Auto Mode's own. */
export const NODE_CLASS_GROUP = "eks.amazonaws.com";

export type NodeClaimView = Pick<
  InstanceRecord,
  | "instanceId"
  | "privateDnsName"
  | "zone"
  | "instanceType"
  | "amiId"
  | "lifecycle"
  | "nodeReady"
  | "terminationReason"
  | "emptySinceMs"
> & {
  nodePool: NonNullable<InstanceRecord["nodePool"]>;
  /** RFC 3339. */
  launchedAt: string;
  inServiceAt?: string;
};

/** Karpenter's words for why a node goes; what has none is no disruption of Karpenter's. */
const DISRUPTIONS: Readonly<Record<string, string>> = {
  expired: "Expired",
  drift: "Drifted",
  empty: "Empty",
  underutilized: "Underutilized",
  interruption: "Interrupted",
};

/** Requirements that narrow a claim down to one offering. */
const NARROWED = [
  "eks.amazonaws.com/instance-family",
  "karpenter.sh/capacity-type",
  "karpenter.sh/nodepool",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "node.kubernetes.io/instance-type",
  "topology.kubernetes.io/zone",
] as const;

/** Named after the pool and the instance: the same name at every look. */
export function nodeClaim(view: NodeClaimView): Manifest {
  const { instanceId, nodePool, launchedAt, inServiceAt, nodeReady, lifecycle } = view;
  const joined = inServiceAt !== undefined;
  const isReady = joined && nodeReady && lifecycle === "InService";
  const condition = (type: string, isTrue: boolean, at: string): Record<string, string> => ({
    type,
    status: isTrue ? "True" : "Unknown",
    reason: isTrue ? type : "AwaitingReconciliation",
    lastTransitionTime: at,
    message: "",
  });
  const disruption = DISRUPTIONS[view.terminationReason ?? ""];
  const { capacity, allocatable } = nodeResources(view.instanceType, AUTO_MODE_DISK_GIB);
  const graceMs = nodePool.terminationGracePeriodMs;
  return {
    resource: NODE_CLAIMS,
    object: {
      apiVersion: "karpenter.sh/v1",
      kind: "NodeClaim",
      metadata: {
        name: `${nodePool.name}-${stableHex(instanceId, 5)}`,
        labels: { ...nodePool.labels, "karpenter.sh/nodepool": nodePool.name },
      },
      spec: {
        nodeClassRef: { group: NODE_CLASS_GROUP, kind: "NodeClass", name: "default" },
        requirements: NARROWED.flatMap((key) => {
          const value = nodePool.labels[key];
          return value === undefined ? [] : [{ key, operator: "In", values: [value] }];
        }),
        ...(nodePool.taints.length > 0 ? { taints: nodePool.taints } : {}),
        ...(graceMs === undefined || !Number.isFinite(graceMs)
          ? {}
          : { terminationGracePeriod: `${Math.round(graceMs / 1000)}s` }),
      },
      status: {
        imageID: view.amiId,
        providerID: providerId(view.zone, instanceId),
        ...(joined ? { nodeName: view.privateDnsName, capacity, allocatable } : {}),
        conditions: [
          condition("Launched", true, launchedAt),
          condition("Registered", joined, inServiceAt ?? launchedAt),
          condition("Initialized", joined, inServiceAt ?? launchedAt),
          condition("Ready", isReady, inServiceAt ?? launchedAt),
          ...(disruption
            ? [{ ...condition("DisruptionReason", true, inServiceAt ?? launchedAt), reason: disruption }]
            : []),
        ],
      },
    },
  };
}
