/** Cordon and eviction as EKS does them before it terminates a node. */
import { isLeftAlone, takesPods } from "../../domain/kubernetes-objects.js";
import type { KubeApi } from "../../kubernetes/api.js";
import { isStatusError, type StatusError } from "../../kubernetes/errors.js";
import { type KubeObject, keyOf } from "../../kubernetes/object.js";
import { BackendError, type DrainedNode, type NodePatch } from "../backend.js";

interface Taint {
  key: string;
  value?: string;
  effect: string;
}

interface Node extends KubeObject {
  spec?: { unschedulable?: boolean; taints?: Taint[] };
  status?: { conditions?: { type: string; status: string }[] };
}

interface Pod extends KubeObject {
  status?: { phase?: string };
}

function nodeNamed(api: KubeApi, name: string): Node {
  const node = api.get<Node>("nodes", { name });
  if (!node) throw new BackendError("missing", `there is no node ${name}`);
  return node;
}

/**
 * Cordons the node and evicts what runs on it. Keys of pods that are still there; none when it is empty. Hopeless when budgets forbid the eviction of all
 * of them while no node is left on which their replacements could become Ready.
 */
export async function drainNode(api: KubeApi, name: string): Promise<DrainedNode> {
  if (nodeNamed(api, name).spec?.unschedulable !== true) {
    await api.patch("nodes", { name }, "merge", { spec: { unschedulable: true } });
  }
  const evicted = (): readonly Pod[] => api.byIndex<Pod>("pods", "node", name).filter((pod) => !isLeftAlone(pod));
  const refusals: Record<string, string> = {};
  for (const pod of evicted()) {
    const refusal = pod.metadata.deletionTimestamp === undefined ? await evict(api, pod) : undefined;
    if (refusal !== undefined) refusals[keyOf(pod)] = refusal;
  }
  const remaining = evicted();
  const forbidden = remaining.every(({ metadata }) => metadata.deletionTimestamp === undefined);
  return {
    remainingPods: remaining.map(keyOf),
    hopeless: remaining.length > 0 && forbidden && !api.list<Node>("nodes").some(takesPods),
    refusals,
  };
}

/** Gives what the API server said when it refuses the eviction now, mostly for a budget's sake; it may allow it at the next try. */
async function evict(api: KubeApi, pod: Pod): Promise<string | undefined> {
  const { name, namespace } = pod.metadata;
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
  try {
    await api.create("pods", eviction, { subresource: "eviction" });
    return undefined;
  } catch (error) {
    // Forbidden: by a policy or webhook, or because the namespace is going, which ends the pod as well.
    if (isStatusError(error, "TooManyRequests") || isStatusError(error, "Forbidden")) return refusalOf(error);
    // A pod that is gone needs no eviction.
    if (isStatusError(error, "NotFound")) return undefined;
    throw error;
  }
}

/** The cause names the budget; the message alone does not. */
const refusalOf = ({ message, details }: StatusError): string =>
  [message, ...(details?.causes ?? []).map((cause) => cause.message)].join(" ");

/** Labels, taints and schedulability of a node that lives. */
export async function patchNode(api: KubeApi, name: string, patch: NodePatch): Promise<void> {
  const node = nodeNamed(api, name);
  const same = (a: { key: string; effect: string }, b: Taint): boolean => a.key === b.key && a.effect === b.effect;
  const { addTaints = [], removeTaints = [] } = patch;
  const kept = (node.spec?.taints ?? []).filter(
    (taint) => ![...addTaints, ...removeTaints].some((changed) => same(changed, taint)),
  );
  const spec = {
    ...(patch.unschedulable === undefined ? {} : { unschedulable: patch.unschedulable || null }),
    ...(addTaints.length + removeTaints.length > 0 ? { taints: [...kept, ...addTaints] } : {}),
  };
  await api.patch("nodes", { name }, "merge", {
    // A change of taints is made against what was read: whoever else changes them meanwhile must not be undone.
    metadata: {
      ...(patch.labels ? { labels: patch.labels } : {}),
      ...("taints" in spec ? { resourceVersion: node.metadata.resourceVersion } : {}),
    },
    spec,
  });
}
