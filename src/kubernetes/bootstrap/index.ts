/**
 * What every new Kubernetes cluster holds before anybody has used it: system namespaces, RBAC policy, priority classes, the `kubernetes` Service, priority and
 * fairness. Objects of a distribution (EKS's add-ons, storage class) are not here.
 */

import { DEFAULT_SERVICE_CIDR } from "../registry/strategies/networking.js";
import { SYSTEM_PRIORITY_CLASSES } from "../registry/strategies/policy.js";
import { addressRange } from "../registry/strategies/service-addresses.js";
import { clusterRoleBindings, clusterRoles, namespacedRoles } from "./cluster-roles.js";
import { controllerRoles } from "./controller-roles.js";
import { flowControl } from "./flow-control.js";
import type { BootstrapObject } from "./role-notation.js";

export type { BootstrapObject } from "./role-notation.js";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

const namespaces = (): BootstrapObject[] =>
  NAMESPACES.map((name) => ({
    resource: "namespaces",
    object: { apiVersion: "v1", kind: "Namespace", metadata: { name } },
  }));

const priorityClasses = (): BootstrapObject[] =>
  Object.entries(SYSTEM_PRIORITY_CLASSES).map(([name, { value, description }]) => ({
    resource: "priorityclasses.scheduling.k8s.io",
    object: {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name },
      value,
      description,
      preemptionPolicy: "PreemptLowerPriority",
    },
  }));

/** The range of cluster IPs that the API server was started with. */
const serviceRange = (serviceCidr: string): BootstrapObject => ({
  resource: "servicecidrs.networking.k8s.io",
  object: {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: DEFAULT_SERVICE_CIDR },
    spec: { cidrs: [serviceCidr] },
  },
});

/** The API server's own Service: the first address of the range. It has no selector; its endpoints are the API servers'. */
function kubernetesService(serviceCidr: string): BootstrapObject {
  const range = addressRange(serviceCidr);
  const clusterIP = range.at(1);
  return {
    resource: "services",
    object: {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: "kubernetes",
        namespace: "default",
        labels: { component: "apiserver", provider: "kubernetes" },
      },
      spec: {
        type: "ClusterIP",
        clusterIP,
        clusterIPs: [clusterIP],
        ipFamilies: [range.family],
        ipFamilyPolicy: "SingleStack",
        internalTrafficPolicy: "Cluster",
        sessionAffinity: "None",
        ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 443 }],
      },
    },
  };
}

/** The headers in which the aggregator introduces users, and the name of its certificate. */
const REQUEST_HEADERS = {
  "requestheader-allowed-names": '["front-proxy-client"]',
  "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
  "requestheader-group-headers": '["X-Remote-Group"]',
  "requestheader-uid-headers": '["X-Remote-Uid"]',
  "requestheader-username-headers": '["X-Remote-User"]',
};

/** Where extension API servers read whom to trust; `caCert` is the CA that signs client certificates. */
export const authenticationConfig = (caCert: string | undefined): BootstrapObject => ({
  resource: "configmaps",
  object: {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
    data:
      caCert === undefined
        ? {}
        : { "client-ca-file": caCert, "requestheader-client-ca-file": caCert, ...REQUEST_HEADERS },
  },
});

/**
 * In the order to create them in: namespaces before what is inside. `serviceCidr`: e.g. `10.100.0.0/16`; `caCert`: PEM.
 */
export function bootstrapObjects({ serviceCidr, caCert }: { serviceCidr: string; caCert?: string }): BootstrapObject[] {
  return [
    ...namespaces(),
    ...priorityClasses(),
    ...clusterRoles(),
    ...clusterRoleBindings(),
    ...controllerRoles(),
    ...namespacedRoles(),
    ...flowControl(),
    serviceRange(serviceCidr),
    kubernetesService(serviceCidr),
    authenticationConfig(caCert),
  ];
}
