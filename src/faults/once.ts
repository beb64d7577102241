/** What faults that happen once ask of backends. What they do to instances is a matter of rows (see rows.ts). */
import { BackendError } from "../backends/backend.js";
import type { Once } from "../domain/faults/index.js";
import type { FaultRecord } from "../domain/model.js";
import { ignoringMissing } from "./machines.js";
import type { TargetSources } from "./target-search.js";

/** Rejects with BackendError `unsupported` before anything has happened. */
export async function performOnce(
  { state, backendOf }: TargetSources,
  { targets }: FaultRecord,
  once: Once,
): Promise<void> {
  if (once.kind === "terminate-instances") return;
  for (const clusterId of targets.clusterIds ?? clusterIdsOf(targets)) {
    const cluster = state.clusters.byId(clusterId);
    const backend = cluster && backendOf(cluster);
    if (!backend) continue;
    if (once.kind === "end-pods") {
      const pods = (targets.pods ?? []).filter((pod) => pod.clusterId === clusterId);
      if (!backend.endPods) throw new BackendError("unsupported", `the backend ${backend.name} cannot end pods`);
      if (pods.length === 0) continue;
      const names = pods.map(({ namespace, name }) => ({ namespace, name }));
      await ignoringMissing(backend.endPods(clusterId, names, once.how));
    } else {
      if (!backend.rebootNode) throw new BackendError("unsupported", `the backend ${backend.name} cannot reboot nodes`);
      for (const node of targets.nodes ?? []) {
        if (node.clusterId === clusterId) await ignoringMissing(backend.rebootNode(clusterId, node.name));
      }
    }
  }
}

/** Those of a whole zone name no clusters, but what was found there. */
const clusterIdsOf = ({ nodes = [], pods = [] }: FaultRecord["targets"]): string[] => [
  ...new Set([...nodes, ...pods].map(({ clusterId }) => clusterId)),
];
