/** Every built-in kind through the life that tools give it: made and replaced in protobuf, patched in all four ways, its status written, shown, deleted. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { encodeObject } from "../wire/encode-protobuf.js";
import { startServer } from "./server-fixture.js";

type Fields = Record<string, unknown>;
interface Kind {
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

/** By apiVersion. */
const KINDS: Readonly<Record<string, readonly Kind[]>> = {
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

const INFOS = builtinResources();
const PROTOBUF = {
  "content-type": "application/vnd.kubernetes.protobuf",
  accept: "application/vnd.kubernetes.protobuf,application/json",
};
const ALL = Object.entries(KINDS).flatMap(([apiVersion, kinds]) => kinds.map((kind) => ({ apiVersion, ...kind })));

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

describe("over the wire", () => {
  it.each(ALL)("$apiVersion $resource", async ({ apiVersion, resource, fields, status }) => {
    const info = INFOS.find(
      (known) => known.resource === resource && `${known.group && `${known.group}/`}${known.version}` === apiVersion,
    );
    if (!info) throw new Error(`no ${resource} in ${apiVersion}`);
    const { kind, type, namespaced } = info;
    const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
    const collection = `${root}${namespaced ? "/namespaces/default" : ""}/${resource}`;
    const name = resource === "ipaddresses" ? "255.255.255.255" : "life";
    const path = `${collection}/${name}`;
    const metadata = { name, labels: { made: "here" }, ...(namespaced ? { namespace: "default" } : {}) };
    const call = async (method: string, url: string, body?: unknown, headers?: Record<string, string>) => {
      const reply = await server.call(url, { method, body, ...(headers ? { headers } : {}) });
      expect([method, url, reply.code, reply.code < 300 ? "" : reply.text]).toEqual([
        method,
        url,
        reply.code < 300 ? reply.code : 200,
        "",
      ]);
      return reply;
    };
    const inProtobuf = ({ metadata: { managedFields: _, ...meta }, ...rest }: { metadata: Fields } & Fields) =>
      encodeObject(type, { ...rest, metadata: meta, apiVersion, kind });

    const created = await call(
      "POST",
      `${collection}?fieldValidation=Strict`,
      inProtobuf({ ...fields, metadata }),
      PROTOBUF,
    );
    expect(created).toMatchObject({ code: 201, body: { apiVersion, kind, metadata } });
    expect((await call("GET", `${root}/${resource}?labelSelector=made%3Dhere`)).body.items).toHaveLength(1);

    const patches: [type: string, document: unknown, query?: string][] = [
      ["merge-patch+json", { metadata: { annotations: { merged: "1" } } }],
      ["strategic-merge-patch+json", { metadata: { labels: { strategic: "1" } } }],
      ["json-patch+json", [{ op: "add", path: "/metadata/labels/json", value: "1" }]],
      [
        "apply-patch+yaml",
        { apiVersion, kind, metadata: { ...metadata, labels: { applied: "1" } } },
        "&fieldManager=a",
      ],
    ];
    for (const [sort, document, query = ""] of patches)
      await call("PATCH", `${path}?fieldValidation=Strict${query}`, document, {
        "content-type": `application/${sort}`,
      });
    const current = (await call("GET", path)).body;
    expect(current.metadata.labels).toMatchObject({ made: "here", strategic: "1", json: "1", applied: "1" });
    current.metadata.annotations.replaced = "1";
    const replaced = await call("PUT", path, inProtobuf(current), PROTOBUF);
    expect(replaced.body.metadata.annotations).toMatchObject({ merged: "1", replaced: "1" });

    if (status) {
      const patched = await call(
        "PATCH",
        `${path}/status`,
        { status },
        { "content-type": "application/merge-patch+json" },
      );
      expect(patched.body.status).toMatchObject(status);
      expect((await call("GET", `${path}/status`)).body.status).toMatchObject(status);
      await call("PUT", `${path}/status`, inProtobuf(patched.body), PROTOBUF);
    }
    const table = await call("GET", path, undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
    expect(table.body.rows[0].cells).toHaveLength(table.body.columnDefinitions.length);

    await call(
      "DELETE",
      path,
      encodeObject("DeleteOptions", { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 } as never),
      {
        ...PROTOBUF,
      },
    );
  });
});
