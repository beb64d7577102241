import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { humanDuration } from "../../../src/kubernetes/printers/human-duration.js";
import { columnsFor, toTable } from "../../../src/kubernetes/printers/index.js";
import type { ResourceInfo } from "../../../src/kubernetes/schema/resource-info.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";

const NOW = Date.UTC(2026, 5, 10, 12);
const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace(".000Z", "Z");

function infoOf(type: string): ResourceInfo {
  const known = builtinResources().find((info) => info.type === type);
  if (known) return known;
  const base = builtinResources()[0] as ResourceInfo;
  return { ...base, kind: type, type, group: "example.com" };
}

type Fields = Record<string, unknown>;

function rowOf(type: string, { metadata, ...fields }: Fields): unknown[] {
  const object = {
    apiVersion: "v1",
    kind: type,
    metadata: { name: "x", creationTimestamp: ago(300), ...(metadata as Fields) },
    ...fields,
  } as unknown as KubeObject;
  const table = toTable({ info: infoOf(type), objects: [object], includeObject: "None", revision: 1, nowMs: NOW });
  return table.rows[0]?.cells ?? [];
}

/** Cells by heading. */
function cellsOf(type: string, fields: Fields): Record<string, unknown> {
  const cells = rowOf(type, fields);
  return Object.fromEntries(columnsFor(infoOf(type)).map(({ name }, index) => [name, cells[index]]));
}

describe("human durations", () => {
  const S = 1000;
  const M = 60 * S;
  const H = 60 * M;
  const D = 24 * H;
  const cases: [number, string][] = [
    [-2 * S, "<invalid>"],
    [-S, "0s"],
    [0, "0s"],
    [119 * S, "119s"],
    [2 * M, "2m"],
    [3 * M + 5 * S, "3m5s"],
    [10 * M + 5 * S, "10m"],
    [179 * M, "179m"],
    [3 * H, "3h"],
    [4 * H + 30 * M, "4h30m"],
    [8 * H + 30 * M, "8h"],
    [47 * H, "47h"],
    [2 * D, "2d"],
    [5 * D + 3 * H, "5d3h"],
    [8 * D + 3 * H, "8d"],
    [729 * D, "729d"],
    [730 * D, "2y"],
    [800 * D, "2y70d"],
    [8 * 365 * D + D, "8y"],
    [Number.NaN, "<invalid>"],
  ];
  it.each(cases)("%d ms are %s", (ms, expected) => expect(humanDuration(ms)).toBe(expected));
});

describe("tables", () => {
  it("carry the list's position and what was asked for of each object", () => {
    const object = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "a", creationTimestamp: ago(0) },
    } as KubeObject;
    const info = infoOf("Namespace");
    const table = (includeObject: "None" | "Metadata" | "Object") =>
      toTable({
        info,
        objects: [object],
        includeObject,
        revision: 7,
        nowMs: NOW,
        continue: "t",
        remainingItemCount: 3,
      });
    expect(table("Metadata")).toEqual({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: "7", continue: "t", remainingItemCount: 3 },
      columnDefinitions: [
        expect.objectContaining({ name: "Name", type: "string", format: "name", priority: 0 }),
        expect.objectContaining({ name: "Status", type: "string", format: "", priority: 0 }),
        expect.objectContaining({ name: "Age", type: "string", format: "", priority: 0 }),
      ],
      rows: [
        {
          cells: ["a", "", "0s"],
          object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata },
        },
      ],
    });
    expect(table("None").rows[0]).not.toHaveProperty("object");
    expect(table("Object").rows[0]?.object).toBe(object);
  });

  it("print every built-in kind from its metadata alone, without undefined cells", () => {
    for (const info of builtinResources()) {
      const object = { apiVersion: "v1", kind: info.kind, metadata: { name: "x", creationTimestamp: ago(1) } };
      const bare = {
        ...object,
        spec: {
          containers: [],
          drivers: [],
          source: {},
          pool: {},
          jobTemplate: {},
          template: {},
          scaleTargetRef: {},
          priorityLevelConfiguration: {},
        },
        roleRef: {},
      };
      const { columnDefinitions, rows } = toTable({
        info,
        objects: [bare as unknown as KubeObject],
        includeObject: "None",
        revision: 1,
        nowMs: NOW,
      });
      expect(rows[0]?.cells).toHaveLength(columnDefinitions.length);
      for (const cell of rows[0]?.cells ?? [])
        expect(["string", "number", "boolean"], info.kind).toContain(typeof cell);
      expect(columnDefinitions.some(({ name }) => name === "Name")).toBe(true);
    }
  });

  it("fall back to the time of creation for built-in kinds and to the age for custom ones", () => {
    expect(cellsOf("ClusterRole", {})).toEqual({ Name: "x", "Created At": ago(300) });
    expect(cellsOf("CustomResourceDefinition", {})).toEqual({ Name: "x", "Created At": ago(300) });
    expect(cellsOf("Widget", {})).toEqual({ Name: "x", Age: "5m" });
  });
});

