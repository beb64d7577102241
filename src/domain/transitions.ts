/** The status machines of clusters, node groups and add-ons as data: every change of status is looked up here, so that a wrong one is a bug seen at once. */
import type { AddonStatus } from "./addon.js";
import type { ClusterStatus, NodegroupStatus } from "./model.js";

const CLUSTER: Readonly<Record<ClusterStatus, readonly ClusterStatus[]>> = {
  CREATING: ["ACTIVE", "FAILED", "DELETING"],
  ACTIVE: ["UPDATING", "DELETING"],
  // A failed update also returns to ACTIVE: the failure is in the update.
  UPDATING: ["ACTIVE"],
  FAILED: ["DELETING"],
  PENDING: ["ACTIVE", "DELETING"],
  DELETING: ["FAILED"],
};

const NODEGROUP: Readonly<Record<NodegroupStatus, readonly NodegroupStatus[]>> = {
  CREATING: ["ACTIVE", "CREATE_FAILED", "DELETING"],
  ACTIVE: ["UPDATING", "DEGRADED", "DELETING"],
  UPDATING: ["ACTIVE", "DEGRADED", "DELETING"],
  DEGRADED: ["ACTIVE", "UPDATING", "DELETING"],
  CREATE_FAILED: ["DELETING"],
  DELETING: ["DELETE_FAILED"],
  DELETE_FAILED: ["DELETING"],
};

const ADDON: Readonly<Record<AddonStatus, readonly AddonStatus[]>> = {
  CREATING: ["ACTIVE", "CREATE_FAILED", "DEGRADED", "DELETING"],
  ACTIVE: ["UPDATING", "DEGRADED", "DELETING"],
  CREATE_FAILED: ["UPDATING", "DELETING"],
  UPDATING: ["ACTIVE", "UPDATE_FAILED", "DEGRADED", "DELETING"],
  UPDATE_FAILED: ["UPDATING", "DELETING"],
  DEGRADED: ["ACTIVE", "UPDATING", "DELETING"],
  DELETING: ["DELETE_FAILED"],
  DELETE_FAILED: ["UPDATING", "DELETING"],
};

function step<S extends string>(what: string, table: Readonly<Record<S, readonly S[]>>, from: S, to: S): S {
  if (from !== to && !table[from].includes(to)) throw new Error(`${what} cannot go from ${from} to ${to}`);
  return to;
}

/** `to`, if EKS ever makes that step; throws a plain Error otherwise. */
export const nextClusterStatus = (from: ClusterStatus, to: ClusterStatus): ClusterStatus =>
  step("a cluster", CLUSTER, from, to);

export const nextNodegroupStatus = (from: NodegroupStatus, to: NodegroupStatus): NodegroupStatus =>
  step("a node group", NODEGROUP, from, to);

export const nextAddonStatus = (from: AddonStatus, to: AddonStatus): AddonStatus => step("an add-on", ADDON, from, to);
