import { afterEach, describe, expect, it } from "vitest";
import { ApiError, type EksimOptions } from "../../src/testkit/index.js";
import { CLUSTER, type Drill, isReady, startDrill, ZONES } from "../reconcile/drill.js";

let drill: Drill;
afterEach(() => drill.eksim.stop());
const start = async (options: EksimOptions = {}): Promise<void> => {
  drill = await startDrill(options);
};
const [A, B, C] = ZONES;
const EVEN = { [A]: 2, [B]: 2, [C]: 2 };
const six = { scalingConfig: { minSize: 0, maxSize: 12, desiredSize: 6 } };
const level = async (): Promise<boolean> => JSON.stringify(await drill.spread()) === JSON.stringify(EVEN);
const whole = async (): Promise<boolean> =>
  (await level()) && (await drill.nodes()).length === 6 && (await drill.pods()).filter(isReady).length === 6;

/** What kubectl would print. */
const kubernetesRefusal = async (): Promise<string> => {
  try {
    await drill.nodes();
    return "";
  } catch (error) {
    return error instanceof ApiError ? `${error.status} ${error.message}` : String(error);
  }
};

describe("two zones without power", () => {
  it("take the Kubernetes API with them as etcd without a leader does, but not the EKS API", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers", six);
    await drill.eksim.failZone(A);
    await drill.eksim.failZone(B);
    expect(await kubernetesRefusal()).toBe("500 etcdserver: request timed out");
    await drill.eksim.advance("10m");
    expect(await kubernetesRefusal()).toBe("500 etcdserver: request timed out");
    expect(await drill.clusterStatus()).toBe("ACTIVE");
    expect((await drill.describe("workers"))?.scalingConfig.desiredSize).toBe(6);
    expect((await drill.eksim.zones()).map(({ name, state, membersUp }) => [name, state, membersUp])).toEqual([
      [A, "failed", 0],
      [B, "failed", 0],
      [C, "available", 1],
    ]);
    await drill.eksim.restoreZone(A);
    // Two of three masters: a leader is elected.
    expect(await kubernetesRefusal()).toBe("");
  });

  it("cost no pod of the third zone its place, and everything comes back with them", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers", six);
    await drill.deploy("web", 6);
    await drill.nodegroup("stays", { subnets: ["subnet-c"] });
    await drill.deploy("near", 3, { nodeSelector: { "eks.amazonaws.com/nodegroup": "stays" } });
    const near = async (): Promise<string[]> =>
      (await drill.podsOf("near")).filter(isReady).map(({ metadata }) => metadata.uid);
    const before = await near();
    await drill.eksim.failZone(A);
    await drill.eksim.failZone(B);
    await drill.eksim.advance("30m");
    await drill.eksim.restoreZone(A);
    await drill.eksim.restoreZone(B);
    // Heartbeats that nobody could write are no reason to evict anybody.
    await drill.eksim.advance("30m");
    expect(await near()).toEqual(before);
    expect((await drill.pods()).filter(isReady)).toHaveLength(9);
    expect(await drill.spread()).toEqual({ [A]: 2, [B]: 2, [C]: 5 });
  });

  it("for two minutes only: whoever was there before is there again", async () => {
    await start({ profile: "aws" });
    await drill.eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    });
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE", "10m");
    await drill.nodegroup("workers", six);
    await drill.deploy("web", 6);
    const [nodes, pods] = [await drill.nodes(), await drill.pods()];
    await drill.eksim.failZone(A);
    await drill.eksim.failZone(B);
    await drill.eksim.advance("90s");
    await drill.eksim.restoreZone(A);
    await drill.eksim.restoreZone(B);
    await drill.until(whole, "2m");
    expect((await drill.nodes()).map(({ metadata }) => metadata.uid)).toEqual(
      nodes.map(({ metadata }) => metadata.uid),
    );
    expect((await drill.pods()).map(({ metadata }) => metadata.uid)).toEqual(pods.map(({ metadata }) => metadata.uid));
  });
});

