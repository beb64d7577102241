/** One good object of every built-in kind that can be made, by apiVersion. */
export type Fields = Record<string, unknown>;
export interface Kind {
  resource: string;
  fields: Fields;
  status?: Fields;
}

const SPEC = { containers: [{ name: "c", image: "nginx" }] };
const TEMPLATE = { metadata: { labels: { a: "b" } }, spec: SPEC };
const SELECTOR = { matchLabels: { a: "b" } };
const WORKLOAD = { replicas: 0, selector: SELECTOR, template: TEMPLATE };
const CONDITIONS = {
  conditions: [
    { type: "E2E", status: "True", reason: "Set", message: "from a test", lastTransitionTime: "2026-01-01T00:00:00Z" },
  ],
};
const TARGET = { apiVersion: "apps/v1", kind: "Deployment", name: "x" };
const REQUESTS = { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gold" } }] } };

export const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  v1: [
    { resource: "configmaps", fields: { data: { a: "b" } } },
    { resource: "secrets", fields: { data: { a: "Yg==" }, type: "Opaque" } },
    { resource: "pods", fields: { spec: SPEC }, status: CONDITIONS },
    { resource: "podtemplates", fields: { template: TEMPLATE } },
    {
      resource: "replicationcontrollers",
      fields: { spec: { replicas: 0, selector: { a: "b" }, template: TEMPLATE } },
      status: CONDITIONS,
    },
    { resource: "endpoints", fields: { subsets: [{ addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 80 }] }] } },
    {
      resource: "events",
      fields: { involvedObject: { namespace: "default" }, reason: "Test", type: "Normal", count: 1 },
    },
    { resource: "limitranges", fields: { spec: { limits: [{ type: "Container", default: { cpu: "1" } }] } } },
    { resource: "resourcequotas", fields: { spec: { hard: { pods: "30" } } }, status: { hard: { pods: "31" } } },
    { resource: "services", fields: { spec: { ports: [{ port: 80 }] } }, status: CONDITIONS },
    { resource: "serviceaccounts", fields: { automountServiceAccountToken: false } },
    {
      resource: "persistentvolumes",
      fields: {
        spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], csi: { driver: "d", volumeHandle: "h" } },
      },
      status: { message: "patched" },
    },
    {
      resource: "persistentvolumeclaims",
      fields: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
      status: CONDITIONS,
    },
    { resource: "nodes", fields: { spec: {}, status: { capacity: { cpu: "1" } } }, status: CONDITIONS },
    { resource: "namespaces", fields: {}, status: CONDITIONS },
  ],
  "apps/v1": [
    { resource: "controllerrevisions", fields: { revision: 3, data: { spec: {} } } },
    { resource: "deployments", fields: { spec: WORKLOAD }, status: CONDITIONS },
    { resource: "replicasets", fields: { spec: WORKLOAD }, status: CONDITIONS },
    { resource: "statefulsets", fields: { spec: { ...WORKLOAD, serviceName: "x" } }, status: CONDITIONS },
    { resource: "daemonsets", fields: { spec: { selector: SELECTOR, template: TEMPLATE } }, status: CONDITIONS },
  ],
  "batch/v1": [
    { resource: "jobs", fields: { spec: { suspend: true, template: { spec: { ...SPEC, restartPolicy: "Never" } } } } },
    {
      resource: "cronjobs",
      fields: {
        spec: {
          schedule: "* */1 * * *",
          jobTemplate: { spec: { template: { spec: { ...SPEC, restartPolicy: "Never" } } } },
        },
      },
      status: { lastScheduleTime: "2026-01-01T00:00:00Z" },
    },
  ],
  "policy/v1": [
    {
      resource: "poddisruptionbudgets",
      fields: { spec: { minAvailable: "1%", selector: SELECTOR } },
      status: { disruptedPods: { a: "2026-01-01T00:00:00Z" } },
    },
  ],
  "autoscaling/v1": [
    {
      resource: "horizontalpodautoscalers",
      fields: { spec: { maxReplicas: 3, targetCPUUtilizationPercentage: 50, scaleTargetRef: TARGET } },
    },
  ],
  "autoscaling/v2": [
    {
      resource: "horizontalpodautoscalers",
      fields: { spec: { maxReplicas: 3, scaleTargetRef: TARGET } },
      status: CONDITIONS,
    },
  ],
  "coordination.k8s.io/v1": [
    { resource: "leases", fields: { spec: { holderIdentity: "h", leaseDurationSeconds: 30 } } },
  ],
  "discovery.k8s.io/v1": [
    {
      resource: "endpointslices",
      fields: { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }], ports: [{ name: "a", port: 80 }] },
    },
  ],
  "events.k8s.io/v1": [
    {
      resource: "events",
      fields: {
        regarding: { namespace: "default" },
        eventTime: "2026-01-01T00:00:00.000001Z",
        note: "said",
        action: "Do",
        reason: "Test",
        type: "Normal",
        reportingController: "test-controller",
        reportingInstance: "test-node",
      },
    },
  ],
  "flowcontrol.apiserver.k8s.io/v1": [
    {
      resource: "flowschemas",
      fields: {
        spec: {
          matchingPrecedence: 9000,
          priorityLevelConfiguration: { name: "global-default" },
          distinguisherMethod: { type: "ByUser" },
          rules: [
            {
              subjects: [{ kind: "User", user: { name: "x" } }],
              nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
            },
          ],
        },
      },
      status: CONDITIONS,
    },
    {
      resource: "prioritylevelconfigurations",
      fields: {
        spec: { type: "Limited", limited: { nominalConcurrencyShares: 2, limitResponse: { type: "Reject" } } },
      },
      status: CONDITIONS,
    },
  ],
  "networking.k8s.io/v1": [
    {
      resource: "ingresses",
      fields: { spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } } },
      status: { loadBalancer: { ingress: [{ ip: "169.1.1.1" }] } },
    },
    { resource: "ingressclasses", fields: { spec: { controller: "example.com/c" } } },
    { resource: "networkpolicies", fields: { spec: { podSelector: {} } } },
    { resource: "servicecidrs", fields: { spec: { cidrs: ["10.201.0.0/16"] } }, status: CONDITIONS },
    {
      resource: "ipaddresses",
      fields: { spec: { parentRef: { group: "g", resource: "r", namespace: "n", name: "x" } } },
    },
  ],
  "node.k8s.io/v1": [{ resource: "runtimeclasses", fields: { handler: "h" } }],
  "scheduling.k8s.io/v1": [{ resource: "priorityclasses", fields: { value: 1000 } }],
  "rbac.authorization.k8s.io/v1": [
    { resource: "clusterroles", fields: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] } },
    {
      resource: "rolebindings",
      fields: {
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
        subjects: [{ kind: "User", name: "x" }],
      },
    },
  ],
  "storage.k8s.io/v1": [
    { resource: "storageclasses", fields: { provisioner: "p" } },
    { resource: "csidrivers", fields: { spec: { attachRequired: false } } },
    { resource: "csinodes", fields: { spec: { drivers: [] } } },
    { resource: "csistoragecapacities", fields: { storageClassName: "sc", nodeTopology: {}, capacity: "1Gi" } },
    {
      resource: "volumeattachments",
      fields: { spec: { attacher: "a", nodeName: "n", source: { persistentVolumeName: "pv" } } },
      status: { attached: true },
    },
    { resource: "volumeattributesclasses", fields: { driverName: "d", parameters: { a: "b" } } },
  ],
  "resource.k8s.io/v1": [
    { resource: "deviceclasses", fields: { spec: { selectors: [{ cel: { expression: "false" } }] } } },
    { resource: "resourceclaims", fields: { spec: REQUESTS }, status: { allocation: {} } },
    { resource: "resourceclaimtemplates", fields: { spec: { spec: REQUESTS } } },
    {
      resource: "resourceslices",
      fields: { spec: { driver: "d", pool: { name: "p", generation: 1, resourceSliceCount: 1 }, nodeName: "n" } },
    },
  ],
};
