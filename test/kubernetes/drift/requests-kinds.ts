/** Requests that the rules of single kinds refuse or complete: pods, services, workloads, storage, access, and subresources. */
import {
  core,
  creates,
  group,
  IMAGE,
  MERGE,
  NAMESPACE,
  named,
  patches,
  reads,
  replaces,
  type Step,
  template,
  workload,
} from "./step.js";

const pods = `${core}/pods`;
const services = `${core}/services`;
const apps = group("apps/v1");
const batch = group("batch/v1");
const rbac = group("rbac.authorization.k8s.io/v1");
const networking = group("networking.k8s.io/v1");
const nowhere = { schedulerName: "drift-none" };
const container = { name: "main", image: IMAGE };
const pod = (does: string, spec: object, metadata: object = {}): Step =>
  creates(
    does,
    pods,
    { metadata: { name: "kind-pod", ...metadata }, spec: { ...nowhere, containers: [container], ...spec } },
    "?dryRun=All",
  );
const withContainer = (does: string, rest: object): Step => pod(does, { containers: [{ ...container, ...rest }] });
const service = (does: string, spec: object): Step =>
  creates(does, services, named("kind-service", { spec }), "?dryRun=All");

const podRules: readonly Step[] = [
  pod("a plain pod", {}),
  pod("two containers of one name", { containers: [container, container] }),
  withContainer("a container without an image", { image: undefined }),
  withContainer("an image with spaces", { image: " a " }),
  withContainer("an unknown pull policy", { imagePullPolicy: "Perhaps" }),
  withContainer("requests above limits", {
    resources: { requests: { cpu: "2", memory: "1Gi" }, limits: { cpu: "1", memory: "1Mi" } },
  }),
  withContainer("resources below zero", { resources: { requests: { cpu: "-1" } } }),
  withContainer("a resource that nobody knows", { resources: { limits: { widgets: "1" } } }),
  withContainer("half a device", { resources: { limits: { "example.com/device": "500m" } } }),
  withContainer("fractions of bytes", { resources: { requests: { memory: "0.5" } } }),
  withContainer("ports out of range", {
    ports: [{ containerPort: 0 }, { containerPort: 70000, hostPort: -1, protocol: "ICMP", name: "Not_A_Name!" }],
  }),
  withContainer("two ports of one name", {
    ports: [
      { name: "a", containerPort: 1 },
      { name: "a", containerPort: 2 },
    ],
  }),
  withContainer("a probe of nothing", { livenessProbe: {} }),
  withContainer("a probe of two things", { livenessProbe: { exec: { command: ["a"] }, tcpSocket: { port: 1 } } }),
  withContainer("a probe of wrong numbers", {
    livenessProbe: {
      periodSeconds: -1,
      timeoutSeconds: -1,
      failureThreshold: -1,
      successThreshold: 2,
      initialDelaySeconds: -1,
      exec: { command: ["a"] },
    },
  }),
  withContainer("an HTTP probe of nowhere", { readinessProbe: { httpGet: { path: "", port: 0, scheme: "FTP" } } }),
  withContainer("a hook of nothing", { lifecycle: { preStop: {} } }),
  withContainer("an environment of two sources", {
    env: [{ name: "A", value: "1", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
  }),
  withContainer("an environment of wrong names", { env: [{ name: "" }, { name: "a=b", value: "1" }] }),
  withContainer("an environment of an unknown field", {
    env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.nonsense" } } }],
  }),
  withContainer("an environment of an unknown resource", {
    env: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "limits.nonsense" } } }],
  }),
  withContainer("a mount of no volume", { volumeMounts: [{ name: "none", mountPath: "/a" }] }),
  withContainer("mounts at one place", {
    volumeMounts: [
      { name: "a", mountPath: "/a" },
      { name: "a", mountPath: "/a" },
      { name: "a", mountPath: "" },
    ],
  }),
  withContainer("a privileged container that may not rise", {
    securityContext: { privileged: true, allowPrivilegeEscalation: false },
  }),
  withContainer("a user below zero", { securityContext: { runAsUser: -1 } }),
  withContainer("an unknown termination policy", { terminationMessagePolicy: "Perhaps" }),
  pod("no containers", { containers: [] }),
  pod("an unknown restart policy", { restartPolicy: "Perhaps" }),
  pod("an unknown DNS policy", { dnsPolicy: "Perhaps" }),
  pod("DNS of nowhere", { dnsPolicy: "None" }),
  pod("a grace below zero", { terminationGracePeriodSeconds: -1 }),
  pod("a deadline of zero", { activeDeadlineSeconds: 0 }),
  pod("a wrong node selector", { nodeSelector: { "a b": "c" } }),
  pod("a wrong host name", { hostname: "A.b", subdomain: "C.d" }),
  pod("a host's network on other ports", {
    hostNetwork: true,
    containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 81 }] }],
  }),
  pod("volumes of nothing and of two things", {
    volumes: [{ name: "a", emptyDir: {}, hostPath: { path: "/" } }, { name: "A_b" }, { name: "a" }],
  }),
  pod("volumes that lack something", {
    volumes: [
      { name: "a", configMap: {} },
      { name: "b", secret: {} },
      { name: "c", persistentVolumeClaim: {} },
      { name: "d", hostPath: {} },
      { name: "e", projected: { sources: [{}] } },
      { name: "f", csi: {} },
    ],
  }),
  pod("a volume of a wrong mode", { volumes: [{ name: "a", configMap: { name: "b", defaultMode: 4096 } }] }),
  pod("an emptyDir of a wrong size", { volumes: [{ name: "a", emptyDir: { sizeLimit: "-1", medium: "Paper" } }] }),
  pod("tolerations that are none", {
    tolerations: [
      { operator: "Perhaps" },
      { key: "a b" },
      { operator: "Exists", value: "a" },
      { effect: "Sometimes", operator: "Exists" },
      { key: "a", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 5 },
    ],
  }),
  pod("affinities that are none", {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 200,
            preference: {
              matchExpressions: [
                { key: "a", operator: "In" },
                { key: "b", operator: "Exists", values: ["c"] },
                { key: "c", operator: "Gt", values: ["x", "y"] },
                { key: "d", operator: "Perhaps" },
              ],
            },
          },
        ],
      },
    },
  }),
  pod("pod affinities that are none", {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchExpressions: [{ key: "a", operator: "In" }] } },
        ],
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, podAffinityTerm: { topologyKey: "a b" } }],
      },
    },
  }),
  pod("spreads that are none", {
    topologySpreadConstraints: [
      { maxSkew: 0, topologyKey: "", whenUnsatisfiable: "Perhaps" },
      { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "ScheduleAnyway", minDomains: 2 },
      { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "ScheduleAnyway" },
    ],
  }),
  pod("a class of priority that is not there", { priorityClassName: "none" }),
  pod("a priority of its own", { priority: 5 }),
  pod("a service account that is not there", { serviceAccountName: "none" }),
  pod("a runtime class that is not there", { runtimeClassName: "none" }),
  pod("gates twice", { schedulingGates: [{ name: "a" }, { name: "a" }, { name: "A b" }] }),
  pod("an init container that is probed", {
    initContainers: [{ ...container, name: "init", livenessProbe: { exec: { command: ["a"] } } }],
  }),
  pod("an init container of the same name", { initContainers: [container] }),
  pod("a sidecar of a wrong policy", { initContainers: [{ ...container, name: "init", restartPolicy: "Never" }] }),
  pod("an ephemeral container from the start", { ephemeralContainers: [{ ...container, name: "debug" }] }),
  pod("a sysctl that is none", {
    securityContext: {
      sysctls: [
        { name: "a..b", value: "1" },
        { name: "kernel.shm_rmid_forced", value: "1" },
        { name: "kernel.shm_rmid_forced", value: "1" },
      ],
    },
  }),
  pod("an annotation that the server looks at", {}, { annotations: { "kubernetes.io/config.mirror": "a" } }),
  pod("a manual host port and no address", { hostAliases: [{ ip: "x", hostnames: ["A_b"] }] }),
  pod("an overhead of its own", { overhead: { cpu: "1" } }),
  pod("an operating system that is none", { os: { name: "plan9" } }),
  creates(
    "a pod to change",
    pods,
    named("kind-pod", { spec: { ...nowhere, containers: [container], terminationGracePeriodSeconds: 1 } }),
  ),
  patches(
    "another image",
    `${pods}/kind-pod`,
    { spec: { containers: [{ ...container, image: "other:1" }] } },
    MERGE,
    "?dryRun=All",
  ),
  patches("another command", `${pods}/kind-pod`, { spec: { containers: [{ ...container, command: ["a"] }] } }, MERGE),
  patches(
    "one container more",
    `${pods}/kind-pod`,
    { spec: { containers: [container, { ...container, name: "b" }] } },
    MERGE,
  ),
  patches("another node", `${pods}/kind-pod`, { spec: { nodeName: "b" } }, MERGE),
  patches("a toleration less", `${pods}/kind-pod`, { spec: { tolerations: [] } }, MERGE),
  patches("a longer deadline", `${pods}/kind-pod`, { spec: { activeDeadlineSeconds: 10 } }, MERGE, "?dryRun=All"),
  patches("a status through the main door", `${pods}/kind-pod`, { status: { phase: "Failed" } }, MERGE),
  patches("another spec through the status door", `${pods}/kind-pod/status`, { spec: { hostname: "a" } }, MERGE),
  patches(
    "other resources through the main door",
    `${pods}/kind-pod`,
    { spec: { containers: [{ ...container, resources: { requests: { cpu: "1m" } } }] } },
    MERGE,
  ),
];

