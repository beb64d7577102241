import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClusterObject, Observation, PodFacts } from "../../../src/backends/backend.js";
import { changeConfigMap } from "../../../src/backends/kind/config-maps.js";
import { deleteNode, drainNode, patchNode } from "../../../src/backends/kind/drain.js";
import { asBackendError, createKubeClient, KubeRefusal } from "../../../src/backends/kind/kube-client.js";
import { clusterObjects } from "../../../src/backends/kind/objects.js";
import { nodeFacts, observeDeployments, observeNodes, summarise } from "../../../src/backends/kind/observe.js";
import { deletePods, pods, watchPods } from "../../../src/backends/kind/pods.js";
import { collectionPath } from "../../../src/backends/kind/resource-paths.js";
import { deprecations } from "../../../src/backends/kind/upgrade-facts.js";
import { eventually, type StandIn, standIn, ZONES } from "./api-server.js";

let world: StandIn;
beforeAll(async () => {
  world = await standIn(3);
  const node = { spec: { taints: [{ key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" }] } };
  await world.client.request("POST", "/api/v1/nodes", {
    body: {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "master", labels: { "node-role.kubernetes.io/control-plane": "" } },
      ...node,
    },
  });
});
afterAll(() => world.close());

const deployment = (name: string, replicas: number): unknown => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
  },
});
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";

const members = (...states: ("up" | "down")[]) => ZONES.map((zone, index) => ({ zone, state: states[index] ?? "up" }));

describe("asking an API server", () => {
  it("tells what it refuses in its own words", async () => {
    const asked = world.client.request("POST", "/api/v1/namespaces", {
      body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } },
    });
    await expect(asked).rejects.toBeInstanceOf(KubeRefusal);
    await expect(asked).rejects.toMatchObject({ status: 409, reason: "AlreadyExists" });
    expect(await world.client.get("/api/v1/namespaces/nowhere")).toBeUndefined();
  });

  it.each([
    [404, "missing"],
    [409, "unavailable"],
    [429, "unavailable"],
    [503, "unavailable"],
    [422, "failed"],
  ])("takes %i for %s", async (status, code) => {
    const refuse = () => Promise.reject(new KubeRefusal(status, "X", "words", []));
    await expect(asBackendError(refuse)).rejects.toMatchObject({ code, message: "words" });
  });

  it("calls one that is not there unavailable", async () => {
    const gone = createKubeClient({ ...world.access, server: "https://127.0.0.1:1" }, { clock: world.realClock });
    await expect(gone.request("GET", "/readyz")).rejects.toMatchObject({ code: "unavailable" });
    gone.close();
  });

  it("does not let a name lead out of a path", () => {
    expect(() => collectionPath("pods/../../secrets", "v1", "default")).toThrow("is no resource");
    expect(collectionPath("deployments.apps", "v1", "a/b")).toBe("/apis/apps/v1/namespaces/a%2Fb/deployments");
  });
});

describe("nodes", () => {
  it("are counted by zone without the masters, which EKS keeps out of sight", async () => {
    const { zones, apiAvailable } = await summarise(world.client, members());
    expect(apiAvailable).toBe(true);
    expect(zones["us-east-1a"]).toMatchObject({ nodes: 1, readyNodes: 1, members: 1, membersUp: 1 });
    expect(Object.keys(zones).sort()).toEqual(ZONES);
    expect((await nodeFacts(world.client)).map(({ name }) => name)).toEqual(["node-0", "node-1", "node-2"]);
  });

  it("are not asked for while etcd has no majority", async () => {
    expect(await summarise(world.client, members("down", "down"))).toMatchObject({
      apiAvailable: false,
      zones: { "us-east-1a": { members: 1, membersUp: 0 }, "us-east-1c": { membersUp: 1 } },
    });
  });

  it("get labels and taints beside those that others give them", async () => {
    const taint = { key: "dedicated", value: "x", effect: "NoSchedule" };
    await patchNode(world.client, "node-0", { labels: { team: "blue" }, addTaints: [taint] });
    const other = { key: "other", effect: "NoExecute" };
    await patchNode(world.client, "node-0", { addTaints: [other] });
    await patchNode(world.client, "node-0", { labels: { team: null }, removeTaints: [taint] });
    const node = await world.client.get<{
      metadata: { labels: Record<string, string> };
      spec: { taints: { key: string }[] };
    }>("/api/v1/nodes/node-0");
    expect(node?.metadata.labels).not.toHaveProperty("team");
    expect(node?.spec.taints.map(({ key }) => key)).toEqual(["other"]);
    await patchNode(world.client, "node-0", { removeTaints: [other] });
    await expect(patchNode(world.client, "nobody", { labels: {} })).rejects.toMatchObject({ code: "missing" });
  });

  it("are told of as they are, and whenever they change or go", async () => {
    const seen: Observation[] = [];
    const stop = observeNodes(world.client, (observation) => seen.push(observation));
    const of = (nodeName: string) => seen.filter((one) => one.kind === "node" && one.nodeName === nodeName);
    await eventually(() => of("node-2").length === 1);
    expect(of("node-2")[0]).toMatchObject({ ready: true, present: true, unhealthy: [] });
    expect(of("master")).toEqual([]);
    await world.client.request("POST", "/api/v1/nodes", {
      body: { apiVersion: "v1", kind: "Node", metadata: { name: "short" } },
    });
    await eventually(() => of("short").length === 1);
    await deleteNode(world.client, "short");
    await deleteNode(world.client, "short");
    await eventually(() => of("short").length === 2);
    expect(of("short")[1]).toMatchObject({ present: false });
    stop();
  });
});

