/**
 * EKS Auto Mode: keeps its objects in the cluster, launches instances for pods that no node takes, and gives up nodes that are empty, too old, of another
 * version or broken. What to launch and what to give up is decided in domain/auto-mode.
 */
import type { NodeDemand } from "../backends/backend.js";
import { decideLife } from "../domain/auto-mode/life.js";
import { autoModeObjects, BUILT_IN_POOLS, NODE_POOLS } from "../domain/auto-mode/objects.js";
import { type PlannedNode, planNodes } from "../domain/auto-mode/plan.js";
import { offeringLabels } from "../domain/auto-mode/requirements.js";
import { isAlive, isUnhealthy, replacementDueMs } from "../domain/auto-scaling.js";
import { autoModeAmiType, instanceType } from "../domain/catalogue/index.js";
import { autoNodeVersion } from "../domain/eks/version-rules.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { capacityOf, type ReconcileContext } from "./context.js";
import { launchInstance, subnetZones, terminateInstance } from "./launch.js";
import { repairNodes } from "./repair.js";

/** Release of the image that Auto Mode's instances run. */
const RELEASE = "2026.7.15";
/** How long a node that was launched for a pod is given to take it, once it serves. */
const SETTLE_MS = 30_000;
/** Nodes launched for one pod; after that its demand is taken for one that no node can meet. */
const ATTEMPTS = 3;
/** How often pods that nothing can be launched for are looked at again, in milliseconds. */
const RETRY_MS = 60_000;
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
    return;
  }
  const demand = await context.backendOf(cluster).nodeDemand?.(clusterId);
  if (!demand) return;
  const nextRepairMs = await repair(context, cluster, instances);
  const checks = state.transaction(() => [
    nextRepairMs,
    replaceLost(context, cluster),
    retire(context, cluster, demand),
  ]);
  state.transaction(() => launch(context, cluster, demand));
  const nextMs = Math.min(...checks.filter((atMs) => atMs !== undefined));
  if (Number.isFinite(nextMs)) context.schedule("autopool", clusterId, nextMs);
}

/** Instances that node pools have, launched for no node group. */
const autoInstances = ({ state }: ReconcileContext, cluster: ClusterRecord): InstanceRecord[] =>
  state.instances.ofCluster(cluster.id).filter(({ nodePool }) => nodePool !== undefined);

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

/** Machines that fail EC2's status checks go, and those that EC2 takes back; what ran on them asks for new ones by itself. */
function replaceLost(context: ReconcileContext, cluster: ClusterRecord): number | undefined {
  const { clock, profile } = context;
  let nextMs: number | undefined;
  for (const instance of autoInstances(context, cluster)) {
    if (!isAlive(instance)) continue;
    // Karpenter acts on the notice, not on EC2's earlier recommendation.
    if (instance.interruptionAtMs !== undefined)
      terminateInstance(context, cluster, instance.instanceId, "interruption");
    if (!isUnhealthy(instance)) continue;
    const dueMs = replacementDueMs(instance, { nowMs: clock.now(), ...profile });
    if (dueMs <= clock.now()) terminateInstance(context, cluster, instance.instanceId, "unhealthy");
    else nextMs = Math.min(nextMs ?? dueMs, dueMs);
  }
  return nextMs;
}

function retire(context: ReconcileContext, cluster: ClusterRecord, demand: NodeDemand): number | undefined {
  const { clock } = context;
  noteEmpty(context, cluster, demand);
  const instances = autoInstances(context, cluster);
  const decision = decideLife({
    instances: instances.filter(({ lifecycle }) => lifecycle === "InService"),
    pools: new Map(demand.pools.map((pool) => [pool.name, pool])),
    version: nodeVersion(context, cluster),
    busy: instances.some(({ lifecycle }) => lifecycle !== "InService"),
    nowMs: clock.now(),
  });
  for (const { instanceId, why } of decision.retire) terminateInstance(context, cluster, instanceId, why);
  return decision.nextCheckMs;
}

