import type { NodeInfo } from "./node-info.js";
import type { FilterPlugin } from "./plugin.js";
import { interPodAffinity } from "./plugins/inter-pod-affinity.js";
import { nodeResourcesFit } from "./plugins/node-resources.js";
import { nodeAffinity, nodeName, nodePorts, nodeUnschedulable, taintToleration } from "./plugins/node-rules.js";
import { podTopologySpread } from "./plugins/topology-spread.js";
import type { QueuedPod } from "./queue.js";
import type { ClusterSnapshot } from "./snapshot.js";

/** Rules that look at nothing but the pod and the one node: cheap enough to ask before a pod is woken. */
const LOCAL: readonly FilterPlugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
];
/** Rules about the cluster at large: a change on one node can open another. */
const WIDE: readonly FilterPlugin[] = [podTopologySpread, interPodAffinity];

/** Could the refused pod go to `node` now? A light form of upstream's QueueingHints; in doubt the answer is yes. */
export function couldFit(entry: QueuedPod, node: NodeInfo, cluster: ClusterSnapshot): boolean {
  if (WIDE.some((plugin) => entry.refusedBy.has(plugin))) return true;
  if (!node.node) return false;
  for (const plugin of LOCAL) {
    const filter = plugin.prepare(entry.info, cluster);
    if (typeof filter === "function" && filter(node)) return false;
  }
  return true;
}
