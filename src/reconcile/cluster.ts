/** Clusters: brought up, changed and taken down as their rows say. */
import { BackendError } from "../backends/backend.js";
import type { ClusterRecord, MemberRecord } from "../domain/model.js";
import { nextClusterStatus } from "../domain/transitions.js";
import { clusterZones } from "../domain/zones.js";
import { carryOutUpdate } from "./cluster-update.js";
import { emit, nodegroupKey, type ReconcileContext } from "./context.js";
import { interfaceFor } from "./master-interfaces.js";

/** Attempts after which a cluster that its backend cannot make is FAILED. */
const CREATE_ATTEMPTS = 5;

export async function reconcileCluster(context: ReconcileContext, clusterId: string, attempt: number): Promise<void> {
  const cluster = context.state.clusters.byId(clusterId);
  if (!cluster) return;
  switch (cluster.status) {
    case "CREATING":
      return create(context, cluster, attempt);
    case "ACTIVE":
    case "UPDATING":
      if (!context.isAttached(cluster.id)) await context.attach(cluster, "adopt");
      // An update that was called off leaves nodes behind that have to come back.
      context.schedule("autopool", cluster.id);
      return carryOutUpdate(context, cluster);
    case "DELETING":
      return remove(context, cluster);
    default:
      return;
  }
}

async function create(context: ReconcileContext, cluster: ClusterRecord, attempt: number): Promise<void> {
  const { state, clock, profile } = context;
  if (!context.isAttached(cluster.id)) {
    ensureMembers(context, cluster);
    try {
      await context.attach(cluster, cluster.endpoint === undefined ? "create" : "adopt");
    } catch (error) {
      if (error instanceof BackendError && error.code === "failed" && attempt >= CREATE_ATTEMPTS) {
        return markFailed(context, cluster, error);
      }
      throw error;
    }
  }
  const readyAtMs = cluster.createdAtMs + profile.clusterCreateMs;
  if (clock.now() < readyAtMs) return context.schedule("cluster", cluster.id, readyAtMs);
  state.transaction(() => {
    const present = state.clusters.byId(cluster.id);
    if (present?.status !== "CREATING") return;
    state.clusters.put({ ...present, status: nextClusterStatus(present.status, "ACTIVE") });
    emit(context, cluster, {
      source: "cluster",
      type: "ClusterActive",
      subject: cluster.name,
      // Not where: the port differs from run to run, and the same run is told in the same words.
      message: `Cluster ${cluster.name} is ACTIVE.`,
    });
  });
  // What waits for an ACTIVE cluster looked at it when it was attached, which may be long ago.
  scheduleAllOf(context, cluster.id);
}

/** Three masters, one a zone, whatever zones the cluster's own subnets are in: they stand in a network of AWS's. */
function ensureMembers({ state }: ReconcileContext, cluster: ClusterRecord): void {
  state.transaction(() => {
    if (state.members.list(cluster.id).length > 0) return;
    for (const [index, zone] of clusterZones(cluster.region).entries()) {
      const member: MemberRecord = {
        clusterId: cluster.id,
        id: `master-${index + 1}`,
        zone: zone.name,
        status: "CREATING",
        version: cluster.version,
      };
      state.members.put({ ...member, ...interfaceFor(state, cluster, member) });
    }
  });
}

function markFailed(context: ReconcileContext, cluster: ClusterRecord, error: BackendError): void {
  const { state } = context;
  state.transaction(() => {
    const issue = { code: "InternalFailure", message: error.message, resourceIds: [] };
    state.clusters.put({ ...cluster, status: nextClusterStatus(cluster.status, "FAILED"), healthIssues: [issue] });
    emit(context, cluster, {
      source: "cluster",
      type: "ClusterFailed",
      subject: cluster.name,
      message: `Cluster ${cluster.name} could not be created: ${error.message}`,
    });
  });
}

async function remove(context: ReconcileContext, cluster: ClusterRecord): Promise<void> {
  const { state, clock, profile } = context;
  const sinceMs = cluster.deletingSinceMs ?? clock.now();
  if (cluster.deletingSinceMs === undefined) state.clusters.put({ ...cluster, deletingSinceMs: sinceMs });
  const goneAtMs = sinceMs + profile.clusterDeleteMs;
  if (clock.now() < goneAtMs) return context.schedule("cluster", cluster.id, goneAtMs);
  context.detach(cluster.id);
  await context.backendOf(cluster).deleteCluster(cluster.id);
  state.transaction(() => {
    for (const member of state.members.list(cluster.id)) state.members.remove(cluster.id, member.id);
    for (const instance of state.instances.ofCluster(cluster.id, { terminated: true })) {
      state.instances.remove(instance.instanceId);
    }
    for (const group of state.nodegroups.list(cluster.id)) state.nodegroups.remove(cluster, group.name);
    state.removeResourcesOfCluster(cluster.id);
    state.updates.removeOfCluster(cluster.id);
    state.secrets.removeOfCluster(cluster.id);
    state.objects(cluster.id).removeAll();
    state.clusters.remove(cluster);
    emit(context, cluster, {
      source: "cluster",
      type: "ClusterDeleted",
      subject: cluster.name,
      message: `Cluster ${cluster.name} is gone.`,
    });
  });
}

/** Everything of a cluster that may owe a step: after it was attached, or when a zone's power has changed. */
export function scheduleAllOf(context: Pick<ReconcileContext, "state" | "schedule">, clusterId: string): void {
  context.schedule("members", clusterId);
  context.schedule("patching", clusterId);
  context.schedule("zonal-shift", clusterId);
  context.schedule("autopool", clusterId);
  context.schedule("insights", clusterId);
  context.schedule("authorities", clusterId);
  for (const instance of context.state.instances.ofCluster(clusterId, { terminated: true })) {
    context.schedule("instance", instance.instanceId);
  }
  for (const { name } of context.state.fargateProfiles.list(clusterId)) {
    context.schedule("fargate-profile", nodegroupKey(clusterId, name));
  }
  for (const { name } of context.state.capabilities.list(clusterId)) {
    context.schedule("capability", nodegroupKey(clusterId, name));
  }
  for (const addon of context.state.addons.list(clusterId)) {
    context.schedule("addon", nodegroupKey(clusterId, addon.name));
  }
  for (const group of context.state.nodegroups.list(clusterId)) {
    context.schedule("nodegroup", nodegroupKey(clusterId, group.name));
  }
}
