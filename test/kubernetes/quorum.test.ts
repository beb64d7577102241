/** What clients and the cluster feel of masters that are lost: one does no harm, of three two do. */
import { describe, expect, it } from "vitest";
import type { Deployment, Node, Pod } from "../../src/kubernetes/schema/generated/types.js";
import { connect, tokenUsers } from "./cluster-client.js";
import { makeCertificates } from "./server/certificates.js";
import { openWatch } from "./server/server-fixture.js";
import { nodeSpec, startSimulated } from "./simulated-cluster.js";

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

async function served() {
  const tls = makeCertificates();
  const world = await startSimulated({ tls, ...tokenUsers });
  const client = await connect(world.cluster, tls.caCert);
  const reached = { port: client.port, certificates: { caCert: tls.caCert } };
  const create = (name: string) =>
    client.call(CONFIG_MAPS, { method: "POST", body: { metadata: { name, namespace: "default" } } });
  return { ...world, ...client, reached, create };
}

const DEPLOYMENT = {
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
  },
};

describe("one of three masters lost", () => {
  it("leaves the API as it was, but breaks the connections that went through it", async () => {
    const { cluster, call, create, reached } = await served();
    const watches = await Promise.all(
      Array.from({ length: 12 }, () => openWatch(reached, `${CONFIG_MAPS}?watch=true&resourceVersion=0`)),
    );
    let broken = 0;
    for (const watch of watches) void watch.ended().then(() => broken++);
    cluster.setMember("m1", "down");
    expect((await create("a")).code).toBe(201);
    expect((await call("/readyz")).code).toBe(200);
    expect(broken).toBeGreaterThan(0);
    expect(broken).toBeLessThan(12);
    for (const watch of watches) watch.close();
  });
});