const serviceRules: readonly Step[] = [
  service("a plain service", { ports: [{ port: 80 }], selector: { a: "b" } }),
  service("no ports", { ports: [] }),
  service("ports out of range", { ports: [{ port: 0 }, { port: 70000, name: "A_" }] }),
  service("two ports without names", { ports: [{ port: 1 }, { port: 2 }] }),
  service("one port twice", {
    ports: [
      { port: 1, name: "a" },
      { port: 1, name: "b" },
    ],
  }),
  service("two ports of one name", {
    ports: [
      { port: 1, name: "a" },
      { port: 2, name: "a" },
    ],
  }),
  service("an unknown protocol", { ports: [{ port: 1, protocol: "ICMP" }] }),
  service("a wrong target", {
    ports: [
      { port: 1, targetPort: "a_b" },
      { port: 2, name: "b", targetPort: 0 },
    ],
  }),
  service("an unknown type", { type: "Perhaps", ports: [{ port: 1 }] }),
  service("an address that is none", { clusterIP: "x", ports: [{ port: 1 }] }),
  service("an address out of range", { clusterIP: "192.0.2.1", ports: [{ port: 1 }] }),
  service("the address of another", { clusterIP: "10.96.0.1", ports: [{ port: 1 }] }),
  service("a node port that is none", { type: "NodePort", ports: [{ port: 1, nodePort: 80 }] }),
  service("a node port on an inner service", { ports: [{ port: 1, nodePort: 30001 }] }),
  service("a name outside that is none", { type: "ExternalName", externalName: "A b" }),
  service("no name outside", { type: "ExternalName" }),
  service("affinity for too long", {
    sessionAffinity: "ClientIP",
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } },
    ports: [{ port: 1 }],
  }),
  service("unknown affinity", { sessionAffinity: "Perhaps", ports: [{ port: 1 }] }),
  service("outer policy on an inner service", { externalTrafficPolicy: "Local", ports: [{ port: 1 }] }),
  service("unknown inner policy", { internalTrafficPolicy: "Perhaps", ports: [{ port: 1 }] }),
  service("both families on a single one", { ipFamilyPolicy: "RequireDualStack", ports: [{ port: 1 }] }),
  service("the other family", { ipFamilies: ["IPv6"], ports: [{ port: 1 }] }),
  service("wrong external addresses", { externalIPs: ["x", "127.0.0.1"], ports: [{ port: 1 }] }),
  service("source ranges that are none", {
    type: "LoadBalancer",
    loadBalancerSourceRanges: ["x"],
    ports: [{ port: 1 }],
  }),
  service("a class of load balancers on an inner service", {
    loadBalancerClass: "example.com/a",
    ports: [{ port: 1 }],
  }),
  service("a wrong selector", { selector: { "a b": "c" }, ports: [{ port: 1 }] }),
  creates("a service to change", services, named("kind-service", { spec: { ports: [{ port: 80 }] } })),
  patches("another address", `${services}/kind-service`, { spec: { clusterIP: "10.96.44.44" } }, MERGE),
  patches("no address", `${services}/kind-service`, { spec: { clusterIP: "" } }, MERGE, "?dryRun=All"),
  patches(
    "another type",
    `${services}/kind-service`,
    { spec: { type: "ExternalName", externalName: "a.example.com" } },
    MERGE,
    "?dryRun=All",
  ),
];

