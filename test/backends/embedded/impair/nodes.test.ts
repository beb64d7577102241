import { afterEach, describe, expect, it } from "vitest";
import {
  BackendError,
  type ClusterBackend,
  type NodeSpec,
  type Observation,
} from "../../../../src/backends/backend.js";
import { createEmbeddedBackend } from "../../../../src/backends/embedded/embedded-backend.js";
import { createClock } from "../../../../src/clock/create-clock.js";
import { type Impairments, NOTHING_WRONG, type NodeImpairment } from "../../../../src/domain/impairments.js";
import { monitoringReports } from "../../../../src/domain/node-monitoring.js";
import { openState } from "../../../../src/state/sqlite.js";
import { contractNode, contractSpec } from "../../contract.js";

const SECOND = 1_000;
const MINUTE = 60_000;
const ID = contractSpec.clusterId;
const log = { debug: () => {}, warn: () => {}, error: () => {} };
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A cluster of the embedded backend with these nodes, and how it goes on after a crash. */
async function withNodes(nodes: readonly NodeSpec[]) {
  const state = openState({ file: ":memory:" });
  const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: Date.UTC(2026, 8, 1) });
  const make = (): ClusterBackend =>
    createEmbeddedBackend({
      clock,
      log,
      host: "127.0.0.1",
      persistenceFor: (clusterId) => state.objects(clusterId),
      secrets: state.secrets,
      accessFor: () => ({ authenticate: () => undefined, authorize: () => ({ decision: "no-opinion", reason: "" }) }),
    });
  let backend = make();
  stops.push(async () => {
    await backend.close();
    clock.stop();
    state.close();
  });
  const seen: Observation[] = [];
  const look = (): void => void backend.observe(ID, (observation) => seen.push(observation));
  await backend.createCluster(contractSpec);
  look();
  for (const node of nodes) await backend.addNode(ID, node);
  await clock.advance(MINUTE);
  return {
    clock,
    nodeSeen: ({ name }: NodeSpec) =>
      seen.findLast(
        (one): one is Extract<Observation, { kind: "node" }> => one.kind === "node" && one.nodeName === name,
      ),
    impair: (wrong: Record<string, NodeImpairment>) =>
      backend.impair?.(ID, { ...NOTHING_WRONG, nodes: wrong } satisfies Impairments),
    isolate: (node: NodeSpec, power: "isolated" | "running") => backend.setNodePower(ID, node.name, power),
    /** The add-on, as far as it matters here: its DaemonSet. */
    async installAgent() {
      const labels = { "app.kubernetes.io/name": "eks-node-monitoring-agent" };
      const containers = [{ name: "eks-node-monitoring-agent", image: "eks/eks-node-monitoring-agent:v1.7.0" }];
      const object = {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata: { name: "eks-node-monitoring-agent", namespace: "kube-system" },
        spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
      };
      await backend.objects?.apply(ID, [{ resource: "daemonsets.apps", object }], { manager: "eks", mode: "take" });
      await clock.advance(MINUTE);
    },
    async crash() {
      await backend.close();
      backend = make();
      await backend.adoptCluster(contractSpec, nodes);
      seen.length = 0;
      look();
    },
  };
}

const [one, two] = [0, 1].map(contractNode) as [NodeSpec, NodeSpec];
const NETWORK = { type: "NetworkingReady", reason: "IPAMDNotRunning" };