describe("two of three masters lost", () => {
  it("fail writes and reads that have to be true, and leave what the API server's cache knows", async () => {
    const { cluster, call, create } = await served();
    await create("a");
    cluster.setMember("m0", "down");
    cluster.setMember("m1", "down");
    const lost = { code: 500, body: { message: "etcdserver: request timed out" } };
    const refused = await create("b");
    expect(refused).toMatchObject(lost);
    // An error that the API server only passes on has no reason.
    expect(refused.body).not.toHaveProperty("reason");
    expect(await call(CONFIG_MAPS)).toMatchObject(lost);
    expect(await call(`${CONFIG_MAPS}/a`)).toMatchObject(lost);
    expect(await call(`${CONFIG_MAPS}?watch=true`)).toMatchObject(lost);
    expect(await call(`${CONFIG_MAPS}/a`, { method: "DELETE" })).toMatchObject(lost);
    const cached = await call(`${CONFIG_MAPS}?resourceVersion=0`);
    expect(cached.body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toContain("a");
    expect((await call(`${CONFIG_MAPS}/a?resourceVersion=0`)).code).toBe(200);
    const revision = cached.body.metadata.resourceVersion;
    expect(await call(`${CONFIG_MAPS}?resourceVersion=${revision}&resourceVersionMatch=Exact`)).toMatchObject(lost);
    const question = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { verb: "get", resource: "pods" } },
    };
    const asked = await call("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      method: "POST",
      body: question,
    });
    expect(asked).toMatchObject({ code: 201, body: { status: { allowed: true } } });
    expect((await call("/apis")).code).toBe(200);
    const ready = await call("/readyz?verbose");
    expect(ready.code).toBe(500);
    expect(ready.text).toContain("[-]etcd failed: reason withheld\n");
    expect((await call("/livez")).code).toBe(500);
    cluster.setMember("m1", "up");
    expect((await call("/readyz")).code).toBe(200);
    expect((await create("b")).code).toBe(201);
  });

  it("leave watches open and silent, and they tell of what happens afterwards", async () => {
    const { cluster, clock, create, reached } = await served();
    const { body } = await create("a");
    const { resourceVersion } = body.metadata;
    const watches = await Promise.all(
      Array.from({ length: 12 }, () =>
        openWatch(reached, `${CONFIG_MAPS}?watch=true&resourceVersion=${resourceVersion}&timeoutSeconds=3000`),
      ),
    );
    let broken = 0;
    for (const watch of watches) void watch.ended().then(() => broken++);
    cluster.setMember("m0", "down");
    cluster.setMember("m1", "down");
    await clock.advance(120_000);
    const during = await openWatch(reached, `${CONFIG_MAPS}?watch=true&resourceVersion=${resourceVersion}`);
    cluster.setMember("m0", "up");
    await create("c");
    await during.received(1);
    expect(during.summary()).toEqual(["ADDED c"]);
    expect(broken).toBeLessThan(12);
    for (const watch of watches) expect(watch.summary().length).toBeLessThanOrEqual(1);
    for (const watch of [...watches, during]) watch.close();
  });

  it("stop controllers and scheduler, which begin afresh, while pods go on; nothing is lost", async () => {
    const { cluster, clock } = await served();
    for (let i = 0; i < 3; i++) await cluster.addNode(nodeSpec(i));
    await clock.advance(10_000);
    await cluster.api.create<Deployment>("deployments.apps", DEPLOYMENT);
    await clock.advance(20_000);
    const pods = () =>
      cluster.api
        .list<Pod>("pods", { namespace: "default" })
        .map(({ metadata, status }) => `${metadata.name} ${status?.phase}`)
        .sort();
    const before = pods();
    expect(before).toHaveLength(3);
    await cluster.api.update<Deployment>("deployments.apps", {
      ...(cluster.api.get<Deployment>("deployments.apps", DEPLOYMENT.metadata) as Deployment),
      spec: { ...DEPLOYMENT.spec, replicas: 5 },
    } as Deployment);
    cluster.setMember("m0", "down");
    cluster.setMember("m1", "down");
    // A machine dies meanwhile; nobody can say so.
    cluster.setNodePower("node-2", "stopped");
    await clock.advance(10 * 60_000);
    expect(pods()).toEqual(before);
    const readyOf = (name: string) =>
      cluster.api.get<Node>("nodes", { name })?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
    expect(readyOf("node-2")).toBe("True");
    cluster.setMember("m0", "up");
    await clock.advance(10_000);
    expect(pods().length).toBe(5);
    // The new controller knows nothing of the silence before, and waits its grace period.
    expect(["node-0", "node-1", "node-2"].map(readyOf)).toEqual(["True", "True", "True"]);
    await clock.advance(45_000);
    expect(["node-0", "node-1", "node-2"].map(readyOf)).toEqual(["True", "True", "Unknown"]);
  });
});

it("three masters lost leave nobody behind the endpoint", async () => {
  const { cluster, call } = await served();
  for (const id of ["m0", "m1", "m2"]) cluster.setMember(id, "down");
  await expect(call("/readyz")).rejects.toThrow(/ECONNRESET|socket hang up|disconnected/);
  cluster.setMember("m2", "up");
  expect((await call("/readyz")).code).toBe(500);
  cluster.setMember("m0", "up");
  expect((await call("/readyz")).code).toBe(200);
});

it("an API server that fails everything stops controllers and silences nodes until it is well", async () => {
  const { cluster, clock } = await served();
  for (let i = 0; i < 3; i++) await cluster.addNode(nodeSpec(i));
  await clock.advance(10_000);
  cluster.setApiServerTrouble({ failedPercent: 100 });
  await cluster.api.create<Deployment>("deployments.apps", DEPLOYMENT);
  await clock.advance(60_000);
  expect(cluster.api.list("pods", { namespace: "default" })).toEqual([]);
  cluster.setApiServerTrouble({ failedPercent: 30, throttledPercent: 30 });
  await clock.advance(120_000);
  const ready = () =>
    cluster.api.list<Pod>("pods", { namespace: "default" }).filter(({ status }) => status?.phase === "Running").length;
  // They try again, and get through.
  expect(ready()).toBe(3);
  cluster.setApiServerTrouble(undefined);
  await clock.advance(30_000);
  expect(ready()).toBe(3);
});
