/** What EKS does about losses, each as it is told in docs/resilience.md, at the pace of AWS. */
import { afterEach, describe, expect, it } from "vitest";
import { CLUSTER, type Drill, isReady, type Node, startDrill, ZONES } from "./drill.js";

let d: Drill;
afterEach(() => d.eksim.stop());

const START = { profile: "aws" } as const;
const zoneOf = ({ metadata }: Node): string => metadata.labels["topology.kubernetes.io/zone"] ?? "";
const firstEvent = (type: string, subject: string): number | undefined =>
  d.events().find((event) => event.type === type && event.subject === subject)?.atMs;
const told = (type: string) => d.events().filter((event) => event.type === type);
const named = async (name: string): Promise<Node | undefined> =>
  (await d.nodes()).find(({ metadata }) => metadata.name === name);

/** Three nodes, one a zone, and the first of them. */
async function started(request: Record<string, unknown> = {}): Promise<string> {
  d = await startDrill(START);
  await d.eksim.eks("POST", "/clusters", {
    name: CLUSTER,
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
  });
  await d.until(async () => (await d.clusterStatus()) === "ACTIVE", "10m");
  await d.nodegroup("workers", request);
  const node = (await d.nodes()).find((each) => zoneOf(each) === ZONES[0]);
  return node?.metadata.name ?? "";
}
const whole = async (): Promise<boolean> => Object.values(await d.spread()).join() === "1,1,1";

