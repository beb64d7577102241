import { describe, expect, it } from "vitest";
import type { Node } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, START_MS, startCluster } from "../scheduler/cluster-fixture.js";

const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

async function withNode() {
  const cluster = await startCluster();
  cluster.kubelets.start();
  await cluster.kubelets.addNode(nodeSpec("node-1"));
  await cluster.clock.advance(2_000);
  const patchStatus = (status: object) =>
    cluster.api.patch<Node>("nodes", { name: "node-1" }, "strategic", { status }, { subresource: "status" });
  return { ...cluster, patchStatus };
}

describe("the status of a node", () => {
  it("makes what others advertise in its capacity allocatable with the kubelet's next look", async () => {
    const { clock, patchStatus, getNode, kubelets } = await withNode();
    await patchStatus({ capacity: { "example.com/foo": "3" } });
    expect(getNode("node-1").status?.allocatable?.["example.com/foo"]).toBeUndefined();
    await clock.advance(10_000);
    expect(getNode("node-1").status?.allocatable?.["example.com/foo"]).toBe("3");
    // It stays when the kubelet has been away, and goes with its capacity.
    kubelets.setPower("node-1", "frozen");
    await clock.advance(5_000);
    kubelets.setPower("node-1", "running");
    await clock.advance(15_000);
    expect(getNode("node-1").status?.capacity?.["example.com/foo"]).toBe("3");
    await patchStatus({ capacity: { "example.com/foo": null } });
    await clock.advance(10_000);
    expect(getNode("node-1").status?.allocatable).toEqual(nodeSpec("node-1").allocatable);
  });

  it("is put right where the kubelet knows better, unless it is silent", async () => {
    const { clock, patchStatus, getNode, kubelets } = await withNode();
    await patchStatus({ capacity: { cpu: "64" }, allocatable: { cpu: "63" } });
    await clock.advance(10_000);
    expect(getNode("node-1").status).toMatchObject({ capacity: { cpu: "2" }, allocatable: { cpu: "1930m" } });
    kubelets.setPower("node-1", "frozen");
    await patchStatus({ capacity: { cpu: "64" } });
    await clock.advance(60_000);
    expect(getNode("node-1").status?.capacity?.cpu).toBe("64");
  });

  it("is put right when somebody else has written what the kubelet has to say", async () => {
    const { clock, patchStatus, getNode } = await withNode();
    const said = (type: string) => getNode("node-1").status?.conditions?.find((each) => each.type === type);
    const before = getNode("node-1").status?.conditions;
    const unknown = { status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
    await patchStatus({
      conditions: [
        { type: "Ready", ...unknown },
        { type: "PIDPressure", ...unknown },
      ],
    });
    expect(said("Ready")?.status).toBe("Unknown");
    await clock.advance(10_000);
    expect(said("Ready")).toMatchObject({ status: "True", reason: "KubeletReady" });
    expect(said("PIDPressure")).toMatchObject({ status: "False", reason: "KubeletHasSufficientPID" });
    expect(getNode("node-1").status?.conditions).toHaveLength(before?.length ?? 0);
  });

  it("shows heartbeats that advance every five minutes while the kubelet is up, and writes none", async () => {
    const { clock, kubelets, getNode, store, patchStatus } = await withNode();
    const heartbeats = () =>
      kubelets.withHeartbeats(getNode("node-1")).status?.conditions?.map(({ lastHeartbeatTime }) => lastHeartbeatTime);
    const { revision } = store;
    await clock.advance(600_000);
    expect(heartbeats()).toEqual(Array(4).fill(iso(START_MS + 600_000)));
    expect(store.revision).toBe(revision);
    expect(kubelets.withHeartbeats(getNode("node-1"))).toBe(kubelets.withHeartbeats(getNode("node-1")));
    kubelets.setPower("node-1", "frozen");
    await clock.advance(900_000);
    expect(heartbeats()).toEqual(Array(4).fill(iso(START_MS + 600_000)));
    // Conditions of others are theirs.
    const theirs = { type: "KernelDeadlock", status: "False", lastHeartbeatTime: iso(START_MS) };
    await patchStatus({ conditions: [theirs] });
    expect(kubelets.withHeartbeats(getNode("node-1")).status?.conditions).toContainEqual(
      expect.objectContaining(theirs),
    );
  });
});
