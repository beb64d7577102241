/** What is broken between zones, as nodes and masters feel it. */
import { describe, expect, it } from "vitest";
import type { Deployment, Endpoints, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec } from "../simulated-cluster.js";
import { A, addressOf, B, between, C, isolation, podOn, readyOf, serverOn, threeZones } from "./zone-world.js";

describe("a zone that is cut off from all others", () => {
  it("has its nodes unreachable after the grace period, its containers go on, and it catches up when it is healed", async () => {
    const world = await threeZones();
    const { cluster, clock } = world;
    await serverOn(world, 0, "near");
    await clock.advance(5_000);
    const near = addressOf(world, "near");
    await podOn(world, 0, "worker", [
      "sh",
      "-c",
      `sleep 60; wget -qO- http://${near}:8080/hostname > /dev/termination-log`,
    ]);
    await podOn(world, 0, "doomed", ["sleep", "3600"]);
    await clock.advance(5_000);
    cluster.setLinks(isolation(A));
    await clock.advance(30_000);
    expect(readyOf(world, "node-0")).toBe("True");
    await clock.advance(20_000);
    expect(["node-0", "node-1", "node-2"].map((name) => readyOf(world, name))).toEqual(["Unknown", "True", "True"]);
    await cluster.api.delete("pods", { namespace: "default", name: "doomed" });
    await clock.advance(60_000);
    const stateOf = (name: string) => cluster.api.get<Pod>("pods", { namespace: "default", name });
    // Nobody hears of what goes on there.
    expect(stateOf("worker")?.status?.phase).toBe("Running");
    expect(stateOf("doomed")?.metadata.deletionTimestamp).toBeDefined();
    cluster.setLinks([]);
    await clock.advance(40_000);
    expect(readyOf(world, "node-0")).toBe("True");
    expect(stateOf("worker")?.status?.containerStatuses?.[0]?.state?.terminated?.message).toBe("near");
    expect(stateOf("doomed")).toBeUndefined();
  });

  it.each(["in", "out"])("is as good as cut off both ways when nothing gets %s", async (direction) => {
    const world = await threeZones();
    const links = isolation(A).filter(({ to, from }) => (direction === "in" ? to : from).zone === A);
    world.cluster.setLinks(links);
    await world.clock.advance(60_000);
    expect(readyOf(world, "node-0")).toBe("Unknown");
    expect(world.cluster.members().map(({ serving }) => serving)).toEqual([false, true, true]);
  });

  it("takes its master out of those that serve, and its address from the Service after its lease", async () => {
    const world = await threeZones();
    const { cluster, clock } = world;
    const addresses = () =>
      cluster.api.get<Endpoints>("endpoints", { namespace: "default", name: "kubernetes" })?.subsets?.[0]?.addresses
        ?.length;
    cluster.setLinks(isolation(B));
    expect(cluster.members().map(({ state, serving }) => `${state} ${serving}`)).toEqual([
      "up true",
      "up false",
      "up true",
    ]);
    await clock.advance(10_000);
    expect(addresses()).toBe(3);
    await clock.advance(10_000);
    expect(addresses()).toBe(2);
    cluster.setLinks([]);
    await clock.advance(1_000);
    expect(addresses()).toBe(3);
  });

  it("lets machines that start there join when it is healed", async () => {
    const world = await threeZones();
    world.cluster.setLinks(isolation(A));
    await world.cluster.addNode(nodeSpec(3));
    await world.clock.advance(120_000);
    expect(world.cluster.api.get("nodes", { name: "node-3" })).toBeUndefined();
    world.cluster.setLinks([]);
    await world.clock.advance(10_000);
    expect(readyOf(world, "node-3")).toBe("True");
  });

  it("lets a machine that was switched on there come back when it is healed", async () => {
    const world = await threeZones();
    const { cluster, clock } = world;
    cluster.setNodePower("node-0", "stopped");
    cluster.setLinks(isolation(A));
    await clock.advance(60_000);
    cluster.setNodePower("node-0", "running");
    await clock.advance(60_000);
    expect(readyOf(world, "node-0")).toBe("Unknown");
    cluster.setLinks([]);
    await clock.advance(20_000);
    expect(readyOf(world, "node-0")).toBe("True");
  });
});

it("three zones that are cut off from each other have no quorum, and lose nothing", async () => {
  const world = await threeZones();
  const { cluster, clock } = world;
  cluster.setLinks([...isolation(A), ...between(B, C, { cut: true })]);
  expect(cluster.members().some(({ serving }) => serving)).toBe(false);
  const write = () => cluster.api.create("configmaps", { metadata: { name: "x", namespace: "default" } });
  await expect(write()).rejects.toMatchObject({ code: 500, message: "etcdserver: request timed out" });
  await clock.advance(300_000);
  cluster.setLinks([]);
  await write();
  await clock.advance(30_000);
  expect([0, 1, 2].map((index) => readyOf(world, `node-${index}`))).toEqual(["True", "True", "True"]);
});

describe("packets that are lost between nodes and masters", () => {
  it("do no harm to nodes as long as some get through", async () => {
    const world = await threeZones();
    // The zone's own master is left out, so that there is no way without losses.
    world.cluster.setMember("m0", "down");
    world.cluster.setLinks(isolation(A, { lossPercent: 25 }));
    for (let i = 0; i < 20; i++) {
      await world.clock.advance(30_000);
      expect(readyOf(world, "node-0")).toBe("True");
    }
  });

  it("make nodes unreachable now and then when nearly all are lost, and for good when all are", async () => {
    const world = await threeZones();
    world.cluster.setMember("m0", "down");
    world.cluster.setLinks(isolation(A, { lossPercent: 85 }));
    const seen = new Set<string | undefined>();
    for (let i = 0; i < 60; i++) {
      await world.clock.advance(10_000);
      seen.add(readyOf(world, "node-0"));
    }
    expect(seen).toEqual(new Set(["True", "Unknown"]));
    world.cluster.setLinks(isolation(A, { lossPercent: 100 }));
    await world.clock.advance(60_000);
    expect(readyOf(world, "node-0")).toBe("Unknown");
  });
});

it("a deployment moves out of a zone that is cut off, and is whole again", async () => {
  const world = await threeZones();
  const { cluster, clock } = world;
  await cluster.api.create<Deployment>("deployments.apps", {
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
    },
  });
  await clock.advance(20_000);
  const ready = () =>
    cluster.api.get<Deployment>("deployments.apps", { namespace: "default", name: "web" })?.status?.readyReplicas;
  expect(ready()).toBe(3);
  cluster.setLinks(isolation(A));
  await clock.advance(60_000);
  expect(ready()).toBe(2);
  await clock.advance(6 * 60_000);
  expect(ready()).toBe(3);
});
