/**
 * A short notation for RBAC rules, so that the policy files read as tables: `rule("get,list,watch", "apps", "deployments,replicasets")`. Lists are separated by
 * commas; the core group is "".
 */
import type { KubeObject } from "../object.js";
import type { PolicyRule, RbacSubject, RoleRef } from "../schema/generated/types.js";

const RBAC = "rbac.authorization.k8s.io";

/** An object to create when a cluster is new; the server fills in the rest of its metadata. */
export interface BootstrapObject {
  /** As in the API: `pods`, `clusterroles.rbac.authorization.k8s.io`. */
  resource: string;
  object: Omit<KubeObject, "metadata"> & {
    metadata: {
      name: string;
      namespace?: string;
      labels?: Record<string, string>;
      annotations?: Record<string, string>;
    };
  };
}

export const READ = "get,list,watch";
export const WRITE = "create,delete,deletecollection,patch,update";
export const ALL_VERBS = `${READ},${WRITE}`;

/** In alphabetical order, as upstream writes its own rules. */
const split = (list: string): string[] => list.split(",").sort();

export function rule(verbs: string, groups: string, resources: string, names?: string): PolicyRule {
  return {
    verbs: split(verbs),
    apiGroups: split(groups),
    resources: split(resources),
    ...(names ? { resourceNames: split(names) } : {}),
  };
}

export const paths = (verbs: string, urls: string): PolicyRule => ({
  verbs: split(verbs),
  nonResourceURLs: split(urls),
});

/** What every component may do: tell its story. */
export const EVENTS: PolicyRule = rule("create,patch,update", ",events.k8s.io", "events");

const bootstrapMetadata = (name: string, labels: Record<string, string> = {}) => ({
  name,
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
  labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...labels },
});

export function clusterRole(
  name: string,
  rules: readonly PolicyRule[],
  labels?: Record<string, string>,
): BootstrapObject {
  return {
    resource: `clusterroles.${RBAC}`,
    object: { apiVersion: `${RBAC}/v1`, kind: "ClusterRole", metadata: bootstrapMetadata(name, labels), rules },
  };
}

/** A role that collects the rules of all roles with this label. */
export function aggregatedRole(
  name: string,
  label: string,
  rules: readonly PolicyRule[],
  labels?: Record<string, string>,
): BootstrapObject {
  const role = clusterRole(name, rules, labels);
  return {
    ...role,
    object: { ...role.object, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: "true" } }] } },
  };
}

export function role(namespace: string, name: string, rules: readonly PolicyRule[]): BootstrapObject {
  return {
    resource: `roles.${RBAC}`,
    object: { apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { ...bootstrapMetadata(name), namespace }, rules },
  };
}

export const group = (name: string): RbacSubject => ({ apiGroup: RBAC, kind: "Group", name });
export const user = (name: string): RbacSubject => ({ apiGroup: RBAC, kind: "User", name });
export const serviceAccount = (name: string): RbacSubject => ({
  kind: "ServiceAccount",
  name,
  namespace: "kube-system",
});

const refer = (kind: "Role" | "ClusterRole", name: string): RoleRef => ({ apiGroup: RBAC, kind, name });

export function clusterRoleBinding(name: string, subjects: readonly RbacSubject[]): BootstrapObject {
  return {
    resource: `clusterrolebindings.${RBAC}`,
    object: {
      apiVersion: `${RBAC}/v1`,
      kind: "ClusterRoleBinding",
      metadata: bootstrapMetadata(name),
      roleRef: refer("ClusterRole", name),
      subjects,
    },
  };
}

export function roleBinding(
  namespace: string,
  name: string,
  roleName: string,
  subjects: readonly RbacSubject[],
): BootstrapObject {
  return {
    resource: `rolebindings.${RBAC}`,
    object: {
      apiVersion: `${RBAC}/v1`,
      kind: "RoleBinding",
      metadata: { ...bootstrapMetadata(name), namespace },
      roleRef: refer("Role", roleName),
      subjects,
    },
  };
}
