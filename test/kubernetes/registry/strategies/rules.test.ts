import { beforeAll, describe, expect, it } from "vitest";
import type { KubeObject } from "../../../../src/kubernetes/object.js";
import { refusal, type SimulatedApi, startApi } from "../../auth/simulated-api.js";

/** Creates objects through the real API and looks at what comes out: defaults, or the words of the refusal. */
let world: SimulatedApi;
beforeAll(async () => {
  world = await startApi({ bare: true });
});

const CONTAINER = { name: "app", image: "nginx" };
const TEMPLATE = { metadata: { labels: { app: "web" } }, spec: { containers: [CONTAINER] } };
const SELECTOR = { matchLabels: { app: "web" } };
const with_ = (base: object, changes: object) => ({ ...base, ...changes });
const inPod = (container: object) => ({ containers: [with_(CONTAINER, container)] });
const inTemplate = (spec: object) => ({ ...TEMPLATE, spec: { ...TEMPLATE.spec, ...spec } });
const CLUSTER_SCOPED = new Set([
  "nodes",
  "persistentvolumes",
  "priorityclasses.scheduling.k8s.io",
  "storageclasses.storage.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "ingressclasses.networking.k8s.io",
]);

let serial = 0;
function create(resource: string, fields: object, name = `x${++serial}`): Promise<KubeObject> {
  const identity = CLUSTER_SCOPED.has(resource) ? { name } : { name, namespace: "default" };
  const { metadata, ...rest } = structuredClone(fields) as Partial<KubeObject>;
  return world.api.create(resource, { metadata: { ...metadata, ...identity }, ...rest } as unknown as KubeObject);
}

