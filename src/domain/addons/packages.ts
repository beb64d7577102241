/** What the add-ons other than vpc-cni, kube-proxy and coredns put into a cluster, under the names that the real ones use. */
import { customResource } from "./custom-resource.js";
import { clusterRole, type Manifest, rule } from "./manifest.js";
import { apiService, budget, csiDriver, service, type Workload } from "./workload.js";

export interface Package {
  workloads: readonly Workload[];
  /** Objects beside the workloads and their service accounts. */
  objects?: readonly Manifest[];
}

const CSI_SIDECARS = {
  "csi-provisioner": "public.ecr.aws/csi-components/csi-provisioner:v6.1.0-eksbuild.1",
  "csi-attacher": "public.ecr.aws/csi-components/csi-attacher:v4.10.0-eksbuild.3",
  "csi-snapshotter": "public.ecr.aws/csi-components/csi-snapshotter:v8.4.0-eksbuild.3",
  "csi-resizer": "public.ecr.aws/csi-components/csi-resizer:v2.0.0-eksbuild.3",
};
const REGISTRAR = {
  "node-driver-registrar": "public.ecr.aws/csi-components/csi-node-driver-registrar:v2.15.0-eksbuild.3",
};
const LIVENESS = { "liveness-probe": "public.ecr.aws/csi-components/livenessprobe:v2.17.0-eksbuild.3" };

/** A CSI driver of AWS's for a kind of storage: a controller of two replicas and an agent on every node. */
const storageDriver = (
  kind: string,
  plugin: string,
  sidecars: Readonly<Record<string, string>>,
): readonly Workload[] => [
  {
    kind: "Deployment",
    name: `${kind}-csi-controller`,
    serviceAccount: `${kind}-csi-controller-sa`,
    containers: { [plugin]: `eks/aws-${kind}-csi-driver`, ...sidecars, ...LIVENESS },
    replicas: 2,
    settings: "controller",
    selector: { app: `${kind}-csi-controller` },
  },
  {
    kind: "DaemonSet",
    name: `${kind}-csi-node`,
    serviceAccount: `${kind}-csi-node-sa`,
    containers: { [plugin]: `eks/aws-${kind}-csi-driver`, ...REGISTRAR, ...LIVENESS },
    privileged: true,
    settings: "node",
    selector: { app: `${kind}-csi-node` },
  },
];

const { "csi-provisioner": PROVISIONER } = CSI_SIDECARS;
const METRICS_SERVER = { "app.kubernetes.io/name": "metrics-server" };

/** cert-manager's three parts, which differ by name only. */
const certManager = (part: string): Workload => ({
  kind: "Deployment",
  name: part === "controller" ? "cert-manager" : `cert-manager-${part}`,
  serviceAccount: part === "controller" ? "cert-manager" : `cert-manager-${part}`,
  containers: { [`cert-manager-${part}`]: `eks/cert-manager-${part}` },
  settings: part === "controller" ? "" : part,
  ordinary: true,
});

const snapshotResource = (kind: string, plural: string, shortName: string, scope: "Cluster" | "Namespaced"): Manifest =>
  customResource({ group: "snapshot.storage.k8s.io", version: "v1", kind, plural, scope, shortNames: [shortName] });

