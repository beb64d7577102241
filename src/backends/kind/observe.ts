/** What a cluster's nodes and pods look like from outside, read and watched at its API server. Masters are nodes here, and on EKS nobody sees them. */
import {
  CONTROL_PLANE_LABEL,
  type Condition,
  countZones,
  type ObservedDeployment,
  ZONE_LABEL,
} from "../../domain/kubernetes-objects.js";
import { deploymentChanges, nodeChanges } from "../../domain/observed-changes.js";
import type { ClusterSummary, NodeFacts, Observation } from "../backend.js";
import type { Node } from "./drain.js";
import type { KubeClient, WatchedObject } from "./kube-client.js";

interface Pod extends WatchedObject {
  spec?: { nodeName?: string };
  status?: { phase?: string; conditions?: Condition[] };
}

/** Label selector of nodes that are no masters. */
export const WORKERS = { labelSelector: `!${CONTROL_PLANE_LABEL}` };

/** Tells of every present node at once, and then of every change. Returns how to stop. */
export const observeNodes = (client: KubeClient, listener: (observation: Observation) => void): (() => void) =>
  client.watch<Node & WatchedObject>("/api/v1/nodes", nodeChanges(listener), WORKERS);

/** Tells of every present Deployment of a manager at once, and then whenever one begins or ceases to have its replicas. Returns how to stop. */
export const observeDeployments = (
  client: KubeClient,
  manager: string,
  listener: (observation: Observation) => void,
): (() => void) => client.watch<ObservedDeployment>("/apis/apps/v1/deployments", deploymentChanges(manager, listener));

export async function nodeFacts(client: KubeClient): Promise<NodeFacts[]> {
  const { items } = await client.request<{ items: Node[] }>("GET", "/api/v1/nodes", { query: WORKERS });
  return items.map(({ metadata: { name, labels = {} }, spec }) => {
    const zone = labels[ZONE_LABEL];
    return { name, ...(zone ? { zone } : {}), unschedulable: spec?.unschedulable === true, labels };
  });
}

/** How long the status page waits for an API server, in milliseconds: etcd without a quorum does not say so at once. */
const PATIENCE_MS = 5_000;

/** Counts; rejects when the API server does not answer. */
async function counted(client: KubeClient, members: readonly { zone: string; state: "up" | "down" }[]) {
  const options = { timeoutMs: PATIENCE_MS };
  const [nodes, pods] = await Promise.all([
    client.request<{ items: Node[] }>("GET", "/api/v1/nodes", { ...options, query: WORKERS }),
    client.request<{ items: Pod[] }>("GET", "/api/v1/pods", options),
  ]);
  return countZones({ nodes: nodes.items, pods: pods.items, members });
}

/** Masters without a majority have no etcd, whatever an API server still has in its cache. */
export async function summarise(
  client: KubeClient,
  members: readonly { zone: string; state: "up" | "down" }[],
): Promise<ClusterSummary> {
  const up = members.filter(({ state }) => state === "up").length;
  if (up * 2 > members.length) {
    try {
      return { ...(await counted(client, members)), apiAvailable: true };
    } catch {
      // An API server that does not answer is what this is asked for.
    }
  }
  return { ...countZones({ nodes: [], pods: [], members }), apiAvailable: false };
}
