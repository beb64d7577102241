/** The cluster `demo` of the tests, in two zones, and one node in it. */
import { type Eksim, startEksim } from "../../src/testkit/index.js";

export async function createWorker(eksim: Eksim): Promise<void> {
  await eksim.eks("POST", "/clusters/demo/node-groups", {
    nodegroupName: "workers",
    nodeRole: "arn:aws:iam::000000000000:role/node",
    subnets: ["subnet-a"],
    scalingConfig: { minSize: 1, maxSize: 1, desiredSize: 1 },
  });
}

/** An emulator in which the cluster is there; `settings` are more members of CreateCluster. */
export async function startDemo(settings: object = {}): Promise<Eksim> {
  const eksim = await startEksim({ seed: 1 });
  await eksim.eks("POST", "/clusters", {
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
    ...settings,
  });
  await eksim.advance("1s");
  return eksim;
}
