/** Finds what a request names, or refuses in EKS's words. */

import type { AddonRecord } from "../../domain/addon.js";
import { noAddonFound } from "../../domain/eks/addon-rules.js";
import { isConnectedCluster, noClusterFound, noNodegroupFound } from "../../domain/eks/refusals.js";
import type { ClusterRecord, NodegroupRecord, UpdateRecord } from "../../domain/model.js";
import type { OperationContext } from "./context.js";

export function findCluster({ state, scope }: OperationContext, name: string): ClusterRecord {
  const cluster = state.clusters.get({ ...scope, name });
  if (!cluster) throw state.registrations.get(scope, name) ? isConnectedCluster(name) : noClusterFound(name);
  return cluster;
}

/** The cluster is looked for first. */
export function findNodegroup(
  context: OperationContext,
  clusterName: string,
  nodegroupName: string,
): { cluster: ClusterRecord; nodegroup: NodegroupRecord } {
  const cluster = findCluster(context, clusterName);
  const nodegroup = context.state.nodegroups.get(cluster, nodegroupName);
  if (!nodegroup) throw noNodegroupFound(clusterName, nodegroupName);
  return { cluster, nodegroup };
}

/** The cluster is looked for first. */
export function findAddon(
  context: OperationContext,
  clusterName: string,
  addonName: string,
): { cluster: ClusterRecord; addon: AddonRecord } {
  const cluster = findCluster(context, clusterName);
  const addon = context.state.addons.get(cluster.id, addonName);
  if (!addon) throw noAddonFound(clusterName, addonName);
  return { cluster, addon };
}

/** The cluster's own updates, oldest first. */
export function clusterUpdates({ state }: OperationContext, cluster: ClusterRecord): UpdateRecord[] {
  const ids = state.updates.ids(cluster.id, {}, { limit: Number.MAX_SAFE_INTEGER });
  return ids.flatMap((id) => state.updates.get(cluster.id, id) ?? []);
}
