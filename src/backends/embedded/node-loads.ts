/** What runs on each node, what room is left there, and what of it must not be moved: for whoever gives up nodes that are not needed. */
import type { KubeApi } from "../../kubernetes/api.js";
import { keyOf } from "../../kubernetes/object.js";
import { isConditionTrue } from "../../kubernetes/runtime/conditions.js";
import { matcherOf } from "../../kubernetes/runtime/label-selector.js";
import { addResources, noResources, parseResources, podRequests } from "../../kubernetes/scheduler/resources.js";
import type { Node, Pod, PodDisruptionBudget } from "../../kubernetes/schema/generated/types.js";
import type { NodeLoad } from "../backend.js";
import { allowsNone, isBusy, isOfDaemonSet, staysPut, waitingPod } from "./node-demand.js";

const ENDED: readonly (string | undefined)[] = ["Succeeded", "Failed"];

export function nodeLoads(api: KubeApi): NodeLoad[] {
  const budgets = api.list<PodDisruptionBudget>("poddisruptionbudgets.policy").filter(allowsNone);
  return api.list<Node>("nodes").map((node) => {
    const { name, labels = {} } = node.metadata;
    const running = api.byIndex<Pod>("pods", "node", name).filter(({ status }) => !ENDED.includes(status?.phase));
    const used = noResources();
    for (const { spec } of running) if (spec) addResources(used, podRequests(spec));
    const room = parseResources(node.status?.allocatable);
    addResources(room, used, -1);
    const movable = running.filter((pod) => !isOfDaemonSet(pod) && isBusy(pod));
    const blockedBy = staysPut(node) ? `node ${name} is not to be disrupted` : firstRefusal(movable, budgets);
    return {
      name,
      labels,
      taints: (node.spec?.taints ?? []).map(({ key, value, effect }) => ({ key, effect, ...(value ? { value } : {}) })),
      open: node.spec?.unschedulable !== true && isConditionTrue(node.status?.conditions, "Ready"),
      free: {
        milliCpu: room.milliCpu,
        memory: room.memory,
        ...(room.scalars ? { scalars: room.scalars } : {}),
        pods: Number(node.status?.allocatable?.pods ?? 0) - running.length,
      },
      pods: movable.map((pod) => waitingPod(api, pod)),
      ...(blockedBy ? { blockedBy } : {}),
    };
  });
}

/** Why one of the pods must stay where it is. */
function firstRefusal(pods: readonly Pod[], budgets: readonly PodDisruptionBudget[]): string | undefined {
  for (const pod of pods) {
    if (staysPut(pod)) return `pod ${keyOf(pod)} is not to be disrupted`;
    const budget = budgets.find(
      ({ metadata, spec }) =>
        metadata.namespace === pod.metadata.namespace && matcherOf(spec?.selector)(pod.metadata.labels),
    );
    if (budget) return `disruption budget ${keyOf(budget)} keeps pod ${keyOf(pod)}`;
  }
  return undefined;
}
