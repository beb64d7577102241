import { afterEach, describe, expect, it } from "vitest";
import { CLUSTER, type Drill, isReady, type Node, startDrill, ZONES } from "./drill.js";

let d: Drill;
afterEach(() => d.eksim.stop());

interface NodeClaim {
  metadata: { name: string; labels: Record<string, string> };
  status: { nodeName?: string; providerID: string; conditions: { type: string; status: string }[] };
}

const POOLS = "/apis/karpenter.sh/v1/nodepools";
const CLAIMS = "/apis/karpenter.sh/v1/nodeclaims";
const claims = async (): Promise<NodeClaim[]> =>
  (await d.eksim.kubernetes<{ items: NodeClaim[] }>(CLUSTER, "GET", CLAIMS)).items;

async function start(): Promise<void> {
  d = await startDrill();
  await d.eksim.eks("POST", "/clusters", {
    name: CLUSTER,
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    accessConfig: { authenticationMode: "API" },
    bootstrapSelfManagedAddons: false,
    computeConfig: {
      enabled: true,
      nodePools: ["general-purpose"],
      nodeRoleArn: "arn:aws:iam::000000000000:role/auto-node",
    },
    storageConfig: { blockStorage: { enabled: true } },
    kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
    zonalShiftConfig: { enabled: true },
  });
  await d.until(async () => (await d.clusterStatus()) === "ACTIVE");
  await d.eksim.advance("1s");
}
const containers = (cpu: string) => [{ name: "app", image: "nginx", resources: { requests: { cpu } } }];
const deploy = (name: string, replicas: number, cpu: string, spec: Record<string, unknown> = {}) =>
  d.deploy(name, replicas, { terminationGracePeriodSeconds: 1, containers: containers(cpu), ...spec });
async function scale(name: string, replicas: number): Promise<void> {
  await d.eksim.kubernetes(CLUSTER, "PUT", `/apis/apps/v1/namespaces/default/deployments/${name}/scale`, {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: { name, namespace: "default" },
    spec: { replicas },
  });
}
async function setPool(disruption: Record<string, unknown>): Promise<void> {
  const pool = await d.eksim.kubernetes<{ spec: Record<string, unknown> }>(CLUSTER, "GET", `${POOLS}/general-purpose`);
  await d.eksim.kubernetes(CLUSTER, "PUT", `${POOLS}/general-purpose`, { ...pool, spec: { ...pool.spec, disruption } });
}
async function editPool({ labels }: { labels: Record<string, string> }): Promise<void> {
  interface Pool {
    spec: { template: { metadata?: { labels?: Record<string, string> } } };
  }
  const pool = await d.eksim.kubernetes<Pool>(CLUSTER, "GET", `${POOLS}/general-purpose`);
  const { template } = pool.spec;
  const metadata = { ...template.metadata, labels: { ...template.metadata?.labels, ...labels } };
  const spec = { ...pool.spec, template: { ...template, metadata } };
  await d.eksim.kubernetes(CLUSTER, "PUT", `${POOLS}/general-purpose`, { ...pool, spec });
}
async function annotatePod(name: string, value: string | null): Promise<void> {
  const path = `/api/v1/namespaces/default/pods/${name}`;
  const pod = await d.eksim.kubernetes<{ metadata: { annotations?: Record<string, string> } }>(CLUSTER, "GET", path);
  const { "karpenter.sh/do-not-disrupt": _, ...rest } = pod.metadata.annotations ?? {};
  const annotations = { ...rest, ...(value === null ? {} : { "karpenter.sh/do-not-disrupt": value }) };
  await d.eksim.kubernetes(CLUSTER, "PUT", path, { ...pod, metadata: { ...pod.metadata, annotations } });
}
const cores = (nodes: Node[]): number =>
  nodes.reduce((sum, { metadata }) => sum + Number(metadata.labels["eks.amazonaws.com/instance-cpu"]), 0);
const told = (type: string) => d.events().filter((event) => event.type === type);
const reasons = (): unknown[] => told("InstanceTerminating").map(({ detail }) => detail?.reason);
const zones = async (): Promise<string[]> =>
  (await d.nodes()).map(({ metadata }) => metadata.labels["topology.kubernetes.io/zone"] ?? "").sort();

