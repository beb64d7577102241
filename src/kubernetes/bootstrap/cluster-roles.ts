/** The ClusterRoles and bindings of every Kubernetes cluster (facts: upstream's bootstrappolicy). Controllers' own are in controller-roles.ts. */
import type { PolicyRule } from "../schema/generated/types.js";
import {
  ALL_VERBS,
  aggregatedRole,
  type BootstrapObject,
  clusterRole,
  clusterRoleBinding,
  EVENTS,
  group,
  paths,
  READ,
  role,
  roleBinding,
  rule,
  serviceAccount,
  user,
  WRITE,
} from "./role-notation.js";

const AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-";
const to = (name: string): Record<string, string> => ({ [`${AGGREGATE}${name}`]: "true" });

const ADMIN: readonly PolicyRule[] = [
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
  rule(ALL_VERBS, "rbac.authorization.k8s.io", "rolebindings,roles"),
];

const WORKLOADS =
  "daemonsets,deployments,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale";
const LEGACY_WORKLOADS =
  "daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale";

const EDIT: readonly PolicyRule[] = [
  rule(READ, "", "pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy"),
  rule("impersonate", "", "serviceaccounts"),
  rule(WRITE, "", "pods,pods/attach,pods/exec,pods/portforward,pods/proxy"),
  rule("create", "", "pods/eviction"),
  rule(
    WRITE,
    "",
    "configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
  ),
  rule("create", "", "serviceaccounts/token"),
  rule(WRITE, "apps", `${WORKLOADS},deployments/rollback`),
  rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
  rule(WRITE, "batch", "cronjobs,jobs"),
  rule(WRITE, "extensions", LEGACY_WORKLOADS),
  rule(WRITE, "policy", "poddisruptionbudgets"),
  rule(WRITE, "networking.k8s.io", "ingresses,networkpolicies"),
  rule(ALL_VERBS, "coordination.k8s.io", "leases"),
];

const VIEW: readonly PolicyRule[] = [
  rule(
    READ,
    "",
    "configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status",
  ),
  rule(
    READ,
    "",
    "bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status",
  ),
  rule(READ, "", "namespaces"),
  rule(READ, "discovery.k8s.io", "endpointslices"),
  rule(
    READ,
    "apps",
    `controllerrevisions,daemonsets/status,deployments/status,replicasets/status,statefulsets/status,${WORKLOADS}`,
  ),
  rule(READ, "autoscaling", "horizontalpodautoscalers,horizontalpodautoscalers/status"),
  rule(READ, "batch", "cronjobs,cronjobs/status,jobs,jobs/status"),
  rule(
    READ,
    "extensions",
    "daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale",
  ),
  rule(READ, "policy", "poddisruptionbudgets,poddisruptionbudgets/status"),
  rule(READ, "networking.k8s.io", "ingresses,ingresses/status,networkpolicies"),
];

/** What kubelets do; the role is bound to nobody, because the node authorizer stands in for it. */
export const NODE: readonly PolicyRule[] = [
  rule("create", "authentication.k8s.io", "tokenreviews"),
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews,subjectaccessreviews"),
  rule(READ, "", "services"),
  rule(`create,${READ}`, "", "nodes"),
  rule("patch,update", "", "nodes/status"),
  rule("patch,update", "", "nodes"),
  rule("create,patch,update", "", "events"),
  rule(READ, "", "pods"),
  rule("create,delete", "", "pods"),
  rule("patch,update", "", "pods/status"),
  rule("create", "", "pods/eviction"),
  rule(READ, "", "configmaps,secrets"),
  rule("get", "", "persistentvolumeclaims,persistentvolumes"),
  rule("get", "", "endpoints"),
  rule(`create,${READ}`, "certificates.k8s.io", "certificatesigningrequests"),
  rule("create,delete,get,patch,update", "coordination.k8s.io", "leases"),
  rule("get", "storage.k8s.io", "volumeattachments"),
  rule("create", "", "serviceaccounts/token"),
  rule("get,patch,update", "", "persistentvolumeclaims/status"),
  rule(READ, "storage.k8s.io", "csidrivers"),
  rule("create,delete,get,patch,update", "storage.k8s.io", "csinodes"),
  rule(READ, "node.k8s.io", "runtimeclasses"),
];

