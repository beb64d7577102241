import { afterEach, describe, expect, it } from "vitest";
import { CLUSTER, type Drill, isReady, startDrill, temporaryDataDir, ZONES } from "./drill.js";

let drill: Drill;
afterEach(() => drill.eksim.stop());
const start = async (options: Parameters<typeof startDrill>[0] = {}): Promise<void> => {
  drill = await startDrill({ dataDir: temporaryDataDir(), ...options });
};

const EVEN = { "us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1 };

describe("a restart", () => {
  it("keeps pods running where they are, endpoint and certificate authority included", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers");
    await drill.deploy("web", 3);
    const nodes = (await drill.nodes()).map(({ metadata }) => metadata.uid);
    const pods = await drill.pods();
    const kubeconfig = JSON.parse(drill.eksim.kubeconfig(CLUSTER)) as { clusters: unknown };
    const events = drill.events().length;
    await drill.restart();
    await drill.eksim.advance("5m");
    expect((JSON.parse(drill.eksim.kubeconfig(CLUSTER)) as { clusters: unknown }).clusters).toEqual(
      kubeconfig.clusters,
    );
    expect((await drill.nodes()).map(({ metadata }) => metadata.uid)).toEqual(nodes);
    const after = await drill.pods();
    expect(after.map(({ metadata, spec, status }) => [metadata.uid, spec, status.containerStatuses])).toEqual(
      pods.map(({ metadata, spec, status }) => [metadata.uid, spec, status.containerStatuses]),
    );
    expect(after.every(isReady)).toBe(true);
    expect(drill.events().slice(events)).toEqual([]);
  });

  it("goes on creating a cluster", async () => {
    await start({ profile: "aws" });
    await drill.eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    });
    await drill.eksim.advance("4m");
    await drill.restart();
    expect(await drill.clusterStatus()).toBe("CREATING");
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE", "5m");
  });

  it("goes on deleting a cluster", async () => {
    await start({ profile: "aws" });
    await drill.eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    });
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE", "10m");
    await drill.eksim.eks("DELETE", `/clusters/${CLUSTER}`);
    await drill.eksim.advance("1m");
    await drill.restart();
    expect(await drill.clusterStatus()).toBe("DELETING");
    await drill.until(async () => (await drill.clusterStatus()) === undefined, "5m");
  });

  it("goes on creating a node group, whatever its instances have come to", async () => {
    await start({ profile: "aws" });
    await drill.eksim.eks("POST", "/clusters", {
      name: CLUSTER,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    });
    await drill.until(async () => (await drill.clusterStatus()) === "ACTIVE", "10m");
    await drill.nodegroup("workers", {}, "CREATING");
    // Launched; booting; booted and joining; joined.
    for (const step of ["1s", "50s", "12s", "20s"]) {
      await drill.eksim.advance(step);
      await drill.restart();
    }
    await drill.until(async () => (await drill.describe("workers"))?.status === "ACTIVE", "5m");
    expect(await drill.spread()).toEqual(EVEN);
    expect(drill.events().filter(({ type }) => type === "InstanceLaunched")).toHaveLength(3);
  });

  it("goes on with a version update, in whichever phase it is", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers", { version: "1.35" });
    await drill.deploy("web", 3);
    const id = await drill.updateVersion("workers", { version: "1.36" });
    let restarts = 0;
    for (; (await drill.update(id, "workers")).status === "InProgress" && restarts < 120; restarts++) {
      await drill.eksim.advance("1500ms");
      await drill.restart();
    }
    expect(await drill.update(id, "workers")).toMatchObject({ status: "Successful", errors: [] });
    expect(restarts).toBeGreaterThan(3);
    expect(await drill.describe("workers")).toMatchObject({ status: "ACTIVE", version: "1.36" });
    await drill.eksim.advance("2m");
    expect(await drill.spread()).toEqual(EVEN);
    expect((await drill.nodes()).every(({ status }) => status.nodeInfo.kubeletVersion.startsWith("v1.36."))).toBe(true);
    expect((await drill.pods()).filter(isReady)).toHaveLength(3);
  });

  it("goes on deleting a node group", async () => {
    await start({ profile: "instant" });
    await drill.cluster();
    await drill.nodegroup("workers");
    await drill.nodegroup("others");
    await drill.deploy("web", 6);
    await drill.eksim.eks("DELETE", `/clusters/${CLUSTER}/node-groups/workers`);
    for (let i = 0; i < 3; i++) {
      await drill.restart();
      await drill.eksim.advance("1s");
    }
    await drill.until(async () => (await drill.describe("workers")) === undefined, "2m");
    await drill.eksim.advance("2m");
    expect(await drill.spread()).toEqual(EVEN);
    expect((await drill.pods()).filter(isReady)).toHaveLength(6);
  });

  it("leaves a zone without power that was without power, and can bring it back", async () => {
    await start();
    await drill.cluster();
    await drill.nodegroup("workers");
    await drill.eksim.failZone("us-east-1a");
    await drill.restart();
    await drill.eksim.advance("3m");
    expect(await drill.spread()).toEqual({ "us-east-1b": 2, "us-east-1c": 1 });
    await drill.restart();
    expect((await drill.eksim.zones()).map(({ name, state, membersUp }) => [name, state, membersUp])).toEqual([
      [ZONES[0], "failed", 0],
      [ZONES[1], "available", 1],
      [ZONES[2], "available", 1],
    ]);
    await drill.eksim.restoreZone("us-east-1a");
    await drill.restart();
    await drill.until(async () => JSON.stringify(await drill.spread()) === JSON.stringify(EVEN));
    expect((await drill.eksim.zones()).map(({ membersUp }) => membersUp)).toEqual([1, 1, 1]);
  });
});
