/** New instances: their ids, addresses and subnets, and the mark that sends old ones away. */

import type { TerminationReason } from "../domain/auto-scaling.js";
import { zonesOf } from "../domain/catalogue/index.js";
import type { ClusterRecord, InstanceRecord, NodegroupRecord } from "../domain/model.js";
import { amiId, privateDnsName, privateIp } from "../domain/node.js";
import { zonesOfSubnets } from "../domain/zones.js";
import { emit, type ReconcileContext } from "./context.js";

/** What new instances of a group run. Differs from the group's own versions while it is being updated. */
export interface LaunchTarget {
  version: string;
  releaseVersion: string;
  launchTemplate?: NodegroupRecord["launchTemplate"];
}

/** Sentences for why an instance goes. */
const REASONS: Readonly<Record<TerminationReason, string>> = {
  "scale-in": "the group shrinks",
  unhealthy: "it is unhealthy",
  rebalance: "the zones are levelled",
  "rebalance-recommendation": "EC2 recommends to replace it, and its replacement serves",
  interruption: "EC2 takes the Spot instance back",
  update: "the group is updated",
  "nodegroup-delete": "the group is deleted",
  repair: "its node is repaired",
  "warm-pool": "the warm pool shrinks",
  expired: "it is as old as nodes of its pool become",
  drift: "its pool or the cluster's version is another now",
  empty: "nothing runs on it",
  underutilized: "what runs on it fits elsewhere, or on less",
  unregistered: "its node has not joined the cluster",
  "auto-mode-off": "EKS Auto Mode is disabled",
};

/**
 * Zone of each of a group's subnets, in their order. Nobody knows these subnets: they get zones in order of first appearance in the cluster, and the order
 * is kept so that a subnet stays where it is when groups come and go.
 */
export function subnetZones(
  context: Pick<ReconcileContext, "state">,
  cluster: ClusterRecord,
  group: Pick<NodegroupRecord, "subnets">,
): Map<string, string> {
  const { settings } = context.state;
  const name = `subnets/${cluster.id}`;
  const known = JSON.parse(settings.get(name) ?? "[]") as string[];
  const order = [...new Set([...cluster.vpcConfig.subnetIds, ...known, ...group.subnets])];
  if (order.length > known.length) settings.put(name, JSON.stringify(order));
  const zones = zonesOfSubnets(cluster.region, order);
  return new Map(group.subnets.map((subnetId) => [subnetId, zones.get(subnetId)?.name ?? ""]));
}

export interface Launch {
  zone: string;
  subnetId: string;
  instanceType: string;
  target: LaunchTarget;
  why: string;
  /** `Warmed` for an instance of the warm pool; else it becomes a node. */
  lifecycle?: "Pending" | "Warmed";
  nodePool?: InstanceRecord["nodePool"];
}

/** Writes the row of a new instance in `zone`; the instance reconciler boots it. */
export function launchInstance(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: Pick<NodegroupRecord, "name" | "amiType">,
  launch: Launch,
): InstanceRecord {
  const { state, clock } = context;
  const { zone, subnetId, instanceType, target, lifecycle = "Pending", nodePool } = launch;
  // A stream named by the moment and the number of instances there are: the same numbers must not come again, not even after a restart.
  const known = state.instances.ofCluster(cluster.id, { terminated: true }).length;
  const random = clock.random(`instance ${cluster.id} ${group.name} ${clock.now()} ${known}`);
  let instanceId = `i-${random.hex(17)}`;
  while (state.instances.get(instanceId)) instanceId = `i-${random.hex(17)}`;
  const zoneIndex = zonesOf(cluster.region).findIndex(({ name }) => name === zone);
  const ofMasters = state.members.list(cluster.id).map(({ networkInterface }) => networkInterface?.privateIp);
  let address = privateIp(zoneIndex, random.integer(0, 4090));
  while (
    ofMasters.includes(address) ||
    state.instances.byDnsName(cluster.id, privateDnsName(cluster.region, address))
  ) {
    address = privateIp(zoneIndex, random.integer(0, 4090));
  }
  const instance: InstanceRecord = {
    accountId: cluster.accountId,
    region: cluster.region,
    instanceId,
    clusterName: cluster.name,
    clusterId: cluster.id,
    nodegroupName: group.name,
    zone,
    subnetId,
    instanceType,
    privateIp: address,
    privateDnsName: nodePool ? instanceId : privateDnsName(cluster.region, address),
    amiId: amiId(cluster.region, group.amiType, target.releaseVersion),
    version: target.version,
    releaseVersion: target.releaseVersion,
    lifecycle,
    state: "pending",
    statusCheck: "initializing",
    launchedAtMs: clock.now(),
    nodeReady: false,
    ...(nodePool ? { nodePool } : {}),
  };
  state.instances.put(instance);
  emit(context, cluster, {
    source: "instance",
    type: "InstanceLaunched",
    subject: instanceId,
    zone,
    message: `Instance ${instanceId} of ${nodePool ? `node pool ${nodePool.name}` : `node group ${group.name}`} is launched in ${zone}: ${launch.why}.`,
    detail: {
      ...(nodePool ? { nodePool: nodePool.name } : { nodegroupName: group.name }),
      node: instance.privateDnsName,
    },
  });
  context.schedule("instance", instanceId);
  return instance;
}

/** Takes an instance out of the warm pool: it joins as a node without having to be launched first. */
export function startWarmInstance(
  context: ReconcileContext,
  cluster: ClusterRecord,
  instance: InstanceRecord,
  why: string,
): void {
  const { state, clock } = context;
  const { terminationReason: _, terminatedAtMs: __, drainDeadlineMs: ___, ...kept } = instance;
  state.instances.put({
    ...kept,
    lifecycle: "Pending",
    state: "pending",
    statusCheck: "initializing",
    launchedAtMs: clock.now(),
    prepared: instance.state === "running" ? "running" : "stopped",
    nodeReady: false,
  });
  emit(context, cluster, {
    source: "instance",
    type: "InstanceStarted",
    subject: instance.instanceId,
    zone: instance.zone,
    message: `Instance ${instance.instanceId} in ${instance.zone} is taken out of the warm pool of node group ${instance.nodegroupName}: ${why}.`,
    detail: { nodegroupName: instance.nodegroupName, node: instance.privateDnsName },
  });
  context.schedule("instance", instance.instanceId);
}

/** Marks an instance for termination; the instance reconciler drains and ends it. */
export function terminateInstance(
  context: ReconcileContext,
  cluster: ClusterRecord,
  instanceId: string,
  reason: TerminationReason,
): void {
  const { state } = context;
  const instance = state.instances.get(instanceId);
  if (!instance || instance.lifecycle === "Terminating" || instance.lifecycle === "Terminated") return;
  state.instances.put({ ...instance, lifecycle: "Terminating", terminationReason: reason });
  emit(context, cluster, {
    source: "instance",
    type: "InstanceTerminating",
    subject: instanceId,
    zone: instance.zone,
    message: `Instance ${instanceId} (${instance.privateDnsName}) in ${instance.zone} is terminated because ${REASONS[reason]}.`,
    detail: { reason },
  });
  context.schedule("instance", instanceId);
}
