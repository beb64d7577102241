import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";

let eksim: Eksim;
const AUTO = (enabled: boolean, nodePools = ["general-purpose", "system"]) => ({
  computeConfig: {
    enabled,
    ...(enabled ? { nodePools, nodeRoleArn: "arn:aws:iam::000000000000:role/auto-node" } : {}),
  },
  storageConfig: { blockStorage: { enabled } },
  kubernetesNetworkConfig: { elasticLoadBalancing: { enabled } },
});
beforeAll(async () => {
  eksim = await startEksim({ seed: 1 });
  await eksim.eks("POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    accessConfig: { authenticationMode: "API" },
    bootstrapSelfManagedAddons: false,
    ...AUTO(true),
  });
  await eksim.advance("1s");
});
afterAll(() => eksim.stop());

interface List<T> {
  items: T[];
}
interface Node {
  metadata: { name: string; labels: Record<string, string> };
  spec: { taints?: { key: string }[] };
  status: { nodeInfo: { osImage: string; kubeletVersion: string } };
}
const kube = <T>(method: string, path: string, body?: unknown) => eksim.kubernetes<T>("demo", method, path, body);
const nodes = async () => (await kube<List<Node>>("GET", "/api/v1/nodes")).items;
const names = async (path: string) =>
  (await kube<List<{ metadata: { name: string } }>>("GET", path)).items.map(({ metadata }) => metadata.name);
const running = async (app: string) =>
  (
    await kube<List<{ status: { phase: string } }>>("GET", `/api/v1/namespaces/default/pods?labelSelector=app%3D${app}`)
  ).items.filter(({ status }) => status.phase === "Running").length;
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const deploy = (name: string, replicas: number, spec: object = {}) =>
  kube("POST", DEPLOYMENTS, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "main", image: "nginx", resources: { requests: { cpu: "500m", memory: "512Mi" } } }],
          ...spec,
        },
      },
    },
  });
const remove = (name: string) => kube("DELETE", `${DEPLOYMENTS}/${name}`);
const update = async (changes: object) => {
  await eksim.eks("POST", "/clusters/demo/update-config", changes);
  await eksim.advance("2s");
};

