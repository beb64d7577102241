import { describe, expect, it } from "vitest";
import { decideNodeRepair, type NodeCondition, type NodeRepairSettings } from "../../src/domain/node-repair.js";

const MINUTE_MS = 60_000;
const condition = (type: string, reason = "R", sinceMs = 0): NodeCondition => ({ type, reason, sinceMs });
const decide = (
  nodes: Record<string, NodeCondition[]>,
  minutes: number,
  settings: NodeRepairSettings = {},
  repairing = 0,
) =>
  decideNodeRepair({
    settings: { enabled: true, ...settings },
    nodes: Object.entries(nodes).map(([id, conditions]) => ({ id, conditions })),
    repairing,
    nowMs: minutes * MINUTE_MS,
  });
const repaired = (...args: Parameters<typeof decide>): string[] =>
  decide(...args).repairs.map(({ id, action }) => `${id} ${action}`);
const notReady = (count: number, total: number): Record<string, NodeCondition[]> =>
  Object.fromEntries(
    Array.from({ length: total }, (_, i) => [`n${i}`, i < count ? [condition("Ready", "NodeStatusUnknown")] : []]),
  );

describe("node auto repair", () => {
  it("replaces a node that has not been Ready for 30 minutes, and not before", () => {
    expect(decide(notReady(1, 3), 29)).toEqual({ repairs: [], nextCheckMs: 30 * MINUTE_MS });
    expect(repaired(notReady(1, 3), 30)).toEqual(["n0 Replace"]);
  });

  it("does nothing while it is not enabled", () => {
    expect(decide(notReady(1, 3), 60, { enabled: false })).toEqual({ repairs: [] });
  });

  it.each([
    ["KernelReady", "ForkFailedOutOfPIDs", 30, ["n Replace"]],
    ["AcceleratedHardwareReady", "NvidiaDoubleBitError", 10, ["n Replace"]],
    ["AcceleratedHardwareReady", "NvidiaXID79Error", 10, ["n Replace"]],
    ["AcceleratedHardwareReady", "NvidiaXID13Error", 10, ["n Reboot"]],
    ["AcceleratedHardwareReady", "DCGMDiagnosticFailure", 10, []],
    ["MemoryPressure", "KubeletHasInsufficientMemory", 600, []],
  ])("answers %s/%s after %d minutes with %o", (type, reason, minutes, expected) => {
    expect(repaired({ n: [condition(type, reason)] }, minutes)).toEqual(expected);
    expect(repaired({ n: [condition(type, reason)] }, minutes - 1)).toEqual([]);
  });

  it("follows an override for its condition and reason, and for no other reason", () => {
    const nodeRepairConfigOverrides = [
      {
        nodeMonitoringCondition: "NetworkingReady",
        nodeUnhealthyReason: "InterfaceNotUp",
        minRepairWaitTimeMins: 5,
        repairAction: "Reboot",
      },
      {
        nodeMonitoringCondition: "NetworkingReady",
        nodeUnhealthyReason: "IPAMDNotReady",
        minRepairWaitTimeMins: 1,
        repairAction: "NoAction",
      },
    ];
    const settings = { nodeRepairConfigOverrides };
    expect(repaired({ n: [condition("NetworkingReady", "InterfaceNotUp")] }, 5, settings)).toEqual(["n Reboot"]);
    expect(repaired({ n: [condition("NetworkingReady", "IPAMDNotReady")] }, 99, settings)).toEqual([]);
    expect(repaired({ n: [condition("NetworkingReady", "IPAMDNotRunning")] }, 5, settings)).toEqual([]);
  });

  it("holds back while more than five nodes and more than a fifth of them are unhealthy", () => {
    expect(decide(notReady(6, 20), 40)).toEqual({ repairs: [], held: "unhealthy-threshold" });
    expect(decide(notReady(5, 20), 40).repairs).toHaveLength(5);
    expect(decide(notReady(6, 30), 40).repairs).toHaveLength(6);
  });

  it("holds back above the group's own threshold, by count or by percentage", () => {
    expect(repaired(notReady(3, 20), 40, { maxUnhealthyNodeThresholdCount: 2 })).toEqual([]);
    expect(repaired(notReady(2, 20), 40, { maxUnhealthyNodeThresholdCount: 2 })).toHaveLength(2);
    expect(repaired(notReady(3, 10), 40, { maxUnhealthyNodeThresholdPercentage: 20 })).toEqual([]);
    expect(repaired(notReady(2, 10), 40, { maxUnhealthyNodeThresholdPercentage: 20 })).toHaveLength(2);
  });

  it("repairs no more nodes at a time than it may, those under way included", () => {
    expect(repaired(notReady(4, 20), 40, { maxParallelNodesRepairedCount: 2 })).toHaveLength(2);
    expect(repaired(notReady(4, 20), 40, { maxParallelNodesRepairedCount: 2 }, 1)).toHaveLength(1);
    expect(repaired(notReady(4, 20), 40, { maxParallelNodesRepairedPercentage: 50 })).toHaveLength(2);
    expect(repaired(notReady(1, 20), 40, { maxParallelNodesRepairedPercentage: 10 })).toHaveLength(1);
  });
});
