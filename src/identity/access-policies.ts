/**
 * What EKS's access policies allow: rules like those of a ClusterRole, judged beside RBAC and shown by no object of the cluster (EKS user guide, "Review
 * access policy permissions"). Policies that have no rules here belong to AWS's own services or to software that runs with them, and allow nothing.
 */
import type { AssociatedPolicy } from "../domain/access-entry.js";
import { type AccessPolicyName, accessPolicyName } from "../domain/eks/access-policies.js";

/** What is asked: the part of the API server's attributes that policies look at. */
export interface AccessRequest {
  verb: string;
  /** Absent for a path. */
  resource?: { group: string; resource: string; subresource?: string; namespace?: string; name?: string };
}

/** API group ("" = core), resources and verbs, parted by spaces; `*` = all. */
type Rule = readonly [group: string, resources: string, verbs: string];

const READ = "get list watch";
const WRITE = "create delete deletecollection patch update";

const WORKLOADS = "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale";
const EXTENSIONS = `${WORKLOADS} ingresses networkpolicies replicationcontrollers/scale`;
const POD_ACCESS = "pods/attach pods/exec pods/portforward pods/proxy";

const VIEW: readonly Rule[] = [
  ["apps", `controllerrevisions ${WORKLOADS} daemonsets/status deployments/status replicasets/status`, READ],
  ["apps", "statefulsets statefulsets/scale statefulsets/status", READ],
  ["autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ],
  ["batch", "cronjobs cronjobs/status jobs jobs/status", READ],
  ["discovery.k8s.io", "endpointslices", READ],
  [
    "extensions",
    `${EXTENSIONS} daemonsets/status deployments/status ingresses/status replicasets/status replicationcontrollers/status`,
    READ,
  ],
  ["networking.k8s.io", "ingresses ingresses/status networkpolicies", READ],
  ["policy", "poddisruptionbudgets poddisruptionbudgets/status", READ],
  ["", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods pods/log pods/status", READ],
  ["", "replicationcontrollers replicationcontrollers/scale replicationcontrollers/status", READ],
  ["", "serviceaccounts services services/status", READ],
  ["", "bindings events limitranges namespaces namespaces/status resourcequotas resourcequotas/status", READ],
];

const EDIT: readonly Rule[] = [
  ...VIEW,
  ["apps", `${WORKLOADS} statefulsets statefulsets/scale`, WRITE],
  ["autoscaling", "horizontalpodautoscalers", WRITE],
  ["batch", "cronjobs jobs", WRITE],
  ["extensions", EXTENSIONS, WRITE],
  ["networking.k8s.io", "ingresses networkpolicies", WRITE],
  ["policy", "poddisruptionbudgets", WRITE],
  ["", `secrets services/proxy ${POD_ACCESS}`, `${READ} ${WRITE}`],
  ["", "configmaps events persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale", WRITE],
  ["", "serviceaccounts services", WRITE],
  ["", "serviceaccounts", "impersonate"],
];

const RULES: Readonly<Partial<Record<AccessPolicyName, readonly Rule[]>>> = {
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
};

/** Policies that also allow all paths that are no resources, for the whole cluster. */
const ALL_PATHS: readonly string[] = ["AmazonEKSClusterAdminPolicy"];

/** `<group> <resource> <verb>`, each maybe `*`. */
type Allowed = ReadonlySet<string>;

const compiled = new Map<string, Allowed>();

function allowedBy(policy: string): Allowed {
  let allowed = compiled.get(policy);
  if (!allowed) {
    const rules = RULES[policy as AccessPolicyName] ?? [];
    allowed = new Set(
      rules.flatMap(([group, resources, verbs]) =>
        resources.split(" ").flatMap((resource) => verbs.split(" ").map((verb) => `${group} ${resource} ${verb}`)),
      ),
    );
    compiled.set(policy, allowed);
  }
  return allowed;
}

/** The policy that allows the request, by name; undefined when none does. */
export function allowingPolicy(policies: readonly AssociatedPolicy[], request: AccessRequest): string | undefined {
  for (const { policyArn, accessScope } of policies) {
    const name = accessPolicyName(policyArn);
    if (accessScope.type === "namespace" && !isInScope(accessScope.namespaces, request)) continue;
    if (allows(name, request)) return name;
  }
  return undefined;
}

function allows(policy: string, { verb, resource: target }: AccessRequest): boolean {
  if (!target) return ALL_PATHS.includes(policy);
  const allowed = allowedBy(policy);
  const resource = target.subresource ? `${target.resource}/${target.subresource}` : target.resource;
  return allowed.has(`${target.group} ${resource} ${verb}`) || allowed.has(`* * ${verb}`) || allowed.has("* * *");
}

/** In a scope of namespaces nothing of the cluster as a whole is granted, and so no Namespace either, whatever the rules say. */
function isInScope(namespaces: readonly string[], { resource: target }: AccessRequest): boolean {
  const namespace = target?.namespace;
  if (!target || !namespace || (target.group === "" && target.resource === "namespaces")) return false;
  return namespaces.some((pattern) => pattern === namespace || (pattern.includes("*") && matches(pattern, namespace)));
}

/** `*` stands for any characters, none included. */
function matches(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
