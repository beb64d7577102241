/**
 * Consolidation in EKS Auto Mode, carried out: nodes that are not needed are drained, at once or when the smaller one in their place serves. Which ones is
 * decided in domain/auto-mode/consolidation.
 */
import type { NodeDemand, NodeLoad } from "../backends/backend.js";
import { consolidatableAtMs, decideConsolidation, type LoadedNode } from "../domain/auto-mode/consolidation.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { stableHex } from "../domain/stable-hex.js";
import { autoInstances, isSettling, offeringFilter, planningView, settledAtMs } from "./autopool-launch.js";
import { replaceFirst } from "./autopool-replacements.js";
import type { ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";
import { shiftedZonesOf } from "./shifted.js";

const ZONE = "topology.kubernetes.io/zone";
/** Secret of the cluster: what there was when consolidation last found nothing. */
const LAST_LOOK = "auto-mode-consolidation";

/** By pool: nodes that are there, and those of them that are going or not Ready. */
export function poolCounts(instances: readonly InstanceRecord[]): Map<string, { total: number; disrupted: number }> {
  const counts = new Map<string, { total: number; disrupted: number }>();
  for (const { nodePool, lifecycle, nodeReady, replacementId } of instances) {
    if (!nodePool || (lifecycle !== "InService" && lifecycle !== "Terminating")) continue;
    const { total, disrupted } = counts.get(nodePool.name) ?? { total: 0, disrupted: 0 };
    const isDisrupted = lifecycle === "Terminating" || !nodeReady || replacementId !== undefined;
    counts.set(nodePool.name, { total: total + 1, disrupted: disrupted + (isDisrupted ? 1 : 0) });
  }
  return counts;
}

/** Takes consolidation one step further. Returns when the next node has been quiet for long enough. */
export async function consolidate(
  context: ReconcileContext,
  cluster: ClusterRecord,
  demand: NodeDemand,
): Promise<number | undefined> {
  const instances = autoInstances(context, cluster);
  const isBusy = instances.some(({ lifecycle, replacementId }) => lifecycle !== "InService" || replacementId);
  if (isBusy || shiftedZonesOf(context, cluster.id).size > 0) return undefined;
  const nowMs = context.clock.now();
  // Newcomers have not taken yet what they were launched for.
  const settling = instances.filter((instance) => isSettling(instance, nowMs));
  if (settling.length > 0) return Math.max(...settling.map(settledAtMs));
  const quietAtMs = new Map<string, number>();
  for (const instance of instances) {
    const pool = demand.pools.find(({ name }) => name === instance.nodePool?.name);
    const { inServiceSinceMs = nowMs, podCount } = instance;
    const atMs = pool && consolidatableAtMs(pool, Math.max(inServiceSinceMs, podCount?.sinceMs ?? 0));
    if (atMs !== undefined && instance.emptySinceMs === undefined) quietAtMs.set(instance.instanceId, atMs);
  }
  const waiting = [...quietAtMs.values()].filter((atMs) => atMs > nowMs);
  const quiet = instances.filter(({ instanceId }) => (quietAtMs.get(instanceId) ?? nowMs + 1) <= nowMs);
  if (quiet.length > 0) await giveUpWhatIsNotNeeded(context, cluster, demand, { instances, quiet });
  return waiting.length > 0 ? Math.min(...waiting) : undefined;
}

async function giveUpWhatIsNotNeeded(
  context: ReconcileContext,
  cluster: ClusterRecord,
  demand: NodeDemand,
  { instances, quiet }: { instances: readonly InstanceRecord[]; quiet: readonly InstanceRecord[] },
): Promise<void> {
  const { state } = context;
  const loads = await context.backendOf(cluster).nodeLoads?.(cluster.id);
  if (!loads) return;
  // Packing costs as much as there are nodes and offerings: what could not be packed before is only tried again when something has changed.
  const blocked = loads.map(({ name, blockedBy }) => [name, blockedBy]);
  const look = stableHex(JSON.stringify([demand.pools, instances.map(lookOf), quiet.map(lookOf), blocked]), 16);
  if (state.secrets.get(cluster.id, LAST_LOOK) === look) return;
  const filter = offeringFilter(context, cluster);
  const found = decideConsolidation({
    ...planningView(context, cluster, demand, filter),
    waiting: demand.pods,
    loads: loads.map((load) => loadedNode(load, quiet)),
    budgets: new Map(demand.pools.map(({ name, budgets }) => [name, budgets])),
    counts: poolCounts(instances),
  });
  if (!found) return state.secrets.put(cluster.id, LAST_LOOK, look);
  const { instanceIds, replacement } = found;
  if (!replacement) {
    state.transaction(() => {
      for (const instanceId of instanceIds) terminateInstance(context, cluster, instanceId, "underutilized");
    });
    return;
  }
  await replaceFirst(context, cluster, demand, {
    instances: quiet.filter(({ instanceId }) => instanceIds.includes(instanceId)),
    nodes: [replacement],
    reason: "underutilized",
    filter,
  });
}

const lookOf = ({ instanceId, podCount, nodeReady }: InstanceRecord): unknown[] => [
  instanceId,
  podCount?.sinceMs,
  nodeReady,
];

export function loadedNode(load: NodeLoad, quiet: readonly InstanceRecord[]): LoadedNode {
  const { name, labels, taints, open, free, pods, blockedBy } = load;
  const instance = blockedBy ? undefined : quiet.find(({ privateDnsName }) => privateDnsName === name);
  return {
    name,
    zone: labels[ZONE] ?? "",
    labels,
    taints,
    open,
    free,
    pods,
    ...(instance?.nodePool
      ? {
          candidate: {
            instanceId: instance.instanceId,
            pool: instance.nodePool.name,
            instanceType: instance.instanceType,
            capacityType: labels["karpenter.sh/capacity-type"] ?? "on-demand",
          },
        }
      : {}),
  };
}
