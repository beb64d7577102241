/** EKS Auto Mode launches instances for pods that no node takes, and for nodes that are to go. What to launch is decided in domain/auto-mode/plan. */
import type { NodeDemand } from "../backends/backend.js";
import { karpenterDurationMs } from "../domain/auto-mode/life.js";
import { type PlannedNode, type PlanView, planNodes } from "../domain/auto-mode/plan.js";
import { offeringLabels } from "../domain/auto-mode/requirements.js";
import { createOfferingFilter, type OfferingFilter, type Unavailable } from "../domain/auto-mode/unavailable.js";
import { isAlive } from "../domain/auto-scaling.js";
import { autoModeAmiType, instanceType } from "../domain/catalogue/index.js";
import { autoNodeVersion } from "../domain/eks/version-rules.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { capacityOf, emit, type ReconcileContext } from "./context.js";
import { launchInstance, subnetZones } from "./launch.js";
import { shiftedZonesOf } from "./shifted.js";

/** Release of the image that Auto Mode's instances run. */
const RELEASE = "2026.7.15";
/** How long a node that was launched for a pod is given to take it, once it serves. */
const SETTLE_MS = 30_000;
/** Nodes launched for one pod; after that its demand is taken for one that no node can meet. */
const ATTEMPTS = 3;
/** How often pods that nothing can be launched for are looked at again, in milliseconds. */
const RETRY_MS = 60_000;
/** Secret of the cluster: offerings that are skipped. */
const UNAVAILABLE = "auto-mode-unavailable";

/** Instances that node pools have, launched for no node group. */
export const autoInstances = ({ state }: ReconcileContext, cluster: ClusterRecord): InstanceRecord[] =>
  state.instances.ofCluster(cluster.id).filter(({ nodePool }) => nodePool !== undefined);

/** The version that Auto Mode's nodes are to run now. */
export const nodeVersion = ({ state }: ReconcileContext, cluster: ClusterRecord): string =>
  autoNodeVersion(cluster, state.updates.inProgress(cluster.id));

/** When an instance has had the time to take what it was launched for; never while it does not serve. */
export const settledAtMs = ({ inServiceSinceMs = Number.POSITIVE_INFINITY }: InstanceRecord): number =>
  inServiceSinceMs + SETTLE_MS;

/** It serves not yet, or has not had the time yet to take what it was launched for. */
export const isSettling = (instance: InstanceRecord, nowMs: number): boolean => nowMs < settledAtMs(instance);

/** Everything that planning looks at but the pods. Zones that the cluster is shifted away from get nothing. */
export function planningView(
  context: ReconcileContext,
  cluster: ClusterRecord,
  demand: NodeDemand,
  filter: OfferingFilter,
): Omit<PlanView, "pods"> {
  const shifted = shiftedZonesOf(context, cluster.id);
  const zoneOf = subnetZones(context, cluster, { subnets: cluster.vpcConfig.subnetIds });
  return {
    region: cluster.region,
    zones: [...new Set(zoneOf.values())].filter((zone) => !shifted.has(zone)),
    pools: demand.pools,
    overhead: demand.overhead,
    nodes: autoInstances(context, cluster)
      .filter(isAlive)
      .map(({ instanceId, nodePool, zone, instanceType: type }) => ({
        instanceId,
        pool: nodePool?.name ?? "",
        zone,
        instanceType: type,
      })),
    hasCapacity: filter.hasCapacity,
  };
}

/** Knows which offerings EC2 has refused lately. */
export function offeringFilter(context: ReconcileContext, cluster: ClusterRecord): OfferingFilter {
  const before = JSON.parse(context.state.secrets.get(cluster.id, UNAVAILABLE) ?? "{}") as Unavailable;
  const capacity = capacityOf(context, cluster);
  return createOfferingFilter(before, context.clock.now(), (zone, type) => capacity(zone, [type]).length > 0);
}

/** Keeps what EC2 has refused, and tells of it. */
export function noteUnavailable(context: ReconcileContext, cluster: ClusterRecord, filter: OfferingFilter): void {
  const { secrets } = context.state;
  const text = JSON.stringify(filter.unavailable());
  if (text !== (secrets.get(cluster.id, UNAVAILABLE) ?? "{}")) secrets.put(cluster.id, UNAVAILABLE, text);
  for (const zone of filter.refusedIn()) {
    emit(context, cluster, {
      source: "zone",
      type: "OfferingsUnavailable",
      subject: zone,
      zone,
      message: `EC2 has no capacity in ${zone} for instance types that EKS Auto Mode would launch: it skips them for three minutes.`,
    });
  }
}

/** Launches what pods wait for. */
export function launchForPods(context: ReconcileContext, cluster: ClusterRecord, demand: NodeDemand): void {
  const nowMs = context.clock.now();
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
  const filter = offeringFilter(context, cluster);
  const planned = planNodes({ ...planningView(context, cluster, demand, filter), pods });
  noteUnavailable(context, cluster, filter);
  for (const node of planned) {
    const why = node.pods.length === 1 ? "a pod waits for a node" : `${node.pods.length} pods wait for nodes`;
    launchNode(context, cluster, demand, { node, why });
  }
}

/** `replaces` = instances that go when the new one serves, for that `reason`. */
export function launchNode(
  context: ReconcileContext,
  cluster: ClusterRecord,
  demand: NodeDemand,
  {
    node,
    why,
    replaces,
    reason,
  }: { node: PlannedNode; why: string; replaces?: readonly string[]; reason?: "underutilized" | "drift" },
): InstanceRecord | undefined {
  const type = instanceType(node.instanceType);
  if (!type) return undefined;
  const { pool, zone, capacityType, pods } = node;
  const zoneOf = subnetZones(context, cluster, { subnets: cluster.vpcConfig.subnetIds });
  const [subnetId = ""] = [...zoneOf.keys()].filter((subnet) => zoneOf.get(subnet) === zone);
  const { terminationGracePeriod } = demand.pools.find(({ name }) => name === pool.name) ?? {};
  const terminationGracePeriodMs = karpenterDurationMs(terminationGracePeriod);
  return launchInstance(
    context,
    cluster,
    { name: "", amiType: autoModeAmiType(type.arch) },
    {
      zone,
      subnetId,
      instanceType: type.name,
      target: { version: nodeVersion(context, cluster), releaseVersion: RELEASE },
      why,
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
        ...(terminationGracePeriodMs === undefined ? {} : { terminationGracePeriodMs }),
        ...(replaces ? { replaces } : {}),
        ...(reason ? { replacesBecause: reason } : {}),
      },
    },
  );
}
