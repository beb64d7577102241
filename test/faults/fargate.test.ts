import { afterEach, expect, it } from "vitest";
import { CLUSTER, type Drill, isReady, startDrill } from "../reconcile/drill.js";

let drill: Drill;
afterEach(() => drill.eksim.stop());

it("Fargate's machines freeze like others, and are no instances that EC2 could stop", async () => {
  drill = await startDrill();
  await drill.cluster();
  await drill.eksim.eks("POST", `/clusters/${CLUSTER}/fargate-profiles`, {
    fargateProfileName: "all",
    podExecutionRoleArn: "arn:aws:iam::000000000000:role/fargate",
    subnets: ["subnet-a", "subnet-b", "subnet-c"],
    selectors: [{ namespace: "default" }],
  });
  await drill.eksim.advance("5m");
  await drill.deploy("web", 1);
  const node = async () => {
    const [pod] = await drill.podsOf("web");
    const found = (await drill.nodes()).find(({ metadata }) => metadata.name === pod?.spec.nodeName);
    if (!found) throw new Error("the pod has no node");
    return found;
  };
  const { name } = (await node()).metadata;
  const target = { nodes: [name] };
  await expect(drill.eksim.startFault({ fault: "instance-stop", target })).rejects.toThrow(/machine of Fargate's/);
  const { id } = await drill.eksim.startFault({ fault: "node-freeze", target });
  await drill.until(async () => !isReady(await node()), "2m");
  await drill.eksim.stopFault(id);
  await drill.until(async () => isReady(await node()), "2m");
});