describe("defaults", () => {
  it.each<[string, string, object, object]>([
    [
      "a pod",
      "pods",
      {
        spec: {
          containers: [
            with_(CONTAINER, {
              ports: [{ containerPort: 80 }],
              resources: { limits: { cpu: "1000m", memory: "1024Mi" } },
            }),
          ],
        },
      },
      {
        spec: {
          restartPolicy: "Always",
          dnsPolicy: "ClusterFirst",
          terminationGracePeriodSeconds: 30,
          schedulerName: "default-scheduler",
          securityContext: {},
          enableServiceLinks: true,
          serviceAccountName: "default",
          serviceAccount: "default",
          priority: 0,
          preemptionPolicy: "PreemptLowerPriority",
          containers: [
            {
              imagePullPolicy: "Always",
              terminationMessagePath: "/dev/termination-log",
              terminationMessagePolicy: "File",
              ports: [{ containerPort: 80, protocol: "TCP" }],
              resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1", memory: "1Gi" } },
            },
          ],
        },
        status: { phase: "Pending", qosClass: "Guaranteed" },
      },
    ],
    [
      "probes and hooks",
      "pods",
      {
        spec: inPod({
          livenessProbe: { httpGet: { port: 80 } },
          readinessProbe: { grpc: { port: 1 } },
          lifecycle: { preStop: { httpGet: { port: 80 } } },
        }),
      },
      {
        spec: {
          containers: [
            {
              livenessProbe: {
                httpGet: { path: "/", scheme: "HTTP" },
                timeoutSeconds: 1,
                periodSeconds: 10,
                successThreshold: 1,
                failureThreshold: 3,
              },
              readinessProbe: { grpc: { service: "" } },
              lifecycle: { preStop: { httpGet: { path: "/", scheme: "HTTP" } } },
            },
          ],
        },
      },
    ],
    [
      "volumes",
      "pods",
      {
        spec: with_(inPod({}), {
          automountServiceAccountToken: false,
          volumes: [{ name: "a" }, { name: "b", secret: { secretName: "s" } }, { name: "c", hostPath: { path: "/x" } }],
        }),
      },
      { spec: { volumes: [{ emptyDir: {} }, { secret: { defaultMode: 420 } }, { hostPath: { type: "" } }] } },
    ],
    [
      "host ports on the host's network",
      "pods",
      { spec: with_(inPod({ ports: [{ containerPort: 80 }] }), { hostNetwork: true }) },
      { spec: { containers: [{ ports: [{ hostPort: 80 }] }] } },
    ],
    [
      "a Deployment",
      "deployments.apps",
      { spec: { selector: SELECTOR, template: TEMPLATE } },
      {
        metadata: { generation: 1 },
        spec: {
          replicas: 1,
          revisionHistoryLimit: 10,
          progressDeadlineSeconds: 600,
          strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
          template: { spec: { restartPolicy: "Always", containers: [{ imagePullPolicy: "Always" }] } },
        },
      },
    ],
    [
      "a DaemonSet",
      "daemonsets.apps",
      { spec: { selector: SELECTOR, template: TEMPLATE } },
      {
        metadata: { annotations: { "deprecated.daemonset.template.generation": "1" } },
        spec: {
          revisionHistoryLimit: 10,
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        },
      },
    ],
    [
      "a StatefulSet",
      "statefulsets.apps",
      {
        spec: {
          serviceName: "s",
          selector: SELECTOR,
          template: TEMPLATE,
          volumeClaimTemplates: [
            {
              metadata: { name: "d" },
              spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1024Mi" } } },
            },
          ],
        },
      },
      {
        spec: {
          replicas: 1,
          podManagementPolicy: "OrderedReady",
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          volumeClaimTemplates: [
            {
              apiVersion: "v1",
              kind: "PersistentVolumeClaim",
              spec: { volumeMode: "Filesystem", resources: { requests: { storage: "1Gi" } } },
              status: { phase: "Pending" },
            },
          ],
        },
      },
    ],
    [
      "a ReplicationController",
      "replicationcontrollers",
      { spec: { template: TEMPLATE } },
      { metadata: { labels: { app: "web" } }, spec: { replicas: 1, selector: { app: "web" } } },
    ],
    [
      "a CronJob",
      "cronjobs.batch",
      { spec: { schedule: "@hourly", jobTemplate: { spec: { template: inTemplate({ restartPolicy: "Never" }) } } } },
      {
        spec: { concurrencyPolicy: "Allow", suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
      },
    ],
    ["a Secret", "secrets", { stringData: { a: "b" } }, { type: "Opaque", data: { a: "Yg==" } }],
    [
      "a claim",
      "persistentvolumeclaims",
      { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2048Ki" } } } },
      {
        metadata: { finalizers: ["kubernetes.io/pvc-protection"] },
        spec: { volumeMode: "Filesystem", resources: { requests: { storage: "2Mi" } } },
        status: { phase: "Pending" },
      },
    ],
    [
      "a StorageClass",
      "storageclasses.storage.k8s.io",
      { provisioner: "p" },
      { reclaimPolicy: "Delete", volumeBindingMode: "Immediate" },
    ],
    [
      "an autoscaler",
      "horizontalpodautoscalers.autoscaling",
      { spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "web" } } },
      {
        spec: {
          minReplicas: 1,
          metrics: [
            { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
          ],
        },
      },
    ],
    [
      "a NetworkPolicy",
      "networkpolicies.networking.k8s.io",
      { spec: { egress: [{ ports: [{ port: 53 }] }] } },
      {
        spec: {
          podSelector: {},
          policyTypes: ["Ingress", "Egress"],
          egress: [{ ports: [{ port: 53, protocol: "TCP" }] }],
        },
      },
    ],
    [
      "a RoleBinding",
      "rolebindings.rbac.authorization.k8s.io",
      { roleRef: { kind: "ClusterRole", name: "view" }, subjects: [{ kind: "User", name: "u" }] },
      { roleRef: { apiGroup: "rbac.authorization.k8s.io" }, subjects: [{ apiGroup: "rbac.authorization.k8s.io" }] },
    ],
    [
      "a PriorityClass",
      "priorityclasses.scheduling.k8s.io",
      { value: 5 },
      { preemptionPolicy: "PreemptLowerPriority" },
    ],
    [
      "a LimitRange",
      "limitranges",
      { spec: { limits: [{ type: "Container", max: { cpu: "2" }, defaultRequest: { cpu: "100m" } }] } },
      { spec: { limits: [{ default: { cpu: "2" }, defaultRequest: { cpu: "100m" } }] } },
    ],
  ])("of %s", async (_what, resource, fields, expected) => {
    const created = await create(resource, fields);
    expect(created).toMatchObject(expected);
    if (resource === "limitranges") await world.api.delete(resource, created.metadata);
  });

  it.each([
    ["nginx", "Always"],
    ["nginx:latest", "Always"],
    ["nginx:1.27", "IfNotPresent"],
    ["registry:5000/nginx", "Always"],
    ["registry:5000/nginx:1", "IfNotPresent"],
    ["nginx@sha256:abc", "IfNotPresent"],
  ])("pull %s with policy %s", async (image, policy) => {
    expect(await create("pods", { spec: { containers: [{ name: "a", image }] } })).toMatchObject({
      spec: { containers: [{ imagePullPolicy: policy }] },
    });
  });

  it("generate a job's selector and labels from its uid", async () => {
    const job = await create("jobs.batch", { spec: { template: inTemplate({ restartPolicy: "Never" }) } }, "pi");
    const { uid } = job.metadata;
    expect(job.spec).toMatchObject({
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: "NonIndexed",
      suspend: false,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": uid } },
      template: {
        metadata: {
          labels: { app: "web", "batch.kubernetes.io/job-name": "pi", "controller-uid": uid, "job-name": "pi" },
        },
      },
    });
  });

  it.each([
    [{}, "BestEffort"],
    [{ requests: { cpu: "1" } }, "Burstable"],
    [{ limits: { cpu: "1" } }, "Burstable"],
    [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1000m", memory: "1024Mi" } }, "Guaranteed"],
    [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } }, "Burstable"],
    [{ requests: { cpu: "0" } }, "BestEffort"],
  ])("make a pod with resources %j %s", async (resources, qosClass) => {
    expect((await create("pods", { spec: inPod({ resources }) })).status).toMatchObject({ qosClass });
  });
});

