/** Updates: the record of every asynchronous change. Without a filter they are the cluster's own; those of node groups and add-ons need theirs. */
import { noCapabilityFound } from "../../domain/eks/capability-rules.js";
import { DomainError } from "../../domain/errors.js";
import type { UpdateRecord } from "../../domain/model.js";
import { type EksOperations, type OperationContext, scheduleWork } from "./context.js";
import { findAddon, findCluster, findNodegroup } from "./lookup.js";
import { pageOf } from "./paging.js";
import { updateView } from "./views.js";

interface Filter {
  name: string;
  nodegroupName?: string;
  addonName?: string;
  capabilityName?: string;
}

const noUpdateFound = (id: string, clusterName: string): DomainError =>
  new DomainError("ResourceNotFoundException", `No update found for ID: ${id}`, { clusterName });

const filterOf = ({ nodegroupName, addonName, capabilityName }: Filter): Omit<Filter, "name"> => ({
  ...(nodegroupName === undefined ? {} : { nodegroupName }),
  ...(addonName === undefined ? {} : { addonName }),
  ...(capabilityName === undefined ? {} : { capabilityName }),
});

/** An update is only found where it belongs: one of a node group not among the cluster's own, and the other way round. */
function findUpdate(context: OperationContext, input: Filter & { updateId: string }): UpdateRecord {
  const cluster = findCluster(context, input.name);
  const update = context.state.updates.get(cluster.id, input.updateId);
  const fits =
    update?.nodegroupName === input.nodegroupName &&
    update?.addonName === input.addonName &&
    update?.capabilityName === input.capabilityName;
  if (!update || !fits) throw noUpdateFound(input.updateId, input.name);
  return update;
}

export const updates = {
  DescribeUpdate(input, context) {
    return { update: updateView(findUpdate(context, input)) };
  },

  ListUpdates(input, context) {
    const cluster = findCluster(context, input.name);
    if (input.nodegroupName !== undefined) findNodegroup(context, input.name, input.nodegroupName);
    if (input.addonName !== undefined) findAddon(context, input.name, input.addonName);
    if (input.capabilityName !== undefined && !context.state.capabilities.get(cluster.id, input.capabilityName)) {
      throw noCapabilityFound(input.name, input.capabilityName);
    }
    const filter = filterOf(input);
    const { keys, nextToken } = pageOf(context, ["ListUpdates", cluster.id, filter], input, (page) =>
      context.state.updates.ids(cluster.id, filter, page),
    );
    return { updateIds: keys, nextToken };
  },

  /** Only a roll-back of an Auto Mode cluster can be called off, while its nodes are going back. */
  CancelUpdate(input, context) {
    const { state, clock } = context;
    const cluster = findCluster(context, input.name);
    const update = findUpdate(context, input);
    const refuse = (message: string): DomainError =>
      new DomainError("InvalidStateException", message, { clusterName: cluster.name });
    if (update.type !== "VersionRollback") throw refuse(`An update of type ${update.type} cannot be cancelled`);
    if (update.status !== "InProgress") throw refuse(`Update ${update.id} is not in progress`);
    if (!cluster.computeConfig?.enabled) {
      throw refuse("Only version rollbacks of EKS Auto Mode clusters can be cancelled");
    }
    if (update.plan.nodesUntilMs === undefined) {
      throw refuse(`Update ${update.id} cannot be cancelled any more: the control plane is being rolled back`);
    }
    const cancelled: UpdateRecord = {
      ...update,
      status: "Cancelled",
      finishedAtMs: clock.now(),
      cancellation: { status: "Successful" },
    };
    state.updates.put(cancelled);
    state.clusters.put({ ...cluster, status: "ACTIVE" });
    scheduleWork(context, "cluster", cluster.id);
    return { update: updateView(cancelled) };
  },
} satisfies Partial<EksOperations>;