const container = (name: string, state: Fields, rest: Fields = {}): Fields => ({
  name,
  state,
  ready: "running" in state,
  restartCount: 0,
  ...rest,
});
const running = { running: { startedAt: ago(10) } };
const waiting = (reason: string) => ({ waiting: { reason } });
const ended = (exitCode: number, reason?: string, signal?: number) => ({
  terminated: { exitCode, reason, signal, finishedAt: ago(5) },
});

describe("pods", () => {
  const spec = { containers: [{ name: "a" }, { name: "b" }] };
  const withInit = { ...spec, initContainers: [{ name: "i" }, { name: "j" }] };
  const withSidecar = { ...spec, initContainers: [{ name: "s", restartPolicy: "Always" }] };
  const pending = { phase: "Pending" };

  const cases: [string, Fields, { Ready: string; Status: string; Restarts?: string }][] = [
    ["is Pending before it has containers", { spec, status: pending }, { Ready: "0/2", Status: "Pending" }],
    [
      "shows why its containers wait",
      {
        spec,
        status: {
          ...pending,
          containerStatuses: [
            container("a", waiting("ContainerCreating")),
            container("b", waiting("ContainerCreating")),
          ],
        },
      },
      { Ready: "0/2", Status: "ContainerCreating" },
    ],
    [
      "is Running",
      { spec, status: { phase: "Running", containerStatuses: [container("a", running), container("b", running)] } },
      { Ready: "2/2", Status: "Running" },
    ],
    [
      "shows the first container's trouble",
      {
        spec,
        status: {
          phase: "Running",
          containerStatuses: [
            container("a", waiting("CrashLoopBackOff"), { restartCount: 3, lastState: ended(1, "Error") }),
            container("b", running),
          ],
        },
      },
      { Ready: "1/2", Status: "CrashLoopBackOff", Restarts: "3 (5s ago)" },
    ],
    [
      "is Completed",
      {
        spec,
        status: {
          phase: "Succeeded",
          containerStatuses: [container("a", ended(0, "Completed")), container("b", ended(0, "Completed"))],
        },
      },
      { Ready: "0/2", Status: "Completed" },
    ],
    [
      "is NotReady when the rest has completed and it is not ready",
      {
        spec,
        status: {
          phase: "Running",
          containerStatuses: [container("a", ended(0, "Completed")), container("b", running)],
        },
      },
      { Ready: "1/2", Status: "NotReady" },
    ],
    [
      "is Running when the rest has completed and it is ready",
      {
        spec,
        status: {
          phase: "Running",
          conditions: [{ type: "Ready", status: "True" }],
          containerStatuses: [container("a", ended(0, "Completed")), container("b", running)],
        },
      },
      { Ready: "1/2", Status: "Running" },
    ],
    [
      "shows exit code or signal for lack of a reason",
      {
        spec,
        status: {
          phase: "Failed",
          containerStatuses: [container("a", ended(3)), container("b", ended(137, undefined, 9))],
        },
      },
      { Ready: "0/2", Status: "ExitCode:3" },
    ],
    [
      "shows the signal",
      { spec, status: { phase: "Failed", containerStatuses: [container("a", ended(137, "", 9))] } },
      { Ready: "0/2", Status: "Signal:9" },
    ],
    [
      "counts init containers",
      {
        spec: withInit,
        status: {
          ...pending,
          initContainerStatuses: [container("i", ended(0)), container("j", waiting("PodInitializing"))],
        },
      },
      { Ready: "0/2", Status: "Init:1/2" },
    ],
    [
      "shows an init container's trouble",
      {
        spec: withInit,
        status: {
          ...pending,
          initContainerStatuses: [
            container("i", waiting("CrashLoopBackOff"), { restartCount: 2, lastState: ended(1) }),
            container("j", waiting("PodInitializing")),
          ],
        },
      },
      { Ready: "0/2", Status: "Init:CrashLoopBackOff", Restarts: "2 (5s ago)" },
    ],
    [
      "shows a failed init container",
      { spec: withInit, status: { ...pending, initContainerStatuses: [container("i", ended(2)), container("j", {})] } },
      { Ready: "0/2", Status: "Init:ExitCode:2" },
    ],
    [
      "counts sidecars among its containers",
      {
        spec: withSidecar,
        status: {
          phase: "Running",
          conditions: [{ type: "Initialized", status: "True" }],
          initContainerStatuses: [container("s", running, { started: true, restartCount: 1 })],
          containerStatuses: [container("a", running), container("b", running)],
        },
      },
      { Ready: "3/3", Status: "Running", Restarts: "1" },
    ],
    [
      "forgets restarts of init containers once it is initialised",
      {
        spec: withInit,
        status: {
          phase: "Running",
          conditions: [{ type: "Initialized", status: "True" }],
          initContainerStatuses: [container("i", ended(0), { restartCount: 4 }), container("j", ended(0))],
          containerStatuses: [container("a", running), container("b", running)],
        },
      },
      { Ready: "2/2", Status: "Running", Restarts: "0" },
    ],
    [
      "is Terminating",
      {
        metadata: { deletionTimestamp: ago(1) },
        spec,
        status: { phase: "Running", containerStatuses: [container("a", running), container("b", running)] },
      },
      { Ready: "2/2", Status: "Terminating" },
    ],
    [
      "stays Completed while it is deleted",
      {
        metadata: { deletionTimestamp: ago(1) },
        spec,
        status: {
          phase: "Succeeded",
          containerStatuses: [container("a", ended(0, "Completed")), container("b", ended(0, "Completed"))],
        },
      },
      { Ready: "0/2", Status: "Completed" },
    ],
    [
      "is Unknown when its node was lost",
      { metadata: { deletionTimestamp: ago(1) }, spec, status: { phase: "Running", reason: "NodeLost" } },
      { Ready: "0/2", Status: "Unknown" },
    ],
    [
      "shows its own reason",
      { spec, status: { phase: "Failed", reason: "Evicted" } },
      { Ready: "0/2", Status: "Evicted" },
    ],
    [
      "shows scheduling gates",
      {
        spec,
        status: { ...pending, conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] },
      },
      { Ready: "0/2", Status: "SchedulingGated" },
    ],
  ];
  it.each(cases)("%s", (_, fields, expected) => {
    expect(cellsOf("Pod", fields)).toMatchObject({ Restarts: "0", ...expected });
  });

  it("show address, node and readiness gates when wide", () => {
    const gates = [{ conditionType: "a/b" }, { conditionType: "c/d" }];
    const fields = {
      spec: { ...spec, nodeName: "n1", readinessGates: gates },
      status: { phase: "Running", podIPs: [{ ip: "10.0.0.1" }], conditions: [{ type: "a/b", status: "True" }] },
    };
    expect(rowOf("Pod", fields)).toEqual(["x", "0/2", "Running", "0", "5m", "10.0.0.1", "n1", "<none>", "1/2"]);
    expect(rowOf("Pod", { spec, status: pending }).slice(5)).toEqual(["<none>", "<none>", "<none>", "<none>"]);
    expect(columnsFor(infoOf("Pod")).map(({ priority }) => priority)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1]);
  });

  it("mark rows of pods that are done", () => {
    const object = {
      metadata: { name: "x", creationTimestamp: ago(1) },
      spec,
      status: { phase: "Succeeded" },
    } as unknown as KubeObject;
    const [row] = toTable({
      info: infoOf("Pod"),
      objects: [object],
      includeObject: "None",
      revision: 1,
      nowMs: NOW,
    }).rows;
    expect(row?.conditions).toEqual([
      { type: "Completed", status: "True", reason: "Succeeded", message: "The pod has completed successfully." },
    ]);
  });
});

