/** Keeps a NodeClaim in the cluster for each instance of EKS Auto Mode, as Karpenter does: what was asked for, and how far the node has come. */
import { formatSeconds } from "../clock/clock.js";
import { NODE_CLAIMS, type NodeClaimView, nodeClaim } from "../domain/auto-mode/node-claim.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import type { ReconcileContext } from "./context.js";

/** Secret of the cluster: what its node claims say, by name. */
const WRITTEN = "node-claims";
/** Field manager of what EKS Auto Mode keeps in a cluster. */
const MANAGER = "eks-auto-mode";

export async function keepNodeClaims(context: ReconcileContext, cluster: ClusterRecord): Promise<void> {
  const { secrets, instances } = context.state;
  const before = JSON.parse(secrets.get(cluster.id, WRITTEN) ?? "{}") as Record<string, string>;
  const wanted = new Map(
    instances
      .ofCluster(cluster.id)
      .filter(({ nodePool }) => nodePool !== undefined)
      .map((instance) => nodeClaim(viewOf(instance)))
      .map((claim) => [claim.object.metadata.name, claim]),
  );
  const changed = [...wanted].filter(([name, claim]) => before[name] !== JSON.stringify(claim.object));
  const gone = Object.keys(before).filter((name) => !wanted.has(name));
  if (changed.length + gone.length === 0) return;
  const { objects } = context.backendOf(cluster);
  if (!objects) return;
  const claims = changed.map(([, claim]) => claim);
  await objects.apply(cluster.id, claims, { manager: MANAGER, mode: "take" });
  const names = gone.map((name) => ({ resource: NODE_CLAIMS, name }));
  await objects.remove(cluster.id, names, { manager: MANAGER });
  const written = Object.fromEntries([...wanted].map(([name, claim]) => [name, JSON.stringify(claim.object)]));
  secrets.put(cluster.id, WRITTEN, JSON.stringify(written));
}

const viewOf = (instance: InstanceRecord): NodeClaimView => ({
  ...instance,
  nodePool: instance.nodePool ?? { name: "", amiType: "", labels: {}, taints: [], pods: [] },
  launchedAt: formatSeconds(instance.launchedAtMs),
  ...(instance.inServiceSinceMs === undefined ? {} : { inServiceAt: formatSeconds(instance.inServiceSinceMs) }),
});