export const PACKAGES: Readonly<Record<string, Package>> = {
  "aws-ebs-csi-driver": {
    workloads: storageDriver("ebs", "ebs-plugin", CSI_SIDECARS),
    objects: [
      budget("ebs-csi-controller", { app: "ebs-csi-controller" }),
      csiDriver("ebs.csi.aws.com", { attachRequired: true, podInfoOnMount: false, fsGroupPolicy: "File" }),
    ],
  },
  "aws-efs-csi-driver": {
    workloads: storageDriver("efs", "efs-plugin", { "csi-provisioner": PROVISIONER }),
    objects: [csiDriver("efs.csi.aws.com", { attachRequired: false })],
  },
  "aws-fsx-csi-driver": {
    workloads: storageDriver("fsx", "fsx-plugin", { "csi-provisioner": PROVISIONER }),
    objects: [csiDriver("fsx.csi.aws.com", { attachRequired: false })],
  },
  "aws-mountpoint-s3-csi-driver": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "s3-csi-node",
        serviceAccount: "s3-csi-driver-sa",
        containers: { "s3-plugin": "eks/aws-s3-csi-driver", ...REGISTRAR, ...LIVENESS },
        settings: "node",
        selector: { app: "s3-csi-node" },
      },
    ],
    objects: [csiDriver("s3.csi.aws.com", { attachRequired: false, podInfoOnMount: true, requiresRepublish: true })],
  },
  "snapshot-controller": {
    workloads: [
      {
        kind: "Deployment",
        name: "snapshot-controller",
        serviceAccount: "snapshot-controller",
        containers: { "snapshot-controller": "eks/snapshot-controller" },
        replicas: 2,
      },
    ],
    objects: [
      snapshotResource("VolumeSnapshot", "volumesnapshots", "vs", "Namespaced"),
      snapshotResource("VolumeSnapshotClass", "volumesnapshotclasses", "vsclass", "Cluster"),
      snapshotResource("VolumeSnapshotContent", "volumesnapshotcontents", "vsc", "Cluster"),
    ],
  },
  "eks-pod-identity-agent": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "eks-pod-identity-agent",
        serviceAccount: "eks-pod-identity-agent",
        containers: { "eks-pod-identity-agent": "eks/eks-pod-identity-agent" },
        ports: { proxy: 80, "probes-port": 2703 },
        hostNetwork: true,
      },
    ],
  },
  "eks-node-monitoring-agent": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "eks-node-monitoring-agent",
        serviceAccount: "eks-node-monitoring-agent",
        containers: { "eks-node-monitoring-agent": "eks/eks-node-monitoring-agent" },
        requests: ["10m", "30Mi"],
        hostNetwork: true,
        privileged: true,
      },
    ],
  },
  "amazon-cloudwatch-observability": {
    workloads: [
      {
        kind: "Deployment",
        name: "amazon-cloudwatch-observability-controller-manager",
        serviceAccount: "amazon-cloudwatch-observability-controller-manager",
        containers: { manager: "eks/observability/cloudwatch-agent-operator" },
        requests: ["100m", "64Mi"],
        settings: "manager",
        ordinary: true,
      },
      {
        kind: "DaemonSet",
        name: "cloudwatch-agent",
        serviceAccount: "cloudwatch-agent",
        containers: { "otc-container": "eks/observability/cloudwatch-agent" },
        requests: ["250m", "128Mi"],
        settings: "agent",
      },
      {
        kind: "DaemonSet",
        name: "fluent-bit",
        serviceAccount: "cloudwatch-agent",
        containers: { "fluent-bit": "eks/observability/aws-for-fluent-bit" },
        requests: ["50m", "25Mi"],
        settings: "containerLogs.fluentBit",
      },
    ],
  },
  adot: {
    workloads: [
      {
        kind: "Deployment",
        name: "opentelemetry-operator",
        serviceAccount: "opentelemetry-operator",
        containers: { manager: "eks/adot-operator" },
        requests: ["100m", "64Mi"],
        ordinary: true,
      },
    ],
  },
  "aws-guardduty-agent": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "aws-guardduty-agent",
        serviceAccount: "aws-guardduty-agent",
        containers: { "aws-guardduty-agent": "eks/aws-guardduty-agent" },
        requests: ["200m", "256Mi"],
        hostNetwork: true,
        privileged: true,
      },
    ],
  },
  "aws-secrets-store-csi-driver-provider": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "secrets-store-csi-driver",
        serviceAccount: "secrets-store-csi-driver",
        containers: { "secrets-store": "eks/secrets-store-csi-driver", ...REGISTRAR, ...LIVENESS },
        settings: "secrets-store-csi-driver",
        privileged: true,
      },
      {
        kind: "DaemonSet",
        name: "aws-secrets-store-csi-driver-provider",
        serviceAccount: "aws-secrets-store-csi-driver-provider",
        containers: { "provider-aws-installer": "eks/aws-secrets-store-csi-driver-provider" },
        requests: ["50m", "100Mi"],
      },
    ],
    objects: [csiDriver("secrets-store.csi.k8s.io", { attachRequired: false, podInfoOnMount: true })],
  },
  "metrics-server": {
    workloads: [
      {
        kind: "Deployment",
        name: "metrics-server",
        serviceAccount: "metrics-server",
        containers: { "metrics-server": "eks/metrics-server" },
        replicas: 2,
        requests: ["100m", "200Mi"],
        ports: { https: 10251 },
      },
    ],
    objects: [
      service("metrics-server", 443, 10251, METRICS_SERVER),
      budget("metrics-server", METRICS_SERVER),
      apiService("v1beta1", "metrics.k8s.io", "metrics-server"),
      clusterRole("system:metrics-server-aggregated-reader", [rule("metrics.k8s.io", "nodes,pods", "get,list,watch")], {
        ...METRICS_SERVER,
        "rbac.authorization.k8s.io/aggregate-to-admin": "true",
        "rbac.authorization.k8s.io/aggregate-to-edit": "true",
        "rbac.authorization.k8s.io/aggregate-to-view": "true",
      }),
    ],
  },
  "kube-state-metrics": {
    workloads: [
      {
        kind: "Deployment",
        name: "kube-state-metrics",
        serviceAccount: "kube-state-metrics",
        containers: { "kube-state-metrics": "eks/kube-state-metrics" },
        ports: { http: 8080 },
        ordinary: true,
      },
    ],
    objects: [service("kube-state-metrics", 8080, 8080, { "app.kubernetes.io/name": "kube-state-metrics" })],
  },
  "prometheus-node-exporter": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "prometheus-node-exporter",
        serviceAccount: "prometheus-node-exporter",
        containers: { "node-exporter": "eks/prometheus-node-exporter" },
        ports: { metrics: 9100 },
        hostNetwork: true,
        ordinary: true,
      },
    ],
    objects: [
      service("prometheus-node-exporter", 9100, 9100, { "app.kubernetes.io/name": "prometheus-node-exporter" }),
    ],
  },
  "cert-manager": {
    workloads: ["controller", "cainjector", "webhook"].map((part) => certManager(part)),
    objects: [service("cert-manager-webhook", 443, 10250, { "app.kubernetes.io/name": "cert-manager-webhook" })],
  },
  "external-dns": {
    workloads: [
      {
        kind: "Deployment",
        name: "external-dns",
        serviceAccount: "external-dns",
        containers: { "external-dns": "eks/external-dns" },
        ports: { http: 7979 },
        ordinary: true,
      },
    ],
    objects: [service("external-dns", 7979, 7979, { "app.kubernetes.io/name": "external-dns" })],
  },
  "fluent-bit": {
    workloads: [
      {
        kind: "DaemonSet",
        name: "fluent-bit",
        serviceAccount: "fluent-bit",
        containers: { "fluent-bit": "eks/fluent-bit" },
        requests: ["50m", "50Mi"],
        ports: { http: 2020 },
        ordinary: true,
      },
    ],
    objects: [service("fluent-bit", 2020, 2020, { "app.kubernetes.io/name": "fluent-bit" })],
  },
};