const deployment = (does: string, spec: object): Step =>
  creates(
    does,
    `${apps}/deployments`,
    named("kind-web", { spec: { replicas: 0, ...workload("kind-web"), ...spec } }),
    "?dryRun=All",
  );
const job = (does: string, spec: object, podSpec: object = {}): Step =>
  creates(
    does,
    `${batch}/jobs`,
    named("kind-job", {
      spec: {
        suspend: true,
        ...spec,
        template: { spec: { containers: [container], restartPolicy: "Never", ...podSpec } },
      },
    }),
    "?dryRun=All",
  );
const cron = (does: string, spec: object): Step =>
  creates(
    does,
    `${batch}/cronjobs`,
    named("kind-cron", {
      spec: {
        schedule: "0 0 1 1 *",
        jobTemplate: { spec: { template: { spec: { containers: [container], restartPolicy: "Never" } } } },
        ...spec,
      },
    }),
    "?dryRun=All",
  );

const workloadRules: readonly Step[] = [
  creates("an empty deployment", `${apps}/deployments`, named("kind-empty")),
  creates("a deployment of an empty spec", `${apps}/deployments`, named("kind-empty", { spec: {} })),
  deployment("replicas below zero", { replicas: -1 }),
  deployment("a selector of nothing", { selector: {} }),
  deployment("a selector that cannot be", {
    selector: {
      matchExpressions: [
        { key: "a", operator: "In" },
        { key: "b", operator: "Perhaps", values: ["c"] },
        { key: "c", operator: "Exists", values: ["d"] },
      ],
    },
  }),
  deployment("a selector of others", { selector: { matchLabels: { app: "other" } } }),
  deployment("pods that end", {
    template: { metadata: { labels: { app: "kind-web" } }, spec: { containers: [container], restartPolicy: "Never" } },
  }),
  deployment("pods with a deadline", {
    template: {
      metadata: { labels: { app: "kind-web" } },
      spec: { containers: [container], activeDeadlineSeconds: 5 },
    },
  }),
  deployment("an unknown strategy", { strategy: { type: "Perhaps" } }),
  deployment("a strategy that contradicts itself", { strategy: { type: "Recreate", rollingUpdate: { maxSurge: 1 } } }),
  deployment("a strategy that cannot move", { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
  deployment("a strategy of wrong shares", { strategy: { rollingUpdate: { maxSurge: "x", maxUnavailable: "120%" } } }),
  deployment("shares below zero", { strategy: { rollingUpdate: { maxSurge: -1 } } }),
  deployment("seconds below zero", { minReadySeconds: -1, revisionHistoryLimit: -1, progressDeadlineSeconds: -1 }),
  deployment("a deadline shorter than readiness", { minReadySeconds: 700 }),
  creates("a stateful set of an empty spec", `${apps}/statefulsets`, named("kind-empty", { spec: {} })),
  creates(
    "a stateful set of wrong policies",
    `${apps}/statefulsets`,
    named("kind-db", {
      spec: {
        serviceName: "A_b",
        replicas: -1,
        podManagementPolicy: "Perhaps",
        updateStrategy: { type: "Perhaps", rollingUpdate: { partition: -1 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Perhaps" },
        ordinals: { start: -1 },
        ...workload("kind-db"),
      },
    }),
  ),
  creates(
    "a stateful set to change",
    `${apps}/statefulsets`,
    named("kind-db", { spec: { serviceName: "kind", replicas: 0, ...workload("kind-db") } }),
  ),
  patches(
    "another service of a stateful set",
    `${apps}/statefulsets/kind-db`,
    { spec: { serviceName: "other" } },
    MERGE,
  ),
  patches(
    "more replicas of a stateful set, dry",
    `${apps}/statefulsets/kind-db`,
    { spec: { replicas: 3 } },
    MERGE,
    "?dryRun=All",
  ),
  creates("a daemon set of an empty spec", `${apps}/daemonsets`, named("kind-empty", { spec: {} })),
  creates(
    "a daemon set of a wrong strategy",
    `${apps}/daemonsets`,
    named("kind-agent", {
      spec: {
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
        ...workload("kind-agent"),
      },
    }),
  ),
  creates("a replica set of an empty spec", `${apps}/replicasets`, named("kind-empty", { spec: {} })),
  creates(
    "a replication controller of an empty spec",
    `${core}/replicationcontrollers`,
    named("kind-empty", { spec: {} }),
  ),
  job("a job", {}),
  job("a job whose pods go on", {}, { restartPolicy: "Always" }),
  job("numbers below zero", {
    parallelism: -1,
    completions: -1,
    backoffLimit: -1,
    activeDeadlineSeconds: -1,
    ttlSecondsAfterFinished: -1,
  }),
  job("a selector of its own", { selector: { matchLabels: { a: "b" } } }),
  job("a manual selector of others", { manualSelector: true, selector: { matchLabels: { a: "b" } } }),
  job("an unknown mode of completion", { completionMode: "Perhaps" }),
  job("indexes without completions", { completionMode: "Indexed" }),
  job("a policy of failures that is none", {
    podFailurePolicy: {
      rules: [{ action: "Perhaps", onExitCodes: { operator: "In", values: [0, 0] } }, { action: "FailJob" }],
    },
  }),
  job("a policy of success without indexes", { successPolicy: { rules: [{ succeededCount: 1 }] } }),
  job("limits by index without indexes", { backoffLimitPerIndex: 1, maxFailedIndexes: 1 }),
  job("an unknown way to replace", { podReplacementPolicy: "Perhaps" }),
  creates(
    "a job to change",
    `${batch}/jobs`,
    named("kind-job", {
      spec: { suspend: true, template: { spec: { containers: [container], restartPolicy: "Never" } } },
    }),
  ),
  patches("other completions", `${batch}/jobs/kind-job`, { spec: { completions: 5 } }, MERGE),
  patches(
    "another template",
    `${batch}/jobs/kind-job`,
    { spec: { template: { spec: { containers: [{ ...container, image: "other" }] } } } },
    MERGE,
  ),
  patches("another parallelism, dry", `${batch}/jobs/kind-job`, { spec: { parallelism: 5 } }, MERGE, "?dryRun=All"),
  cron("a cron job", {}),
  cron("a schedule that is none", { schedule: "now and then" }),
  cron("a schedule of six fields", { schedule: "0 0 0 1 1 *" }),
  cron("a schedule with a time zone", { schedule: "TZ=UTC 0 0 * * *" }),
  cron("a time zone that is none", { timeZone: "Moon/Crater" }),
  cron("an unknown policy", { concurrencyPolicy: "Perhaps" }),
  cron("limits below zero", {
    startingDeadlineSeconds: -1,
    successfulJobsHistoryLimit: -1,
    failedJobsHistoryLimit: -1,
  }),
  creates(
    "a name too long for a cron job",
    `${batch}/cronjobs`,
    named("c".repeat(53), {
      spec: {
        schedule: "@daily",
        jobTemplate: { spec: { template: { spec: { containers: [container], restartPolicy: "Never" } } } },
      },
    }),
    "?dryRun=All",
  ),
];

const cluster = (does: string, path: string, body: object): Step => creates(does, path, body, "?dryRun=All");

const otherRules: readonly Step[] = [
  cluster(
    "a budget of both",
    `${group("policy/v1")}/poddisruptionbudgets`,
    named("kind-budget", { spec: { minAvailable: 1, maxUnavailable: 1 } }),
  ),
  cluster(
    "a budget of wrong shares",
    `${group("policy/v1")}/poddisruptionbudgets`,
    named("kind-budget", {
      spec: { minAvailable: "x", unhealthyPodEvictionPolicy: "Perhaps", selector: { matchLabels: { "a b": "c" } } },
    }),
  ),
  cluster(
    "a budget below zero",
    `${group("policy/v1")}/poddisruptionbudgets`,
    named("kind-budget", { spec: { maxUnavailable: -1 } }),
  ),
  cluster(
    "an autoscaler of nothing",
    `${group("autoscaling/v2")}/horizontalpodautoscalers`,
    named("kind-scaler", { spec: {} }),
  ),
  cluster(
    "an autoscaler of wrong numbers",
    `${group("autoscaling/v2")}/horizontalpodautoscalers`,
    named("kind-scaler", {
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "a", apiVersion: "apps/v1" },
        minReplicas: 5,
        maxReplicas: 2,
        metrics: [
          { type: "Resource" },
          { type: "Perhaps" },
          { type: "Resource", resource: { name: "cpu", target: { type: "Utilization" } } },
        ],
        behavior: { scaleDown: { stabilizationWindowSeconds: 9999, policies: [] } },
      },
    }),
  ),
  cluster(
    "an autoscaler that goes to zero",
    `${group("autoscaling/v2")}/horizontalpodautoscalers`,
    named("kind-scaler", {
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "a", apiVersion: "apps/v1" },
        minReplicas: 0,
        maxReplicas: 2,
      },
    }),
  ),
  cluster("an ingress of nothing", `${networking}/ingresses`, named("kind-ingress", { spec: {} })),
  cluster(
    "an ingress of wrong rules",
    `${networking}/ingresses`,
    named("kind-ingress", {
      spec: {
        rules: [
          {
            host: "1.2.3.4",
            http: {
              paths: [
                { path: "a", pathType: "Prefix", backend: { service: { name: "A_", port: {} } } },
                { path: "/a//b", pathType: "Exact", backend: {} },
                { backend: { service: { name: "a", port: { number: 80, name: "a" } } } },
              ],
            },
          },
          { host: "*.*.com", http: { paths: [] } },
        ],
      },
    }),
  ),
  cluster(
    "a network policy of wrong peers",
    `${networking}/networkpolicies`,
    named("kind-policy", {
      spec: {
        podSelector: {},
        policyTypes: ["Sideways"],
        ingress: [
          {
            from: [{}, { ipBlock: { cidr: "x", except: ["10.0.0.0/8"] }, podSelector: {} }],
            ports: [{ port: 0, endPort: 5 }, { protocol: "ICMP" }, { port: "a", endPort: 5 }],
          },
        ],
      },
    }),
  ),
  cluster("a role of empty rules", `${rbac}/roles`, named("kind-role", { rules: [{}] })),
  cluster(
    "a role of paths",
    `${rbac}/roles`,
    named("kind-role", { rules: [{ verbs: ["get"], nonResourceURLs: ["/a"] }] }),
  ),
  cluster("a binding of nothing", `${rbac}/rolebindings`, named("kind-binding", {})),
  cluster(
    "a binding of wrong subjects",
    `${rbac}/rolebindings`,
    named("kind-binding", {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Perhaps", name: "a" },
      subjects: [{ kind: "Perhaps", name: "a" }, { kind: "User" }, { kind: "ServiceAccount", name: "a" }],
    }),
  ),
  cluster(
    "a cluster's binding of an account of nowhere",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    named("kind-binding", {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ kind: "ServiceAccount", name: "a" }],
    }),
  ),
  cluster("a secret of a wrong type", `${core}/secrets`, named("kind-secret", { type: "kubernetes.io/tls", data: {} })),
  cluster(
    "a secret of credentials without them",
    `${core}/secrets`,
    named("kind-secret", { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "e" } }),
  ),
  cluster(
    "a secret of an account",
    `${core}/secrets`,
    named("kind-secret", { type: "kubernetes.io/service-account-token" }),
  ),
  cluster(
    "a secret of wrong keys",
    `${core}/secrets`,
    named("kind-secret", { stringData: { "a/b": "1", "..": "2", "": "3" } }),
  ),
  cluster(
    "a map of wrong keys",
    `${core}/configmaps`,
    named("kind-map", { data: { "a/b": "1", a: "1" }, binaryData: { a: "AA==" } }),
  ),
  cluster("a map that is too large", `${core}/configmaps`, named("kind-map", { data: { a: "b".repeat(1_050_000) } })),
  cluster("a claim of nothing", `${core}/persistentvolumeclaims`, named("kind-claim", { spec: {} })),
  cluster(
    "a claim of wrong modes",
    `${core}/persistentvolumeclaims`,
    named("kind-claim", {
      spec: {
        accessModes: ["Perhaps"],
        volumeMode: "Perhaps",
        resources: { requests: { storage: "-1Gi" } },
        storageClassName: "A_b",
      },
    }),
  ),
  creates(
    "a claim to change",
    `${core}/persistentvolumeclaims`,
    named("kind-claim", {
      spec: { storageClassName: "none", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    }),
  ),
  patches(
    "a larger claim",
    `${core}/persistentvolumeclaims/kind-claim`,
    { spec: { resources: { requests: { storage: "2Gi" } } } },
    MERGE,
  ),
  patches(
    "another class of a claim",
    `${core}/persistentvolumeclaims/kind-claim`,
    { spec: { storageClassName: "other" } },
    MERGE,
  ),
  cluster("a volume of nothing", "/api/v1/persistentvolumes", named("kind-volume", { spec: {} })),
  cluster(
    "a volume of wrong values",
    "/api/v1/persistentvolumes",
    named("kind-volume", {
      spec: {
        capacity: { storage: "0" },
        accessModes: ["Perhaps"],
        persistentVolumeReclaimPolicy: "Perhaps",
        hostPath: { path: "/../a" },
        csi: { driver: "A_" },
      },
    }),
  ),
  cluster("a storage class of nothing", "/apis/storage.k8s.io/v1/storageclasses", named("kind-class", {})),
  cluster(
    "a storage class of wrong modes",
    "/apis/storage.k8s.io/v1/storageclasses",
    named("kind-class", { provisioner: "A b", reclaimPolicy: "Perhaps", volumeBindingMode: "Perhaps" }),
  ),
  cluster(
    "a priority that is too high",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    named("kind-priority", { value: 2000000000 }),
  ),
  cluster(
    "a priority that is the system's",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    named("system-mine", { value: 1 }),
  ),
  cluster("a namespace of a wrong name", "/api/v1/namespaces", named("A_b")),
  cluster(
    "a node of a wrong name",
    "/api/v1/nodes",
    named("A_b", { spec: { taints: [{ key: "a b", effect: "Perhaps" }], podCIDR: "x" } }),
  ),
  cluster(
    "a quota of wrong amounts",
    `${core}/resourcequotas`,
    named("kind-quota", { spec: { hard: { pods: "-1", widgets: "1", "count/a b": "1" }, scopes: ["Perhaps"] } }),
  ),
  cluster(
    "limits that contradict themselves",
    `${core}/limitranges`,
    named("kind-limits", {
      spec: {
        limits: [
          {
            type: "Container",
            min: { cpu: "2" },
            max: { cpu: "1" },
            default: { cpu: "3" },
            maxLimitRequestRatio: { cpu: "500m" },
          },
          { type: "Perhaps" },
        ],
      },
    }),
  ),
  cluster(
    "endpoints of nowhere",
    `${core}/endpoints`,
    named("kind-endpoints", { subsets: [{ addresses: [{ ip: "x" }, { ip: "127.0.0.1" }], ports: [{ port: 0 }] }] }),
  ),
  cluster(
    "a slice of nowhere",
    `${group("discovery.k8s.io/v1")}/endpointslices`,
    named("kind-slice", {
      addressType: "Perhaps",
      endpoints: [{ addresses: ["x"] }, { addresses: [] }],
      ports: [
        { port: 1, name: "A_" },
        { port: 2, name: "A_" },
      ],
    }),
  ),
  cluster(
    "a lease of wrong numbers",
    `${group("coordination.k8s.io/v1")}/leases`,
    named("kind-lease", { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }),
  ),
  cluster(
    "a runtime class of a wrong handler",
    "/apis/node.k8s.io/v1/runtimeclasses",
    named("kind-runtime", { handler: "A_b" }),
  ),
  cluster(
    "an event of another namespace",
    `${core}/events`,
    named("kind-event", { involvedObject: { namespace: "other", kind: "Pod", name: "a" } }),
  ),
  cluster(
    "a request for a certificate that is none",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    named("kind-request", {
      spec: { request: "AAAA", signerName: "nonsense", usages: ["perhaps"], expirationSeconds: 5 },
    }),
  ),
  cluster(
    "an ingress class of wrong parameters",
    "/apis/networking.k8s.io/v1/ingressclasses",
    named("kind-class", { spec: { controller: "nonsense", parameters: { kind: "", name: "", scope: "Perhaps" } } }),
  ),
];

