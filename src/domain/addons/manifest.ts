/** Kubernetes objects that EKS itself puts into clusters, as plain values, and the pieces that their manifests share. */

/** What a manifest says of an object; the API server fills in the rest. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

/** An object and the resource it belongs to. */
export interface Manifest {
  /** e.g. `deployments.apps`. */
  resource: string;
  object: KubernetesObject;
}

export const SYSTEM = "kube-system";

export const serviceAccount = (name: string, labels: Record<string, string> = {}): Manifest => ({
  resource: "serviceaccounts",
  object: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: SYSTEM, labels } },
});

export const configMap = (name: string, labels: Record<string, string>, data: Record<string, string>): Manifest => ({
  resource: "configmaps",
  object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: SYSTEM, labels }, data },
});

interface Rule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
  verbs: string[];
}

/** `rule("", "pods,nodes", "get,list")`: group, resources and verbs as in kubectl's own shorthand. */
export const rule = (apiGroup: string, resources: string, verbs: string): Rule => ({
  apiGroups: [apiGroup],
  resources: resources.split(","),
  verbs: verbs.split(","),
});

export const clusterRole = (name: string, rules: Rule[], labels: Record<string, string> = {}): Manifest => ({
  resource: "clusterroles.rbac.authorization.k8s.io",
  object: { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name, labels }, rules },
});

interface Subject {
  kind: "User" | "Group" | "ServiceAccount";
  name: string;
}

const subjectOf = ({ kind, name }: Subject): Record<string, string> =>
  kind === "ServiceAccount" ? { kind, name, namespace: SYSTEM } : { kind, name, apiGroup: "rbac.authorization.k8s.io" };

export const clusterRoleBinding = (
  name: string,
  roleName: string,
  subject: Subject,
  labels: Record<string, string> = {},
): Manifest => ({
  resource: "clusterrolebindings.rbac.authorization.k8s.io",
  object: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name, labels },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: roleName },
    subjects: [subjectOf(subject)],
  },
});

/** A Role of kube-system and its binding, of the same name. */
export const systemRole = (name: string, rules: Rule[], subject: Subject): Manifest[] => [
  {
    resource: "roles.rbac.authorization.k8s.io",
    object: { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: { name, namespace: SYSTEM }, rules },
  },
  {
    resource: "rolebindings.rbac.authorization.k8s.io",
    object: {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name, namespace: SYSTEM },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [subjectOf(subject)],
    },
  },
];

/** Where pods of the add-ons may run: Linux on amd64 or arm64, and not on the kinds of compute that bring their own. */
export const nodeAffinity = (withoutComputeTypes: readonly string[]): Record<string, unknown> => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        {
          matchExpressions: [
            { key: "kubernetes.io/os", operator: "In", values: ["linux"] },
            { key: "kubernetes.io/arch", operator: "In", values: ["amd64", "arm64"] },
            ...(withoutComputeTypes.length > 0
              ? [{ key: "eks.amazonaws.com/compute-type", operator: "NotIn", values: [...withoutComputeTypes] }]
              : []),
          ],
        },
      ],
    },
  },
});

export const env = (values: Readonly<Record<string, string>>): { name: string; value: string }[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

export const hostPath = (name: string, path: string, type?: string): Record<string, unknown> => ({
  name,
  hostPath: { path, ...(type ? { type } : {}) },
});
