// What the outage and scale figures run on: one cluster, node groups, one Deployment.

/** Managed node groups have at most 450 nodes. */
const LARGEST_GROUP = 450;
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];

export async function createWorkload(eksim, { nodes, pods, instanceType }) {
  await eksim.eks("POST", "/clusters", {
    name: "bench",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: SUBNETS },
  });
  await eksim.advanceUntil(async () => (await eksim.eks("GET", "/clusters/bench")).cluster.status === "ACTIVE", "1h");
  for (let left = nodes, group = 0; left > 0; left -= LARGEST_GROUP, group++) {
    const size = Math.min(left, LARGEST_GROUP);
    await eksim.eks("POST", "/clusters/bench/node-groups", {
      nodegroupName: `workers-${group}`,
      nodeRole: "arn:aws:iam::000000000000:role/node",
      subnets: SUBNETS,
      instanceTypes: [instanceType],
      scalingConfig: { minSize: size, maxSize: size, desiredSize: size },
    });
  }
  await eksim.kubernetes("bench", "POST", "/apis/apps/v1/namespaces/default/deployments", {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: pods,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "web", image: "web", resources: { requests: { cpu: "100m", memory: "64Mi" } } }] },
      },
    },
  });
}

/** Until the Deployment says so many are available. */
export async function waitForPods(eksim, pods, limit) {
  await eksim.advanceUntil(async () => {
    const { status } = await eksim.kubernetes("bench", "GET", "/apis/apps/v1/namespaces/default/deployments/web");
    return status?.availableReplicas === pods;
  }, limit);
}
