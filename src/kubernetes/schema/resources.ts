/**
 * All built-in resources of the stable API versions. Paths, kinds, scopes, verbs and subresources are generated (generated/resources.json); short names,
 * categories and group priorities are not in any published schema and stand here as tables.
 */
import { readFileSync } from "node:fs";
import type { ResourceInfo, SubresourceInfo, Verb } from "./resource-info.js";

/** The verbs of an ordinary resource, in the order of discovery documents. */
export const STANDARD_VERBS: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

interface GeneratedResource {
  group: string;
  version: string;
  resource: string;
  kind: string;
  type: string;
  namespaced: boolean;
  /** Absent: STANDARD_VERBS. */
  verbs?: Verb[];
  /** `kind` and `type` absent: the parent's. */
  subresources?: { name: string; kind?: string; type?: string; verbs: Verb[] }[];
}

/** Names that kubectl accepts besides the plural, by plural name; the same for every group that has a resource of this name. */
const SHORT_NAMES: Readonly<Record<string, readonly string[]>> = {
  certificatesigningrequests: ["csr"],
  componentstatuses: ["cs"],
  configmaps: ["cm"],
  cronjobs: ["cj"],
  customresourcedefinitions: ["crd", "crds"],
  daemonsets: ["ds"],
  deployments: ["deploy"],
  endpoints: ["ep"],
  events: ["ev"],
  horizontalpodautoscalers: ["hpa"],
  ingresses: ["ing"],
  ipaddresses: ["ip"],
  limitranges: ["limits"],
  namespaces: ["ns"],
  networkpolicies: ["netpol"],
  nodes: ["no"],
  persistentvolumeclaims: ["pvc"],
  persistentvolumes: ["pv"],
  poddisruptionbudgets: ["pdb"],
  pods: ["po"],
  priorityclasses: ["pc"],
  replicasets: ["rs"],
  replicationcontrollers: ["rc"],
  resourcequotas: ["quota"],
  serviceaccounts: ["sa"],
  services: ["svc"],
  statefulsets: ["sts"],
  storageclasses: ["sc"],
  volumeattributesclasses: ["vac"],
};

/** Groupings of `kubectl get <category>`, by plural name. */
const CATEGORIES: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries({
    all: [
      "cronjobs",
      "daemonsets",
      "deployments",
      "horizontalpodautoscalers",
      "jobs",
      "pods",
      "replicasets",
      "replicationcontrollers",
      "services",
      "statefulsets",
    ],
    "api-extensions": [
      "apiservices",
      "customresourcedefinitions",
      "mutatingadmissionpolicies",
      "mutatingadmissionpolicybindings",
      "mutatingwebhookconfigurations",
      "validatingadmissionpolicies",
      "validatingadmissionpolicybindings",
      "validatingwebhookconfigurations",
    ],
  }).flatMap(([category, resources]) => resources.map((resource) => [resource, [category]])),
);

/** Kinds of the subresources whose kind is not the parent's, where the path alone does not tell. */
const SUBRESOURCE_KINDS: Readonly<Record<string, { kind: string; group?: string; version?: string }>> = {
  attach: { kind: "PodAttachOptions" },
  exec: { kind: "PodExecOptions" },
  portforward: { kind: "PodPortForwardOptions" },
  scale: { kind: "Scale", group: "autoscaling", version: "v1" },
  eviction: { kind: "Eviction", group: "policy", version: "v1" },
  token: { kind: "TokenRequest", group: "authentication.k8s.io", version: "v1" },
};

/** Groups in the order of `kubectl api-versions` discovery: the API server's own group priorities. */
export const GROUP_ORDER: readonly string[] = [
  "",
  "apiregistration.k8s.io",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "resource.k8s.io",
];

/**
 * Not among the others although the schema has it: ComponentStatus is no stored object, but computed when it is read.
 */
const COMPUTED = "componentstatuses";

