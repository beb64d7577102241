/** A simulated Kubernetes behind a real HTTPS port stands in for kind's: what the backend asks of an API server is answered by one. */
import { createKubeClient, type KubeClient } from "../../../src/backends/kind/kube-client.js";
import type { AdminAccess } from "../../../src/backends/kind/kubeconfig.js";
import type { Clock, SteppedClock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { createSimulatedCluster } from "../../../src/kubernetes/create-cluster.js";
import { makeCertificates } from "../../kubernetes/server/certificates.js";
import { nodeSpec } from "../../kubernetes/simulated-cluster.js";

export interface StandIn {
  cluster: SimulatedCluster;
  /** The simulated cluster's. */
  clock: SteppedClock;
  /** The backend's own: real tools keep real time. */
  realClock: Clock;
  access: AdminAccess;
  client: KubeClient;
  close(): Promise<void>;
}

export const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];

/** Three masters, and as many nodes as are asked for, all Ready. */
export async function standIn(nodes = 0): Promise<StandIn> {
  const clock = createClock({ kind: "stepped" }, { seed: 7 });
  const realClock = createClock({ kind: "real" }, { seed: 1 });
  const { clientCertificate, ...tls } = makeCertificates();
  const cluster = createSimulatedCluster({
    name: "demo",
    clock,
    gitVersion: "v1.36.1-eks-0247562",
    serviceCidr: "10.100.0.0/16",
    tls,
    serviceAccountKey: async () => "",
    serviceAccountIssuer: "https://oidc.example.com/id/1",
    members: ZONES.map((zone, index) => ({ id: `m${index}`, zone })),
  });
  const port = await cluster.listen({ host: "127.0.0.1", port: 0 });
  await cluster.start();
  for (let index = 0; index < nodes; index++) await cluster.addNode(nodeSpec(index));
  await clock.advance(30_000);
  const { cert, key } = clientCertificate("kubernetes-admin", "system:masters");
  const access: AdminAccess = { server: `https://127.0.0.1:${port}`, port, ca: tls.caCert, cert, key };
  const client = createKubeClient(access, { clock: realClock });
  return {
    cluster,
    clock,
    realClock,
    access,
    client,
    close: async () => {
      client.close();
      realClock.stop();
      await cluster.close();
      clock.stop();
    },
  };
}

/** As kind writes it. */
export const kubeconfigOf = ({ server, ca, cert, key }: AdminAccess): string => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${base64(ca)}
    server: ${server}
  name: kind-x
contexts:
- context: {cluster: kind-x, user: kind-x}
  name: kind-x
current-context: kind-x
kind: Config
users:
- name: kind-x
  user:
    client-certificate-data: ${base64(cert)}
    client-key-data: ${base64(key)}
`;
};

/** Waits, without looking at a clock, until something told over the network has come true. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}
