/** The Kubernetes objects of an add-on, in the order in which they are to be made. */
import { addon } from "../catalogue/addons.js";
import { applyConfiguration, type ConfigurationValues } from "./configuration.js";
import { coredns } from "./coredns.js";
import type { AddonSite } from "./image.js";
import { kubeProxy } from "./kube-proxy.js";
import { type KubernetesObject, type Manifest, SYSTEM } from "./manifest.js";
import { PACKAGES } from "./packages.js";
import { vpcCni } from "./vpc-cni.js";
import { workload } from "./workload.js";

/** Those whose manifests are their own. */
const WRITTEN_OUT: Readonly<Record<string, (site: AddonSite) => Manifest[]>> = {
  "vpc-cni": vpcCni,
  "kube-proxy": kubeProxy,
  coredns,
};

export interface AddonRequest {
  name: string;
  version: string;
  region: string;
  /** URL of the cluster's API server. */
  server: string;
  /** Service range of the cluster. */
  serviceCidr: string;
  /** Default: the add-on's own. */
  namespace?: string;
  configuration?: ConfigurationValues;
  /** Annotates the service account that IAM permissions are for. */
  serviceAccountRoleArn?: string;
}

/** Every object of the add-on; its namespace first when that is not one of every cluster's. */
export function addonObjects(request: AddonRequest): Manifest[] {
  const { name, version, region, server, configuration = {}, serviceAccountRoleArn } = request;
  const site: AddonSite = { region, version, server, dnsAddress: dnsAddress(request.serviceCidr) };
  const namespace = request.namespace ?? addon(name)?.defaultNamespace ?? SYSTEM;
  const written = WRITTEN_OUT[name]?.(site) ?? packageObjects(name, site);
  const objects = applyConfiguration(name, written, configuration)
    .map((manifest) => withRole(manifest, serviceAccountRoleArn, roleAccounts(name)))
    .map((manifest) => inNamespace(manifest, namespace));
  return namespace === SYSTEM ? objects : [namespaceObject(namespace), ...objects];
}

function packageObjects(name: string, site: AddonSite): Manifest[] {
  const { workloads = [], objects = [] } = PACKAGES[name] ?? {};
  const all = [...workloads.flatMap((row) => workload(name, site, row)), ...objects];
  // Workloads may share a service account.
  const keys = all.map(({ object }) => `${object.kind} ${object.metadata.name}`);
  return all.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
}

/** The tenth address of a service range is the cluster's DNS; written in another way than EKS does, the API server chooses. */
function dnsAddress(cidr: string): string | undefined {
  const [base = ""] = cidr.split("/");
  if (base.endsWith("::")) return `${base}a`;
  const octets = base.split(".").map(Number);
  return octets.length === 4 ? [...octets.slice(0, 3), (octets[3] ?? 0) + 10].join(".") : undefined;
}

const namespaceObject = (name: string): Manifest => ({
  resource: "namespaces",
  object: { apiVersion: "v1", kind: "Namespace", metadata: { name } },
});

const roleAccounts = (name: string): string[] =>
  addon(name)?.podIdentity.map(({ serviceAccount }) => serviceAccount) ?? [];

function withRole(manifest: Manifest, roleArn: string | undefined, accounts: readonly string[]): Manifest {
  const { object } = manifest;
  if (!roleArn || object.kind !== "ServiceAccount") return manifest;
  // Add-ons that are said to need no permissions have their accounts annotated all the same when a role is given.
  if (accounts.length > 0 && !accounts.includes(object.metadata.name)) return manifest;
  const annotations = { ...object.metadata.annotations, "eks.amazonaws.com/role-arn": roleArn };
  return { ...manifest, object: { ...object, metadata: { ...object.metadata, annotations } } };
}

/** Manifests are written for kube-system. */
function inNamespace(manifest: Manifest, namespace: string): Manifest {
  if (namespace === SYSTEM) return manifest;
  const { object } = manifest;
  const moved: KubernetesObject = { ...object };
  if (object.metadata.namespace === SYSTEM) moved.metadata = { ...object.metadata, namespace };
  if (Array.isArray(object.subjects)) {
    moved.subjects = (object.subjects as { namespace?: string }[]).map((subject) =>
      subject.namespace === SYSTEM ? { ...subject, namespace } : subject,
    );
  }
  return { ...manifest, object: moved };
}