describe("watches", () => {
  it("are begun anew, on other connections, when they are told to, and miss nothing", async () => {
    const begunAgain: unknown[] = [];
    const log = { debug: (fields: Record<string, unknown>) => void begunAgain.push(fields.path) };
    const client = createKubeClient(world.access, { clock: world.realClock, log });
    const seen: string[] = [];
    const stop = client.watch("/api/v1/namespaces", ({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
    await eventually(() => seen.includes("ADDED default"));
    const make = (name: string) =>
      world.client.request("POST", "/api/v1/namespaces", {
        body: { apiVersion: "v1", kind: "Namespace", metadata: { name } },
      });
    await make("one");
    await eventually(() => seen.includes("ADDED one"));
    client.renew();
    await eventually(() => begunAgain.length > 0);
    await make("two");
    await eventually(() => seen.includes("ADDED two"));
    expect(begunAgain).toEqual(["/api/v1/namespaces"]);
    // What was known before is not told twice.
    expect(seen.filter((text) => text === "ADDED one")).toHaveLength(1);
    stop();
    client.close();
  });
});

describe("pods", () => {
  it("are known with their zones and workloads, and leave a node that is drained, budgets respected", async () => {
    const changes: { pod: PodFacts; gone: boolean }[] = [];
    const stop = watchPods(world.client, (change) => changes.push(change));
    await world.client.request("POST", DEPLOYMENTS, { body: deployment("web", 3) });
    await world.clock.advance(30_000);
    const ofWeb = async () => (await pods(world.client)).filter(({ labels }) => labels.app === "web");
    const placed = await ofWeb();
    expect(placed).toHaveLength(3);
    for (const pod of placed)
      expect(pod).toMatchObject({
        namespace: "default",
        phase: "Running",
        ready: true,
        terminating: false,
        workload: { kind: "Deployment", name: "web" },
      });
    const budget = {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "web", namespace: "default" },
      spec: { minAvailable: 3, selector: { matchLabels: { app: "web" } } },
    };
    await world.client.request("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", { body: budget });
    await world.clock.advance(5_000);
    const nodeName = placed[0]?.nodeName as string;
    const here = placed.filter((pod) => pod.nodeName === nodeName).map(({ name }) => `default/${name}`);
    const first = await drainNode(world.client, nodeName);
    expect(first.remainingPods).toEqual(expect.arrayContaining(here));
    expect(first.hopeless).toBe(false);
    expect(Object.values(first.refusals)[0]).toMatch(/disruption budget.*web/);
    await world.client.request("DELETE", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web");
    for (let turn = 0; turn < 30 && (await drainNode(world.client, nodeName)).remainingPods.length > 0; turn++)
      await world.clock.advance(5_000);
    expect((await drainNode(world.client, nodeName)).remainingPods).toEqual([]);
    await patchNode(world.client, nodeName, { unschedulable: false });
    await eventually(() => changes.some(({ pod, gone }) => gone && pod.name === placed[0]?.name));
    expect(changes.some(({ pod }) => pod.zone === placed[0]?.zone && pod.workload?.name === "web")).toBe(true);
    stop();
    await expect(drainNode(world.client, "nobody")).rejects.toMatchObject({ code: "missing" });
  });

  it("end when they are told to", async () => {
    const [pod] = (await pods(world.client)).filter(({ labels }) => labels.app === "web");
    if (!pod) throw new Error("there is no pod");
    await deletePods(world.client, [pod, { namespace: "default", name: "nobody" }], "kill");
    expect((await pods(world.client)).map(({ uid }) => uid)).not.toContain(pod.uid);
  });
});

describe("requests that will stop working", () => {
  it("are what an API server counts of them since its start, whoever has asked", () => {
    const said = deprecations(
      [
        'apiserver_requested_deprecated_apis{group="storage.k8s.io",removed_release="1.37",resource="volumeattributesclasses",subresource="",version="v1beta1"} 1',
        'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1',
        'apiserver_request_total{code="200",component="apiserver",dry_run="",group="storage.k8s.io",resource="volumeattributesclasses",scope="cluster",subresource="",verb="LIST",version="v1beta1"} 3',
        'apiserver_request_total{code="201",component="apiserver",dry_run="",group="storage.k8s.io",resource="volumeattributesclasses",scope="resource",subresource="",verb="POST",version="v1beta1"} 2',
        'apiserver_request_total{code="200",component="apiserver",dry_run="",group="storage.k8s.io",resource="volumeattributesclasses",scope="cluster",subresource="",verb="LIST",version="v1"} 7',
        "process_start_time_seconds 1.79536e+09",
      ].join("\n"),
      5,
    );
    const usage = "/apis/storage.k8s.io/v1beta1/volumeattributesclasses";
    expect(said).toEqual({
      removedApis: [{ usage, removedIn: "1.37" }],
      deprecatedUses: [{ usage, userAgent: "unknown", count: 5, lastMs: 5 }],
      sinceMs: 1_795_360_000_000,
    });
    expect(deprecations("", 5)).toEqual({ removedApis: [], deprecatedUses: [], sinceMs: 5 });
  });
});

describe("objects of EKS's own", () => {
  const objects = () => clusterObjects(() => world.client);
  const settings = (data: Record<string, string>): ClusterObject => ({
    resource: "configmaps",
    object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace: "default" }, data },
  });

  it("are applied by server-side apply, and conflicts are told field by field", async () => {
    const apply = (manager: string, mode: "refuse" | "take" | "leave", data: Record<string, string>) =>
      objects().apply("x", [settings(data)], { manager, mode });
    const conflict = { kind: "ConfigMap", group: "", name: "settings", field: ".data.a" };
    expect(await apply("one", "refuse", { a: "1" })).toEqual([]);
    expect(await apply("two", "refuse", { a: "2", b: "2" })).toEqual([conflict]);
    expect(await apply("two", "leave", { a: "2", c: "2" })).toEqual([]);
    expect(await apply("two", "take", { a: "2" })).toEqual([]);
    expect(await apply("one", "refuse", { a: "1" })).toEqual([conflict]);
    const names = [{ resource: "configmaps", namespace: "default", name: "settings" }];
    await objects().remove("x", names, { manager: "stranger" });
    expect(await world.client.get("/api/v1/namespaces/default/configmaps/settings")).toBeDefined();
    await objects().remove("x", names, { manager: "two" });
    await objects().remove("x", [...names, { resource: "things.nowhere.example", name: "a" }], { manager: "two" });
    expect(await world.client.get("/api/v1/namespaces/default/configmaps/settings")).toBeUndefined();
  });

  it("are Deployments that lack replicas, or are missing", async () => {
    await world.client.request("POST", DEPLOYMENTS, {
      body: {
        ...(deployment("stuck", 1) as object),
        spec: { ...(deployment("stuck", 1) as { spec: object }).spec, paused: true, replicas: 9_000 },
      },
    });
    const names = ["web", "stuck", "nothing"].map((name) => ({
      resource: "deployments.apps",
      namespace: "default",
      name,
    }));
    const { missing, lacking } = await objects().replicas(
      "x",
      [...names, { resource: "configmaps", namespace: "default", name: "a" }],
      { manager: "eks" },
    );
    expect(missing).toEqual(["nothing"]);
    expect(lacking).toContain("stuck");
  });

  it("are told of when they begin or cease to have their replicas, if they are the manager's", async () => {
    const seen: Observation[] = [];
    const stop = observeDeployments(world.client, "eks", (observation) => seen.push(observation));
    const entry = { resource: "deployments.apps", object: deployment("dns", 1) as ClusterObject["object"] };
    await objects().apply("x", [entry], { manager: "eks", mode: "take" });
    await world.clock.advance(30_000);
    await eventually(() => seen.some((one) => one.kind === "deployment" && one.name === "dns" && one.ready));
    expect(seen.filter((one) => one.kind === "deployment" && one.name !== "dns")).toEqual([]);
    stop();
  });
});

describe("ConfigMaps", () => {
  const key = { namespace: "kube-system", name: "aws-auth" };
  const path = "/api/v1/namespaces/kube-system/configmaps/aws-auth";

  it("are made, changed, or left as they are", async () => {
    await changeConfigMap(world.client, key, (data) => (data === undefined ? { mapRoles: "a" } : undefined));
    await changeConfigMap(world.client, key, (data) => ({ ...data, mapUsers: "b" }));
    await changeConfigMap(world.client, key, () => undefined);
    expect(await world.client.get(path)).toMatchObject({ data: { mapRoles: "a", mapUsers: "b" } });
  });

  it("are not written over what came between", async () => {
    const work = changeConfigMap(world.client, key, (data) => {
      // Somebody else writes while this one thinks.
      void world.cluster.api.patch("configmaps", key, "merge", { data: { other: "c" } });
      return { ...data, late: "d" };
    });
    await expect(work).rejects.toMatchObject({ code: "unavailable" });
    expect(await world.client.get(path)).toMatchObject({ data: { other: "c" } });
  });
});
