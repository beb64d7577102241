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

const sick = (instance: InstanceRecord, type: string, reason: string): void =>
  w.backend.report(instance.clusterId, instance.privateDnsName, [{ type, reason }]);
const well = ({ clusterId, privateDnsName }: InstanceRecord): void => w.backend.report(clusterId, privateDnsName, []);
const told = (type: string): string[] =>
  w.state.events
    .read({})
    .filter((event) => event.type === type)
    .map(({ subject }) => subject);
const REPAIR = { enabled: true };

describe("node auto repair of what the node monitoring agent finds", () => {
  it("reboots a node that a reboot mends: instance and node stay, and when it is well nothing more is done", async () => {
    const first = await workers({ nodeRepairConfig: REPAIR });
    sick(first, "AcceleratedHardwareReady", "NvidiaXID31Error");
    await w.until(() => w.backend.calls.includes(`rebootNode ${first.privateDnsName}`), 11 * MINUTE_MS);
    well(first);
    await w.clock.advance(60 * MINUTE_MS);
    expect(w.backend.calls.filter((call) => call.startsWith("rebootNode"))).toHaveLength(1);
    expect(w.backend.calls.filter((call) => call.startsWith("setNodePower"))).toEqual([]);
    expect(alive()).toContain(first.instanceId);
    expect(told("NodeRepairStarted")).toEqual([first.privateDnsName]);
  });

  it("reboots it again after another wait when that did not help", async () => {
    const first = await workers({ nodeRepairConfig: REPAIR });
    sick(first, "AcceleratedHardwareReady", "NvidiaXID31Error");
    await w.clock.advance(21 * MINUTE_MS);
    expect(w.backend.calls.filter((call) => call.startsWith("rebootNode"))).toHaveLength(2);
    expect(alive()).toContain(first.instanceId);
  });

  it("drains a node before it replaces it, and lets budgets keep it for 15 minutes at most", async () => {
    w = makeWorld(createMemoryBackend, { profile: "aws" });
    await w.createNodegroup(await w.createCluster(), "workers", { nodeRepairConfig: REPAIR });
    const [first] = w.instances();
    if (!first) throw new Error("no instance");
    w.backend.clusters.get(first.clusterId)?.nodes.get(first.privateDnsName)?.stuckPods.push("default/stuck");
    sick(first, "NetworkingReady", "IPAMDNotRunning");
    await w.clock.advance(31 * MINUTE_MS);
    expect(w.backend.calls).toContain(`drainNode ${first.privateDnsName}`);
    expect(w.state.instances.get(first.instanceId)).toMatchObject({ lifecycle: "Terminating", state: "running" });
    await w.clock.advance(13 * MINUTE_MS);
    expect(w.state.instances.get(first.instanceId)?.state).toBe("running");
    await w.until(() => alive().length === 6 && !alive().includes(first.instanceId), 10 * MINUTE_MS);
  });

  it("does nothing where an override says NoAction, and waits as long as an override says", async () => {
    const override = (
      nodeMonitoringCondition: string,
      nodeUnhealthyReason: string,
      minutes: number,
      action: string,
    ) => ({
      nodeMonitoringCondition,
      nodeUnhealthyReason,
      minRepairWaitTimeMins: minutes,
      repairAction: action,
    });
    const first = await workers({
      nodeRepairConfig: {
        ...REPAIR,
        nodeRepairConfigOverrides: [
          override("KernelReady", "ForkFailedOutOfPIDs", 1, "NoAction"),
          override("NetworkingReady", "InterfaceNotUp", 3, "Reboot"),
        ],
      },
    });
    sick(first, "KernelReady", "ForkFailedOutOfPIDs");
    await w.clock.advance(90 * MINUTE_MS);
    expect(told("NodeRepairStarted")).toEqual([]);
    sick(first, "NetworkingReady", "InterfaceNotUp");
    await w.clock.advance(3 * MINUTE_MS);
    expect(w.backend.calls).toContain(`rebootNode ${first.privateDnsName}`);
  });

  it("forgets a node whose condition is restored in time", async () => {
    const first = await workers({ nodeRepairConfig: REPAIR });
    sick(first, "StorageReady", "Broken");
    await w.clock.advance(29 * MINUTE_MS);
    well(first);
    await w.clock.advance(MINUTE_MS);
    sick(first, "StorageReady", "Broken");
    await w.clock.advance(29 * MINUTE_MS);
    expect(told("NodeRepairStarted")).toEqual([]);
  });

  it("begins nothing above its threshold, goes on with what it has begun, says so, and goes on when fewer are unhealthy", async () => {
    w = makeWorld(createMemoryBackend, { profile: "aws" });
    await w.createNodegroup(await w.createCluster(), "workers", {
      nodeRepairConfig: { ...REPAIR, maxUnhealthyNodeThresholdCount: 2 },
    });
    const [one, two, three] = w.instances();
    if (!one || !two || !three) throw new Error("too few instances");
    w.backend.clusters.get(one.clusterId)?.nodes.get(one.privateDnsName)?.stuckPods.push("default/stuck");
    sick(one, "NetworkingReady", "IPAMDNotRunning");
    await w.until(() => told("NodeRepairStarted").length === 1, 31 * MINUTE_MS);
    sick(two, "Ready", "KubeletDown");
    sick(three, "Ready", "KubeletDown");
    await w.clock.advance(10 * MINUTE_MS);
    expect(w.state.instances.get(one.instanceId)?.lifecycle).toBe("Terminating");
    await w.until(() => w.state.instances.get(one.instanceId)?.lifecycle === "Terminated", 10 * MINUTE_MS);
    const four = w.instances().find(({ instanceId }) => ![two, three].some((each) => each.instanceId === instanceId));
    if (!four) throw new Error("no fourth");
    sick(four, "KernelReady", "ForkFailedOutOfPIDs");
    await w.clock.advance(60 * MINUTE_MS);
    expect(told("NodeRepairStarted")).toHaveLength(1);
    expect(told("NodeRepairHeld")).toEqual(["workers"]);
    well(four);
    await w.until(() => told("NodeRepairStarted").length === 3, MINUTE_MS);
    expect(told("NodeRepairResumed")).toEqual(["workers"]);
  });

  it("repairs one at a time when told so, a node that reboots included", async () => {
    const first = await workers({ nodeRepairConfig: { ...REPAIR, maxParallelNodesRepairedCount: 1 } });
    const [, second] = w.instances();
    if (!second) throw new Error("no second");
    sick(first, "AcceleratedHardwareReady", "NvidiaXID31Error");
    sick(second, "AcceleratedHardwareReady", "NvidiaXID31Error");
    await w.clock.advance(11 * MINUTE_MS);
    expect(told("NodeRepairStarted")).toHaveLength(1);
    const [begun] = told("NodeRepairStarted");
    well(begun === first.privateDnsName ? first : second);
    await w.until(() => told("NodeRepairStarted").length === 2, MINUTE_MS);
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
