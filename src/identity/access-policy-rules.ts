/**
 * What EKS's access policies allow, as data. The tables of the policies for people are those of the EKS user guide ("Review access policy permissions").
 * For EKS's own the guide tells in words what they are for; which resources that takes is worked out from the software they belong to.
 */
import type { AccessPolicyName } from "../domain/eks/access-policies.js";

/**
 * API group (`""` = core, `*` = all, `*.x` = all below x), then resources and verbs, parted by spaces, `*` = all; at last the names of the only objects
 * that are meant.
 */
export type PolicyRule = readonly [group: string, resources: string, verbs: string, names?: string];

const READ = "get list watch";
const WRITE = "create delete deletecollection patch update";

const SCALED = "deployments deployments/scale replicasets replicasets/scale";
const POD_ACCESS = "pods/attach pods/exec pods/portforward pods/proxy";

const VIEW: readonly PolicyRule[] = [
  ["apps", `controllerrevisions daemonsets daemonsets/status ${SCALED} deployments/status replicasets/status`, READ],
  ["apps", "statefulsets statefulsets/scale statefulsets/status", READ],
  ["autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ],
  ["batch", "cronjobs cronjobs/status jobs jobs/status", READ],
  ["discovery.k8s.io", "endpointslices", READ],
  ["extensions", `daemonsets daemonsets/status ${SCALED} deployments/status replicasets/status`, READ],
  ["extensions", "ingresses ingresses/status networkpolicies replicationcontrollers/scale", READ],
  ["networking.k8s.io", "ingresses ingresses/status networkpolicies", READ],
  ["policy", "poddisruptionbudgets poddisruptionbudgets/status", READ],
  ["", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods pods/log pods/status", READ],
  ["", "replicationcontrollers replicationcontrollers/scale replicationcontrollers/status", READ],
  ["", "serviceaccounts services services/status", READ],
  ["", "bindings events limitranges namespaces namespaces/status resourcequotas resourcequotas/status", READ],
];

const EDIT: readonly PolicyRule[] = [
  ...VIEW,
  ["apps", `daemonsets ${SCALED} deployments/rollback statefulsets statefulsets/scale`, WRITE],
  ["autoscaling", "horizontalpodautoscalers", WRITE],
  ["batch", "cronjobs jobs", WRITE],
  ["extensions", `daemonsets ${SCALED} deployments/rollback`, WRITE],
  ["extensions", "ingresses networkpolicies replicationcontrollers/scale", WRITE],
  ["networking.k8s.io", "ingresses networkpolicies", WRITE],
  ["policy", "poddisruptionbudgets", WRITE],
  ["", `secrets services/proxy ${POD_ACCESS}`, `${READ} ${WRITE}`],
  ["", "configmaps events persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale", WRITE],
  ["", "serviceaccounts services", WRITE],
  ["", "serviceaccounts", "impersonate"],
];

const CRDS = ["apiextensions.k8s.io", "customresourcedefinitions"] as const;
const EVENTS: readonly PolicyRule[] = [
  ["", "events", "create patch"],
  ["events.k8s.io", "events", "create patch"],
];

/** Leases of controllers that elect a leader: anybody may make one, and only its own may be touched after that. */
const election = (...names: string[]): readonly PolicyRule[] => [
  ["coordination.k8s.io", "leases", "create"],
  ["coordination.k8s.io", "leases", "get update patch", names.join(" ")],
];

/** What runs on the machines of Auto Mode beside the kubelet: each works under an identity of its own, which the node's role stands in for. */
const AUTO_NODE: readonly PolicyRule[] = [
  ["", "users", "impersonate", "eks-auto:coredns eks-auto:ebs-csi-node eks-auto:ipamd eks-auto:kube-proxy"],
  ["", "users", "impersonate", "eks-auto:neuron eks-auto:node-monitoring-agent"],
  ["", "serviceaccounts", "impersonate", "coredns ebs-csi-node ipamd kube-proxy neuron node-monitoring-agent"],
  ["", "endpoints services nodes pods namespaces", READ],
  ["discovery.k8s.io", "endpointslices", READ],
  ["networking.k8s.io", "servicecidrs ipaddresses", READ],
  ["eks.amazonaws.com", "cninodes cninodes/status", `${READ} patch update`],
  ["eks.amazonaws.com", "nodediagnostics nodediagnostics/status", `${READ} patch update`],
  ["storage.k8s.io", "csinodes volumeattachments storageclasses", READ],
  ["", "nodes/status pods/status", "patch"],
  ...EVENTS,
];

const SNAPSHOTS = "volumesnapshots volumesnapshotcontents volumesnapshotclasses";
const GROUP_SNAPSHOTS = "volumegroupsnapshots volumegroupsnapshotcontents volumegroupsnapshotclasses";

const BLOCK_STORAGE: readonly PolicyRule[] = [
  ["storage.k8s.io", "csidrivers", "create"],
  ["storage.k8s.io", "csidrivers", "get update patch delete", "ebs.csi.eks.amazonaws.com"],
  ["", "persistentvolumes", "list watch create update patch delete get"],
  ["", "persistentvolumeclaims", "get list watch update"],
  ["", "persistentvolumeclaims/status", "patch update"],
  ["", "nodes pods", READ],
  ["", "events", `${READ} create patch update`],
  ["storage.k8s.io", "storageclasses csinodes volumeattributesclasses", READ],
  ["storage.k8s.io", "volumeattachments", "get list watch patch update"],
  ["storage.k8s.io", "volumeattachments/status", "patch update"],
  ["snapshot.storage.k8s.io", SNAPSHOTS, `${READ} create delete patch update`],
  ["snapshot.storage.k8s.io", "volumesnapshots/status volumesnapshotcontents/status", "patch update"],
  ["groupsnapshot.storage.k8s.io", GROUP_SNAPSHOTS, `${READ} create delete patch update`],
  ["groupsnapshot.storage.k8s.io", "volumegroupsnapshots/status volumegroupsnapshotcontents/status", "patch update"],
];

const COMPUTE: readonly PolicyRule[] = [
  ["karpenter.sh", "nodepools nodepools/status nodeclaims nodeclaims/status", `${READ} create delete patch update`],
  ["eks.amazonaws.com", "nodeclasses nodeclasses/status", `${READ} create delete patch update`],
  ["", "pods nodes persistentvolumes persistentvolumeclaims replicationcontrollers namespaces", READ],
  ["storage.k8s.io", "storageclasses csinodes volumeattachments", READ],
  ["apps", "deployments daemonsets replicasets statefulsets", "list watch"],
  ["policy", "poddisruptionbudgets", READ],
  ["", "events", `${READ} create patch`],
  ["", "nodes", "update patch delete"],
  ["", "pods/eviction", "create"],
  ["", "pods", "delete"],
  [...CRDS, "create"],
  [
    ...CRDS,
    `${READ} patch update delete`,
    "nodeclasses.eks.amazonaws.com nodediagnostics.eks.amazonaws.com nodepools.karpenter.sh nodeclaims.karpenter.sh",
  ],
];

const WEBHOOKS = "mutatingwebhookconfigurations validatingwebhookconfigurations";

const LOAD_BALANCING: readonly PolicyRule[] = [
  ...EVENTS,
  ["", "pods nodes endpoints namespaces", READ],
  ["", "pods/status", "patch update"],
  ["", "services services/status", `${READ} create delete patch update`],
  ["networking.k8s.io", "ingresses ingresses/status", `${READ} create delete patch update`],
  ["networking.k8s.io", "ingressclasses", READ],
  ["discovery.k8s.io", "endpointslices", READ],
  ["eks.amazonaws.com", "targetgroupbindings targetgroupbindings/status", `${READ} create delete patch update`],
  ["eks.amazonaws.com", "ingressclassparams", READ],
  [...CRDS, `${READ} create`],
  [...CRDS, "patch update delete", "targetgroupbindings.eks.amazonaws.com ingressclassparams.eks.amazonaws.com"],
  ["admissionregistration.k8s.io", WEBHOOKS, `${READ} create`],
  ["admissionregistration.k8s.io", WEBHOOKS, "patch update delete", "eks-load-balancing-webhook"],
];

const NETWORKING: readonly PolicyRule[] = [
  ["eks.amazonaws.com", "nodeclasses nodeclasses/status", READ],
  ["karpenter.sh", "nodeclaims nodeclaims/status", READ],
  ["", "pods", READ],
  ["eks.amazonaws.com", "cninodes cninodes/status", `${READ} create delete patch update`],
  [...CRDS, `${READ} create`],
  [...CRDS, "patch update delete", "cninodes.eks.amazonaws.com"],
  ...EVENTS,
];

const ARGO_CRDS = "applications.argoproj.io applicationsets.argoproj.io appprojects.argoproj.io";

/** Of every policy whose rules are known at least in words; the others allow nothing. */
export const POLICY_RULES: Readonly<Partial<Record<AccessPolicyName, readonly PolicyRule[]>>> = {
  AmazonEKSClusterAdminPolicy: [["*", "*", "*"]],
  AmazonEKSAdminPolicy: [
    ...EDIT,
    ["authorization.k8s.io", "localsubjectaccessreviews", "create"],
    ["rbac.authorization.k8s.io", "roles rolebindings", `${READ} ${WRITE}`],
  ],
  AmazonEKSAdminViewPolicy: [["*", "*", READ]],
  AmazonEKSEditPolicy: EDIT,
  AmazonEKSViewPolicy: VIEW,
  AmazonEKSSecretReaderPolicy: [["", "secrets", READ]],
  AmazonEKSSecretAdminPolicy: [["", "secrets", "*"]],
  AmazonEKSAutoNodePolicy: AUTO_NODE,
  AmazonEKSBlockStoragePolicy: election(
    "ebs-csi-eks-amazonaws-com",
    "external-attacher-leader-ebs-csi-eks-amazonaws-com",
    "external-resizer-ebs-csi-eks-amazonaws-com",
    "external-snapshotter-leader-ebs-csi-eks-amazonaws-com",
  ),
  AmazonEKSBlockStorageClusterPolicy: BLOCK_STORAGE,
  AmazonEKSComputePolicy: [
    ...election("eks-auto-mode-compute", "karpenter-leader-election"),
    ["coordination.k8s.io", "leases", "get watch"],
  ],
  AmazonEKSComputeClusterPolicy: COMPUTE,
  AmazonEKSLoadBalancingPolicy: election("eks-load-balancing-controller-leader"),
  AmazonEKSLoadBalancingClusterPolicy: LOAD_BALANCING,
  AmazonEKSNetworkingPolicy: election("eks-networking-controller-leader"),
  AmazonEKSNetworkingClusterPolicy: NETWORKING,
  // The guide's table has the group `*` here.
  AmazonEKSHybridPolicy: [["*", "nodes", "list"]],
  AmazonEKSClusterInsightsPolicy: [
    ["", "nodes nodes/status", "get list"],
    ["apps", "daemonsets", "get", "kube-proxy"],
  ],
  // Controllers of AWS resources: their own kinds, and what these point to.
  AmazonEKSACKPolicy: [
    ["services.k8s.aws", "*", "*"],
    ["*.services.k8s.aws", "*", "*"],
    [...CRDS, `${READ} create patch update`],
    ["", "namespaces", READ],
    ["coordination.k8s.io", "leases", `${READ} create patch update delete`],
    ...EVENTS,
  ],
  AmazonEKSKROPolicy: [
    ["kro.run", "*", "*"],
    ["*.kro.run", "*", "*"],
    [...CRDS, "*"],
    ["coordination.k8s.io", "leases", `${READ} create patch update delete`],
    ...EVENTS,
  ],
  AmazonEKSArgoCDClusterPolicy: [
    ["", "namespaces", `${READ} create patch update`],
    [...CRDS, `${READ} create`],
    [...CRDS, "patch update delete", ARGO_CRDS],
  ],
  AmazonEKSArgoCDPolicy: [
    ["", "configmaps secrets", `${READ} ${WRITE}`],
    ["", "events", `${READ} create patch`],
    ["argoproj.io", "*", "*"],
    ["coordination.k8s.io", "leases", `${READ} create patch update delete`],
  ],
  // A region switch looks at workloads and sets how many replicas they have.
  AmazonARCRegionSwitchScalingPolicy: [
    ["apps", "deployments replicasets statefulsets", "get list"],
    ["apps", "deployments/scale replicasets/scale statefulsets/scale", "get patch update"],
    ["autoscaling", "horizontalpodautoscalers", "get list patch update"],
    ["*", "*/scale", "get patch update"],
  ],
  AmazonAIOpsAssistantPolicy: [
    ...VIEW,
    ["", "nodes persistentvolumes", READ],
    ["storage.k8s.io", "storageclasses", READ],
    ["metrics.k8s.io", "pods nodes", "get list"],
  ],
};

/** Policies that also allow all paths that are no resources, for the whole cluster. */
export const ALL_PATHS: readonly AccessPolicyName[] = ["AmazonEKSClusterAdminPolicy"];

/** Policies of which nobody outside AWS knows more than the name: they can be associated, and allow nothing here. */
export const isWithoutRules = (name: string): boolean => !Object.hasOwn(POLICY_RULES, name);
