/** The role of each loop of the controller manager, bound to its service account in kube-system (facts: upstream's controller_policy). */
import type { PolicyRule } from "../schema/generated/types.js";
import {
  type BootstrapObject,
  clusterRole,
  clusterRoleBinding,
  EVENTS,
  READ,
  rule,
  serviceAccount,
} from "./role-notation.js";

const WATCH = "list,watch";
const APPS = "apps,extensions";

/** By controller; those of true in the second place also tell events. */
const ROLES: Readonly<Record<string, readonly [rules: readonly PolicyRule[], events: boolean]>> = {
  "attachdetach-controller": [
    [
      rule(WATCH, "", "persistentvolumeclaims,persistentvolumes"),
      rule(READ, "", "nodes"),
      rule("patch,update", "", "nodes/status"),
      rule(WATCH, "", "pods"),
      rule("create,delete,get,list,watch", "storage.k8s.io", "volumeattachments"),
      rule(READ, "storage.k8s.io", "csidrivers"),
      rule(READ, "storage.k8s.io", "csinodes"),
    ],
    true,
  ],
  "certificate-controller": [
    [
      rule(`delete,${READ}`, "certificates.k8s.io", "certificatesigningrequests"),
      rule("update", "certificates.k8s.io", "certificatesigningrequests/approval,certificatesigningrequests/status"),
      rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
      rule(
        "sign",
        "certificates.k8s.io",
        "signers",
        "kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown",
      ),
      rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ],
    true,
  ],
  "clusterrole-aggregation-controller": [
    [rule(`escalate,patch,update,${READ}`, "rbac.authorization.k8s.io", "clusterroles")],
    false,
  ],
  "cronjob-controller": [
    [
      rule(`update,${READ}`, "batch", "cronjobs"),
      rule(`create,delete,patch,update,${READ}`, "batch", "jobs"),
      rule("update", "batch", "cronjobs/finalizers,cronjobs/status"),
      rule(`delete,${WATCH}`, "", "pods"),
    ],
    true,
  ],
  "daemon-set-controller": [
    [
      rule(READ, APPS, "daemonsets"),
      rule("update", APPS, "daemonsets/finalizers,daemonsets/status"),
      rule(WATCH, "", "nodes"),
      rule(`create,delete,patch,${WATCH}`, "", "pods"),
      rule("create", "", "pods/binding"),
      rule(`create,delete,patch,update,${READ}`, "apps", "controllerrevisions"),
    ],
    true,
  ],
  "deployment-controller": [
    [
      rule(`update,${READ}`, APPS, "deployments"),
      rule("update", APPS, "deployments/finalizers,deployments/status"),
      rule(`create,delete,patch,update,${READ}`, APPS, "replicasets"),
      rule(`update,${READ}`, "", "pods"),
    ],
    true,
  ],
  "disruption-controller": [
    [
      rule(READ, APPS, "deployments,replicasets"),
      rule(READ, "", "replicationcontrollers"),
      rule(READ, "policy", "poddisruptionbudgets"),
      rule(READ, "apps", "statefulsets"),
      rule("update", "policy", "poddisruptionbudgets/status"),
      rule("patch,update", "", "pods/status"),
      rule("get", "*", "*/scale"),
    ],
    true,
  ],
  "endpoint-controller": [
    [
      rule(READ, "", "pods,services"),
      rule(`create,delete,update,${READ}`, "", "endpoints"),
      rule("create", "", "endpoints/restricted"),
    ],
    true,
  ],
  "endpointslice-controller": [
    [
      rule(READ, "", "nodes,pods,services"),
      rule("update", "", "services/finalizers"),
      rule(`create,delete,update,${READ}`, "discovery.k8s.io", "endpointslices"),
    ],
    true,
  ],
  "endpointslicemirroring-controller": [
    [
      rule(READ, "", "endpoints,services"),
      rule("update", "", "endpoints/finalizers,services/finalizers"),
      rule(`create,delete,update,${READ}`, "discovery.k8s.io", "endpointslices"),
    ],
    true,
  ],
  "ephemeral-volume-controller": [
    [
      rule(READ, "", "pods"),
      rule("update", "", "pods/finalizers"),
      rule(`create,${READ}`, "", "persistentvolumeclaims"),
    ],
    true,
  ],
  "expand-controller": [
    [
      rule(`patch,update,${READ}`, "", "persistentvolumes"),
      rule("patch,update", "", "persistentvolumeclaims/status"),
      rule(READ, "", "persistentvolumeclaims"),
    ],
    true,
  ],
  "generic-garbage-collector": [[rule(`delete,patch,update,${READ}`, "*", "*")], true],
  "horizontal-pod-autoscaler": [
    [
      rule(READ, "autoscaling", "horizontalpodautoscalers"),
      rule("update", "autoscaling", "horizontalpodautoscalers/status"),
      rule("get,update", "*", "*/scale"),
      rule(WATCH, "", "pods"),
      rule(WATCH, "metrics.k8s.io", "pods"),
      rule(READ, "custom.metrics.k8s.io,external.metrics.k8s.io", "*"),
    ],
    true,
  ],
  "job-controller": [
    [
      rule(`patch,update,${READ}`, "batch", "jobs"),
      rule("update", "batch", "jobs/finalizers,jobs/status"),
      rule(`create,delete,patch,${WATCH}`, "", "pods"),
    ],
    true,
  ],
  "legacy-service-account-token-cleaner": [
    [
      rule("get", "", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
      rule("delete,patch", "", "secrets"),
    ],
    false,
  ],
  "namespace-controller": [
    [
      rule(`delete,${READ}`, "", "namespaces"),
      rule("update", "", "namespaces/finalize,namespaces/status"),
      rule(`delete,deletecollection,${READ}`, "*", "*"),
    ],
    false,
  ],
  "node-controller": [
    [
      rule(`delete,patch,update,${READ}`, "", "nodes"),
      rule("patch,update", "", "nodes/status,pods/status"),
      rule(`delete,${READ}`, "", "pods"),
    ],
    true,
  ],
  "persistent-volume-binder": [
    [
      rule(`create,delete,update,${READ}`, "", "persistentvolumes"),
      rule("update", "", "persistentvolumeclaims/status,persistentvolumes/status"),
      rule(`update,${READ}`, "", "persistentvolumeclaims"),
      rule(`create,delete,${READ}`, "", "pods"),
      rule(READ, "storage.k8s.io", "storageclasses"),
      rule(WATCH, "", "nodes"),
      rule("watch", "", "events"),
    ],
    true,
  ],
  "pod-garbage-collector": [
    [rule(`delete,${WATCH}`, "", "pods"), rule(READ, "", "nodes"), rule("patch", "", "pods/status")],
    false,
  ],
  "pv-protection-controller": [[rule(`update,${READ}`, "", "persistentvolumes")], true],
  "pvc-protection-controller": [
    [
      rule(`update,${READ}`, "", "persistentvolumeclaims"),
      rule("update", "", "persistentvolumeclaims/status"),
      rule(READ, "", "pods"),
    ],
    true,
  ],
  "replicaset-controller": [
    [
      rule(`update,${READ}`, APPS, "replicasets"),
      rule("update", APPS, "replicasets/finalizers,replicasets/status"),
      rule(`create,delete,patch,${WATCH}`, "", "pods"),
    ],
    true,
  ],
  "replication-controller": [
    [
      rule(`update,${READ}`, "", "replicationcontrollers"),
      rule("update", "", "replicationcontrollers/finalizers,replicationcontrollers/status"),
      rule(`create,delete,patch,${WATCH}`, "", "pods"),
    ],
    true,
  ],
  "resourcequota-controller": [[rule(WATCH, "*", "*"), rule("update", "", "resourcequotas/status")], true],
  "root-ca-cert-publisher": [[rule("create,update", "", "configmaps")], true],
  "route-controller": [[rule(WATCH, "", "nodes"), rule("patch", "", "nodes/status")], true],
  "service-account-controller": [[rule("create", "", "serviceaccounts")], true],
  "service-cidrs-controller": [
    [
      rule(`patch,update,${READ}`, "networking.k8s.io", "servicecidrs"),
      rule("patch,update", "networking.k8s.io", "servicecidrs/finalizers,servicecidrs/status"),
      rule(READ, "networking.k8s.io", "ipaddresses"),
    ],
    true,
  ],
  "service-controller": [
    [rule(READ, "", "services"), rule("patch,update", "", "services/status"), rule(WATCH, "", "nodes")],
    true,
  ],
  "statefulset-controller": [
    [
      rule(WATCH, "", "pods"),
      rule(READ, "apps", "statefulsets"),
      rule("update", "apps", "statefulsets/finalizers,statefulsets/status"),
      rule("create,delete,get,patch,update", "", "pods"),
      rule(`create,delete,patch,update,${READ}`, "apps", "controllerrevisions"),
      rule(`create,delete,update,${READ}`, "", "persistentvolumeclaims"),
      rule("update", "", "pods/finalizers"),
    ],
    true,
  ],
  "ttl-after-finished-controller": [[rule(`delete,${READ}`, "batch", "jobs")], true],
  "ttl-controller": [[rule(`patch,update,${WATCH}`, "", "nodes")], true],
  "validatingadmissionpolicy-status-controller": [
    [
      rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
      rule("get,patch,update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
    ],
    true,
  ],
};

export const controllerRoles = (): BootstrapObject[] =>
  Object.entries(ROLES).flatMap(([controller, [rules, events]]) => {
    const name = `system:controller:${controller}`;
    return [
      clusterRole(name, events ? [...rules, EVENTS] : rules),
      clusterRoleBinding(name, [serviceAccount(controller)]),
    ];
  });
