import { afterEach } from "vitest";
import type { SteppedClock } from "../../src/clock/clock.js";
import { createClock } from "../../src/clock/create-clock.js";
import type { ClusterOptions, NodeSpec, SimulatedCluster } from "../../src/kubernetes/cluster.js";
import { createSimulatedCluster } from "../../src/kubernetes/create-cluster.js";
import { rsaKey } from "./rsa-key.js";
import { makeCertificates } from "./server/certificates.js";

const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const clusters: SimulatedCluster[] = [];

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

/** A whole cluster on a stepped clock, without nodes; closed after the test. */
export async function startSimulated(
  options: Partial<ClusterOptions> = {},
): Promise<{ cluster: SimulatedCluster; clock: SteppedClock }> {
  const clock = createClock({ kind: "stepped" }, { seed: 7 });
  const cluster = createSimulatedCluster({
    name: "demo",
    clock,
    gitVersion: "v1.36.1-eks-0247562",
    serviceCidr: "10.100.0.0/16",
    tls: makeCertificates(),
    serviceAccountKey: async () => rsaKey(),
    serviceAccountIssuer: "https://oidc.example.com/id/1",
    members: ZONES.map((zone, index) => ({ id: `m${index}`, zone })),
    ...options,
  });
  clusters.push(cluster);
  await cluster.start();
  return { cluster, clock };
}

export const nodeSpec = (index: number): NodeSpec => ({
  name: `node-${index}`,
  providerId: `aws:///${ZONES[index % 3]}/i-${index}`,
  zone: ZONES[index % 3] as string,
  labels: { "topology.kubernetes.io/zone": ZONES[index % 3] as string, "kubernetes.io/hostname": `node-${index}` },
  addresses: [{ type: "InternalIP", address: `10.0.${index}.10` }],
  capacity: { cpu: "2", memory: "8Gi", pods: "29" },
  allocatable: { cpu: "1930m", memory: "7Gi", pods: "29" },
  nodeInfo: { kubeletVersion: "v1.36.1-eks-0247562", operatingSystem: "linux", architecture: "amd64" },
  podCidr: `10.0.${index}.0/24`,
});