const nodeVersion = ({ state }: ReconcileContext, cluster: ClusterRecord): string =>
  autoNodeVersion(cluster, state.updates.inProgress(cluster.id));

/** A node that still waits for the pods it was launched for is not empty. */
function noteEmpty({ state, clock }: ReconcileContext, cluster: ClusterRecord, demand: NodeDemand): void {
  const waiting = new Set(demand.pods.map(({ uid }) => uid));
  for (const instance of state.instances.ofCluster(cluster.id)) {
    if (!instance.nodePool || instance.lifecycle !== "InService") continue;
    const expects = instance.nodePool.pods.some((uid) => waiting.has(uid)) && isSettling(instance, clock.now());
    const empty = !expects && demand.busy[instance.privateDnsName] === undefined;
    if (empty === (instance.emptySinceMs !== undefined)) continue;
    const { emptySinceMs: _, ...rest } = instance;
    state.instances.put(empty ? { ...rest, emptySinceMs: clock.now() } : rest);
  }
}

const isSettling = ({ inServiceSinceMs }: InstanceRecord, nowMs: number): boolean =>
  inServiceSinceMs === undefined || nowMs < inServiceSinceMs + SETTLE_MS;

function launch(context: ReconcileContext, cluster: ClusterRecord, demand: NodeDemand): void {
  const { clock } = context;
  const nowMs = clock.now();
  const alive = autoInstances(context, cluster).filter(isAlive);
  // Terminated ones count too: a pod that outlives the nodes launched for it asks for nothing that can be had.
  const all = context.state.instances.ofCluster(cluster.id, { terminated: true });
  const launchedFor = (uid: string): InstanceRecord[] => all.filter(({ nodePool }) => nodePool?.pods.includes(uid));
  const isOpen = (uid: string): boolean => {
    const own = launchedFor(uid);
    return own.length < ATTEMPTS && !own.some((instance) => isAlive(instance) && isSettling(instance, nowMs));
  };
  const pods = demand.pods.filter(({ uid }) => isOpen(uid));
  if (demand.pods.length > 0) context.schedule("autopool", cluster.id, nowMs + RETRY_MS);
  if (pods.length === 0) return;
  const zoneOf = subnetZones(context, cluster, { subnets: cluster.vpcConfig.subnetIds });
  const capacity = capacityOf(context, cluster);
  const planned = planNodes({
    region: cluster.region,
    zones: [...new Set(zoneOf.values())],
    pods,
    pools: demand.pools,
    overhead: demand.overhead,
    nodes: alive.map(({ nodePool, zone, instanceType: type }) => ({
      pool: nodePool?.name ?? "",
      zone,
      instanceType: type,
    })),
    hasCapacity: (zone, type) => capacity(zone, [type]).length > 0,
  });
  for (const node of planned) launchNode(context, cluster, node, zoneOf);
}

function launchNode(
  context: ReconcileContext,
  cluster: ClusterRecord,
  node: PlannedNode,
  zoneOf: ReadonlyMap<string, string>,
): void {
  const type = instanceType(node.instanceType);
  if (!type) return;
  const { pool, zone, capacityType, pods } = node;
  const [subnetId = ""] = [...zoneOf.keys()].filter((subnet) => zoneOf.get(subnet) === zone);
  launchInstance(
    context,
    cluster,
    { name: "", amiType: autoModeAmiType(type.arch) },
    {
      zone,
      subnetId,
      instanceType: type.name,
      target: { version: nodeVersion(context, cluster), releaseVersion: RELEASE },
      why: pods.length === 1 ? "a pod waits for a node" : `${pods.length} pods wait for nodes`,
      nodePool: {
        name: pool.name,
        amiType: autoModeAmiType(type.arch),
        labels: {
          ...pool.labels,
          ...offeringLabels(type, cluster.region, zone, capacityType),
          "eks.amazonaws.com/nodeclass": "default",
        },
        taints: pool.taints,
        pods,
      },
    },
  );
}
