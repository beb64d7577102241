/**
 * Add-ons as EKS offers them: who publishes each, where it runs, what it may need from IAM, and which of its versions go with which Kubernetes version
 * (user guide, manifests that eksctl ships and versions seen pinned in public, as of September 2026). Every one of them is EKS's own build.
 */
import { clusterVersions, minorOf } from "./versions.js";

export interface CatalogueAddon {
  name: string;
  type: string;
  owner: string;
  publisher: string;
  defaultNamespace: string;
  architecture: readonly string[];
  computeTypes: readonly string[];
  requiresConfiguration: boolean;
  requiresIamPermissions: boolean;
  /** The service account that IAM permissions are for, and the managed policies that give them. */
  podIdentity: readonly { serviceAccount: string; recommendedManagedPolicies: readonly string[] }[];
  /** Newest first. */
  versions: readonly AddonVersion[];
}

export interface AddonVersion {
  /** e.g. `v1.23.1-eksbuild.1`. */
  version: string;
  /** Kubernetes versions it goes with, newest first. */
  compatibilities: readonly { clusterVersion: string; isDefault: boolean }[];
}

/** name, type, owner, default namespace, compute types, whether it needs IAM permissions, service account=policies. */
const ADDON_ROWS = `
vpc-cni networking aws kube-system ec2 iam aws-node=AmazonEKS_CNI_Policy
coredns networking aws kube-system ec2,fargate,hybrid - -
kube-proxy networking aws kube-system ec2,hybrid - -
aws-ebs-csi-driver storage aws kube-system ec2 iam ebs-csi-controller-sa=service-role/AmazonEBSCSIDriverPolicy
aws-efs-csi-driver storage aws kube-system ec2 iam efs-csi-controller-sa=service-role/AmazonEFSCSIDriverPolicy
aws-fsx-csi-driver storage aws kube-system ec2 iam fsx-csi-controller-sa=AmazonFSxFullAccess
aws-mountpoint-s3-csi-driver storage aws kube-system ec2 iam s3-csi-driver-sa=AmazonS3FullAccess
snapshot-controller storage aws kube-system ec2,fargate - -
eks-pod-identity-agent security aws kube-system ec2,hybrid - -
eks-node-monitoring-agent observability aws kube-system ec2 - -
amazon-cloudwatch-observability observability aws amazon-cloudwatch ec2,auto,hybrid iam cloudwatch-agent=CloudWatchAgentServerPolicy,AWSXrayWriteOnlyAccess
adot observability aws opentelemetry-operator-system ec2 iam adot-col-prom-metrics=AmazonPrometheusRemoteWriteAccess
aws-guardduty-agent security aws amazon-guardduty ec2 - -
aws-secrets-store-csi-driver-provider security aws aws-secrets-manager ec2 iam -
metrics-server observability community kube-system ec2,fargate,auto,hybrid - -
kube-state-metrics observability community kube-state-metrics ec2,fargate,auto,hybrid - -
prometheus-node-exporter observability community prometheus-node-exporter ec2,auto,hybrid - -
cert-manager security community cert-manager ec2,fargate,auto,hybrid - -
external-dns networking community external-dns ec2,fargate,auto,hybrid iam external-dns=AmazonRoute53FullAccess
fluent-bit observability community fluent-bit ec2,auto,hybrid - -
`;

/** name, Kubernetes versions, versions newest first: `v1.23.1+1` is v1.23.1-eksbuild.1, a star marks the default. */
const VERSION_ROWS = `
vpc-cni 1.36 v1.23.2+1 *v1.23.1+1 v1.23.0+1 v1.22.4+3 v1.22.3+1 v1.22.2+1 v1.21.2+2 v1.21.1+1 v1.20.5+1 v1.20.4+2 v1.20.1+3 v1.19.5+3 v1.18.6+1 v1.18.3+3
vpc-cni 1.35 v1.23.2+1 v1.23.1+1 v1.23.0+1 v1.22.4+3 v1.22.3+1 v1.22.2+1 v1.21.2+2 *v1.21.1+1 v1.20.5+1 v1.20.4+2 v1.20.1+3 v1.19.5+3 v1.18.6+1 v1.18.3+3
vpc-cni 1.30-1.34 v1.23.2+1 v1.23.1+1 v1.23.0+1 v1.22.4+3 v1.22.3+1 v1.22.2+1 v1.21.2+2 v1.21.1+1 *v1.20.5+1 v1.20.4+2 v1.20.1+3 v1.19.5+3 v1.18.6+1 v1.18.3+3
coredns 1.36 v1.14.6+4 v1.14.3+23 v1.14.3+22 *v1.14.3+11 v1.14.2+4
coredns 1.35 v1.14.6+4 v1.14.3+22 v1.14.3+16 *v1.14.3+11 v1.13.2+4
coredns 1.34 v1.13.2+19 v1.13.2+11 v1.13.2+7 v1.12.4+29 v1.12.4+18 *v1.12.4+10
coredns 1.33 v1.13.2+31 v1.13.2+24 v1.13.2+19 v1.13.2+11 *v1.12.4+10 v1.12.3+1 v1.12.1+2
coredns 1.31-1.32 v1.11.4+48 *v1.11.4+40 v1.11.4+22
coredns 1.30 *v1.11.4+33 v1.11.4+22
kube-proxy 1.36 *v1.36.0+25 v1.36.0+2
kube-proxy 1.35 v1.35.3+29 v1.35.3+21 *v1.35.3+2
kube-proxy 1.34 v1.34.6+29 v1.34.6+21 v1.34.6+18 v1.34.6+13 v1.34.6+8 v1.34.6+5 *v1.34.6+2
kube-proxy 1.33 v1.33.10+29 v1.33.10+21 v1.33.10+13 *v1.33.10+2 v1.33.3+6 v1.33.0+2
kube-proxy 1.32 v1.32.13+21 *v1.32.13+5
kube-proxy 1.31 *v1.31.14+9 v1.31.3+2 v1.31.2+2
kube-proxy 1.30 *v1.30.14+28 v1.30.7+2 v1.30.3+5
aws-ebs-csi-driver all *v1.66.0+1 v1.65.0+1 v1.63.1+1 v1.63.0+1 v1.62.0+1 v1.60.1+1 v1.59.0+1
aws-efs-csi-driver all *v3.4.2+1 v3.4.0+1 v3.1.0+1
aws-fsx-csi-driver all *v1.6.0+1
aws-mountpoint-s3-csi-driver all *v2.0.0+1 v1.12.0+1
snapshot-controller all *v8.6.0+6 v8.2.0+1
eks-pod-identity-agent all v1.4.0+2 *v1.3.10+3 v1.3.8+2 v1.3.5+2
eks-node-monitoring-agent all v1.7.0+1 *v1.4.0+2 v1.1.0+1
amazon-cloudwatch-observability all *v4.7.0+1 v4.0.0+1
adot all *v0.117.0+1 v0.45.0+1
aws-guardduty-agent all *v1.12.1+2 v1.10.0+2
aws-secrets-store-csi-driver-provider all *v3.1.4+1 v3.1.1+1
metrics-server all v0.9.0+11 v0.9.0+7 *v0.8.1+6 v0.8.0+1
kube-state-metrics all *v2.14.0+1
prometheus-node-exporter all *v1.9.1+2
cert-manager all *v1.20.2+3 v1.17.2+1
external-dns all *v0.21.0+10 v0.16.1+1
fluent-bit all *v4.0.3+1
`;

