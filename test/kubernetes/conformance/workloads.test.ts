import { beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { connectSteps } from "./client.js";

/** What the conformance suite does with workloads, step by step and over HTTPS, with all controllers at work. */
const APPS = "/apis/apps/v1/namespaces/default";

let cluster: SimulatedCluster;
let clock: SteppedClock;
type Steps = Awaited<ReturnType<typeof connectSteps>>;
let client: Steps["client"];
let ok: Steps["ok"];
let post: Steps["post"];
let put: Steps["put"];
let merge: Steps["merge"];
let strategic: Steps["strategic"];
let remove: Steps["remove"];

beforeEach(async () => {
  const tls = makeCertificates();
  ({ cluster, clock } = await startSimulated({ tls, ...tokenUsers }));
  ({ client, ok, post, put, merge, strategic, remove } = await connectSteps(cluster, clock, tls.caCert));
  for (const index of [0, 1, 2]) await cluster.addNode(nodeSpec(index));
  await clock.advance(10_000);
});

const labels = { app: "conformance" };
const SELECTOR = "labelSelector=app%3Dconformance";
const template = (spec: object = {}) => ({
  metadata: { labels },
  spec: { containers: [{ name: "c", image: "nginx:1" }], ...spec },
});
const selected = (spec: object = {}) => ({ selector: { matchLabels: labels }, template: template(), ...spec });
const never = { template: template({ restartPolicy: "Never" }), suspend: true };

const KINDS: readonly [string, string, string, object, object][] = [
  ["apps/v1", "Deployment", "deployments", selected({ replicas: 1 }), { observedGeneration: 0 }],
  ["apps/v1", "ReplicaSet", "replicasets", selected({ replicas: 1 }), { replicas: 0 }],
  ["apps/v1", "StatefulSet", "statefulsets", selected({ replicas: 1, serviceName: "s" }), { replicas: 0 }],
  [
    "apps/v1",
    "DaemonSet",
    "daemonsets",
    selected(),
    { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
  ],
  ["batch/v1", "Job", "jobs", never, {}],
  ["batch/v1", "CronJob", "cronjobs", { schedule: "* */1 * * ?", jobTemplate: { spec: never }, suspend: true }, {}],
  [
    "policy/v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    { selector: { matchLabels: labels }, minAvailable: 1 },
    {},
  ],
  ["v1", "ReplicationController", "replicationcontrollers", { replicas: 1, template: template() }, { replicas: 0 }],
];

describe("every kind of workload", () => {
  it.each(KINDS)(
    "%s %s: created, listed, patched, replaced, its status written, and removed",
    async (apiVersion, kind, plural, spec, status) => {
      const group = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
      const path = `${group}/namespaces/default/${plural}`;
      const created = await post(path, { apiVersion, kind, metadata: { name: "one", labels }, spec });
      expect((await ok(`${group}/${plural}?${SELECTOR}`)).items).toHaveLength(1);
      const patched = await strategic(`${path}/one`, { metadata: { labels: { patched: "true" } } });
      expect(patched.metadata.labels).toMatchObject({ ...labels, patched: "true" });
      await clock.advance(3_000);
      const present = await ok(`${path}/one`);
      const annotations = { ...present.metadata.annotations, updated: "true" };
      const updated = await put(`${path}/one`, { ...present, metadata: { ...present.metadata, annotations } });
      expect(updated.metadata.annotations.updated).toBe("true");

      const lastTransitionTime = "2026-01-01T00:00:00Z";
      const condition = {
        type: "StatusPatched",
        status: "True",
        reason: "E2E",
        message: "patched",
        lastTransitionTime,
      };
      const hasConditions = kind !== "CronJob";
      const patchedStatus = await merge(`${path}/one/status`, {
        metadata: { annotations: { patchedstatus: "true" } },
        status: {
          ...status,
          ...(hasConditions ? { conditions: [condition] } : { lastScheduleTime: lastTransitionTime }),
        },
      });
      expect(patchedStatus.metadata.annotations.patchedstatus).toBe("true");
      expect(patchedStatus.status).toMatchObject(hasConditions ? { conditions: [condition] } : {});
      const before = await ok(`${path}/one`);
      const changed = { ...condition, type: "StatusUpdate" };
      const replaced = await put(`${path}/one/status`, {
        ...before,
        status: { ...before.status, ...(hasConditions ? { conditions: [...before.status.conditions, changed] } : {}) },
      });
      if (hasConditions) {
        const types = replaced.status.conditions.map(({ type }: { type: string }) => type);
        expect(types).toEqual(expect.arrayContaining(["StatusPatched", "StatusUpdate"]));
        await clock.advance(2_000);
        const kept = (await ok(`${path}/one`)).status.conditions.map(({ type }: { type: string }) => type);
        expect(kept).toEqual(expect.arrayContaining(["StatusPatched", "StatusUpdate"]));
      }
      expect((await ok(`${path}/one/status`)).metadata.uid).toBe(created.metadata.uid);
      await remove(`${path}?${SELECTOR}`, { propagationPolicy: "Background" });
      await clock.advance(60_000);
      expect((await ok(`${group}/${plural}?${SELECTOR}`)).items).toEqual([]);
      expect((await ok(`/api/v1/pods?${SELECTOR}`)).items).toEqual([]);
    },
  );

  it.each(["deployments", "replicasets", "statefulsets"])("%s: scaled through the subresource", async (plural) => {
    const kind = { deployments: "Deployment", replicasets: "ReplicaSet", statefulsets: "StatefulSet" }[plural];
    const spec = selected({ replicas: 1, ...(plural === "statefulsets" ? { serviceName: "s" } : {}) });
    await post(`${APPS}/${plural}`, { apiVersion: "apps/v1", kind, metadata: { name: "one" }, spec });
    const scale = await ok(`${APPS}/${plural}/one/scale`);
    expect(scale).toMatchObject({ kind: "Scale", spec: { replicas: 1 } });
    expect((await put(`${APPS}/${plural}/one/scale`, { ...scale, spec: { replicas: 2 } })).spec.replicas).toBe(2);
    expect((await ok(`${APPS}/${plural}/one`)).spec.replicas).toBe(2);
    await strategic(`${APPS}/${plural}/one/scale`, { spec: { replicas: 4 } });
    expect((await ok(`${APPS}/${plural}/one`)).spec.replicas).toBe(4);
    await clock.advance(30_000);
    expect((await ok(`${APPS}/${plural}/one/scale`)).status).toMatchObject({
      replicas: 4,
      selector: "app=conformance",
    });
  });
});

describe("a status that somebody else has written", () => {
  it.each([
    ["apps/v1", "Deployment", "deployments", { replicas: 2 }, "readyReplicas"],
    ["apps/v1", "ReplicaSet", "replicasets", { replicas: 2 }, "readyReplicas"],
    ["apps/v1", "StatefulSet", "statefulsets", { replicas: 2, serviceName: "s" }, "readyReplicas"],
    ["apps/v1", "DaemonSet", "daemonsets", {}, "numberReady"],
    ["v1", "ReplicationController", "replicationcontrollers", { replicas: 2 }, "readyReplicas"],
  ])("%s %s: is put right", async (apiVersion, kind, plural, extra, count) => {
    const path = `${apiVersion === "v1" ? "/api/v1/namespaces/default" : APPS}/${plural}`;
    const spec = { ...selected(extra), ...(apiVersion === "v1" ? { selector: labels } : {}) };
    await post(path, { apiVersion, kind, metadata: { name: "one" }, spec });
    await clock.advance(20_000);
    const { status } = await ok(`${path}/one`);
    expect(status[count]).toBeGreaterThan(1);
    const changed = await strategic(`${path}/one/status`, { status: { [count]: 0 } });
    expect(changed.status[count] ?? 0).toBe(0);
    await clock.advance(2_000);
    expect((await ok(`${path}/one`)).status).toEqual(status);
  });
});

describe("ControllerRevisions", () => {
  it("take part in the whole life of a DaemonSet's history", async () => {
    const path = `${APPS}/controllerrevisions`;
    const list = async () => (await ok(`${path}?${SELECTOR}`)).items;
    await post(`${APPS}/daemonsets`, {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "ds", labels },
      spec: selected(),
    });
    await clock.advance(5_000);
    const [initial] = await list();
    await strategic(`${path}/${initial.metadata.name}`, {
      metadata: { labels: { [initial.metadata.name]: "patched" } },
    });
    const { name: _, uid: __, resourceVersion: ___, creationTimestamp: ____, ...metadata } = initial.metadata;
    const made = await post(path, {
      ...initial,
      metadata: { ...metadata, name: "ds-other", labels: { ...labels, "controller-revision-hash": "other" } },
      revision: 2,
    });
    expect(await list()).toHaveLength(2);
    await remove(`${path}/${initial.metadata.name}`);
    expect(await list()).toHaveLength(1);
    const fresh = await ok(`${path}/ds-other`);
    await put(`${path}/ds-other`, {
      ...fresh,
      metadata: { ...fresh.metadata, labels: { ...made.metadata.labels, mark: "updated" } },
    });
    await strategic(`${APPS}/daemonsets/ds`, { spec: { template: { spec: { terminationGracePeriodSeconds: 1 } } } });
    await clock.advance(1_000);
    expect(await list()).toHaveLength(2);
    await remove(`${path}?labelSelector=mark%3Dupdated`);
    const left = await list();
    expect(left).toHaveLength(1);
    expect(left[0].revision).toBe(3);
  });
});

/** A DaemonSet whose pods run; gives the way to look at them. */
async function runDaemonSet() {
  await post(`${APPS}/daemonsets`, {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "ds" },
    spec: selected(),
  });
  await clock.advance(5_000);
  return async () => (await ok(`/api/v1/namespaces/default/pods?${SELECTOR}`)).items;
}