describe("what is found wrong with a node", () => {
  it("is reported without the monitoring agent too, and leaves no trace", async () => {
    const { clock, nodeSeen, impair } = await withNodes([one, two]);
    await impair({ [one.name]: { conditions: [NETWORK, { type: "KernelReady", reason: "ForkFailedOutOfPIDs" }] } });
    await clock.advance(SECOND);
    expect(nodeSeen(one)?.unhealthy).toEqual([NETWORK, { type: "KernelReady", reason: "ForkFailedOutOfPIDs" }]);
    expect(nodeSeen(two)?.unhealthy).toEqual([]);
    await impair({ [one.name]: { conditions: [NETWORK] } });
    await clock.advance(SECOND);
    expect(nodeSeen(one)?.unhealthy).toEqual([NETWORK]);
    await impair({});
    await clock.advance(SECOND);
    expect(nodeSeen(one)?.unhealthy).toEqual([]);
  });

  it("is reported by the agent, which says so again when it is well", async () => {
    const { clock, nodeSeen, impair, installAgent } = await withNodes([one]);
    await installAgent();
    await impair({ [one.name]: { conditions: [NETWORK] } });
    await clock.advance(SECOND);
    expect(nodeSeen(one)).toMatchObject({ ready: true, unhealthy: [NETWORK] });
    await impair({});
    await clock.advance(SECOND);
    expect(nodeSeen(one)?.unhealthy).toEqual([]);
  });

  it("is unsaid by the next process when the one that said it has died, even if the node was silent then", async () => {
    const { clock, nodeSeen, impair, isolate, crash } = await withNodes([one]);
    await impair({ [one.name]: { conditions: [NETWORK] } });
    await clock.advance(SECOND);
    await crash();
    await clock.advance(MINUTE);
    expect(nodeSeen(one)?.unhealthy).toEqual([]);
    await impair({ [one.name]: { conditions: [NETWORK] } });
    await clock.advance(SECOND);
    await isolate(one, "isolated");
    await impair({});
    await clock.advance(MINUTE);
    expect(nodeSeen(one)?.unhealthy).toContainEqual(NETWORK);
    await crash();
    await clock.advance(MINUTE);
    expect(nodeSeen(one)).toMatchObject({ ready: true, unhealthy: [] });
  });

  it("stands of a node that joins while it is said", async () => {
    const { clock, nodeSeen, impair, isolate } = await withNodes([one]);
    await isolate(one, "isolated");
    await impair({ [one.name]: { conditions: [NETWORK] } });
    await clock.advance(MINUTE);
    expect(nodeSeen(one)?.unhealthy).toEqual([{ type: "Ready", reason: "NodeStatusUnknown" }]);
    await isolate(one, "running");
    await clock.advance(5 * SECOND);
    expect(nodeSeen(one)?.unhealthy).toEqual([NETWORK]);
  });

  it.each(["Ready", "DiskPressure"])("cannot be the kubelet's own condition %s", async (type) => {
    const { impair, nodeSeen } = await withNodes([one]);
    const refused = await impair({ [one.name]: { conditions: [{ type, reason: "X" }], diskFull: true } })?.catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(BackendError);
    expect(refused).toMatchObject({ code: "unsupported", message: expect.stringContaining(type) });
    expect(nodeSeen(one)?.unhealthy).toEqual([]);
  });
});

describe("a clock that is wrong", () => {
  it.each([
    ["4 min ahead", 4, true],
    ["6 min ahead", 6, false],
    ["14 min behind", -14, true],
    ["16 min behind", -16, false],
  ] as const)("%s: the kubelet's tokens are honoured as STS honours them", async (_, minutes, honoured) => {
    const { clock, nodeSeen, impair } = await withNodes([one]);
    await impair({ [one.name]: { clockSkewMs: minutes * MINUTE } });
    await clock.advance(2 * MINUTE);
    expect(nodeSeen(one)?.ready).toBe(honoured);
    await impair({});
    await clock.advance(MINUTE);
    expect(nodeSeen(one)?.ready).toBe(true);
  });
});

describe("the node monitoring agent", () => {
  const systems = ["KernelReady", "StorageReady", "ContainerRuntimeReady", "NetworkingReady"];

  it("reports four systems of every node, and the accelerators of those that have some", () => {
    const of = (capacity: Record<string, string>) => monitoringReports({ isMonitored: true, capacity, findings: [] });
    expect(Object.keys(of({ cpu: "2" }))).toEqual(systems);
    expect(of({}).StorageReady).toEqual({
      status: "True",
      reason: "DiskIsReady",
      message: "Monitoring for the Disk system is active",
    });
    expect(of({ "nvidia.com/gpu": "1" }).AcceleratedHardwareReady?.reason).toBe("NvidiaGPUIsReady");
    expect(of({ "aws.amazon.com/neuron": "2" }).AcceleratedHardwareReady?.reason).toBe(
      "NeuronAcceleratedHardwareIsReady",
    );
    expect(of({ "nvidia.com/gpu": "0" }).AcceleratedHardwareReady).toBeUndefined();
    expect(monitoringReports({ isMonitored: false, capacity: {}, findings: [] })).toEqual({});
  });
});
