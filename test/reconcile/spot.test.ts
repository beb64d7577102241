import { afterEach, describe, expect, it } from "vitest";
import type { InstanceRecord } from "../../src/domain/model.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

let w: World<MemoryBackend>;
afterEach(() => w.stop());

const MINUTE_MS = 60_000;

async function spotGroup(profile: "instant" | "aws" = "instant"): Promise<InstanceRecord> {
  w = makeWorld(createMemoryBackend, { profile });
  await w.createNodegroup(await w.createCluster(), "workers", {
    capacityType: "SPOT",
    scalingConfig: { minSize: 3, maxSize: 3, desiredSize: 3 },
  });
  const [first] = w.instances();
  if (!first) throw new Error("no instance");
  return first;
}
/** As EC2 does it: the row says so, and whoever looks after the instance is told. */
function notify({ instanceId, clusterId }: InstanceRecord, notice: Partial<InstanceRecord>): void {
  const present = w.state.instances.get(instanceId);
  if (present) w.state.instances.put({ ...present, ...notice });
  w.reconcilers.nudgeAll(clusterId);
}
const row = ({ instanceId }: InstanceRecord): InstanceRecord | undefined => w.state.instances.get(instanceId);
const inService = (): number => w.instances().filter(({ lifecycle }) => lifecycle === "InService").length;
const pods = ({ clusterId, privateDnsName }: InstanceRecord): string[] =>
  w.backend.clusters.get(clusterId)?.nodes.get(privateDnsName)?.stuckPods ?? [];

describe("a Spot instance that EC2 recommends to replace", () => {
  it("is drained and goes when its replacement is in service: there is never less capacity than before", async () => {
    const first = await spotGroup("aws");
    notify(first, { rebalanceRecommendedAtMs: w.clock.now() });
    let least = 3;
    await w.until(() => {
      least = Math.min(least, inService());
      return row(first)?.lifecycle === "Terminating";
    });
    expect(least).toBe(3);
    expect(inService()).toBe(3);
    await w.until(() => row(first)?.lifecycle === "Terminated");
    expect(row(first)?.terminationReason).toBe("rebalance-recommendation");
    expect(w.backend.calls).toContain(`drainNode ${first.privateDnsName}`);
    expect(w.spread()).toEqual({ "us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1 });
  });
});

describe("a Spot instance that has been given its two minutes' notice", () => {
  it("is drained at once, while its replacement is launched", async () => {
    const first = await spotGroup();
    notify(first, { interruptionAtMs: w.clock.now() + 2 * MINUTE_MS });
    await w.until(() => row(first)?.lifecycle === "Terminated", MINUTE_MS);
    await w.until(() => inService() === 3, MINUTE_MS);
    expect(row(first)?.terminationReason).toBe("interruption");
  });

  it.each(["instant", "aws"] as const)("is gone after two minutes whatever budgets say (%s)", async (profile) => {
    const first = await spotGroup(profile);
    pods(first).push("default/stuck");
    const noticeMs = w.clock.now();
    notify(first, { interruptionAtMs: noticeMs + 2 * MINUTE_MS });
    await w.clock.advance(2 * MINUTE_MS - 1_000);
    expect(row(first)?.state).toBe("running");
    await w.until(() => row(first)?.state !== "running", 2_000);
    expect(row(first)?.terminatedAtMs).toBe(noticeMs + 2 * MINUTE_MS);
    await w.until(() => inService() === 3);
  });

  it("is gone after two minutes although it was being drained for longer already", async () => {
    const first = await spotGroup("aws");
    pods(first).push("default/stuck");
    notify(first, { rebalanceRecommendedAtMs: w.clock.now() });
    await w.until(() => row(first)?.lifecycle === "Terminating");
    const noticeMs = w.clock.now();
    notify(first, { interruptionAtMs: noticeMs + 2 * MINUTE_MS });
    await w.until(() => row(first)?.state !== "running", 3 * MINUTE_MS);
    expect(row(first)?.terminatedAtMs).toBe(noticeMs + 2 * MINUTE_MS);
  });
});