describe("a machine of a node group", () => {
  it("that is terminated: its node is NotReady and gone within a minute or so, and another is Ready in its zone soon after", async () => {
    const name = await started();
    const lostMs = d.eksim.now();
    await d.eksim.killNode(name);
    await d.until(async () => (await named(name)) === undefined, "2m");
    await d.until(whole, "5m");
    expect(d.eksim.now() - lostMs).toBeLessThanOrEqual(4 * 60_000);
  });

  it("that is stopped: EC2 says so, its node is tainted, the group replaces it, and the node goes with the instance", async () => {
    const name = await started();
    await d.eksim.startFault({ fault: "instance-stop", target: { nodes: [name] } });
    await d.eksim.advance("50s");
    const taints = ((await named(name)) as { spec: { taints?: { key: string }[] } } | undefined)?.spec.taints ?? [];
    expect(taints.map(({ key }) => key)).toContain("node.cloudprovider.kubernetes.io/shutdown");
    await d.until(async () => (await named(name)) === undefined && (await whole()), "10m");
    expect(told("InstanceTerminating").map(({ detail }) => detail?.reason)).toEqual(["unhealthy"]);
  });

  it("that loses its power with its zone: EC2 has it running, so that its node is unreachable but not tainted as shut down", async () => {
    const name = await started();
    await d.eksim.startFault({ fault: "zone-power-loss", target: { zone: ZONES[0] ?? "" } });
    await d.eksim.advance("50s");
    const taints = ((await named(name)) as { spec: { taints?: { key: string }[] } } | undefined)?.spec.taints ?? [];
    const keys = taints.map(({ key }) => key);
    expect(keys).toContain("node.kubernetes.io/unreachable");
    expect(keys).not.toContain("node.cloudprovider.kubernetes.io/shutdown");
  });

  it("whose kubelet is silent: nothing happens to it for hours without auto repair", async () => {
    const name = await started();
    await d.eksim.startFault({ fault: "node-freeze", target: { nodes: [name] } });
    await d.eksim.advance("3h");
    expect(isReady((await named(name)) as Node)).toBe(false);
    expect(told("InstanceTerminating")).toEqual([]);
  });

  it("whose kubelet is silent: it is replaced half an hour after its node was NotReady with auto repair", async () => {
    const name = await started({ nodeRepairConfig: { enabled: true } });
    await d.eksim.startFault({ fault: "node-freeze", target: { nodes: [name] } });
    await d.until(async () => (await named(name)) === undefined && (await whole()), "1h");
    const waitedMs = (firstEvent("NodeRepairStarted", name) ?? 0) - (firstEvent("NodeNotReady", name) ?? 0);
    expect(Math.round(waitedMs / 60_000)).toBe(30);
  });

  it("that auto repair reboots while something keeps its kubelet silent: the reboot does not wake it", async () => {
    const name = await started({
      nodeRepairConfig: {
        enabled: true,
        nodeRepairConfigOverrides: [
          {
            nodeMonitoringCondition: "Ready",
            nodeUnhealthyReason: "NodeStatusUnknown",
            minRepairWaitTimeMins: 5,
            repairAction: "Reboot",
          },
        ],
      },
    });
    const { id } = await d.eksim.startFault({ fault: "node-freeze", target: { nodes: [name] } });
    await d.eksim.advance("10m");
    expect(told("NodeRepairStarted").map(({ message }) => message)).toEqual([expect.stringMatching(/is rebooted/)]);
    expect(isReady((await named(name)) as Node)).toBe(false);
    await d.eksim.stopFault(id);
    await d.until(async () => isReady((await named(name)) as Node), "2m");
  });

  it("that is a Spot instance: recommended first, replaced before it goes; the group is never smaller than it should be", async () => {
    const name = await started({ capacityType: "SPOT" });
    await d.eksim.startFault({
      fault: "spot-interruption",
      target: { nodes: [name] },
      parameters: { rebalanceLead: "15m" },
    });
    let least = 3;
    await d.until(async () => {
      least = Math.min(least, (await d.nodes()).filter(isReady).length);
      return (await named(name)) === undefined;
    }, "15m");
    expect(least).toBe(3);
    expect(told("InstanceTerminating").map(({ detail }) => detail?.reason)).toEqual(["rebalance-recommendation"]);
    await d.until(whole, "5m");
  });

  it("that is a Spot instance: with the notice alone it is drained at once, gone after two minutes, and replaced", async () => {
    const name = await started({ capacityType: "SPOT" });
    await d.deploy("web", 3);
    await d.guard("web", { maxUnavailable: 0 });
    const noticeMs = d.eksim.now();
    await d.eksim.startFault({ fault: "spot-interruption", target: { nodes: [name] } });
    await d.eksim.advance("1s");
    expect((await named(name))?.spec.unschedulable).toBe(true);
    await d.until(async () => (await named(name)) === undefined, "5m");
    const goneMs = firstEvent("NodeRemoved", name) ?? 0;
    expect(goneMs - noticeMs).toBeGreaterThanOrEqual(2 * 60_000);
    expect(goneMs - noticeMs).toBeLessThanOrEqual(4 * 60_000);
    await d.until(whole, "5m");
  });
});

describe("a zone without capacity", () => {
  it("has its node made elsewhere, and a version update fails there in its first phase with NodeCreationFailure", async () => {
    const name = await started({ version: "1.35" });
    const { id } = await d.eksim.startFault({ fault: "insufficient-capacity", target: { zone: ZONES[0] } });
    const update = await d.updateVersion("workers", { version: "1.36" });
    const { status, errors } = await d.updateEnds(update, "workers", "30m");
    expect([status, errors[0]?.errorCode]).toEqual(["Failed", "NodeCreationFailure"]);
    await d.until(async () => (await d.nodes()).length === 3, "30m");
    const victim = (await d.nodes()).find((each) => zoneOf(each) === ZONES[0])?.metadata.name ?? name;
    await d.eksim.killNode(victim);
    await d.until(
      async () => (await named(victim)) === undefined && (await d.nodes()).filter(isReady).length === 3,
      "10m",
    );
    expect((await d.spread())[ZONES[0]]).toBeUndefined();
    expect(told("ScalingActivityFailed").at(-1)).toMatchObject({ zone: ZONES[0], subject: "workers" });
    await d.eksim.stopFault(id);
    await d.until(async () => (await whole()) && (await d.nodes()).length === 3, "30m");
  });
});