const POLICY_PREFIX = "arn:aws:iam::aws:policy/";
const ARCHITECTURES: readonly string[] = ["amd64", "arm64"];

const linesOf = (table: string): string[][] =>
  table
    .trim()
    .split("\n")
    .map((line) => line.split(" "));

let table: ReadonlyMap<string, CatalogueAddon> | undefined;

function catalogue(): ReadonlyMap<string, CatalogueAddon> {
  if (table) return table;
  const versionRows = linesOf(VERSION_ROWS);
  const rows = linesOf(ADDON_ROWS).map(
    ([name = "", type = "", owner = "", defaultNamespace = "", computeTypes = "", iam, identity]): CatalogueAddon => ({
      name,
      type,
      owner,
      publisher: "eks",
      defaultNamespace,
      architecture: ARCHITECTURES,
      computeTypes: computeTypes.split(","),
      requiresConfiguration: false,
      requiresIamPermissions: iam === "iam",
      podIdentity: podIdentityOf(identity),
      versions: versionsOf(name, versionRows),
    }),
  );
  table = new Map(rows.map((addon) => [addon.name, addon]));
  return table;
}

function podIdentityOf(text: string | undefined): CatalogueAddon["podIdentity"] {
  const [serviceAccount = "", policies] = text?.split("=") ?? [];
  if (policies === undefined) return [];
  return [{ serviceAccount, recommendedManagedPolicies: policies.split(",").map((policy) => POLICY_PREFIX + policy) }];
}

/** `all`, `1.36`, or `1.30-1.34`; newest first. */
function clusterVersionsIn(text: string): string[] {
  const known = clusterVersions().map(({ version }) => version);
  const [from = "", to = from] = text.split("-");
  if (text === "all") return known.filter((version) => minorOf(version) >= OLDEST_MINOR);
  return known.filter((version) => minorOf(version) >= minorOf(from) && minorOf(version) <= minorOf(to));
}

/** Nothing is known of the add-ons of older clusters. */
const OLDEST_MINOR = 30;

function versionsOf(name: string, rows: readonly (readonly string[])[]): AddonVersion[] {
  const found = new Map<string, AddonVersion["compatibilities"]>();
  for (const [addon, minors = "", ...versions] of rows) {
    if (addon !== name) continue;
    for (const entry of versions) {
      const isDefault = entry.startsWith("*");
      const version = entry.replace("*", "").replace("+", "-eksbuild.");
      const added = clusterVersionsIn(minors).map((clusterVersion) => ({ clusterVersion, isDefault }));
      found.set(version, [...(found.get(version) ?? []), ...added]);
    }
  }
  return [...found]
    .map(([version, compatibilities]) => ({ version, compatibilities }))
    .sort((a, b) => compareVersions(b.version, a.version));
}

const numbersOf = (version: string): number[] => (version.match(/\d+/g) ?? []).map(Number);

/** Negative when `a` is older than `b`. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  const at = left.findIndex((number, index) => number !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

/** In the order of the table, which is that of how common they are. */
export const addons = (): CatalogueAddon[] => [...catalogue().values()];

export const addon = (name: string): CatalogueAddon | undefined => catalogue().get(name);

/** Whether a version of an add-on goes with a Kubernetes version. */
export const isCompatible = (version: AddonVersion, clusterVersion: string): boolean =>
  version.compatibilities.some((entry) => entry.clusterVersion === clusterVersion);

/** The version that clusters of a Kubernetes version get when none is named; undefined when there is none for them. */
export const defaultAddonVersion = (name: string, clusterVersion: string): string | undefined =>
  addon(name)?.versions.find(({ compatibilities }) =>
    compatibilities.some((entry) => entry.clusterVersion === clusterVersion && entry.isDefault),
  )?.version;
