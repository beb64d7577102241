/** Updates of clusters carried out: what their plan holds is put in place, after the time that EKS takes for their kind. */
import { AUTHORITY_UPDATE } from "../domain/eks/certificate-authorities.js";
import type { ClusterRecord, UpdateRecord } from "../domain/model.js";
import { nextClusterStatus } from "../domain/transitions.js";
import { changeAuthorities } from "./certificate-authorities.js";
import { applyEffects } from "./cluster-update-effects.js";
import { emit, type ReconcileContext } from "./context.js";
import { rollControlPlane } from "./control-plane-version.js";
import { moveInterfaces } from "./master-interfaces.js";
import { endpointAccess } from "./specs.js";

/** Update types that roll the API servers, and so take longer. */
const NETWORK_UPDATES: readonly string[] = [
  "EndpointAccessUpdate",
  "VpcConfigUpdate",
  "ControlPlaneEgressUpdate",
  "AssociateIdentityProviderConfig",
  "DisassociateIdentityProviderConfig",
];
const VERSION_UPDATES: readonly string[] = ["VersionUpdate", "VersionRollback"];

/** How often nodes that go back are looked at, in milliseconds. */
const NODES_LOOK_MS = 15_000;

/** The new values of a cluster's update as its plan carries them. */
function changesOf(update: UpdateRecord): Partial<ClusterRecord> {
  if (!VERSION_UPDATES.includes(update.type)) return (update.plan.changes as Partial<ClusterRecord> | undefined) ?? {};
  const { version, platformVersion } = update.plan as { version: string; platformVersion: string };
  return { version, platformVersion };
}

/** Takes the update in progress, if there is one, a step further. */
export async function carryOutUpdate(context: ReconcileContext, cluster: ClusterRecord): Promise<void> {
  const { state, clock, profile } = context;
  const update = state.updates.inProgress(cluster.id);
  if (!update) return;
  if (!(await haveNodesGoneBack(context, cluster, update))) return;
  if (cluster.status === "ACTIVE") {
    cluster = { ...cluster, status: nextClusterStatus(cluster.status, "UPDATING") };
    state.clusters.put(cluster);
  }
  const changes = changesOf(update);
  if (VERSION_UPDATES.includes(update.type) && changes.version) {
    const step = await rollControlPlane(context, cluster, update, changes.version);
    if (step.kind === "wait") return context.schedule("cluster", cluster.id, step.untilMs);
    return end(context, cluster, update, step.kind === "failed" ? { error: step.error } : { changes });
  }
  const durationMs = NETWORK_UPDATES.includes(update.type)
    ? profile.clusterNetworkUpdateMs
    : profile.clusterConfigUpdateMs;
  const doneAtMs = update.createdAtMs + durationMs;
  if (clock.now() < doneAtMs) return context.schedule("cluster", cluster.id, doneAtMs);
  if (update.type === "EndpointAccessUpdate") {
    const backend = context.backendOf(cluster);
    if (!backend.setEndpointAccess)
      context.log.warn(
        { cluster: cluster.name, backend: backend.name },
        "the backend turns nobody away: the cluster's endpoint is reached as before, whatever its endpoint access says",
      );
    await backend.setEndpointAccess?.(cluster.id, endpointAccess({ ...cluster, ...changes }));
  }
  if (update.type === "VpcConfigUpdate") await moveInterfaces(context, { ...cluster, ...changes });
  if (update.type === AUTHORITY_UPDATE) {
    return end(context, cluster, update, await changeAuthorities(context, cluster, update));
  }
  end(context, cluster, update, { changes });
}

/**
 * Whether nothing keeps the control plane from changing. Nodes of EKS Auto Mode go back to an older version before it does; when they do not in time, the
 * update fails. What has come of it is kept in the update's plan.
 */
async function haveNodesGoneBack(
  context: ReconcileContext,
  cluster: ClusterRecord,
  update: UpdateRecord,
): Promise<boolean> {
  const { state, clock } = context;
  const { nodesUntilMs, ...plan } = update.plan as { nodesUntilMs?: number; version: string };
  if (nodesUntilMs === undefined) return true;
  const newer = state.instances
    .ofCluster(cluster.id)
    .filter(({ nodePool, version }) => nodePool !== undefined && version !== plan.version);
  if (newer.length === 0) {
    state.updates.put({ ...update, plan: { ...plan, controlPlaneFromMs: clock.now() } });
    context.schedule("cluster", cluster.id);
    return false;
  }
  if (clock.now() >= nodesUntilMs) {
    const error = {
      errorCode: "Unknown",
      errorMessage: `Nodes of EKS Auto Mode have not been rolled back to ${plan.version} in time`,
      resourceIds: newer.map(({ instanceId }) => instanceId),
    };
    end(context, cluster, update, { error });
    return false;
  }
  context.schedule("autopool", cluster.id);
  context.schedule("cluster", cluster.id, Math.min(nodesUntilMs, clock.now() + NODES_LOOK_MS));
  return false;
}

/** A failure is in the update alone: the cluster is ACTIVE again either way. */
function end(
  context: ReconcileContext,
  cluster: ClusterRecord,
  update: UpdateRecord,
  outcome: { changes?: Partial<ClusterRecord>; error?: UpdateRecord["errors"][number] },
): void {
  const { state, clock } = context;
  const { changes, error } = outcome;
  state.transaction(() => {
    const present = state.clusters.byId(cluster.id) ?? cluster;
    const updated = { ...present, ...changes, status: nextClusterStatus(present.status, "ACTIVE") };
    state.clusters.put(updated);
    if (!error) applyEffects(context, updated, update);
    state.updates.put({
      ...update,
      status: error ? "Failed" : "Successful",
      finishedAtMs: clock.now(),
      errors: error ? [error] : [],
    });
    emit(context, cluster, {
      source: "update",
      type: error ? "UpdateFailed" : "UpdateSuccessful",
      subject: update.id,
      message: error
        ? `${update.type} of cluster ${cluster.name} has failed: ${error.errorMessage}.`
        : `${update.type} of cluster ${cluster.name} has succeeded.`,
    });
  });
  context.schedule("patching", cluster.id);
  context.schedule("zonal-shift", cluster.id);
  context.schedule("autopool", cluster.id);
  context.schedule("insights", cluster.id);
  context.schedule("authorities", cluster.id);
  // Updates that were accepted one after the other are carried out one after the other.
  if (state.updates.inProgress(cluster.id)) context.schedule("cluster", cluster.id);
}
