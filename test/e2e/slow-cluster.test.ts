// With `--profile aws` a cluster is attached to its Kubernetes minutes before it is ACTIVE. What waits for that has to begin then.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";

let eksim: Eksim;
const cluster = async () =>
  (await eksim.eks<{ cluster: { status: string; version: string; platformVersion: string } }>("GET", "/clusters/demo"))
    .cluster;

describe("a cluster that takes as long as on AWS", () => {
  beforeAll(async () => {
    eksim = await startEksim({ profile: "aws", seed: 1, clockStart: "2026-11-20T00:00:00Z" });
    await eksim.eks("POST", "/clusters", {
      name: "demo",
      version: "1.34",
      upgradePolicy: { supportType: "STANDARD" },
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
      accessConfig: { authenticationMode: "API" },
      bootstrapSelfManagedAddons: false,
      computeConfig: { enabled: true, nodePools: ["system"], nodeRoleArn: "arn:aws:iam::000000000000:role/auto-node" },
      storageConfig: { blockStorage: { enabled: true } },
      kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
    });
    await eksim.advanceUntil(async () => (await cluster()).status === "ACTIVE", "1h");
  });
  afterAll(() => eksim.stop());

  it("has Auto Mode's node pools once it is ACTIVE", async () => {
    const { items } = await eksim.kubernetes<{ items: { metadata: { name: string } }[] }>(
      "demo",
      "GET",
      "/apis/karpenter.sh/v1/nodepools",
    );
    expect(items.map(({ metadata }) => metadata.name)).toEqual(["system"]);
  });

  it("is upgraded when the standard support of its version ends", async () => {
    expect(await cluster()).toMatchObject({ version: "1.34" });
    await eksim.advance("480h");
    expect(await cluster()).toMatchObject({ status: "ACTIVE", version: "1.35" });
  });
});