let resources: readonly ResourceInfo[] | undefined;
let byPath: ReadonlyMap<string, ResourceInfo> | undefined;

/** Every built-in resource of every stable version (but ComponentStatus), groups in discovery order, preferred versions first. */
export function builtinResources(): readonly ResourceInfo[] {
  resources ??= load();
  return resources;
}

/** The resource whose objects say how the control plane is. */
export const COMPONENT_STATUSES: ResourceInfo = toInfo({
  group: "",
  version: "v1",
  resource: COMPUTED,
  kind: "ComponentStatus",
  type: "ComponentStatus",
  namespaced: false,
  verbs: ["get", "list"],
});

/** The resource at `/apis/<group>/<version>/<plural>`; undefined when there is none. `group` is "" for the core group. */
export function findResource(group: string, version: string, plural: string): ResourceInfo | undefined {
  byPath ??= new Map(builtinResources().map((info) => [`${info.group}/${info.version}/${info.resource}`, info]));
  return byPath.get(`${group}/${version}/${plural}`);
}

/** Versions of a built-in group, the preferred one first (`autoscaling`: v2, v1); empty for an unknown group. */
export function groupVersions(group: string): readonly string[] {
  return [...new Set(builtinResources().flatMap((info) => (info.group === group ? [info.version] : [])))];
}

/** Version that discovery prefers for a built-in group. */
export const preferredVersion = (group: string): string | undefined => groupVersions(group)[0];

/** Orders versions as Kubernetes does: newest stable first (`v2` before `v1`), then betas, then alphas, then other names alphabetically. */
export function compareVersions(a: string, b: string): number {
  const [rankA, majorA, minorA] = versionRank(a);
  const [rankB, majorB, minorB] = versionRank(b);
  return rankA - rankB || majorB - majorA || minorB - minorA || (a < b ? -1 : a > b ? 1 : 0);
}

function versionRank(version: string): [rank: number, major: number, minor: number] {
  const m = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (!m) return [3, 0, 0];
  return [m[2] === undefined ? 0 : m[2] === "beta" ? 1 : 2, Number(m[1]), Number(m[3] ?? 0)];
}

function load(): readonly ResourceInfo[] {
  const text = readFileSync(new URL("./generated/resources.json", import.meta.url), "utf8");
  const order = new Map(GROUP_ORDER.map((group, index) => [group, index]));
  const rank = (group: string): number => order.get(group) ?? GROUP_ORDER.length;
  return (JSON.parse(text) as GeneratedResource[])
    .filter(({ resource }) => resource !== COMPUTED)
    .map(toInfo)
    .sort(
      (a, b) =>
        rank(a.group) - rank(b.group) || compareVersions(a.version, b.version) || (a.resource < b.resource ? -1 : 1),
    );
}

function toInfo(entry: GeneratedResource): ResourceInfo {
  return {
    group: entry.group,
    version: entry.version,
    resource: entry.resource,
    singular: entry.kind.toLowerCase(),
    kind: entry.kind,
    listKind: `${entry.kind}List`,
    namespaced: entry.namespaced,
    shortNames: SHORT_NAMES[entry.resource] ?? [],
    categories: CATEGORIES[entry.resource] ?? [],
    verbs: entry.verbs ?? STANDARD_VERBS,
    subresources: (entry.subresources ?? []).map((sub) => toSubresource(entry, sub)),
    type: entry.type,
  };
}

function toSubresource(
  parent: GeneratedResource,
  sub: NonNullable<GeneratedResource["subresources"]>[number],
): SubresourceInfo {
  // Each proxied resource has its own options kind: PodProxyOptions, ServiceProxyOptions, NodeProxyOptions.
  const special = sub.name === "proxy" ? { kind: `${parent.kind}ProxyOptions` } : SUBRESOURCE_KINDS[sub.name];
  return { name: sub.name, kind: sub.kind ?? parent.kind, ...special, type: sub.type ?? parent.type, verbs: sub.verbs };
}