const subresources: readonly Step[] = [
  creates(
    "a deployment to scale",
    `${apps}/deployments`,
    named("kind-scale", { spec: { replicas: 0, ...workload("kind-scale") } }),
  ),
  reads("a scale", `${apps}/deployments/kind-scale/scale`),
  replaces("a scale below zero", `${apps}/deployments/kind-scale/scale`, {
    metadata: { name: "kind-scale" },
    spec: { replicas: -1 },
  }),
  replaces("a scale of another", `${apps}/deployments/kind-scale/scale`, {
    metadata: { name: "other" },
    spec: { replicas: 1 },
  }),
  replaces("a scale of an old version", `${apps}/deployments/kind-scale/scale`, {
    metadata: { name: "kind-scale", resourceVersion: "1" },
    spec: { replicas: 1 },
  }),
  patches("a scale that is a text", `${apps}/deployments/kind-scale/scale`, { spec: { replicas: "x" } }, MERGE),
  reads("a scale of what has none", `${apps}/daemonsets/none/scale`),
  creates("an eviction of another", `${pods}/kind-pod/eviction`, {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: "other" },
  }),
  creates("an eviction of nobody", `${pods}/none/eviction`, {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: "none" },
  }),
  creates("an eviction of a wrong kind", `${pods}/kind-pod/eviction`, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "kind-pod" },
  }),
  creates("an eviction, dry", `${pods}/kind-pod/eviction`, {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: "kind-pod" },
    deleteOptions: { dryRun: ["All"] },
  }),
  creates("a binding to no node", `${pods}/kind-pod/binding`, {
    metadata: { name: "kind-pod" },
    target: { kind: "Node" },
  }),
  creates("a binding to what is no node", `${pods}/kind-pod/binding`, {
    metadata: { name: "kind-pod" },
    target: { kind: "Pod", name: "a" },
  }),
  creates(
    "a token",
    `${core}/serviceaccounts/default/token`,
    { spec: { expirationSeconds: 600, audiences: ["a"] } },
    "?dryRun=All",
  ),
  creates("a token for too short", `${core}/serviceaccounts/default/token`, { spec: { expirationSeconds: 5 } }),
  creates("a token for too long", `${core}/serviceaccounts/default/token`, {
    spec: { expirationSeconds: 8_589_934_592 },
  }),
  creates("a token bound to nothing", `${core}/serviceaccounts/default/token`, {
    spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } },
  }),
  creates("a token bound to a wrong thing", `${core}/serviceaccounts/default/token`, {
    spec: { boundObjectRef: { kind: "Deployment", apiVersion: "apps/v1", name: "a" } },
  }),
  creates("a token of nobody", `${core}/serviceaccounts/none/token`, { spec: {} }),
  creates("a review of nothing", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec: {} }),
  creates("a review of both", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    spec: { user: "a", resourceAttributes: { resource: "pods" }, nonResourceAttributes: { path: "/" } },
  }),
  creates("a review of a stranger", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    spec: { user: "a", resourceAttributes: { resource: "pods", verb: "get" } },
  }),
  creates("a review of oneself", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    spec: { resourceAttributes: { resource: "pods", verb: "get" } },
  }),
  creates(
    "a review of a place in another",
    `/apis/authorization.k8s.io/v1/namespaces/${NAMESPACE}/localsubjectaccessreviews`,
    { spec: { user: "a", resourceAttributes: { resource: "pods", verb: "get", namespace: "other" } } },
  ),
  creates("a review of rules of nowhere", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", { spec: {} }),
  creates("a review of no token", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: {} }),
  creates("a review of a wrong token", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "a.b.c" } }),
  patches(
    "an ephemeral container of a wrong name",
    `${pods}/kind-pod/ephemeralcontainers`,
    { spec: { ephemeralContainers: [{ ...container }] } },
    MERGE,
  ),
  patches(
    "an ephemeral container with ports",
    `${pods}/kind-pod/ephemeralcontainers`,
    { spec: { ephemeralContainers: [{ ...container, name: "debug", ports: [{ containerPort: 1 }] }] } },
    MERGE,
  ),
  patches(
    "a resize of another thing",
    `${pods}/kind-pod/resize`,
    { spec: { containers: [{ ...container, image: "b" }] } },
    MERGE,
  ),
  {
    does: "a finalize of another",
    path: `/api/v1/namespaces/${NAMESPACE}/finalize`,
    method: "PUT",
    body: named("other", { spec: {} }),
  },
  reads("the spelling of a template's name", `${apps}/deployments/${"x".repeat(300)}`),
  creates(
    "a template of wrong values",
    `${core}/podtemplates`,
    { metadata: { name: "kind-template" }, ...{ template: template("a") } },
    "?dryRun=All",
  ),
];

export const KIND_REQUESTS: readonly Step[] = [
  ...podRules,
  ...serviceRules,
  ...workloadRules,
  ...otherRules,
  ...subresources,
];
