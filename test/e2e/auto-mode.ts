import type { Eksim } from "../../src/testkit/index.js";

/** A cluster `demo` in EKS Auto Mode, and in it a Deployment `web` whose pods each want `cpu`. */
export async function createAutoModeCluster(
  eksim: Eksim,
  { version, replicas, cpu }: { version?: string; replicas: number; cpu: string },
): Promise<void> {
  await eksim.eks("POST", "/clusters", {
    name: "demo",
    ...(version ? { version } : {}),
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
  });
  await eksim.advance("1s");
  await eksim.kubernetes("demo", "POST", "/apis/apps/v1/namespaces/default/deployments", {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "main", image: "nginx", resources: { requests: { cpu } } }],
        },
      },
    },
  });
  await eksim.advance("2m");
}