describe("DaemonSets", () => {
  it("roll back without restarting pods that never changed", async () => {
    const pods = await runDaemonSet();
    const names = async () => (await pods()).map((pod: { metadata: { name: string } }) => pod.metadata.name);
    const before = await names();
    const image = (text: string) =>
      strategic(`${APPS}/daemonsets/ds`, {
        spec: { template: { spec: { containers: [{ name: "c", image: text }] } } },
      });
    await image("foo:non-existent");
    await clock.advance(40_000);
    const during = await names();
    const kept = before.filter((name: string) => during.includes(name));
    expect(kept).toHaveLength(2);
    await image("nginx:1");
    await clock.advance(60_000);
    const after = await pods();
    expect(after).toHaveLength(3);
    expect(after.map((pod: { metadata: { name: string } }) => pod.metadata.name)).toEqual(expect.arrayContaining(kept));
    const { status } = await ok(`${APPS}/daemonsets/ds`);
    expect(status).toMatchObject({ numberReady: 3, updatedNumberScheduled: 3, numberAvailable: 3 });
  });

  it("replace a pod that somebody has failed", async () => {
    const pods = await runDaemonSet();
    const [pod] = await pods();
    await put(`/api/v1/namespaces/default/pods/${pod.metadata.name}/status`, {
      ...pod,
      status: { ...pod.status, phase: "Failed" },
    });
    await clock.advance(60_000);
    const after = await pods();
    expect(after).toHaveLength(3);
    expect(after.map((other: { metadata: { uid: string } }) => other.metadata.uid)).not.toContain(pod.metadata.uid);
  });
});