describe("EKS Auto Mode", () => {
  it("has its node pools and class, no add-ons, and no nodes while no pod asks for one", async () => {
    expect(await names("/apis/karpenter.sh/v1/nodepools")).toEqual(["general-purpose", "system"]);
    expect(await names("/apis/eks.amazonaws.com/v1/nodeclasses")).toEqual(["default"]);
    expect(await names("/apis/apps/v1/daemonsets")).toEqual([]);
    await eksim.advance("10m");
    expect(await nodes()).toEqual([]);
  });

  it("launches a node of the right size for pods that wait, named by its instance", async () => {
    await deploy("web", 3);
    await eksim.advanceUntil(async () => (await running("web")) === 3, "5m");
    const [node, ...others] = await nodes();
    expect(others).toEqual([]);
    expect(node?.metadata.name).toMatch(/^i-[0-9a-f]{17}$/);
    expect(node?.metadata.labels).toMatchObject({
      "eks.amazonaws.com/compute-type": "auto",
      "karpenter.sh/nodepool": "general-purpose",
      "karpenter.sh/capacity-type": "on-demand",
      "kubernetes.io/arch": "amd64",
    });
    expect(node?.metadata.labels).not.toHaveProperty("eks.amazonaws.com/nodegroup");
    expect(node?.status.nodeInfo.osImage).toBe("Bottlerocket (EKS Auto, Standard) 2026.7.15 (aws-k8s-1.36-standard)");
  });

  it("gives a tainted node of the pool `system` to pods that tolerate it and ask for it", async () => {
    await deploy("critical", 1, {
      nodeSelector: { "karpenter.sh/nodepool": "system" },
      tolerations: [{ key: "CriticalAddonsOnly", operator: "Exists" }],
    });
    await eksim.advanceUntil(async () => (await running("critical")) === 1, "5m");
    const system = (await nodes()).find(({ metadata }) => metadata.labels["karpenter.sh/nodepool"] === "system");
    expect(system?.spec.taints?.map(({ key }) => key)).toContain("CriticalAddonsOnly");
    await remove("critical");
  });

  it("does not launch nodes for ever for a pod that none can hold", async () => {
    await deploy("impossible", 1, { nodeSelector: { colour: "blue" } });
    await eksim.advance("1h");
    expect(await nodes()).toHaveLength(1);
    await remove("impossible");
  });

  it("replaces a node whose zone has lost power", async () => {
    const [before] = await nodes();
    const zone = before?.metadata.labels["topology.kubernetes.io/zone"] ?? "";
    await eksim.failZone(zone);
    await eksim.advance("1m");
    await eksim.advanceUntil(async () => (await running("web")) === 3, "15m");
    const [after, ...others] = await nodes();
    expect(others).toEqual([]);
    expect(after?.metadata.labels["topology.kubernetes.io/zone"]).not.toBe(zone);
    await eksim.restoreZone(zone);
    await eksim.advance("10m");
    expect(await running("web")).toBe(3);
  });

  it("takes the heaviest node pool of the user's own, and replaces its nodes when they are as old as it lets them become", async () => {
    await kube("POST", "/apis/karpenter.sh/v1/nodepools", {
      apiVersion: "karpenter.sh/v1",
      kind: "NodePool",
      metadata: { name: "mine" },
      spec: {
        weight: 10,
        // What else runs would be put onto its nodes as well.
        disruption: { consolidationPolicy: "WhenEmpty", consolidateAfter: "30s" },
        template: {
          metadata: { labels: { team: "blue" } },
          spec: {
            expireAfter: "3h",
            nodeClassRef: { group: "eks.amazonaws.com", kind: "NodeClass", name: "default" },
            requirements: [{ key: "kubernetes.io/arch", operator: "In", values: ["arm64"] }],
          },
        },
      },
    });
    await deploy("mine", 1, { nodeSelector: { team: "blue" } });
    await eksim.advanceUntil(async () => (await running("mine")) === 1, "5m");
    const mine = async () => (await nodes()).find(({ metadata }) => metadata.labels.team === "blue");
    const before = await mine();
    expect(before?.metadata.labels).toMatchObject({ "karpenter.sh/nodepool": "mine", "kubernetes.io/arch": "arm64" });
    await eksim.advance("2h50m");
    expect((await mine())?.metadata.name).toBe(before?.metadata.name);
    await eksim.advance("20m");
    const after = await mine();
    expect(after?.metadata.name).toMatch(/^i-/);
    expect(after?.metadata.name).not.toBe(before?.metadata.name);
    expect(await running("mine")).toBe(1);
    await remove("mine");
    await kube("DELETE", "/apis/karpenter.sh/v1/nodepools/mine");
  });

  it("gives up nodes on which nothing runs any more", async () => {
    await remove("web");
    await eksim.advance("5m");
    expect(await nodes()).toEqual([]);
  });

  it("takes a node pool away that is no longer among its settings", async () => {
    await update(AUTO(true, ["general-purpose"]));
    expect(await names("/apis/karpenter.sh/v1/nodepools")).toEqual(["general-purpose"]);
  });

  it("manages the definitions of the Gateway API when it is told to", async () => {
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    expect(await names(definitions)).not.toContain("gateways.gateway.networking.k8s.io");
    await update({
      kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true, gatewayApi: { crds: { managed: true } } } },
    });
    expect(await names(definitions)).toContain("gateways.gateway.networking.k8s.io");
    const { cluster } = await eksim.eks<{ cluster: { kubernetesNetworkConfig: object } }>("GET", "/clusters/demo");
    expect(cluster.kubernetesNetworkConfig).toMatchObject({
      elasticLoadBalancing: { enabled: true, gatewayApi: { crds: { managed: true } } },
    });
  });

  it("deletes its nodes when it is disabled", async () => {
    await deploy("web", 1);
    await eksim.advanceUntil(async () => (await running("web")) === 1, "5m");
    await update(AUTO(false));
    await eksim.advance("2m");
    expect(await nodes()).toEqual([]);
    expect(await names("/apis/karpenter.sh/v1/nodepools")).toEqual([]);
    await eksim.advance("30m");
    expect(await nodes()).toEqual([]);
  });
});
