import { describe, expect, it } from "vitest";
import { startNodeMonitoring } from "../../../src/backends/embedded/node-monitoring.js";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { Node } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../../kubernetes/simulated-cluster.js";

const SECOND = 1_000;
const SYSTEMS = ["KernelReady", "StorageReady", "ContainerRuntimeReady", "NetworkingReady"];
const KUBELETS = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];

async function monitored() {
  const { cluster, clock } = await startSimulated();
  let note: string | undefined;
  const monitoring = startNodeMonitoring({
    cluster,
    clock,
    note: {
      get: () => note,
      put: (text) => {
        note = text;
      },
    },
  });
  await cluster.addNode(nodeSpec(0));
  const auto = nodeSpec(1);
  await cluster.addNode({ ...auto, labels: { ...auto.labels, "eks.amazonaws.com/compute-type": "auto" } });
  await clock.advance(5 * SECOND);
  const conditions = (name: string) => cluster.api.get<Node>("nodes", { name })?.status?.conditions;
  const labels = { app: "agent" };
  return {
    cluster,
    clock,
    monitoring,
    note: () => note,
    types: (name: string) => conditions(name)?.map(({ type }) => type),
    condition: (name: string, type: string) => conditionOf(conditions(name), type),
    install: () =>
      cluster.api.create("daemonsets.apps", {
        metadata: { name: "eks-node-monitoring-agent", namespace: "kube-system" },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              nodeSelector: { "kubernetes.io/hostname": "node-0" },
              containers: [{ name: "agent", image: "eks/eks-node-monitoring-agent:v1.7.0" }],
            },
          },
        },
      }),
  };
}

describe("the node monitoring agent of a simulated cluster", () => {
  it("reports of nodes of Auto Mode from the beginning, and of others once its pod runs there", async () => {
    const { clock, types, condition, install } = await monitored();
    expect(types("node-1")).toEqual([...KUBELETS, ...SYSTEMS]);
    expect(types("node-0")).toEqual(KUBELETS);
    await install();
    await clock.advance(10 * SECOND);
    expect(types("node-0")).toEqual([...KUBELETS, ...SYSTEMS]);
    expect(condition("node-0", "NetworkingReady")).toMatchObject({
      status: "True",
      reason: "NetworkingIsReady",
      message: "Monitoring for the Networking system is active",
    });
  });

  it("turns what is found wrong False and True again, and leaves its conditions when it is removed", async () => {
    const { cluster, clock, monitoring, condition, types, install, note } = await monitored();
    await install();
    await clock.advance(10 * SECOND);
    monitoring.setFindings({
      "node-0": [{ type: "NetworkingReady", reason: "IPAMDNotRunning", message: "ipamd died" }],
    });
    expect(note()).toBe('{"node-0":["NetworkingReady"]}');
    await clock.settled();
    expect(condition("node-0", "NetworkingReady")).toMatchObject({
      status: "False",
      reason: "IPAMDNotRunning",
      message: "ipamd died",
    });
    expect(condition("node-0", "KernelReady")?.status).toBe("True");
    await clock.advance(SECOND);
    monitoring.setFindings({});
    await clock.settled();
    expect(condition("node-0", "NetworkingReady")?.status).toBe("True");
    monitoring.setFindings({});
    expect(note()).toBe("{}");
    const agent = { namespace: "kube-system", name: "eks-node-monitoring-agent" };
    await cluster.api.delete("daemonsets.apps", agent);
    await clock.advance(60 * SECOND);
    expect(types("node-0")).toEqual([...KUBELETS, ...SYSTEMS]);
    monitoring.stop();
  });
});
