/** What the faults that are on want of a cluster, from the rows of the state: the same rows give the same wants. */
import { zonesOf } from "../domain/catalogue/index.js";
import {
  type ClusterFacts,
  type ClusterWants,
  knownFault,
  mergeUndo,
  touches,
  undoOf,
} from "../domain/faults/index.js";
import type { ClusterRecord, ClusterUndo, FaultRecord } from "../domain/model.js";
import type { State } from "../state/state.js";

/** Whether the fault reaches the cluster. One account's faults never touch another's. */
export const reaches = (fault: FaultRecord, cluster: ClusterRecord): boolean =>
  fault.accountId === cluster.accountId &&
  fault.region === cluster.region &&
  touches(fault, cluster.name) &&
  (fault.targets.clusterIds?.includes(cluster.id) ?? true);

/** Faults that act on the cluster, or are about to. */
export const actingOn = (state: State, cluster: ClusterRecord): FaultRecord[] =>
  state.faults
    .active({ accountId: cluster.accountId, region: cluster.region })
    .filter((fault) => reaches(fault, cluster));

/** Faults that have ended, and may have left something broken in the cluster. */
export const unfinishedOn = (state: State, cluster: ClusterRecord): FaultRecord[] =>
  state.faults
    .unfinished({ accountId: cluster.accountId, region: cluster.region })
    .filter((fault) => reaches(fault, cluster) || fault.undo.clusters[cluster.id] !== undefined);

export function factsOf(state: State, cluster: ClusterRecord, faults: readonly FaultRecord[]): ClusterFacts {
  const instances = state.instances.ofCluster(cluster.id).map((instance) => ({
    name: instance.privateDnsName,
    zone: instance.zone,
    instanceId: instance.instanceId,
    nodegroup: instance.nodegroupName,
  }));
  // Machines that no instance stands for are known from when a fault found them.
  const others = faults
    .flatMap(({ targets }) => targets.nodes ?? [])
    .filter(({ clusterId, instanceId }) => clusterId === cluster.id && instanceId === undefined)
    .map(({ name, zone = "" }) => ({ name, zone }));
  return {
    id: cluster.id,
    zones: zonesOf(cluster.region).map(({ name }) => name),
    nodes: [...instances, ...new Map(others.map((node) => [node.name, node])).values()],
    masters: state.members.list(cluster.id).map(({ id, zone }) => ({ id, zone })),
  };
}

export const wantsOf = (fault: FaultRecord, facts: ClusterFacts, nowMs: number): ClusterWants =>
  knownFault(fault)?.wants?.(fault, facts, nowMs) ?? {};

/** The fault's undo for this cluster, with what it wants of it now. */
export const withUndo = (fault: FaultRecord, facts: ClusterFacts, nowMs: number): ClusterUndo =>
  mergeUndo([fault.undo.clusters[facts.id] ?? {}, undoOf(wantsOf(fault, facts, nowMs))]);