describe("disruption budgets", () => {
  it("refuse an eviction until they are changed to allow it", async () => {
    const path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    await post(`${APPS}/replicasets`, {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "rs" },
      spec: selected({ replicas: 3 }),
    });
    await post(path, {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "foo" },
      spec: { selector: { matchLabels: labels }, minAvailable: 3 },
    });
    await clock.advance(5_000);
    const [pod] = (await ok(`/api/v1/namespaces/default/pods?${SELECTOR}`)).items;
    const evict = () =>
      client.call(`/api/v1/namespaces/default/pods/${pod.metadata.name}/eviction`, {
        method: "POST",
        body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod.metadata.name } },
      });
    const refused = await evict();
    expect(refused.code).toBe(429);
    expect(refused.headers["retry-after"]).toBeUndefined();
    expect(refused.body.details.causes).toEqual([
      { reason: "DisruptionBudget", message: "The disruption budget foo needs 3 healthy pods and has 3 currently" },
    ]);
    await strategic(`${path}/foo`, { spec: { minAvailable: 2 } });
    await clock.advance(1_000);
    expect((await evict()).code).toBe(201);
  });
});

describe("a namespace that is deleted", () => {
  it("loses its pods before what they may still need", async () => {
    await post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "ordered" } });
    const path = "/api/v1/namespaces/ordered";
    await post(`${path}/pods`, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", finalizers: ["e2e.example.com/finalizer"] },
      spec: { containers: [{ name: "c", image: "nginx:1" }] },
    });
    await post(`${path}/configmaps`, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "needed" } });
    await clock.advance(5_000);
    await remove(path);
    await clock.advance(60_000);
    const { status } = await ok(path);
    expect(status.phase).toBe("Terminating");
    expect(status.conditions).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: "NamespaceFinalizersRemaining", status: "True" }),
        expect.objectContaining({ type: "NamespaceDeletionContentFailure", status: "False" }),
      ]),
    );
    expect((await ok(`${path}/configmaps/needed`)).metadata.deletionTimestamp).toBeUndefined();
    await merge(`${path}/pods/p`, { metadata: { finalizers: null } });
    await clock.advance(60_000);
    expect((await client.call(path)).code).toBe(404);
  });
});