const CONTROLLER_MANAGER: readonly PolicyRule[] = [
  EVENTS,
  rule("create", "coordination.k8s.io", "leases"),
  rule("get,update", "coordination.k8s.io", "leases", "kube-controller-manager"),
  rule("create", "", "secrets,serviceaccounts"),
  rule("delete", "", "secrets"),
  rule("get", "", "configmaps,namespaces,secrets,serviceaccounts"),
  rule("update", "", "secrets,serviceaccounts"),
  rule("create", "authentication.k8s.io", "tokenreviews"),
  rule("create", "authorization.k8s.io", "subjectaccessreviews"),
  rule("list,watch", "*", "*"),
  rule("create", "", "serviceaccounts/token"),
];

const SCHEDULER: readonly PolicyRule[] = [
  EVENTS,
  rule("create", "coordination.k8s.io", "leases"),
  rule("get,update", "coordination.k8s.io", "leases", "kube-scheduler"),
  rule(READ, "", "nodes"),
  rule(`delete,${READ}`, "", "pods"),
  rule("create", "", "bindings,pods/binding"),
  rule("patch,update", "", "pods/status"),
  rule(READ, "", "replicationcontrollers,services"),
  rule(READ, "apps,extensions", "replicasets"),
  rule(READ, "apps", "statefulsets"),
  rule(READ, "policy", "poddisruptionbudgets"),
  rule(READ, "", "persistentvolumeclaims,persistentvolumes"),
  rule("create", "authentication.k8s.io", "tokenreviews"),
  rule("create", "authorization.k8s.io", "subjectaccessreviews"),
  rule(READ, "storage.k8s.io", "csinodes"),
  rule(READ, "", "namespaces"),
  rule(READ, "storage.k8s.io", "csidrivers"),
  rule(READ, "storage.k8s.io", "csistoragecapacities"),
];

const HEALTH = "/healthz,/livez,/readyz,/version,/version/";
const SIGNERS = ["kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown"];

export const clusterRoles = (): BootstrapObject[] => [
  clusterRole("cluster-admin", [rule("*", "*", "*"), paths("*", "*")]),
  // The three user-facing roles hold the sum of what aggregates to them, as the aggregation controller would write it.
  aggregatedRole("admin", `${AGGREGATE}admin`, [...EDIT, ...VIEW, ...ADMIN]),
  aggregatedRole("edit", `${AGGREGATE}edit`, [...EDIT, ...VIEW], to("admin")),
  aggregatedRole("view", `${AGGREGATE}view`, VIEW, to("edit")),
  clusterRole("system:aggregate-to-admin", ADMIN, to("admin")),
  clusterRole("system:aggregate-to-edit", EDIT, to("edit")),
  clusterRole("system:aggregate-to-view", VIEW, to("view")),
  clusterRole("system:discovery", [paths("get", `/api,/api/*,/apis,/apis/*,/openapi,/openapi/*,${HEALTH}`)]),
  clusterRole("system:public-info-viewer", [paths("get", HEALTH)]),
  clusterRole("system:basic-user", [
    rule("create", "authorization.k8s.io", "selfsubjectaccessreviews,selfsubjectrulesreviews"),
    rule("create", "authentication.k8s.io", "selfsubjectreviews"),
  ]),
  clusterRole("system:monitoring", [
    paths("get", "/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"),
  ]),
  clusterRole("system:service-account-issuer-discovery", [
    paths(
      "get",
      "/.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/",
    ),
  ]),
  clusterRole("system:auth-delegator", [
    rule("create", "authentication.k8s.io", "tokenreviews"),
    rule("create", "authorization.k8s.io", "subjectaccessreviews"),
  ]),
  clusterRole("system:heapster", [
    rule(READ, "", "events,namespaces,nodes,pods"),
    rule(READ, "extensions", "deployments"),
  ]),
  clusterRole("system:kube-aggregator", [rule(READ, "", "endpoints,services")]),
  clusterRole("system:kube-controller-manager", CONTROLLER_MANAGER),
  clusterRole("system:kube-scheduler", SCHEDULER),
  clusterRole("system:kube-dns", [rule("list,watch", "", "endpoints,services")]),
  clusterRole("system:kubelet-api-admin", [
    rule(READ, "", "nodes"),
    rule("proxy", "", "nodes"),
    rule("*", "", "nodes/log,nodes/metrics,nodes/proxy,nodes/stats"),
  ]),
  clusterRole("system:node", NODE),
  clusterRole("system:node-bootstrapper", [
    rule(`create,${READ}`, "certificates.k8s.io", "certificatesigningrequests"),
  ]),
  clusterRole("system:node-problem-detector", [rule("get", "", "nodes"), rule("patch", "", "nodes/status"), EVENTS]),
  clusterRole("system:node-proxier", [
    rule("list,watch", "", "endpoints,services"),
    rule(READ, "", "nodes"),
    EVENTS,
    rule("list,watch", "discovery.k8s.io", "endpointslices"),
  ]),
  clusterRole("system:persistent-volume-provisioner", [
    rule("create,delete,get,list,watch", "", "persistentvolumes"),
    rule(`update,${READ}`, "", "persistentvolumeclaims"),
    rule(READ, "storage.k8s.io", "storageclasses"),
    rule("watch", "", "events"),
    EVENTS,
  ]),
  clusterRole("system:volume-scheduler", [
    rule(`patch,update,${READ}`, "", "persistentvolumes"),
    rule(READ, "storage.k8s.io", "storageclasses"),
    rule(`patch,update,${READ}`, "", "persistentvolumeclaims"),
  ]),
  clusterRole("system:certificates.k8s.io:certificatesigningrequests:nodeclient", [
    rule("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"),
  ]),
  clusterRole("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", [
    rule("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"),
  ]),
  ...SIGNERS.map((signer) =>
    clusterRole(`system:certificates.k8s.io:${signer}-approver`, [
      rule("approve", "certificates.k8s.io", "signers", `kubernetes.io/${signer}`),
    ]),
  ),
];

