import { describe, expect, it } from "vitest";
import { stillDisrupted } from "../../../src/kubernetes/controllers/disruption.js";
import type { Job, Pod, PodDisruptionBudget } from "../../../src/kubernetes/schema/generated/types.js";
import { deployment, START_MS, startWorld, template, type World } from "./world.js";

const get = (world: World): PodDisruptionBudget["status"] =>
  world.get<PodDisruptionBudget>("poddisruptionbudgets.policy", "web", "default")?.status;

async function worldOf(replicas: number, spec: PodDisruptionBudget["spec"]): Promise<World> {
  const world = await startWorld();
  await world.addNode("n1");
  await world.addNode("n2");
  await world.api.create("deployments.apps", deployment("web", replicas));
  await world.api.create<PodDisruptionBudget>("poddisruptionbudgets.policy", {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { matchLabels: { app: "web" } }, ...spec },
  });
  await world.seconds(5);
  return world;
}

describe("disruption budgets", () => {
  it.each([
    [{ minAvailable: 3 }, 5, 3, 2],
    [{ minAvailable: "50%" }, 5, 3, 2],
    [{ maxUnavailable: 1 }, 5, 4, 1],
    [{ maxUnavailable: "30%" }, 5, 3, 2],
    [{ minAvailable: 5 }, 5, 5, 0],
  ])("%j of five pods", async (spec, expectedPods, desiredHealthy, disruptionsAllowed) => {
    const world = await worldOf(5, spec);
    expect(get(world)).toMatchObject({
      currentHealthy: 5,
      expectedPods,
      desiredHealthy,
      disruptionsAllowed,
      observedGeneration: 1,
    });
    expect(get(world)?.conditions).toEqual([
      expect.objectContaining({
        type: "DisruptionAllowed",
        status: disruptionsAllowed > 0 ? "True" : "False",
        reason: disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods",
      }),
    ]);
    expect(world.warnings).toEqual([]);
  });

  it("are spent by evictions and filled again by the replacements", async () => {
    const world = await worldOf(3, { maxUnavailable: 1 });
    const evict = (pod: Pod | undefined) =>
      world.api.create("pods", { metadata: { name: pod?.metadata.name, namespace: "default" } } as never, {
        subresource: "eviction",
      });
    const [first, second] = world.pods();
    await evict(first);
    await expect(evict(second)).rejects.toMatchObject({ code: 429 });
    await world.seconds(5);
    expect(get(world)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 1 });
    await evict(second);
    await world.seconds(5);
    expect(world.pods()).toHaveLength(3);
  });

  it("count down when a node falls silent", async () => {
    const world = await worldOf(4, { maxUnavailable: "50%" });
    world.silence("n1");
    await world.seconds(50);
    expect(get(world)).toMatchObject({ currentHealthy: 2, desiredHealthy: 2, disruptionsAllowed: 0 });
  });

  it("leave pods without a controller out of a share, and say so", async () => {
    const world = await worldOf(2, { maxUnavailable: 1 });
    await world.api.create<Pod>("pods", {
      metadata: { name: "lone", namespace: "default", labels: { app: "web" } },
      spec: template().spec,
    });
    await world.seconds(3);
    expect(get(world)).toMatchObject({ expectedPods: 2, desiredHealthy: 1, currentHealthy: 3, disruptionsAllowed: 2 });
    expect(world.events("UnmanagedPods")[0]?.message).toContain('please set ".spec.minAvailable"');
  });

  it("allow nothing while the size of what is behind a pod cannot be known", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<Job>("jobs.batch", {
      metadata: { name: "work", namespace: "default" },
      spec: { template: { ...template(), spec: { ...template().spec, restartPolicy: "Never" } } },
    });
    await world.api.create<PodDisruptionBudget>("poddisruptionbudgets.policy", {
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { matchLabels: { app: "web" } }, maxUnavailable: 1 },
    });
    await world.seconds(3);
    const message = "jobs.batch does not implement the scale subresource";
    expect(get(world)).toMatchObject({ disruptionsAllowed: 0, conditions: [{ reason: "SyncFailed", message }] });
    expect(world.events("CalculateExpectedPodCountFailed")).not.toEqual([]);
    const [pod] = world.pods();
    const evict = world.api.create("pods", { metadata: { name: pod?.metadata.name, namespace: "default" } } as never, {
      subresource: "eviction",
    });
    await expect(evict).rejects.toMatchObject({
      code: 429,
      details: {
        causes: [
          {
            reason: "DisruptionBudget",
            message: `The disruption budget web does not allow evicting pods currently because it failed sync: ${message}`,
          },
        ],
      },
    });
  });

  it("take back the mark of a disruption that does not happen within two minutes", async () => {
    const world = await worldOf(1, { maxUnavailable: 1 });
    const pod = (): Pod => world.pods()[0] as Pod;
    const lastTransitionTime = new Date(world.clock.now()).toISOString();
    const mark = { type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", lastTransitionTime };
    await world.api.updateStatus<Pod>("pods", {
      ...pod(),
      status: { ...pod().status, conditions: [...(pod().status?.conditions ?? []), mark] },
    });
    const status = () => pod().status?.conditions?.find(({ type }) => type === "DisruptionTarget")?.status;
    await world.seconds(110);
    expect(status()).toBe("True");
    await world.seconds(15);
    expect(status()).toBe("False");
  });

  it("AlwaysAllow lets pods go that are not healthy anyway", async () => {
    for (const [unhealthyPodEvictionPolicy, allowed] of [
      ["AlwaysAllow", true],
      ["IfHealthyBudget", false],
    ] as const) {
      const world = await worldOf(2, { minAvailable: 2, unhealthyPodEvictionPolicy });
      const [pod] = world.pods();
      await world.api.updateStatus<Pod>("pods", {
        ...(pod as Pod),
        status: { ...pod?.status, conditions: [{ type: "Ready", status: "False" }] },
      });
      await world.seconds(1);
      const evict = world.api.create(
        "pods",
        { metadata: { name: pod?.metadata.name, namespace: "default" } } as never,
        { subresource: "eviction" },
      );
      if (allowed) await evict;
      else await expect(evict).rejects.toMatchObject({ code: 429 });
    }
  });

  it("forget an eviction whose pod has not begun to go after two minutes", () => {
    const pod = { metadata: { name: "p" } } as Pod;
    const granted = { p: new Date(START_MS).toISOString(), gone: new Date(START_MS).toISOString() };
    expect(stillDisrupted(granted, [pod], START_MS + 60_000)).toEqual({ pods: { p: granted.p }, nextExpiryMs: 60_000 });
    expect(stillDisrupted(granted, [pod], START_MS + 120_000).pods).toEqual({});
  });
});