describe("validation", () => {
  const deployment = (changes: object) => ({ spec: with_({ selector: SELECTOR, template: TEMPLATE }, changes) });
  const job = (changes: object) => ({ spec: with_({ template: inTemplate({ restartPolicy: "Never" }) }, changes) });
  const indexed = (changes: object) => job(with_({ completionMode: "Indexed", completions: 5 }, changes));
  const onFailure = (rules: object[], restartPolicy = "Never") =>
    job({ template: inTemplate({ restartPolicy }), podFailurePolicy: { rules } });

  it.each<[resource: string, fields: object, message: string]>([
    ["pods", { spec: { containers: [] } }, "spec.containers: Required value"],
    ["pods", { spec: { containers: [{ name: "a" }] } }, "spec.containers[0].image: Required value"],
    ["pods", { spec: { containers: [{ image: "a" }] } }, "spec.containers[0].name: Required value"],
    [
      "pods",
      { spec: inPod({ name: "Bad_Name" }) },
      'spec.containers[0].name: Invalid value: "Bad_Name": a lowercase RFC 1123 label must consist of',
    ],
    ["pods", { spec: { containers: [CONTAINER, CONTAINER] } }, 'spec.containers[1].name: Duplicate value: "app"'],
    [
      "pods",
      { spec: with_(inPod({}), { restartPolicy: "Sometimes" }) },
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
    ["pods", { spec: inPod({ imagePullPolicy: "Never ever" }) }, 'supported values: "Always", "IfNotPresent", "Never"'],
    [
      "pods",
      { spec: inPod({ ports: [{ containerPort: 70000 }] }) },
      "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ],
    [
      "pods",
      { spec: inPod({ ports: [{ name: "waytoolongportname", containerPort: 1 }] }) },
      "must be no more than 15 characters",
    ],
    [
      "pods",
      { spec: inPod({ ports: [{ containerPort: 1, protocol: "HTTP" }] }) },
      'Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      "pods",
      { spec: inPod({ volumeMounts: [{ name: "v", mountPath: "/v" }] }) },
      'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ],
    [
      "statefulsets.apps",
      {
        spec: {
          serviceName: "s",
          selector: SELECTOR,
          template: inTemplate({
            containers: [
              with_(CONTAINER, {
                volumeMounts: [
                  { name: "claimed", mountPath: "/claimed" },
                  { name: "other", mountPath: "/other" },
                ],
              }),
            ],
          }),
          volumeClaimTemplates: [
            {
              metadata: { name: "claimed" },
              spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
            },
          ],
        },
      },
      'spec.template.spec.containers[0].volumeMounts[1].name: Not found: "other"',
    ],
    [
      "pods",
      { spec: inPod({ env: [{ name: "A=B" }] }) },
      "must consist only of printable ASCII characters other than '='",
    ],
    [
      "pods",
      { spec: inPod({ resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }) },
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    ["pods", { spec: inPod({ resources: { requests: { cpu: "-1" } } }) }, "must be greater than or equal to 0"],
    [
      "pods",
      { spec: inPod({ resources: { requests: { gpu: "1" } } }) },
      "must be a standard resource type or fully qualified",
    ],
    [
      "pods",
      { spec: inPod({ resources: { requests: { "nvidia.com/gpu": "1" } } }) },
      "Limit must be set for non overcommitable resources",
    ],
    [
      "pods",
      { spec: inPod({ livenessProbe: {} }) },
      "spec.containers[0].livenessProbe: Required value: must specify a handler type",
    ],
    [
      "pods",
      { spec: inPod({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }) },
      "successThreshold: Invalid value: 2: must be 1",
    ],
    [
      "pods",
      { spec: inPod({ readinessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 5 } }) },
      "readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes",
    ],
    [
      "pods",
      {
        spec: with_(inPod({}), {
          initContainers: [{ name: "i", image: "i", readinessProbe: { exec: { command: ["a"] } } }],
        }),
      },
      "may not be set for init containers without restartPolicy=Always",
    ],
    [
      "pods",
      { spec: with_(inPod({}), { volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/" } }] }) },
      "may not specify more than 1 volume type",
    ],
    [
      "pods",
      { spec: with_(inPod({}), { tolerations: [{ operator: "Equal" }] }) },
      "operator must be Exists when `key` is empty",
    ],
    [
      "pods",
      {
        spec: with_(inPod({}), {
          topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "z", whenUnsatisfiable: "DoNotSchedule" }],
        }),
      },
      "must be greater than zero",
    ],
    [
      "pods",
      {
        metadata: { labels: { app: "web" } },
        spec: with_(inPod({}), {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "z",
              whenUnsatisfiable: "DoNotSchedule",
              labelSelector: { matchLabels: { app: "web" } },
              matchLabelKeys: ["tier", "app"],
            },
          ],
        }),
      },
      'spec.topologySpreadConstraints[0].matchLabelKeys[1]: Invalid value: "app": exists in both matchLabelKeys and labelSelector',
    ],
    [
      "pods",
      {
        spec: with_(inPod({}), {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: "z", labelSelector: {}, matchLabelKeys: ["a"], mismatchLabelKeys: ["a", "b c"] },
                { topologyKey: "z", matchLabelKeys: ["a"] },
              ],
            },
          },
        }),
      },
      '[spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].mismatchLabelKeys[1]: Invalid value: "b c": name part must consist of alphanumeric characters',
    ],
    [
      "pods",
      {
        spec: with_(inPod({}), {
          affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
        }),
      },
      "must have at least one node selector term",
    ],
    [
      "pods",
      {
        spec: with_(inPod({}), {
          securityContext: {
            sysctls: ["foo-", "kernel.shmmax", "net/ipv4.a", "bar..", "kernel.shmmax"].map((name) => ({
              name,
              value: "1",
            })),
          },
        }),
      },
      '[spec.securityContext.sysctls[0].name: Invalid value: "foo-": must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?, spec.securityContext.sysctls[3].name: Invalid value: "bar..": must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?, spec.securityContext.sysctls[4].name: Duplicate value: "kernel.shmmax"]',
    ],
    [
      "events",
      {
        eventTime: "2026-01-01T00:00:00.000000Z",
        reason: "r".repeat(129),
        message: "m".repeat(1025),
        involvedObject: {},
      },
      '[reportingController: Required value, reportingInstance: Required value, action: Required value, reason: Invalid value: "": can have at most 128 characters, message: Invalid value: "": can have at most 1024 characters]',
    ],
    ["pods", { spec: with_(inPod({}), { activeDeadlineSeconds: 0 }) }, "must be between 1 and 2147483647, inclusive"],
    ["pods", { spec: with_(inPod({}), { ephemeralContainers: [CONTAINER] }) }, "spec.ephemeralContainers"],
    ["deployments.apps", deployment({ selector: undefined }), "spec.selector: Required value"],
    ["deployments.apps", deployment({ selector: {} }), "empty selector is invalid for deployment"],
    [
      "deployments.apps",
      deployment({ selector: { matchLabels: { app: "other" } } }),
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [
      "deployments.apps",
      deployment({ replicas: -1 }),
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    ],
    [
      "deployments.apps",
      deployment({ strategy: { type: "Recreate", rollingUpdate: {} } }),
      "may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      "deployments.apps",
      deployment({ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      "may not be 0 when `maxSurge` is 0",
    ],
    [
      "deployments.apps",
      deployment({ strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "200%" } } }),
      "must not be greater than 100%",
    ],
    [
      "deployments.apps",
      deployment({ template: inTemplate({ restartPolicy: "Never" }) }),
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      "deployments.apps",
      deployment({ progressDeadlineSeconds: 5, minReadySeconds: 5 }),
      "must be greater than minReadySeconds",
    ],
    ["statefulsets.apps", deployment({ podManagementPolicy: "Any" }), 'supported values: "OrderedReady", "Parallel"'],
    [
      "jobs.batch",
      job({ template: TEMPLATE }),
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    ["jobs.batch", job({ completionMode: "Indexed", parallelism: 2 }), "when completion mode is Indexed"],
    [
      "jobs.batch",
      job({ backoffLimitPerIndex: 1 }),
      "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
    ],
    [
      "jobs.batch",
      indexed({ maxFailedIndexes: 1 }),
      "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
    ],
    [
      "jobs.batch",
      indexed({ backoffLimitPerIndex: 1, maxFailedIndexes: 9 }),
      "must be less than or equal to completions",
    ],
    [
      "jobs.batch",
      indexed({ parallelism: 100_001 }),
      "must be less than or equal to 100000 when completion mode is Indexed",
    ],
    ["jobs.batch", job({ managedBy: "me" }), 'must be a domain-prefixed path (such as "acme.io/foo")'],
    ["jobs.batch", job({ podReplacementPolicy: "Never" }), 'supported values: "Failed", "TerminatingOrFailed"'],
    [
      "jobs.batch",
      onFailure([{ action: "", onExitCodes: { operator: "In", values: [1] } }]),
      'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
    ],
    [
      "jobs.batch",
      onFailure([{ action: "FailIndex", onExitCodes: { operator: "In", values: [1] } }]),
      "requires the backoffLimitPerIndex to be set",
    ],
    [
      "jobs.batch",
      onFailure([{ action: "FailJob", onExitCodes: { operator: "In", values: [2, 0, 2], containerName: "x" } }]),
      [
        '[spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template',
        "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
        "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 2",
        "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,0,2]: must be ordered]",
      ].join(", "),
    ],
    [
      "jobs.batch",
      onFailure([{ action: "Ignore" }]),
      "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
    ],
    [
      "jobs.batch",
      onFailure([{ action: "Ignore", onPodConditions: [{ type: "A" }] }], "OnFailure"),
      'only "Never" is supported when podFailurePolicy is specified',
    ],
    ["jobs.batch", job({ successPolicy: { rules: [{ succeededCount: 1 }] } }), "requires indexed completion mode"],
    [
      "jobs.batch",
      indexed({ successPolicy: { rules: [] } }),
      "at least one rules must be specified when the successPolicy is specified",
    ],
    [
      "jobs.batch",
      indexed({ successPolicy: { rules: [{}] } }),
      "at least one of succeededCount or succeededIndexes must be specified",
    ],
    [
      "jobs.batch",
      indexed({ successPolicy: { rules: [{ succeededIndexes: "0-2", succeededCount: 4 }] } }),
      "must be less than or equal to 3 (the number of indexes in the specified succeededIndexes field)",
    ],
    ...[
      ["invalid-format", 'cannot convert string to integer for index: "invalid"'],
      ["1-2-3", "an index interval can have at most two parts separated by '-'"],
      ["5", 'too large index: "5"'],
      ["3-2", "non-increasing order, previous: 3, current: 2"],
      ["2,1", "non-increasing order, previous: 2, current: 1"],
    ].map(([succeededIndexes, message = ""]): [string, object, string] => [
      "jobs.batch",
      indexed({ successPolicy: { rules: [{ succeededIndexes }] } }),
      message,
    ]),
    [
      "cronjobs.batch",
      { spec: { schedule: "@hourly", jobTemplate: job({ manualSelector: true }) } },
      'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
    ],
    ["jobs.batch", job({ selector: { matchLabels: { a: "b" } } }), "`selector` does not match template `labels`"],
    [
      "cronjobs.batch",
      { spec: { schedule: "* * *", jobTemplate: job({}) } },
      "expected exactly 5 fields, found 3: [* * *]",
    ],
    [
      "cronjobs.batch",
      { spec: { schedule: "61 * * * *", jobTemplate: job({}) } },
      "end of range (61) above maximum (59): 61",
    ],
    [
      "cronjobs.batch",
      { spec: { schedule: "@hourly", timeZone: "Mars/Base", jobTemplate: job({}) } },
      "unknown time zone Mars/Base",
    ],
    ["services", { spec: {} }, "spec.ports: Required value"],
    ["services", { spec: { ports: [{ port: 1 }, { port: 2 }] } }, "spec.ports[0].name: Required value"],
    [
      "services",
      { spec: { type: "Cluster", ports: [{ port: 1 }] } },
      'supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      "services",
      { spec: { ports: [{ port: 1, nodePort: 30000 }] } },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    ["services", { spec: { type: "ExternalName" } }, "spec.externalName: Required value"],
    ["secrets", { type: "kubernetes.io/tls" }, "data[tls.crt]: Required value"],
    ["secrets", { data: { "a b": "" } }, "a valid config key must consist of alphanumeric characters"],
    ["secrets", { data: { a: "*" } }, "illegal base64 data"],
    ["configmaps", { data: { a: "x" }, binaryData: { a: "eA==" } }, "duplicate of key present in binaryData"],
    ["ingresses.networking.k8s.io", { spec: {} }, "either `defaultBackend` or `rules` must be specified"],
    [
      "ingresses.networking.k8s.io",
      {
        spec: {
          rules: [{ http: { paths: [{ path: "x", backend: { service: { name: "s", port: { number: 1 } } } }] } }],
        },
      },
      "pathType must be specified",
    ],
    [
      "poddisruptionbudgets.policy",
      { spec: { minAvailable: 1, maxUnavailable: 1 } },
      "minAvailable and maxUnavailable cannot be both set",
    ],
    [
      "poddisruptionbudgets.policy",
      { spec: { maxUnavailable: "half" } },
      "a valid percent string must be a numeric string followed by an ending '%'",
    ],
    [
      "priorityclasses.scheduling.k8s.io",
      { value: 2_000_000_000 },
      "maximum allowed value of a user defined priority is 1000000000",
    ],
    [
      "horizontalpodautoscalers.autoscaling",
      { spec: { minReplicas: 3, maxReplicas: 1, scaleTargetRef: { kind: "D", name: "d" } } },
      "must be greater than or equal to `minReplicas`",
    ],
    [
      "persistentvolumeclaims",
      { spec: { resources: { requests: { storage: "1Gi" } } } },
      "at least 1 access mode is required",
    ],
    [
      "persistentvolumes",
      { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } } },
      "must specify a volume type",
    ],
    [
      "nodes",
      { spec: { taints: [{ key: "a", effect: "Never" }] } },
      'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
    [
      "clusterroles.rbac.authorization.k8s.io",
      { rules: [{ verbs: ["get"] }] },
      "resource rules must supply at least one api group",
    ],
    [
      "roles.rbac.authorization.k8s.io",
      { rules: [{ verbs: ["get"], nonResourceURLs: ["/x"] }] },
      "namespaced rules cannot apply to non-resource URLs",
    ],
    [
      "clusterrolebindings.rbac.authorization.k8s.io",
      { roleRef: { kind: "ClusterRole", name: "r" }, subjects: [{ kind: "ServiceAccount", name: "s" }] },
      "subjects[0].namespace: Required value",
    ],
    [
      "endpointslices.discovery.k8s.io",
      { addressType: "IPv4", endpoints: [{ addresses: ["fe80::1"] }] },
      "must be a valid IPv4 address",
    ],
    ["ingressclasses.networking.k8s.io", { spec: { controller: "nginx" } }, "must be a domain-prefixed path"],
  ])("%s %j: %s", async (resource, fields, message) => {
    expect(await refusal(create(resource, fields))).toContain(message);
  });

  it("tells everything that is wrong at once, with its field", async () => {
    const text = await refusal(
      create("pods", { spec: { containers: [{ name: "a" }, { name: "a", image: "b" }] } }, "bad"),
    );
    expect(text).toBe(
      'Pod "bad" is invalid: [spec.containers[0].image: Required value, spec.containers[1].name: Duplicate value: "a"]',
    );
  });
});

