import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { createWorker } from "./demo-cluster.js";

let eksim: Eksim;
afterEach(() => eksim.stop());

interface Cluster {
  cluster: { status: string; version: string; platformVersion: string };
}
const create = (changes: object) =>
  eksim.eks("POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    ...changes,
  });
const cluster = async () => (await eksim.eks<Cluster>("GET", "/clusters/demo")).cluster;
const serverVersion = async () =>
  (await eksim.kubernetes<{ gitVersion: string }>("demo", "GET", "/version")).gitVersion.slice(0, 5);

describe("the control plane over the calendar", () => {
  it("is upgraded when the extended support of its version ends, while its nodes stay and what it holds stays", async () => {
    eksim = await startEksim({ seed: 1, clockStart: "2026-11-25T20:00:00Z" });
    await create({ version: "1.31" });
    await eksim.advance("1s");
    await createWorker(eksim);
    await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/default/configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kept" },
    });
    await eksim.advance("1h");
    expect(await serverVersion()).toBe("v1.31");
    // The last day begins in three hours; AWS takes up to three days to come round to every cluster.
    for (let hours = 0; hours < 80 && (await cluster()).version === "1.31"; hours += 4) await eksim.advance("4h");
    expect(await cluster()).toMatchObject({ status: "ACTIVE", version: "1.32" });
    expect(await serverVersion()).toBe("v1.32");
    await eksim.kubernetes("demo", "GET", "/api/v1/namespaces/default/configmaps/kept");
    const { nodegroup } = await eksim.eks<{ nodegroup: { version: string; status: string } }>(
      "GET",
      "/clusters/demo/node-groups/workers",
    );
    expect(nodegroup).toMatchObject({ version: "1.31", status: "ACTIVE" });
    const { updateIds } = await eksim.eks<{ updateIds: string[] }>("GET", "/clusters/demo/updates");
    expect(updateIds).toHaveLength(1);
    // What support has ended of cannot be gone back to.
    await expect(eksim.eks("POST", "/clusters/demo/updates", { version: "1.31" })).rejects.toThrow(
      "Unsupported Kubernetes minor version update from 1.32 to 1.31",
    );
  });

  it("answers all through a version update, during which its masters are replaced zone by zone", async () => {
    eksim = await startEksim({ seed: 1, profile: "aws", clockStart: "2026-11-20T00:00:00Z" });
    await create({ version: "1.35" });
    await eksim.advanceUntil(async () => (await cluster()).status === "ACTIVE", "10m");
    await eksim.eks("POST", "/clusters/demo/updates", { version: "1.36" });
    const seen = new Set<string>();
    for (let minute = 0; minute < 12; minute++) {
      await eksim.advance("1m");
      seen.add(`${(await cluster()).status} ${await serverVersion()}`);
    }
    expect([...seen]).toEqual(["UPDATING v1.35", "ACTIVE v1.36"]);
    const swaps = eksim.events({ cluster: "demo" }).filter(({ type }) => type === "MasterReplaced");
    expect(swaps.map(({ zone }) => zone)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
  });
});

describe("node auto repair", () => {
  interface Node {
    metadata: { name: string };
    status: { conditions: { type: string; status: string; reason: string }[] };
  }

  it("replaces a node that the monitoring agent reports broken hardware of, after ten minutes", async () => {
    eksim = await startEksim({ seed: 1 });
    await create({});
    await eksim.advance("1s");
    await eksim.eks("POST", "/clusters/demo/node-groups", {
      nodegroupName: "workers",
      nodeRole: "arn:aws:iam::000000000000:role/node",
      subnets: ["subnet-a", "subnet-b"],
      scalingConfig: { minSize: 2, maxSize: 2, desiredSize: 2 },
      nodeRepairConfig: { enabled: true },
    });
    await eksim.advance("1m");
    const nodes = async () => (await eksim.kubernetes<{ items: Node[] }>("demo", "GET", "/api/v1/nodes")).items;
    const [broken, sound] = await nodes();
    const condition = { type: "AcceleratedHardwareReady", status: "False", reason: "NvidiaDoubleBitError" };
    await eksim.kubernetes("demo", "PUT", `/api/v1/nodes/${broken?.metadata.name}/status`, {
      ...broken,
      status: { ...broken?.status, conditions: [...(broken?.status.conditions ?? []), condition] },
    });
    await eksim.advance("9m");
    expect((await nodes()).map(({ metadata }) => metadata.name)).toContain(broken?.metadata.name);
    await eksim.advance("6m");
    const names = (await nodes()).map(({ metadata }) => metadata.name);
    expect(names).toHaveLength(2);
    expect(names).not.toContain(broken?.metadata.name);
    expect(names).toContain(sound?.metadata.name);
  });
});