describe("all zones without power", () => {
  it("come back as one cluster with all of its nodes and pods", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers", six);
    await drill.deploy("web", 6);
    for (const zone of ZONES) await drill.eksim.failZone(zone);
    await drill.eksim.advance("20m");
    expect(await drill.clusterStatus()).toBe("ACTIVE");
    for (const zone of ZONES) await drill.eksim.restoreZone(zone);
    // The group asks EC2 again after its wait; until then the nodes of before are still in the list.
    await drill.until(async () => (await whole()) && (await drill.describe("workers"))?.status === "ACTIVE", "30m");
    expect((await drill.eksim.zones()).map(({ membersUp }) => membersUp)).toEqual([1, 1, 1]);
    expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", health: { issues: [] } });
  });
});

describe("a zone that fails", () => {
  it("while a node group is being created: the group comes up in the others", async () => {
    await start({ profile: "aws" });
    await drill.eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    });
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE", "10m");
    await drill.nodegroup("workers", six, "CREATING");
    await drill.eksim.advance("30s");
    await drill.eksim.failZone(B);
    await drill.until(async () => (await drill.describe("workers"))?.status === "ACTIVE", "15m");
    expect(await drill.spread()).toEqual({ [A]: 3, [C]: 3 });
  });

  it("before a node group is created, and back afterwards: the group levels itself", async () => {
    await start();
    await drill.cluster();
    await drill.eksim.failZone(B);
    await drill.nodegroup("workers", six);
    expect(await drill.spread()).toEqual({ [A]: 3, [C]: 3 });
    await drill.eksim.restoreZone(B);
    await drill.until(level);
  });

  it("while a node group is being updated: the update ends all the same", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35", ...six });
    await drill.deploy("web", 6);
    const id = await drill.updateVersion("workers", { version: "1.36" });
    await drill.eksim.advance("1s");
    await drill.eksim.failZone(A);
    expect(await drill.updateEnds(id, "workers", "30m")).toMatchObject({ status: "Successful" });
    await drill.eksim.advance("2m");
    expect(await drill.spread()).toEqual({ [B]: 3, [C]: 3 });
    expect((await drill.nodes()).every(({ status }) => status.nodeInfo.kubeletVersion.startsWith("v1.36."))).toBe(true);
    await drill.eksim.restoreZone(A);
    await drill.until(whole, "10m");
  });

  it("while a node group is being deleted: the group goes", async () => {
    await start({ profile: "aws" });
    await drill.eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    });
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE", "10m");
    await drill.nodegroup("workers", six);
    await drill.eksim.eks("DELETE", `/clusters/${CLUSTER}/node-groups/workers`);
    await drill.eksim.advance("30s");
    await drill.eksim.failZone(A);
    await drill.until(async () => (await drill.describe("workers")) === undefined, "30m");
    await drill.eksim.advance("10m");
    expect(await drill.nodes()).toEqual([]);
  });

  it("while a node group is deleted without a quorum: the group goes, and its nodes with it once there is one", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers", six);
    await drill.eksim.failZone(A);
    await drill.eksim.failZone(B);
    await drill.eksim.eks("DELETE", `/clusters/${CLUSTER}/node-groups/workers`);
    await drill.eksim.advance("20m");
    await drill.eksim.restoreZone(A);
    await drill.eksim.restoreZone(B);
    await drill.until(async () => (await drill.describe("workers")) === undefined, "10m");
    await drill.until(async () => (await drill.nodes()).length === 0);
    await drill.eksim.eks("DELETE", `/clusters/${CLUSTER}`);
    await drill.until(async () => (await drill.clusterStatus()) === undefined);
  });

  it("while its cluster is being deleted, or with a cluster without a quorum: the cluster goes", async () => {
    await start();
    await drill.cluster();
    await drill.eksim.failZone(A);
    await drill.eksim.failZone(B);
    await drill.eksim.eks("DELETE", `/clusters/${CLUSTER}`);
    await drill.until(async () => (await drill.clusterStatus()) === undefined);
  });

  it("before a cluster is created: the cluster comes up with two masters, and gets its third elsewhere", async () => {
    await start();
    await drill.eksim.failZone(A);
    await drill.cluster();
    await drill.eksim.advance("10m");
    expect((await drill.eksim.zones()).reduce((sum, { membersUp }) => sum + membersUp, 0)).toBe(3);
    await drill.nodegroup("workers", six);
    expect(await drill.spread()).toEqual({ [B]: 3, [C]: 3 });
    await drill.eksim.restoreZone(A);
    await drill.until(level);
    await drill.eksim.advance("10m");
    expect((await drill.eksim.zones()).map(({ membersUp }) => membersUp)).toEqual([1, 1, 1]);
  });
});