const template = {
  metadata: { labels: { app: "web" } },
  spec: {
    containers: [
      { name: "a", image: "i:1" },
      { name: "b", image: "i:2" },
    ],
  },
};
const selector = {
  matchLabels: { b: "2", a: "1" },
  matchExpressions: [
    { key: "c", operator: "NotIn", values: ["y", "x"] },
    { key: "d", operator: "Exists" },
    { key: "e", operator: "DoesNotExist" },
  ],
};
const selected = "a=1,b=2,c notin (x,y),d,!e";
const condition = (type: string, status = "True") => ({ type, status });

describe("rows by kind", () => {
  const cases: [string, string, Fields, unknown[]][] = [
    [
      "Deployment",
      "replicas",
      {
        spec: { replicas: 3, template, selector },
        status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
      },
      ["x", "1/3", 2, 1, "5m", "a,b", "i:1,i:2", selected],
    ],
    [
      "Deployment",
      "nothing in the status yet",
      { spec: { replicas: 3, template, selector: {} } },
      ["x", "0/3", 0, 0, "5m", "a,b", "i:1,i:2", ""],
    ],
    [
      "ReplicaSet",
      "replicas",
      { spec: { replicas: 3, template, selector: {} }, status: { replicas: 2, readyReplicas: 1 } },
      ["x", 3, 2, 1, "5m", "a,b", "i:1,i:2", "<none>"],
    ],
    [
      "DaemonSet",
      "nodes",
      {
        spec: { template: { spec: { ...template.spec, nodeSelector: { z: "1", a: "2" } } }, selector },
        status: {
          desiredNumberScheduled: 5,
          currentNumberScheduled: 4,
          numberReady: 3,
          updatedNumberScheduled: 2,
          numberAvailable: 1,
        },
      },
      ["x", 5, 4, 3, 2, 1, "a=2,z=1", "5m", "a,b", "i:1,i:2", selected],
    ],
    [
      "StatefulSet",
      "replicas",
      { spec: { replicas: 2, template }, status: { readyReplicas: 1 } },
      ["x", "1/2", "5m", "a,b", "i:1,i:2"],
    ],
    [
      "Job",
      "running",
      { spec: { completions: 3, template, selector: {} }, status: { succeeded: 1, startTime: ago(65) } },
      ["x", "Running", "1/3", "65s", "5m", "a,b", "i:1,i:2", "<none>"],
    ],
    [
      "Job",
      "complete work queue",
      {
        spec: { parallelism: 2, template },
        status: { succeeded: 1, startTime: ago(65), completionTime: ago(5), conditions: [condition("Complete")] },
      },
      ["x", "Complete", "1/1 of 2", "60s", "5m", "a,b", "i:1,i:2", "<none>"],
    ],
    [
      "CronJob",
      "schedule",
      {
        spec: { schedule: "* * * * *", suspend: false, jobTemplate: { spec: { template } } },
        status: { active: [{}], lastScheduleTime: ago(30) },
      },
      ["x", "* * * * *", "<none>", "False", 1, "30s", "5m", "a,b", "i:1,i:2", "<none>"],
    ],
    [
      "PodDisruptionBudget",
      "limits",
      { spec: { minAvailable: "50%" }, status: { disruptionsAllowed: 1 } },
      ["x", "50%", "N/A", 1, "5m"],
    ],
    [
      "ControllerRevision",
      "owner",
      {
        metadata: { ownerReferences: [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "db", controller: true }] },
        revision: 4,
      },
      ["x", "statefulset.apps/db", 4, "5m"],
    ],
    [
      "Service",
      "cluster address",
      {
        spec: {
          type: "ClusterIP",
          clusterIPs: ["10.0.0.1"],
          ports: [
            { port: 80, protocol: "TCP" },
            { port: 53, nodePort: 30053, protocol: "UDP" },
          ],
          selector: { app: "web" },
        },
      },
      ["x", "ClusterIP", "10.0.0.1", "<none>", "80/TCP,53:30053/UDP", "5m", "app=web"],
    ],
    [
      "Service",
      "load balancer",
      {
        spec: { type: "LoadBalancer", clusterIPs: ["10.0.0.1"], externalIPs: ["1.2.3.4"] },
        status: { loadBalancer: { ingress: [{ hostname: "b.elb" }, { hostname: "a.elb" }] } },
      },
      ["x", "LoadBalancer", "10.0.0.1", "a.elb,b.elb,1.2.3.4", "<none>", "5m", "<none>"],
    ],
    [
      "Service",
      "load balancer to come",
      { spec: { type: "LoadBalancer" } },
      ["x", "LoadBalancer", "<none>", "<pending>", "<none>", "5m", "<none>"],
    ],
    [
      "Service",
      "external name",
      { spec: { type: "ExternalName", externalName: "a.b" } },
      ["x", "ExternalName", "<none>", "a.b", "<none>", "5m", "<none>"],
    ],
    [
      "Endpoints",
      "more than fit",
      { subsets: [{ addresses: [{ ip: "1.1.1.1" }, { ip: "::1" }], ports: [{ port: 80 }, { port: 81 }] }] },
      ["x", "1.1.1.1:80,[::1]:80,1.1.1.1:81 + 1 more...", "5m"],
    ],
    [
      "EndpointSlice",
      "addresses",
      { addressType: "IPv4", ports: [{ port: 80 }, { name: "n" }], endpoints: [{ addresses: ["1.1.1.1"] }] },
      ["x", "IPv4", "80,n", "1.1.1.1", "5m"],
    ],
    [
      "EndpointSlice",
      "none",
      { addressType: "IPv4", ports: null, endpoints: [] },
      ["x", "IPv4", "<unset>", "<unset>", "5m"],
    ],
    [
      "Ingress",
      "rules",
      {
        spec: { ingressClassName: "alb", rules: [{ host: "a" }, { host: "b" }], tls: [{}] },
        status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } },
      },
      ["x", "alb", "a,b", "1.2.3.4", "80, 443", "5m"],
    ],
    ["NetworkPolicy", "selector", { spec: { podSelector: {} } }, ["x", "<none>", "5m"]],
    [
      "Node",
      "ready and cordoned",
      {
        metadata: { labels: { "node-role.kubernetes.io/b": "", "kubernetes.io/role": "a" } },
        spec: { unschedulable: true },
        status: {
          conditions: [condition("Ready")],
          addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
          nodeInfo: {
            kubeletVersion: "v1",
            osImage: "AL2023",
            kernelVersion: "6",
            containerRuntimeVersion: "containerd://2",
          },
        },
      },
      ["x", "Ready,SchedulingDisabled", "a,b", "5m", "v1", "10.0.0.1", "<none>", "AL2023", "6", "containerd://2"],
    ],
    [
      "Node",
      "silent",
      { status: { conditions: [condition("Ready", "Unknown")] } },
      ["x", "NotReady", "<none>", "5m", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"],
    ],
    [
      "CoreEvent",
      "a series",
      {
        firstTimestamp: ago(60),
        lastTimestamp: ago(10),
        count: 4,
        type: "Warning",
        reason: "BackOff",
        involvedObject: { kind: "Pod", name: "p", fieldPath: "spec" },
        source: { component: "kubelet", host: "n" },
        message: " text\n",
      },
      ["10s", "Warning", "BackOff", "pod/p", "spec", "kubelet, n", "text", "60s", 4, "x"],
    ],
    [
      "CoreEvent",
      "a singleton of the new API",
      { eventTime: ago(7), type: "Normal", reason: "R", involvedObject: { kind: "Node" }, reportingComponent: "c" },
      ["7s", "Normal", "R", "node", "", "c", "", "7s", 1, "x"],
    ],
    [
      "EventsEvent",
      "the same in its own words",
      {
        eventTime: ago(7),
        type: "Normal",
        reason: "R",
        regarding: { kind: "Node", name: "n" },
        note: "text",
        series: { count: 3, lastObservedTime: ago(2) },
      },
      ["2s", "Normal", "R", "node/n", "", "", "text", "7s", 3, "x"],
    ],
    ["Secret", "data", { type: "Opaque", data: { a: "", b: "" } }, ["x", "Opaque", 2, "5m"]],
    ["ConfigMap", "data", { data: { a: "" }, binaryData: { b: "" } }, ["x", 2, "5m"]],
    [
      "ResourceQuota",
      "use",
      { status: { hard: { pods: "5", "limits.cpu": "2", cpu: "1" }, used: { pods: "1" } } },
      ["x", "cpu: 0/1, pods: 1/5", "limits.cpu: 0/2", "5m"],
    ],
    [
      "PersistentVolume",
      "bound",
      {
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteMany", "ReadWriteOnce"],
          persistentVolumeReclaimPolicy: "Delete",
          claimRef: { namespace: "n", name: "c" },
          storageClassName: "gp3",
        },
        status: { phase: "Bound" },
      },
      ["x", "1Gi", "RWO,RWX", "Delete", "Bound", "n/c", "gp3", "<unset>", "", "5m", "<unset>"],
    ],
    [
      "PersistentVolumeClaim",
      "unbound",
      { spec: { accessModes: ["ReadWriteOnce"], volumeMode: "Block" }, status: { phase: "Pending" } },
      ["x", "Pending", "", "", "", "", "<unset>", "5m", "Block"],
    ],
    [
      "StorageClass",
      "the default",
      { metadata: { annotations: { "storageclass.kubernetes.io/is-default-class": "true" } }, provisioner: "ebs" },
      ["x (default)", "ebs", "Delete", "Immediate", false, "5m"],
    ],
    ["CSIDriver", "defaults", { spec: {} }, ["x", true, false, false, "<unset>", false, "<none>", "5m"]],
    [
      "RoleBinding",
      "subjects",
      {
        roleRef: { kind: "Role", name: "r" },
        subjects: [
          { kind: "User", name: "u" },
          { kind: "ServiceAccount", namespace: "n", name: "s" },
          { kind: "User", name: "v" },
        ],
      },
      ["x", "Role/r", "5m", "u, v", "", "n/s"],
    ],
    [
      "CertificateSigningRequest",
      "issued",
      {
        spec: { signerName: "s", username: "u", expirationSeconds: 86400 },
        status: { conditions: [condition("Approved")], certificate: "x" },
      },
      ["x", "5m", "s", "u", "24h", "Approved,Issued"],
    ],
    ["Lease", "holder", { spec: { holderIdentity: "h" } }, ["x", "h", "5m"]],
    ["PriorityClass", "value", { value: 10, preemptionPolicy: "Never" }, ["x", 10, false, "5m", "Never"]],
    ["ValidatingWebhookConfiguration", "webhooks", { webhooks: [{}, {}] }, ["x", 2, "5m"]],
    [
      "PriorityLevelConfiguration",
      "exempt",
      { spec: { type: "Exempt" } },
      ["x", "Exempt", "<none>", "<none>", "<none>", "<none>", "5m"],
    ],
    [
      "APIService",
      "local",
      { spec: {}, status: { conditions: [{ ...condition("Available", "False"), reason: "Gone" }] } },
      ["x", "Local", "False (Gone)", "5m"],
    ],
    [
      "V2HorizontalPodAutoscaler",
      "metrics",
      {
        spec: {
          scaleTargetRef: { kind: "Deployment", name: "w" },
          maxReplicas: 3,
          metrics: [
            { type: "Resource", resource: { name: "cpu", target: { averageUtilization: 80 } } },
            { type: "Pods", pods: { target: { averageValue: "10" } } },
            { type: "External", external: { target: { value: "5" } } },
          ],
        },
        status: { currentReplicas: 2, currentMetrics: [{ resource: { current: { averageUtilization: 20 } } }] },
      },
      ["x", "Deployment/w", "cpu: 20%/80%, <unknown>/10 + 1 more...", "<unset>", 3, 2, "5m"],
    ],
    [
      "HorizontalPodAutoscaler",
      "CPU",
      {
        spec: {
          scaleTargetRef: { kind: "Deployment", name: "w" },
          minReplicas: 1,
          maxReplicas: 3,
          targetCPUUtilizationPercentage: 50,
        },
      },
      ["x", "Deployment/w", "cpu: <unknown>/50%", "1", 3, 0, "5m"],
    ],
  ];
  it.each(cases)("%s: %s", (type, _, fields, expected) => {
    expect(rowOf(type, fields)).toEqual(expected);
  });

  it("flow schemas stand in the order in which they are matched", () => {
    const flow = (name: string, matchingPrecedence: number) =>
      ({
        metadata: { name, creationTimestamp: ago(1) },
        spec: { matchingPrecedence, priorityLevelConfiguration: { name: "p" } },
      }) as unknown as KubeObject;
    const objects = [flow("a", 9), flow("c", 1), flow("b", 1)];
    const { rows } = toTable({ info: infoOf("FlowSchema"), objects, includeObject: "None", revision: 1, nowMs: NOW });
    expect(rows.map(({ cells }) => cells[0])).toEqual(["b", "c", "a"]);
  });
});