describe("nodes of EKS Auto Mode", () => {
  it("each have a claim that users can read and not write", async () => {
    await start();
    await deploy("web", 1, "1500m");
    const [claim, ...others] = await claims();
    const [node] = await d.nodes();
    expect(others).toEqual([]);
    expect(claim?.metadata.name).toMatch(/^general-purpose-[0-9a-f]{5}$/);
    expect(claim?.status).toMatchObject({ nodeName: node?.metadata.name, providerID: expect.stringMatching(/^aws:/) });
    expect(claim?.status.conditions.every(({ status }) => status === "True")).toBe(true);
    const path = `${CLAIMS}/${claim?.metadata.name}`;
    await expect(d.eksim.kubernetes(CLUSTER, "DELETE", path)).rejects.toThrow(/keeps its node claims itself/);
    await expect(d.eksim.kubernetes(CLUSTER, "PUT", path, { ...claim, spec: {} })).rejects.toThrow(/node pool instead/);
    await scale("web", 0);
    await d.until(async () => (await claims()).length === 0);
    expect(await d.nodes()).toEqual([]);
  });

  it("are replaced by a smaller one when their pods would fit there, which serves before they go", async () => {
    await start();
    await deploy("web", 6, "1");
    const before = cores(await d.nodes());
    await scale("web", 1);
    let least = 9;
    await d.until(async () => {
      least = Math.min(least, (await d.nodes()).filter(isReady).length);
      return (
        told("NodeDisrupted").length > 0 && (await d.nodes()).length === 1 && told("InstanceTerminated").length > 0
      );
    }, "10m");
    expect(least).toBeGreaterThan(0);
    expect(cores(await d.nodes())).toBeLessThan(before);
    await d.until(async () => (await d.podsOf("web")).filter(isReady).length === 1);
    expect(reasons()).toContain("underutilized");
    await d.eksim.advance("30m");
    expect(told("NodeDisrupted")).toHaveLength(1);
  });

  it("stay when their pool gives up empty nodes alone, when a budget forbids it, and when a pod must not be disturbed", async () => {
    await start();
    await setPool({ consolidationPolicy: "WhenEmpty", consolidateAfter: "30s" });
    await deploy("web", 6, "1");
    await scale("web", 1);
    await d.eksim.advance("20m");
    await setPool({
      consolidationPolicy: "WhenEmptyOrUnderutilized",
      consolidateAfter: "30s",
      budgets: [{ nodes: "100%" }, { nodes: "0", schedule: "0 0 * * *", duration: "8h", reasons: ["Underutilized"] }],
    });
    await d.eksim.advance("20m");
    expect(told("NodeDisrupted")).toEqual([]);
    // The window of the second budget ends at eight.
    await d.until(() => told("NodeDisrupted").length === 1, "9h");
    expect(new Date(told("NodeDisrupted")[0]?.atMs ?? 0).getUTCHours()).toBe(8);
  });

  it("are not launched in a zone that the cluster is shifted away from, and none is given up meanwhile", async () => {
    await start();
    await d.eksim.startZonalShift({ cluster: CLUSTER, awayFrom: ZONES[0], expiresIn: "2h" });
    await deploy("web", 4, "1500m", {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } },
          ],
        },
      },
    });
    expect(new Set(await zones())).toEqual(new Set([ZONES[1], ZONES[2]]));
    await scale("web", 1);
    await d.eksim.advance("90m");
    expect(await d.nodes()).toHaveLength(4);
    await d.until(async () => (await d.nodes()).length === 1, "2h");
  });

  it("are launched where there is capacity; what EC2 has refused is asked for again after three minutes only", async () => {
    await start();
    const out = (zone: string) => d.eksim.startFault({ fault: "insufficient-capacity", target: { zone } });
    const { id } = await out(ZONES[0]);
    await out(ZONES[1]);
    await deploy("first", 1, "1500m");
    expect(await zones()).toEqual([ZONES[2]]);
    expect(told("OfferingsUnavailable").map(({ zone }) => zone)).toEqual([ZONES[0], ZONES[1]]);
    await d.eksim.stopFault(id);
    await deploy("second", 1, "3");
    expect(await zones()).toEqual([ZONES[2], ZONES[2]]);
    await d.eksim.advance("3m");
    await deploy("third", 1, "7");
    expect(await zones()).toContain(ZONES[0]);
  });

  it("that have drifted go one at a time, each when its replacement is Ready", async () => {
    await start();
    await deploy("web", 4, "1500m", {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } },
          ],
        },
      },
    });
    const before = new Set((await d.nodes()).map(({ metadata }) => metadata.name));
    expect(before.size).toBe(4);
    await setPool({ budgets: [{ nodes: "50%" }] });
    await editPool({ labels: { team: "blue" } });
    let [leastNodes, leastPods, mostNodes] = [9, 9, 0];
    await d.until(async () => {
      const ready = (await d.nodes()).filter(isReady);
      leastNodes = Math.min(leastNodes, ready.length);
      mostNodes = Math.max(mostNodes, ready.length);
      leastPods = Math.min(leastPods, (await d.podsOf("web")).filter(isReady).length);
      return ready.length === 4 && !ready.some(({ metadata }) => before.has(metadata.name));
    }, "1h");
    // While a pod moves it is not Ready, but nowhere is there a node less.
    expect([leastNodes, mostNodes]).toEqual([4, 5]);
    expect(leastPods).toBe(3);
    expect(told("NodeDisrupted").map(({ detail }) => detail?.reason)).toEqual(Array(4).fill("Drifted"));
    expect(reasons()).toEqual(Array(4).fill("drift"));
    expect((await d.nodes()).every(({ metadata }) => metadata.labels.team === "blue")).toBe(true);
  });

  it("that have drifted stay while EC2 has nothing in their place, and go when it has", async () => {
    await start();
    await deploy("web", 1, "1500m");
    const [old] = await d.nodes();
    for (const zone of ZONES) await d.eksim.startFault({ fault: "insufficient-capacity", target: { zone } });
    await editPool({ labels: { team: "blue" } });
    await d.eksim.advance("30m");
    expect((await d.nodes()).map(({ metadata }) => metadata.name)).toEqual([old?.metadata.name]);
    expect((await d.podsOf("web")).filter(isReady)).toHaveLength(1);
    await d.eksim.stopAllFaults();
    await d.until(async () => (await d.nodes()).every(({ metadata }) => metadata.labels.team === "blue"), "15m");
    await d.until(async () => (await d.podsOf("web")).filter(isReady).length === 1, "1m");
  });

  it("are given up when nothing but a disruption budget that kept them changes", async () => {
    await start();
    await deploy("web", 6, "1");
    const budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    await d.eksim.kubernetes(CLUSTER, "POST", budget, {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "web" },
      spec: { maxUnavailable: 0, selector: { matchLabels: { app: "web" } } },
    });
    await scale("web", 1);
    await d.eksim.advance("30m");
    expect(told("NodeDisrupted")).toEqual([]);
    await d.eksim.kubernetes(CLUSTER, "DELETE", `${budget}/web`);
    await d.until(() => told("NodeDisrupted").length === 1, "1m");
  });

  it("are given up when nothing but the budgets of their pool change, or what a pod says of itself", async () => {
    await start();
    await deploy("web", 6, "1");
    await setPool({ budgets: [{ nodes: "0" }] });
    await scale("web", 1);
    await d.until(async () => (await d.podsOf("web")).length === 1);
    const [{ metadata: pod } = { metadata: { name: "" } }] = await d.podsOf("web");
    const annotate = (text: string | null) => annotatePod(pod.name, text);
    await annotate("true");
    await d.eksim.advance("10m");
    await setPool({ budgets: [{ nodes: "100%" }] });
    await d.eksim.advance("10m");
    expect(told("NodeDisrupted")).toEqual([]);
    await annotate(null);
    await d.until(() => told("NodeDisrupted").length === 1, "1m");
  });
});