describe("updates", () => {
  const PVC = { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } };
  type Change = (object: Record<string, never>) => void;

  it.each<[resource: string, fields: object, change: Change, message: string]>([
    [
      "deployments.apps",
      { spec: { selector: SELECTOR, template: TEMPLATE } },
      set("spec.selector.matchLabels", { app: "web", more: "x" }),
      "spec.selector: Invalid value: ",
    ],
    [
      "replicasets.apps",
      { spec: { selector: SELECTOR, template: TEMPLATE } },
      set("spec.selector.matchLabels", { other: "x" }),
      "field is immutable",
    ],
    [
      "statefulsets.apps",
      { spec: { selector: SELECTOR, template: TEMPLATE, serviceName: "a" } },
      set("spec.serviceName", "b"),
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template'",
    ],
    [
      "statefulsets.apps",
      { spec: { selector: SELECTOR, template: TEMPLATE, serviceName: "a" } },
      set("spec.replicas", 3),
      "(no refusal)",
    ],
    [
      "jobs.batch",
      { spec: { template: inTemplate({ restartPolicy: "Never" }) } },
      set("spec.template.spec.containers.0.image", "other"),
      "field is immutable",
    ],
    [
      "jobs.batch",
      { spec: { template: inTemplate({ restartPolicy: "Never" }) } },
      set("spec.parallelism", 2),
      "(no refusal)",
    ],
    [
      "jobs.batch",
      { spec: { suspend: true, template: inTemplate({ restartPolicy: "Never" }) } },
      set("spec.template.spec.nodeSelector", { zone: "a" }),
      "(no refusal)",
    ],
    ["pods", { spec: inPod({}) }, set("spec.containers.0.image", "nginx:2"), "(no refusal)"],
    ["pods", { spec: inPod({}) }, set("spec.activeDeadlineSeconds", 10), "(no refusal)"],
    ["pods", { spec: inPod({}) }, set("metadata.labels", { a: "b" }), "(no refusal)"],
    [
      "pods",
      { spec: inPod({}) },
      set("spec.containers.0.command", ["x"]),
      "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)",
    ],
    ["pods", { spec: inPod({}) }, set("spec.nodeName", "n"), "changed: nodeName"],
    [
      "pods",
      { spec: inPod({}) },
      set("spec.containers", [CONTAINER, { name: "b", image: "b" }]),
      "pod updates may not add or remove containers",
    ],
    [
      "pods",
      { spec: with_(inPod({}), { tolerations: [{ key: "a", operator: "Exists" }] }) },
      set("spec.tolerations", []),
      "existing toleration can not be modified except its tolerationSeconds",
    ],
    [
      "pods",
      { spec: with_(inPod({}), { schedulingGates: [{ name: "g/a" }] }) },
      set("spec.schedulingGates", []),
      "(no refusal)",
    ],
    [
      "pods",
      { spec: with_(inPod({}), { schedulingGates: [{ name: "g/a" }] }) },
      set("spec.schedulingGates", [{ name: "g/b" }]),
      "only deletion is allowed, but found new scheduling gate 'g/b'",
    ],
    [
      "secrets",
      { immutable: true, data: { a: "eA==" } },
      set("data", { a: "eQ==" }),
      "data: Forbidden: field is immutable when `immutable` is set",
    ],
    ["secrets", { data: {} }, set("type", "other"), 'type: Invalid value: "other": field is immutable'],
    [
      "configmaps",
      { immutable: true },
      set("immutable", false),
      "immutable: Forbidden: field is immutable when `immutable` is set",
    ],
    [
      "persistentvolumeclaims",
      PVC,
      set("spec.accessModes", ["ReadOnlyMany"]),
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
    ],
    ["persistentvolumeclaims", PVC, set("spec.volumeName", "pv"), "(no refusal)"],
    [
      "storageclasses.storage.k8s.io",
      { provisioner: "a" },
      set("provisioner", "b"),
      "provisioner: Forbidden: updates to provisioner are forbidden.",
    ],
    [
      "rolebindings.rbac.authorization.k8s.io",
      { roleRef: { kind: "ClusterRole", name: "view" } },
      set("roleRef.name", "edit"),
      "cannot change roleRef",
    ],
    [
      "priorityclasses.scheduling.k8s.io",
      { value: 1 },
      set("value", 2),
      "value: Forbidden: may not be changed in an update.",
    ],
    [
      "nodes",
      { spec: { providerID: "a" } },
      set("spec.providerID", "b"),
      'node updates may not change providerID except from "" to valid',
    ],
  ])("%s %j", async (resource, fields, change, message) => {
    const object = structuredClone(await create(resource, fields));
    change(object as never);
    expect(await refusal(world.api.update(resource, object))).toContain(message);
  });

  it("count a DaemonSet's template changes", async () => {
    const set_ = structuredClone(await create("daemonsets.apps", { spec: { selector: SELECTOR, template: TEMPLATE } }));
    set("spec.template.spec.containers.0.image", "other")(set_ as never);
    const updated = await world.api.update("daemonsets.apps", set_);
    expect(updated.metadata).toMatchObject({
      generation: 2,
      annotations: { "deprecated.daemonset.template.generation": "2" },
    });
  });

  /** Sets the value at a dotted path. */
  function set(path: string, value: unknown): Change {
    return (object) => {
      const keys = path.split(".");
      const last = keys.pop() as string;
      const holder = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, object);
      holder[last] = value;
    };
  }
});

