/** Deployments and DaemonSets of add-ons from what sets each apart; everything else is the same for all of them. */
import { addon } from "../catalogue/addons.js";
import { type AddonSite, imageOf } from "./image.js";
import { type Manifest, nodeAffinity, SYSTEM, serviceAccount } from "./manifest.js";

export interface Workload {
  kind: "Deployment" | "DaemonSet";
  name: string;
  serviceAccount: string;
  /** Container names and what they run: a repository of EKS's registry, tagged with the add-on's version, or a whole image reference. */
  containers: Readonly<Record<string, string>>;
  /** Of a Deployment. */
  replicas?: number;
  /** CPU and memory that the first container asks for. */
  requests?: readonly [cpu: string, memory: string];
  /** Ports that the first container serves, by name. */
  ports?: Readonly<Record<string, number>>;
  hostNetwork?: boolean;
  privileged?: boolean;
  /** Deployments are cluster-critical, DaemonSets node-critical, unless they are ordinary. */
  ordinary?: boolean;
  /** Where its settings are in the add-on's configuration values; default: at the top. */
  settings?: string;
  /** Labels that select its pods; default: `app.kubernetes.io/name` = its name. */
  selector?: Readonly<Record<string, string>>;
}

/** Kinds of compute that carry a label of their own; plain EC2 nodes have none. */
const LABELLED_COMPUTE = ["fargate", "hybrid", "auto"];

/** A workload with its service account. */
export function workload(addonName: string, site: AddonSite, row: Workload): Manifest[] {
  const selector = row.selector ?? { "app.kubernetes.io/name": row.name };
  const labels = { ...selector, "app.kubernetes.io/instance": addonName, "app.kubernetes.io/managed-by": "EKS" };
  const isDaemon = row.kind === "DaemonSet";
  const computeTypes = addon(addonName)?.computeTypes ?? [];
  const template = {
    metadata: { labels: { ...selector } },
    spec: {
      affinity: nodeAffinity(LABELLED_COMPUTE.filter((type) => !computeTypes.includes(type))),
      containers: containersOf(site, row),
      ...(row.hostNetwork ? { hostNetwork: true } : {}),
      ...(row.ordinary ? {} : { priorityClassName: isDaemon ? "system-node-critical" : "system-cluster-critical" }),
      serviceAccountName: row.serviceAccount,
      tolerations: isDaemon ? [{ operator: "Exists" }] : [{ key: "CriticalAddonsOnly", operator: "Exists" }],
    },
  };
  const metadata = { name: row.name, namespace: SYSTEM, labels };
  return [
    serviceAccount(row.serviceAccount, labels),
    {
      resource: isDaemon ? "daemonsets.apps" : "deployments.apps",
      object: {
        apiVersion: "apps/v1",
        kind: row.kind,
        metadata,
        spec: {
          ...(isDaemon ? {} : { replicas: row.replicas ?? 1 }),
          selector: { matchLabels: { ...selector } },
          ...(isDaemon
            ? { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } } }
            : { strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } } }),
          template,
        },
      },
    },
  ];
}

function containersOf(site: AddonSite, row: Workload): Record<string, unknown>[] {
  const [cpu = "10m", memory = "40Mi"] = row.requests ?? [];
  const ports = Object.entries(row.ports ?? {}).map(([name, containerPort]) => ({
    name,
    containerPort,
    protocol: "TCP",
  }));
  return Object.entries(row.containers).map(([name, image], index) => ({
    name,
    image: image.includes(":") ? image : imageOf(site.region, image, site.version),
    resources: { requests: { cpu, memory } },
    ...(index === 0 && ports.length > 0 ? { ports } : {}),
    ...(row.privileged ? { securityContext: { privileged: true } } : {}),
  }));
}

/** A Service that leads to a workload's pods. */
export const service = (
  name: string,
  port: number,
  targetPort: number,
  selector: Record<string, string>,
): Manifest => ({
  resource: "services",
  object: {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: SYSTEM, labels: selector },
    spec: { ports: [{ name: "service", port, protocol: "TCP", targetPort }], selector },
  },
});

/** Group and version that a Service of kube-system answers instead of the API server. */
export const apiService = (version: string, group: string, name: string): Manifest => ({
  resource: "apiservices.apiregistration.k8s.io",
  object: {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: `${version}.${group}` },
    spec: {
      group,
      version,
      service: { name, namespace: SYSTEM },
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
    },
  },
});

/** A disruption budget that lets one pod go at a time. */
export const budget = (name: string, matchLabels: Record<string, string>): Manifest => ({
  resource: "poddisruptionbudgets.policy",
  object: {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name, namespace: SYSTEM, labels: matchLabels },
    spec: { maxUnavailable: 1, selector: { matchLabels } },
  },
});

export const csiDriver = (name: string, spec: Record<string, unknown>): Manifest => ({
  resource: "csidrivers.storage.k8s.io",
  object: { apiVersion: "storage.k8s.io/v1", kind: "CSIDriver", metadata: { name }, spec },
});
