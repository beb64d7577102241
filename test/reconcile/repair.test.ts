import { afterEach, describe, expect, it } from "vitest";
import type { InstanceRecord, NodegroupRecord } from "../../src/domain/model.js";
import { SCOPE } from "../state/records.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

let w: World<MemoryBackend>;
afterEach(() => w.stop());

const MINUTE_MS = 60_000;

async function workers(changes: Partial<NodegroupRecord>): Promise<InstanceRecord> {
  w = makeWorld(createMemoryBackend);
  await w.createNodegroup(await w.createCluster(), "workers", changes);
  const [first] = w.instances();
  if (!first) throw new Error("no instance");
  return first;
}

const freeze = ({ clusterId, privateDnsName }: InstanceRecord) =>
  w.backend.setNodePower(clusterId, privateDnsName, "frozen");
const alive = (): string[] =>
  w
    .instances()
    .filter(({ lifecycle }) => lifecycle === "InService")
    .map(({ instanceId }) => instanceId);

describe("a node whose kubelet has fallen silent", () => {
  it("stays for ever when its group has no auto repair: EC2 finds nothing wrong with the machine", async () => {
    const first = await workers({});
    await freeze(first);
    await w.clock.advance(180 * MINUTE_MS);
    expect(alive()).toContain(first.instanceId);
  });

  it("is replaced after 30 minutes when auto repair is enabled", async () => {
    const first = await workers({ nodeRepairConfig: { enabled: true } });
    await freeze(first);
    await w.clock.advance(30 * MINUTE_MS);
    expect(alive()).toContain(first.instanceId);
    await w.until(() => alive().length === 6 && !alive().includes(first.instanceId), 20 * MINUTE_MS);
    const told = w.state.events.read({}).find(({ type }) => type === "NodeRepairStarted");
    expect(told).toMatchObject({ subject: first.privateDnsName, detail: { condition: "Ready" } });
    expect(w.state.instances.get(first.instanceId)?.terminationReason).toBe("repair");
  });

  it("is left in peace when it comes back in time", async () => {
    const first = await workers({ nodeRepairConfig: { enabled: true } });
    await freeze(first);
    await w.clock.advance(25 * MINUTE_MS);
    await w.backend.setNodePower(first.clusterId, first.privateDnsName, "running");
    await w.clock.advance(60 * MINUTE_MS);
    expect(alive()).toContain(first.instanceId);
  });

  it("counts from when it fell silent, over a restart", async () => {
    const first = await workers({ nodeRepairConfig: { enabled: true } });
    await freeze(first);
    await w.clock.advance(20 * MINUTE_MS);
    await w.reconcilers.stop();
    const before = w;
    w = makeWorld(() => before.backend, { state: before.state, startMs: before.clock.now() });
    await w.until(() => w.state.instances.get(first.instanceId)?.lifecycle !== "InService", 11 * MINUTE_MS);
  });
});

describe("a node group whose zones are all without power", () => {
  it("is DEGRADED with EC2's words while nothing can be launched, and heals by itself", async () => {
    await workers({});
    const zones = ["us-east-1a", "us-east-1b", "us-east-1c"];
    for (const zone of zones) await w.faults.failZone(SCOPE, zone);
    await w.until(() => w.group("workers")?.status === "DEGRADED");
    const issue = w.group("workers")?.healthIssues[0];
    expect(issue?.code).toBe("AsgInstanceLaunchFailures");
    expect(issue?.message).toMatch(/^Could not launch On-Demand Instances\. InsufficientInstanceCapacity - /);
    expect(issue?.resourceIds).toEqual(["eks-workers-52c9102a-ff44-c5cc-a5db-cb7148ff6893"]);
    for (const zone of zones) await w.faults.restoreZone(SCOPE, zone);
    await w.until(() => w.group("workers")?.status === "ACTIVE" && alive().length === 6);
    expect(w.group("workers")?.healthIssues).toEqual([]);
  });
});
