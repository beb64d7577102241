import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BackendError, type NodeDemand } from "../../src/backends/backend.js";
import type { InstanceRecord } from "../../src/domain/model.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

const MINUTE_MS = 60_000;

let w: World<MemoryBackend>;
let pods: NodeDemand["pods"];
beforeEach(() => {
  w = makeWorld(createMemoryBackend);
  pods = [{ uid: "pod-1", requests: { milliCpu: 1_000, memory: 1_000 }, requirements: [], tolerations: [] }];
  w.backend.nodeDemand = async () => ({
    pods,
    busy: {},
    overhead: { milliCpu: 0, memory: 0 },
    pools: [{ name: "p", weight: 0, requirements: [], labels: {}, taints: [], consolidateAfter: "Never" }],
  });
});
afterEach(() => w.stop());

const all = (): InstanceRecord[] => w.state.instances.ofCluster("IDdemo", { terminated: true });
const row = (id = ""): InstanceRecord | undefined => w.state.instances.get(id);
async function launched(): Promise<InstanceRecord> {
  const computeConfig = { enabled: true, nodePools: ["general-purpose"] };
  await w.createCluster("demo", { computeConfig });
  await w.until(() => all().length > 0);
  return all()[0] as InstanceRecord;
}

describe("an instance of EKS Auto Mode", () => {
  it("that has not joined after 15 minutes is ended, and others are launched in its place, three of them at most", async () => {
    w.backend.addNode = async () => {};
    const { instanceId, launchedAtMs } = await launched();
    await w.until(() => row(instanceId)?.lifecycle !== "Pending", 20 * MINUTE_MS);
    expect(w.clock.now() - launchedAtMs).toBe(15 * MINUTE_MS);
    expect(row(instanceId)?.terminationReason).toBe("unregistered");
    await w.clock.advance(50 * MINUTE_MS);
    expect(w.state.events.read({}).filter(({ type }) => type === "InstanceLaunched")).toHaveLength(3);
  });

  it("that EC2 takes back goes on its notice, not on the recommendation before, and is gone after two minutes", async () => {
    const { instanceId, privateDnsName, clusterId } = await launched();
    await w.until(() => row(instanceId)?.lifecycle === "InService");
    pods = [];
    w.backend.clusters.get(clusterId)?.nodes.get(privateDnsName)?.stuckPods.push("default/stuck");
    const notify = (notice: Partial<InstanceRecord>): void => {
      w.state.instances.put({ ...(row(instanceId) as InstanceRecord), ...notice });
      w.reconcilers.nudgeAll(clusterId);
    };
    notify({ rebalanceRecommendedAtMs: w.clock.now() });
    await w.clock.advance(5 * MINUTE_MS);
    expect(row(instanceId)?.lifecycle).toBe("InService");
    notify({ interruptionAtMs: w.clock.now() + 2 * MINUTE_MS });
    await w.clock.advance(2 * MINUTE_MS - 1_000);
    expect(row(instanceId)).toMatchObject({ lifecycle: "Terminating", state: "running" });
    await w.clock.advance(2_000);
    expect(row(instanceId)?.state).not.toBe("running");
    expect(row(instanceId)?.terminationReason).toBe("interruption");
  });

  it("that repair replaces goes without waiting for its pods, and is never rebooted", async () => {
    const { instanceId, privateDnsName, clusterId } = await launched();
    await w.until(() => row(instanceId)?.lifecycle === "InService");
    pods = [];
    w.backend.clusters.get(clusterId)?.nodes.get(privateDnsName)?.stuckPods.push("default/stuck");
    w.backend.report(clusterId, privateDnsName, [{ type: "AcceleratedHardwareReady", reason: "NvidiaXID31Error" }]);
    await w.clock.advance(10 * MINUTE_MS + 1_000);
    expect(w.backend.calls).not.toContain(`rebootNode ${privateDnsName}`);
    expect(row(instanceId)).toMatchObject({ terminationReason: "repair", lifecycle: "Terminated" });
  });

  describe("whose replacement came to nothing", () => {
    async function twoLeft(): Promise<{ one: InstanceRecord; two: InstanceRecord; settled: () => Promise<void> }> {
      const [pod] = pods;
      pods = [1, 2].map((n) => ({ ...(pod as (typeof pods)[number]), uid: `pod-${n}`, apart: "web" }));
      const { clusterId } = await launched();
      await w.until(() => all().filter(({ lifecycle }) => lifecycle === "InService").length === 2);
      pods = [];
      const [one, two] = all() as [InstanceRecord, InstanceRecord];
      for (const { instanceId } of [one, two])
        w.state.instances.put({ ...(row(instanceId) as InstanceRecord), replacementId: "i-gone" });
      const settled = async (): Promise<void> => {
        w.reconcilers.nudgeAll(clusterId);
        await w.until(() => [one, two].every(({ instanceId }) => row(instanceId)?.replacementId === undefined));
      };
      return { one, two, settled };
    }

    it("keeps what is noted of it while a node is written", async () => {
      const { one, two, settled } = await twoLeft();
      const { patchNode } = w.backend;
      w.backend.patchNode = async (...asked) => {
        await patchNode(...asked);
        if (asked[1] !== one.privateDnsName) return;
        for (const { instanceId } of [one, two])
          w.state.instances.put({ ...(row(instanceId) as InstanceRecord), rebalanceRecommendedAtMs: 1 });
      };
      await settled();
      expect([one, two].map(({ instanceId }) => row(instanceId)?.rebalanceRecommendedAtMs)).toEqual([1, 1]);
    });

    it("takes pods again, though its node could not be written at first", async () => {
      const { one, two, settled } = await twoLeft();
      const opened = new Set<string>();
      let isAway = true;
      w.backend.patchNode = async (_cluster, name, { removeTaints }) => {
        if (isAway && name === one.privateDnsName) {
          isAway = false;
          throw new BackendError("unavailable", "no quorum");
        }
        if (removeTaints?.some(({ key }) => key === "karpenter.sh/disrupted")) opened.add(name);
      };
      await settled();
      expect([...opened].sort()).toEqual([one.privateDnsName, two.privateDnsName].sort());
    });
  });
});
