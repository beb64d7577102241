/**
 * EKS Auto Mode: keeps its objects in the cluster, launches instances for pods that no node takes, and gives up nodes that are empty, too old, of another
 * version or broken. What to launch and what to give up is decided in domain/auto-mode.
 */
import type { NodeDemand } from "../backends/backend.js";
import { decideLife, type LifeDecision } from "../domain/auto-mode/life.js";
import { autoModeObjects, BUILT_IN_POOLS, NODE_POOLS } from "../domain/auto-mode/objects.js";
import { isAlive, isUnhealthy, replacementDueMs } from "../domain/auto-scaling.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { LIMITS } from "../domain/profile.js";
import { consolidate, poolCounts } from "./autopool-consolidation.js";
import { replaceDrifted } from "./autopool-drift.js";
import { autoInstances, isSettling, launchForPods, nodeVersion } from "./autopool-launch.js";
import { isTakingOver, settleReplacements } from "./autopool-replacements.js";
import type { ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";
import { keepNodeClaims } from "./node-claims.js";
import { repairNodes } from "./repair.js";
import { shiftedZonesOf } from "./shifted.js";

/** Secret of the cluster that says what of Auto Mode it has been given. */
const FURNISHED = "auto-mode";

const MANAGER = "eks-auto-mode";

export async function reconcileAutopool(context: ReconcileContext, clusterId: string): Promise<void> {
  const { state } = context;
  const cluster = state.clusters.byId(clusterId);
  if (!cluster || (cluster.status !== "ACTIVE" && cluster.status !== "UPDATING")) return;
  if (!context.isAttached(clusterId)) return;
  const enabled = cluster.computeConfig?.enabled === true;
  await furnish(context, cluster, enabled);
  const instances = autoInstances(context, cluster);
  if (!enabled) {
    state.transaction(() => {
      for (const { instanceId } of instances) terminateInstance(context, cluster, instanceId, "auto-mode-off");
    });
    await keepNodeClaims(context, cluster);
    return;
  }
  const demand = await context.backendOf(cluster).nodeDemand?.(clusterId);
  if (!demand) return;
  const nextRepairMs = await repair(context, cluster, instances);
  await settleReplacements(context, cluster);
  const { lostMs, life } = state.transaction(() => ({
    lostMs: replaceLost(context, cluster),
    life: retire(context, cluster, demand),
  }));
  const checks = [nextRepairMs, lostMs, life.nextCheckMs, demand.budgetsChangeAtMs];
  checks.push(await replaceDrifted(context, cluster, demand, life.drifted));
  state.transaction(() => launchForPods(context, cluster, demand));
  checks.push(await consolidate(context, cluster, demand));
  await keepNodeClaims(context, cluster);
  const nextMs = Math.min(...checks.filter((atMs) => atMs !== undefined));
  if (Number.isFinite(nextMs)) context.schedule("autopool", clusterId, nextMs);
}

/** Puts the objects of Auto Mode into the cluster, or takes the built-in pools away, when its settings have changed. */
async function furnish(context: ReconcileContext, cluster: ClusterRecord, enabled: boolean): Promise<void> {
  const { secrets } = context.state;
  const { nodePools = [], nodeRoleArn = "" } = cluster.computeConfig ?? {};
  const kept = enabled ? BUILT_IN_POOLS.filter((name) => nodePools.includes(name)) : [];
  const managesGatewayApi = cluster.networkConfig.elasticLoadBalancing?.gatewayApi?.crds?.managed === true;
  const wanted = JSON.stringify([enabled, kept, nodeRoleArn, managesGatewayApi]);
  const present = secrets.get(cluster.id, FURNISHED);
  if (present === wanted || (present === undefined && !enabled)) return;
  const { objects } = context.backendOf(cluster);
  if (!objects) return;
  if (enabled) {
    const manifests = autoModeObjects({
      nodePools: kept,
      nodeRoleArn,
      subnetIds: cluster.vpcConfig.subnetIds,
      securityGroupId: cluster.vpcConfig.clusterSecurityGroupId,
      managesGatewayApi,
    });
    await objects.apply(cluster.id, manifests, { manager: MANAGER, mode: "take" });
  }
  if (present !== undefined) {
    const gone = BUILT_IN_POOLS.filter((name) => !kept.includes(name)).map((name) => ({ resource: NODE_POOLS, name }));
    await objects.remove(cluster.id, gone, { manager: MANAGER });
  }
  secrets.put(cluster.id, FURNISHED, wanted);
}

/** Auto Mode repairs without being asked, unless more than a fifth of a pool's nodes are unhealthy. */
async function repair(
  context: ReconcileContext,
  cluster: ClusterRecord,
  instances: readonly InstanceRecord[],
): Promise<number | undefined> {
  const pools = new Set(instances.map(({ nodePool }) => nodePool?.name));
  let nextMs = Number.POSITIVE_INFINITY;
  for (const pool of pools) {
    const ofPool = instances.filter(({ nodePool }) => nodePool?.name === pool);
    const settings = { enabled: true, maxUnhealthyNodeThresholdCount: Math.ceil(ofPool.length / 5) };
    const decision = await repairNodes(context, cluster, { settings, instances: ofPool, replacesAlways: true });
    nextMs = Math.min(nextMs, decision.nextCheckMs ?? nextMs);
  }
  return Number.isFinite(nextMs) ? nextMs : undefined;
}

/**
 * Machines that fail EC2's status checks go, those that EC2 takes back, and those whose nodes have not joined after 15 minutes; what ran on them asks for new
 * ones by itself.
 */
function replaceLost(context: ReconcileContext, cluster: ClusterRecord): number | undefined {
  const { clock, profile } = context;
  let nextMs: number | undefined;
  for (const instance of autoInstances(context, cluster)) {
    if (!isAlive(instance)) continue;
    // Karpenter acts on the notice, not on EC2's earlier recommendation.
    if (instance.interruptionAtMs !== undefined)
      terminateInstance(context, cluster, instance.instanceId, "interruption");
    // One that has served before only joins anew.
    if (instance.lifecycle === "Pending" && instance.inServiceSinceMs === undefined) {
      const joinedByMs = instance.launchedAtMs + LIMITS.joinMs;
      if (joinedByMs <= clock.now()) terminateInstance(context, cluster, instance.instanceId, "unregistered");
      else nextMs = Math.min(nextMs ?? joinedByMs, joinedByMs);
    }
    if (!isUnhealthy(instance)) continue;
    const dueMs = replacementDueMs(instance, { nowMs: clock.now(), ...profile });
    if (dueMs <= clock.now()) terminateInstance(context, cluster, instance.instanceId, "unhealthy");
    else nextMs = Math.min(nextMs ?? dueMs, dueMs);
  }
  return nextMs;
}

function retire(context: ReconcileContext, cluster: ClusterRecord, demand: NodeDemand): LifeDecision {
  const { clock } = context;
  notePods(context, cluster, demand);
  const instances = autoInstances(context, cluster);
  const decision = decideLife({
    instances: instances.filter(({ lifecycle }) => lifecycle === "InService"),
    pools: new Map(demand.pools.map((pool) => [pool.name, pool])),
    counts: poolCounts(instances),
    isShifted: shiftedZonesOf(context, cluster.id).size > 0,
    version: nodeVersion(context, cluster),
    busy: instances.some(({ lifecycle, replacementId }) => lifecycle !== "InService" || replacementId !== undefined),
    nowMs: clock.now(),
  });
  for (const { instanceId, why } of decision.retire) terminateInstance(context, cluster, instanceId, why);
  return decision;
}

/** How many pods each node has, and since when it has had none. One that still waits for the pods it was launched for is not empty. */
function notePods({ state, clock }: ReconcileContext, cluster: ClusterRecord, demand: NodeDemand): void {
  const waiting = new Set(demand.pods.map(({ uid }) => uid));
  for (const found of state.instances.ofCluster(cluster.id)) {
    if (!found.nodePool || found.lifecycle !== "InService") continue;
    const pods = demand.busy[found.privateDnsName] ?? 0;
    const changed = found.podCount?.pods !== pods;
    const instance = changed ? { ...found, podCount: { pods, sinceMs: clock.now() } } : found;
    const expects = found.nodePool.pods.some((uid) => waiting.has(uid)) && isSettling(instance, clock.now());
    const empty = !expects && pods === 0 && !isTakingOver(state, found);
    if (empty === (instance.emptySinceMs !== undefined)) {
      if (changed) state.instances.put(instance);
      continue;
    }
    const { emptySinceMs: _, ...rest } = instance;
    state.instances.put(empty ? { ...rest, emptySinceMs: clock.now() } : rest);
  }
}
