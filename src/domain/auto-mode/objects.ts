/** What EKS Auto Mode keeps in a cluster: the definitions of node pools and classes, the default class, and the built-in pools. */
import { customResource } from "../addons/custom-resource.js";
import type { Manifest } from "../addons/manifest.js";

export const NODE_POOLS = "nodepools.karpenter.sh";
const NODE_CLASSES = "nodeclasses.eks.amazonaws.com";

const DEFINITIONS: readonly Manifest[] = [
  customResource({ group: "karpenter.sh", version: "v1", kind: "NodePool", plural: "nodepools", scope: "Cluster" }),
  customResource({ group: "karpenter.sh", version: "v1", kind: "NodeClaim", plural: "nodeclaims", scope: "Cluster" }),
  customResource({
    group: "eks.amazonaws.com",
    version: "v1",
    kind: "NodeClass",
    plural: "nodeclasses",
    scope: "Cluster",
  }),
];

/** Definitions of the Gateway API, where EKS is to manage them: name, plural, scope. */
const GATEWAY_API: readonly Manifest[] = (
  [
    ["GatewayClass", "gatewayclasses", "Cluster"],
    ["Gateway", "gateways", "Namespaced"],
    ["HTTPRoute", "httproutes", "Namespaced"],
    ["GRPCRoute", "grpcroutes", "Namespaced"],
  ] as const
).map(([kind, plural, scope]) =>
  customResource({ group: "gateway.networking.k8s.io", version: "v1", kind, plural, scope }),
);

interface BuiltIn {
  architectures: string[];
  taints?: { key: string; effect: string }[];
}

const BUILT_IN: Readonly<Record<string, BuiltIn>> = {
  "general-purpose": { architectures: ["amd64"] },
  system: { architectures: ["amd64", "arm64"], taints: [{ key: "CriticalAddonsOnly", effect: "NoSchedule" }] },
};

export const BUILT_IN_POOLS: readonly string[] = Object.keys(BUILT_IN);

const within = (key: string, operator: string, ...values: string[]) => ({ key, operator, values });

function nodePool(name: string, { architectures, taints }: BuiltIn): Manifest {
  return {
    resource: NODE_POOLS,
    object: {
      apiVersion: "karpenter.sh/v1",
      kind: "NodePool",
      metadata: { name, labels: { "app.kubernetes.io/managed-by": "eks" } },
      spec: {
        disruption: {
          budgets: [{ nodes: "10%" }],
          consolidateAfter: "30s",
          consolidationPolicy: "WhenEmptyOrUnderutilized",
        },
        template: {
          metadata: {},
          spec: {
            expireAfter: "336h",
            nodeClassRef: { group: "eks.amazonaws.com", kind: "NodeClass", name: "default" },
            requirements: [
              within("karpenter.sh/capacity-type", "In", "on-demand"),
              within("eks.amazonaws.com/instance-category", "In", "c", "m", "r"),
              within("eks.amazonaws.com/instance-generation", "Gt", "4"),
              within("kubernetes.io/arch", "In", ...architectures),
              within("kubernetes.io/os", "In", "linux"),
            ],
            ...(taints ? { taints } : {}),
            terminationGracePeriod: "24h0m0s",
          },
        },
      },
    },
  };
}

/** In the order in which they have to be applied. */
export function autoModeObjects(cluster: {
  nodePools: readonly string[];
  nodeRoleArn: string;
  subnetIds: readonly string[];
  securityGroupId: string;
  managesGatewayApi: boolean;
}): Manifest[] {
  const nodeClass: Manifest = {
    resource: NODE_CLASSES,
    object: {
      apiVersion: "eks.amazonaws.com/v1",
      kind: "NodeClass",
      metadata: { name: "default", labels: { "app.kubernetes.io/managed-by": "eks" } },
      spec: {
        ephemeralStorage: { iops: 3000, size: "80Gi", throughput: 125 },
        networkPolicy: "DefaultAllow",
        networkPolicyEventLogs: "Disabled",
        role: cluster.nodeRoleArn.split("/").at(-1),
        securityGroupSelectorTerms: [{ id: cluster.securityGroupId }],
        snatPolicy: "Random",
        subnetSelectorTerms: cluster.subnetIds.map((id) => ({ id })),
      },
    },
  };
  const pools = Object.entries(BUILT_IN).filter(([name]) => cluster.nodePools.includes(name));
  return [
    ...DEFINITIONS,
    ...(cluster.managesGatewayApi ? GATEWAY_API : []),
    ...(cluster.nodeRoleArn ? [nodeClass] : []),
    ...pools.map(([name, pool]) => nodePool(name, pool)),
  ];
}