export const clusterRoleBindings = (): BootstrapObject[] => [
  clusterRoleBinding("cluster-admin", [group("system:masters")]),
  clusterRoleBinding("system:monitoring", [group("system:monitoring")]),
  clusterRoleBinding("system:discovery", [group("system:authenticated")]),
  clusterRoleBinding("system:basic-user", [group("system:authenticated")]),
  clusterRoleBinding("system:public-info-viewer", [group("system:authenticated"), group("system:unauthenticated")]),
  clusterRoleBinding("system:node-proxier", [user("system:kube-proxy")]),
  clusterRoleBinding("system:kube-controller-manager", [user("system:kube-controller-manager")]),
  clusterRoleBinding("system:kube-dns", [serviceAccount("kube-dns")]),
  clusterRoleBinding("system:kube-scheduler", [user("system:kube-scheduler")]),
  clusterRoleBinding("system:volume-scheduler", [user("system:kube-scheduler")]),
  clusterRoleBinding("system:node", []),
  clusterRoleBinding("system:service-account-issuer-discovery", [group("system:serviceaccounts")]),
];

const LOCKING = [
  rule("create,get,list,update,watch", "coordination.k8s.io", "leases"),
  rule("create,get,list,update,watch", "coordination.k8s.io", "leasecandidates"),
];
const CONFIG_READER = "extension-apiserver-authentication-reader";

/** Roles in single namespaces, with their bindings. */
export const namespacedRoles = (): BootstrapObject[] => [
  role("kube-system", CONFIG_READER, [rule(READ, "", "configmaps", "extension-apiserver-authentication")]),
  roleBinding("kube-system", `system::${CONFIG_READER}`, CONFIG_READER, [
    user("system:kube-controller-manager"),
    user("system:kube-scheduler"),
  ]),
  ...["kube-controller-manager", "kube-scheduler"].flatMap((component) => {
    const name = `system::leader-locking-${component}`;
    return [
      role("kube-system", name, LOCKING),
      roleBinding("kube-system", name, name, [user(`system:${component}`), serviceAccount(component)]),
    ];
  }),
  ...(
    [
      ["kube-system", "bootstrap-signer", [rule(READ, "", "secrets")]],
      ["kube-system", "cloud-provider", [rule(`create,${READ}`, "", "configmaps")]],
      ["kube-system", "token-cleaner", [rule(`delete,${READ}`, "", "secrets"), EVENTS]],
      [
        "kube-public",
        "bootstrap-signer",
        [rule(READ, "", "configmaps"), rule("update", "", "configmaps", "cluster-info"), EVENTS],
      ],
    ] as const
  ).flatMap(([namespace, account, rules]) => {
    const name = `system:controller:${account}`;
    return [role(namespace, name, rules), roleBinding(namespace, name, name, [serviceAccount(account)])];
  }),
];
