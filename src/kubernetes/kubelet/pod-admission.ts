import { nodeMatchesPodAffinity } from "../runtime/node-affinity.js";
import { untolerated } from "../runtime/taints.js";
import type { NodeInfo } from "../scheduler/node-info.js";
import { shortages } from "../scheduler/plugins/node-resources.js";
import type { PodInfo } from "../scheduler/pod-info.js";
import type { Node, PodSpec } from "../schema/generated/types.js";

/** The kubelet's own look at a pod before it takes it: what was bound past the scheduler may not fit here. */
export interface Rejection {
  reason: string;
  message: string;
}

const predicate = (name: string, why: string): Rejection => ({
  reason: name,
  message: `Pod was rejected: Predicate ${name} failed: ${why}`,
});

/** Undefined: admitted. Reasons and texts as kubelet's lifecycle.predicateAdmitHandler gives them. */
export function rejectionOf(pod: PodInfo, node: NodeInfo): Rejection | undefined {
  const spec = pod.pod.spec as PodSpec;
  const [short] = shortages(pod, node) ?? [];
  if (short) {
    const { resource, requested, used, capacity } = short;
    return {
      reason: `OutOf${resource}`,
      message: `Pod was rejected: Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
    };
  }
  if (pod.demand.hasNodeAffinity && !nodeMatchesPodAffinity(node.node as Node, spec))
    return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  if (node.hasPortConflict(pod.demand.hostPorts))
    return predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports");
  const taint = untolerated(node.hardTaints, spec.tolerations, ["NoExecute"]);
  if (taint) return predicate("TaintToleration", `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`);
  return undefined;
}
