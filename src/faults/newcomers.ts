/** Pods that come to stand in a zone while a fault of the zone's pods is on: they are looked for, and written into the fault's record like those found at first. */
import type { PodFacts } from "../backends/backend.js";
import { knownFault } from "../domain/faults/index.js";
import type { ClusterRecord, FaultRecord } from "../domain/model.js";
import { isMeant } from "./pod-targets.js";
import type { TargetSources } from "./target-search.js";
import { actingOn } from "./wants.js";

export interface Newcomers {
  /** Writes those that there are now into the faults of the cluster, and has an eye on it as long as there is such a fault. */
  resolve(clusterId: string): Promise<void>;
  stop(): void;
}

export function createNewcomers(
  options: TargetSources & {
    defer: (work: () => void) => void;
    /** Somebody has come who is not in the records yet. */
    noticed: (clusterId: string) => void;
    /** The backend tells of nobody: it has to be asked again after a while. */
    lookAgain: (clusterId: string) => void;
  },
): Newcomers {
  const { state, backendOf, defer, noticed, lookAgain } = options;
  const watches = new Map<string, () => void>();
  const waiting = new Set<string>();

  const faultsOf = (cluster: ClusterRecord): FaultRecord[] =>
    actingOn(state, cluster).filter((fault) => fault.targets.newcomers && knownFault(fault)?.target.type === "pod");

  const isNew = (fault: FaultRecord, clusterId: string, pod: PodFacts): boolean =>
    isMeant(pod, fault.target) &&
    !fault.targets.pods?.some(
      (known) => known.clusterId === clusterId && known.namespace === pod.namespace && known.name === pod.name,
    );

  const watch = (cluster: ClusterRecord): void => {
    if (watches.has(cluster.id)) return;
    const backend = backendOf(cluster);
    if (!backend?.watchPods) {
      lookAgain(cluster.id);
      return;
    }
    const stop = backend.watchPods(cluster.id, ({ pod, gone }) => {
      if (gone || waiting.has(cluster.id) || !faultsOf(cluster).some((fault) => isNew(fault, cluster.id, pod))) return;
      waiting.add(cluster.id);
      defer(() => {
        waiting.delete(cluster.id);
        if (watches.has(cluster.id)) noticed(cluster.id);
      });
    });
    watches.set(cluster.id, stop);
  };

  const unwatch = (clusterId: string): void => {
    watches.get(clusterId)?.();
    watches.delete(clusterId);
  };

  return {
    resolve: async (clusterId) => {
      const cluster = state.clusters.byId(clusterId);
      if (!cluster || faultsOf(cluster).length === 0) return unwatch(clusterId);
      const pods = (await backendOf(cluster)?.pods?.(clusterId)) ?? [];
      state.transaction(() => {
        for (const fault of faultsOf(cluster)) {
          const found = pods
            .filter((pod) => isMeant(pod, fault.target))
            .map(({ namespace, name }) => ({ clusterId, namespace, name }))
            .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
          const elsewhere = (fault.targets.pods ?? []).filter((pod) => pod.clusterId !== clusterId);
          const targets = { ...fault.targets, pods: [...elsewhere, ...found] };
          if (JSON.stringify(targets.pods) !== JSON.stringify(fault.targets.pods))
            state.faults.put({ ...fault, targets });
        }
      });
      watch(cluster);
    },
    stop: () => {
      for (const clusterId of [...watches.keys()]) unwatch(clusterId);
    },
  };
}
