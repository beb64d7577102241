/** Starting an update: its row, the status of what it changes, and the work of carrying it out. */
import type { AddonRecord } from "../../domain/addon.js";
import type { CapabilityRecord } from "../../domain/capability.js";
import type { ClusterRecord, NodegroupRecord, UpdateRecord } from "../../domain/model.js";
import type { Update } from "../model/generated/operations.js";
import { clusterResourceWorkKey, nodegroupWorkKey, type OperationContext, scheduleWork } from "./context.js";
import { updateId } from "./identifiers.js";
import { updateView } from "./views.js";

type Started = Pick<UpdateRecord, "type" | "params" | "plan">;

/** The cluster must be ACTIVE and without an update in progress. */
export function startClusterUpdate(context: OperationContext, cluster: ClusterRecord, update: Started): Update {
  const record = newUpdate(context, cluster, update);
  context.state.updates.put(record);
  // While its nodes go back before it, a cluster stays ACTIVE.
  if (update.plan.nodesUntilMs === undefined) context.state.clusters.put({ ...cluster, status: "UPDATING" });
  scheduleWork(context, "cluster", cluster.id);
  return updateView(record);
}

/** The node group must be ACTIVE or DEGRADED and without an update in progress. */
export function startNodegroupUpdate(
  context: OperationContext,
  cluster: ClusterRecord,
  nodegroup: NodegroupRecord,
  update: Started,
): Update {
  const record = { ...newUpdate(context, cluster, update, nodegroup.name), nodegroupName: nodegroup.name };
  context.state.updates.put(record);
  context.state.nodegroups.put({ ...nodegroup, status: "UPDATING", modifiedAtMs: context.clock.now() });
  scheduleWork(context, "nodegroup", nodegroupWorkKey(nodegroup));
  return updateView(record);
}

/** The add-on must be at rest. */
export function startAddonUpdate(
  context: OperationContext,
  cluster: ClusterRecord,
  addon: AddonRecord,
  update: Started,
): Update {
  const record = { ...newUpdate(context, cluster, update, addon.name), addonName: addon.name };
  context.state.updates.put(record);
  context.state.addons.put({
    ...addon,
    status: "UPDATING",
    updateId: record.id,
    healthIssues: [],
    modifiedAtMs: context.clock.now(),
  });
  scheduleWork(context, "addon", clusterResourceWorkKey(addon));
  return updateView(record);
}

/** The capability must be ACTIVE or DEGRADED. */
export function startCapabilityUpdate(
  context: OperationContext,
  cluster: ClusterRecord,
  capability: CapabilityRecord,
  update: Started,
): Update {
  const record = { ...newUpdate(context, cluster, update, capability.name), capabilityName: capability.name };
  context.state.updates.put(record);
  context.state.capabilities.put({ ...capability, status: "UPDATING", modifiedAtMs: context.clock.now() });
  scheduleWork(context, "capability", clusterResourceWorkKey(capability));
  return updateView(record);
}

function newUpdate(context: OperationContext, cluster: ClusterRecord, update: Started, of = ""): UpdateRecord {
  return {
    ...context.scope,
    id: updateId(context, cluster.id, of, update.type),
    clusterName: cluster.name,
    clusterId: cluster.id,
    status: "InProgress",
    ...update,
    createdAtMs: context.clock.now(),
    errors: [],
  };
}
