/** What every new cluster has whether or not it wants the self-managed add-ons: storage class, EKS's own rights, its custom resource definitions. */
import { type CustomResource, customResource } from "../../../domain/addons/custom-resource.js";
import { clusterRole, clusterRoleBinding, type Manifest, rule, systemRole } from "../../../domain/addons/manifest.js";

/** EBS through the in-tree name that the CSI driver takes over. Not the default class since 1.30. */
const STORAGE: Manifest = {
  resource: "storageclasses.storage.k8s.io",
  object: {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "gp2" },
    provisioner: "kubernetes.io/aws-ebs",
    parameters: { fsType: "ext4", type: "gp2" },
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
  },
};

const METRICS_USER = { kind: "User", name: "eks:k8s-metrics" } as const;
const NODE_MANAGER = { kind: "User", name: "eks:node-manager" } as const;

const RIGHTS: readonly Manifest[] = [
  clusterRole("eks:k8s-metrics", [
    { nonResourceURLs: ["/metrics"], verbs: ["get"] },
    rule("", "endpoints,nodes,pods", "list"),
    rule("apps", "deployments", "list"),
  ]),
  clusterRoleBinding("eks:k8s-metrics", "eks:k8s-metrics", METRICS_USER),
  ...systemRole(
    "eks:k8s-metrics",
    [
      { ...rule("apps", "daemonsets", "get"), resourceNames: ["aws-node"] },
      { ...rule("apps", "deployments", "get"), resourceNames: ["vpc-resource-controller"] },
    ],
    METRICS_USER,
  ),
  // Nodes get the certificates that they serve with from the cluster's CA.
  clusterRole("eks:node-bootstrapper", [
    rule("certificates.k8s.io", "certificatesigningrequests/selfnodeserver", "create"),
  ]),
  clusterRoleBinding("eks:node-bootstrapper", "eks:node-bootstrapper", { kind: "Group", name: "system:nodes" }),
  // Managed node groups need it to label, cordon and drain; EKS puts it back when it is missing.
  clusterRole("eks:node-manager", [
    rule("", "pods", "get,list,watch,delete"),
    rule("", "nodes", "get,list,watch,patch"),
    rule("", "pods/eviction", "create"),
  ]),
  clusterRoleBinding("eks:node-manager", "eks:node-manager", NODE_MANAGER),
];

/** Custom resources that the VPC components define in every cluster. */
const DEFINITIONS: readonly CustomResource[] = [
  { group: "crd.k8s.amazonaws.com", version: "v1alpha1", kind: "ENIConfig", plural: "eniconfigs", scope: "Cluster" },
  {
    group: "networking.k8s.aws",
    version: "v1alpha1",
    kind: "PolicyEndpoint",
    plural: "policyendpoints",
    scope: "Namespaced",
  },
  {
    group: "vpcresources.k8s.aws",
    version: "v1alpha1",
    kind: "CNINode",
    plural: "cninodes",
    scope: "Cluster",
    shortNames: ["cnd"],
  },
  {
    group: "vpcresources.k8s.aws",
    version: "v1beta1",
    kind: "SecurityGroupPolicy",
    plural: "securitygrouppolicies",
    scope: "Namespaced",
    shortNames: ["sgp"],
  },
];

export const clusterObjects = (): Manifest[] => [STORAGE, ...RIGHTS, ...DEFINITIONS.map(customResource)];