describe("label keys of placements", () => {
  it("become requirements of the selectors when a pod is born, and stay keys in templates", async () => {
    const term = {
      topologyKey: "zone",
      labelSelector: { matchLabels: { app: "web" } },
      matchLabelKeys: ["release", "none"],
      mismatchLabelKeys: ["tenant"],
    };
    const spread = {
      maxSkew: 1,
      topologyKey: "zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: {},
      matchLabelKeys: ["release"],
    };
    const spec = with_(inPod({}), {
      affinity: {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term, { topologyKey: "zone" }] },
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
        },
      },
      topologySpreadConstraints: [spread],
    });
    const labels = { app: "web", release: "2", tenant: "a" };
    const born = await create("pods", { metadata: { labels }, spec });
    const release = { key: "release", operator: "In", values: ["2"] };
    const tenant = { key: "tenant", operator: "NotIn", values: ["a"] };
    const mergedTerm = { ...term, labelSelector: { ...term.labelSelector, matchExpressions: [release, tenant] } };
    expect(born).toMatchObject({
      spec: {
        affinity: {
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [mergedTerm, { topologyKey: "zone" }] },
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: mergedTerm }],
          },
        },
        topologySpreadConstraints: [{ ...spread, labelSelector: { matchExpressions: [release] } }],
      },
    });
    const template = { metadata: { labels }, spec: { containers: [CONTAINER], topologySpreadConstraints: [spread] } };
    const deployment = await create("deployments.apps", { spec: { selector: SELECTOR, template } });
    expect(deployment).toMatchObject({
      spec: { template: { spec: { topologySpreadConstraints: [{ labelSelector: {}, matchLabelKeys: ["release"] }] } } },
    });
  });
});
