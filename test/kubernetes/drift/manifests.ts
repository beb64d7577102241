/** What a drift test has both clusters do: good manifests, bad ones, and changes, in this order. */
import {
  containers,
  core,
  creates,
  group,
  IMAGE,
  MERGE,
  named,
  patches,
  type Step,
  template,
  workload,
} from "./step.js";

const deployments = `${group("apps/v1")}/deployments`;

export const STEPS: readonly Step[] = [
  creates("a config map", `${core}/configmaps`, named("drift-config", { data: { a: "1" }, immutable: true })),
  creates("a secret", `${core}/secrets`, named("drift-secret", { stringData: { a: "1" } })),
  creates(
    "a service",
    `${core}/services`,
    named("drift-web", { spec: { selector: { app: "web" }, ports: [{ port: 80 }] } }),
  ),
  creates("a headless service", `${core}/services`, named("drift-headless", { spec: { clusterIP: "None" } })),
  creates("a claim", `${core}/persistentvolumeclaims`, {
    ...named("drift-claim", {}),
    spec: { storageClassName: "", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  }),
  creates("a deployment", deployments, named("drift-web", { spec: { replicas: 2, ...workload("web") } })),
  creates(
    "a stateful set",
    `${group("apps/v1")}/statefulsets`,
    named("drift-db", { spec: { serviceName: "drift-headless", replicas: 1, ...workload("db") } }),
  ),
  creates(
    "a suspended job",
    `${group("batch/v1")}/jobs`,
    named("drift-job", { spec: { suspend: true, template: { spec: { containers, restartPolicy: "Never" } } } }),
  ),
  creates(
    "a cron job",
    `${group("batch/v1")}/cronjobs`,
    named("drift-cron", {
      spec: {
        schedule: "0 0 1 1 *",
        jobTemplate: { spec: { template: { spec: { containers, restartPolicy: "OnFailure" } } } },
      },
    }),
  ),
  creates(
    "a disruption budget",
    `${group("policy/v1")}/poddisruptionbudgets`,
    named("drift-budget", { spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } } }),
  ),
  creates(
    "a role",
    `${group("rbac.authorization.k8s.io/v1")}/roles`,
    named("drift-role", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
  ),
  creates(
    "a network policy",
    `${group("networking.k8s.io/v1")}/networkpolicies`,
    named("drift-policy", { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } }),
  ),
  creates(
    "an ingress",
    `${group("networking.k8s.io/v1")}/ingresses`,
    named("drift-ingress", { spec: { defaultBackend: { service: { name: "drift-web", port: { number: 80 } } } } }),
  ),
  creates("a quota", `${core}/resourcequotas`, named("drift-quota", { spec: { hard: { pods: "50" } } })),
  creates("the same config map again", `${core}/configmaps`, named("drift-config", {})),
  creates("a name that is none", `${core}/configmaps`, named("Drift_Config", {})),
  creates("a config map in a namespace that is not there", "/api/v1/namespaces/drift-none/configmaps", named("a", {})),
  creates("a service without ports", `${core}/services`, named("drift-none", { spec: { selector: { app: "a" } } })),
  creates(
    "a deployment that does not select its pods",
    deployments,
    named("drift-none", { spec: { selector: { matchLabels: { app: "a" } }, template: template("b") } }),
  ),
  creates("a pod without containers", `${core}/pods`, named("drift-none", { spec: { containers: [] } })),
  creates(
    "a pod of wrong values",
    `${core}/pods`,
    named("drift-none", {
      spec: {
        restartPolicy: "Sometimes",
        containers: [{ name: "A", image: IMAGE, ports: [{ containerPort: 0 }], volumeMounts: [{ name: "x" }] }],
      },
    }),
  ),
  creates(
    "a field that is not known, strictly",
    `${core}/configmaps`,
    named("drift-none", { dota: {} }),
    "?fieldValidation=Strict",
  ),
  creates("a wrong kind", `${core}/configmaps`, { apiVersion: "v1", kind: "Secret", metadata: { name: "drift-none" } }),
  patches("a change of what is immutable", `${core}/configmaps/drift-config`, { data: { a: "2" } }, MERGE),
  patches(
    "a change of a selector",
    `${deployments}/drift-web`,
    { spec: { selector: { matchLabels: { app: "other" } } } },
    MERGE,
  ),
  patches(
    "a change to an old version",
    `${deployments}/drift-web`,
    { metadata: { resourceVersion: "1", labels: { a: "b" } } },
    MERGE,
  ),
  patches(
    "server-side apply",
    `${core}/configmaps/drift-applied`,
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "drift-applied" }, data: { a: "1" } },
    "application/apply-patch+yaml",
    "?fieldManager=one",
  ),
  patches(
    "a conflict of managers",
    `${core}/configmaps/drift-applied`,
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "drift-applied" }, data: { a: "2" } },
    "application/apply-patch+yaml",
    "?fieldManager=two",
  ),
  patches("a scale", `${deployments}/drift-web/scale`, { spec: { replicas: 3 } }, MERGE),
  { does: "reads what is not there", path: `${core}/pods/none` },
  { does: "a resource that is not there", path: `${core}/nones` },
  { does: "a group that is not there", path: "/apis/none.example.com/v1/nones" },
  { does: "a path that is not there", path: "/none" },
  { does: "a wrong selector", path: `${core}/pods?labelSelector=a%20b%20c` },
  { does: "a wrong field selector", path: `${core}/pods?fieldSelector=spec.none%3Da` },
  { does: "a wrong method", path: `${core}/pods`, method: "PUT", body: {} },
];

/** Resources of the namespace whose objects are compared when all is at rest. */
export const OUTCOMES: readonly string[] = [
  ...["configmaps", "endpoints", "persistentvolumeclaims", "pods", "resourcequotas", "secrets", "serviceaccounts"].map(
    (name) => `${core}/${name}`,
  ),
  `${core}/services`,
  ...["deployments", "replicasets", "statefulsets", "controllerrevisions"].map((name) => `${group("apps/v1")}/${name}`),
  ...["jobs", "cronjobs"].map((name) => `${group("batch/v1")}/${name}`),
  `${group("policy/v1")}/poddisruptionbudgets`,
  `${group("discovery.k8s.io/v1")}/endpointslices`,
  ...["ingresses", "networkpolicies"].map((name) => `${group("networking.k8s.io/v1")}/${name}`),
  `${group("rbac.authorization.k8s.io/v1")}/roles`,
];
