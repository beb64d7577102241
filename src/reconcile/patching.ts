/** Carries out what EKS does to clusters by itself, when the calendar says so. What is due is decided in domain/eks/patching. */
import { updateParams } from "../domain/eks/cluster-updates.js";
import { decidePatching, type Patch } from "../domain/eks/patching.js";
import type { ClusterRecord } from "../domain/model.js";
import { nextClusterStatus } from "../domain/transitions.js";
import { emit, type ReconcileContext } from "./context.js";

/** A cluster that is being changed is looked at again when its update has ended. */
export async function reconcilePatching(context: ReconcileContext, clusterId: string): Promise<void> {
  const { state, clock } = context;
  const cluster = state.clusters.byId(clusterId);
  if (cluster?.status !== "ACTIVE" || !context.isAttached(clusterId) || state.updates.inProgress(clusterId)) return;
  const { due, nextCheckMs } = decidePatching(cluster, {
    nowMs: clock.now(),
    delayMs: (name, withinMs) => clock.random(`${name} of ${clusterId}`).integer(0, withinMs),
  });
  if (due) {
    state.transaction(() => patch(context, cluster, due));
    context.schedule("patching", clusterId);
  } else if (nextCheckMs !== undefined) {
    context.schedule("patching", clusterId, nextCheckMs);
  }
}

function patch(context: ReconcileContext, cluster: ClusterRecord, due: Patch): void {
  const { state, clock } = context;
  const { accountId, region, id: clusterId, name: clusterName } = cluster;
  const { platformVersion } = due;
  if (due.kind === "platform-version") {
    // Leaves no update behind, and the cluster stays ACTIVE.
    state.clusters.put({ ...cluster, platformVersion });
    emit(context, cluster, {
      source: "cluster",
      type: "PlatformVersionUpdated",
      subject: clusterName,
      message: `EKS has brought cluster ${clusterName} from platform version ${cluster.platformVersion} to ${platformVersion}.`,
    });
    return;
  }
  const { version, why } = due;
  state.updates.put({
    accountId,
    region,
    id: clock.random(`automatic update of ${clusterId} to ${version} at ${clock.now()}`).uuid(),
    clusterName,
    clusterId,
    status: "InProgress",
    type: "VersionUpdate",
    params: updateParams({ Version: version, PlatformVersion: platformVersion }),
    createdAtMs: clock.now(),
    errors: [],
    plan: { kind: "VersionUpdate", version, platformVersion, automatic: why },
  });
  state.clusters.put({ ...cluster, status: nextClusterStatus(cluster.status, "UPDATING") });
  emit(context, cluster, {
    source: "update",
    type: "AutomaticUpgradeStarted",
    subject: clusterName,
    message: `EKS upgrades cluster ${clusterName} from ${cluster.version} to ${version} because of the ${why}.`,
  });
  context.schedule("cluster", clusterId);
}
