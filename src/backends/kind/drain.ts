/** Nodes as EKS changes them: cordoned and emptied before they go, labelled and tainted while they live. */
import { isLeftAlone, takesPods } from "../../domain/kubernetes-objects.js";
import { BackendError, type DrainedNode, type NodePatch } from "../backend.js";
import { asBackendError, type KubeClient, KubeRefusal } from "./kube-client.js";

interface Taint {
  key: string;
  value?: string;
  effect: string;
}

export interface Node {
  metadata: { name: string; resourceVersion?: string; labels?: Record<string, string>; uid?: string };
  spec?: { unschedulable?: boolean; taints?: Taint[]; providerID?: string; podCIDRs?: string[] };
  status?: { conditions?: { type: string; status: string; reason?: string }[] };
}

interface Pod {
  metadata: { name: string; namespace: string; deletionTimestamp?: string };
  spec?: { nodeName?: string };
  status?: { phase?: string };
}

interface List<T> {
  items: T[];
}

export const nodePath = (name: string): string => `/api/v1/nodes/${encodeURIComponent(name)}`;

const MERGE_PATCH = "application/merge-patch+json";

async function nodeNamed(client: KubeClient, name: string): Promise<Node> {
  const node = await client.get<Node>(nodePath(name));
  if (!node) throw new BackendError("missing", `there is no node ${name}`);
  return node;
}

const keyOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;

/** One look: cordons the node, asks for the eviction of what runs on it, and says what is still there. Waits for nothing. */
export function drainNode(client: KubeClient, name: string): Promise<DrainedNode> {
  return asBackendError(async () => {
    const node = await nodeNamed(client, name);
    if (node.spec?.unschedulable !== true) {
      const body = { spec: { unschedulable: true } };
      await client.request("PATCH", nodePath(name), { contentType: MERGE_PATCH, body });
    }
    const evicted = async (): Promise<Pod[]> => {
      const query = { fieldSelector: `spec.nodeName=${name}` };
      const { items } = await client.request<List<Pod>>("GET", "/api/v1/pods", { query });
      return items.filter((pod) => !isLeftAlone(pod));
    };
    const refusals: Record<string, string> = {};
    const before = await evicted();
    await Promise.all(
      before.map(async (pod) => {
        const refusal = pod.metadata.deletionTimestamp === undefined ? await evict(client, pod) : undefined;
        if (refusal !== undefined) refusals[keyOf(pod)] = refusal;
      }),
    );
    if (before.length === 0) return { remainingPods: [], hopeless: false, refusals };
    const remaining = await evicted();
    const forbidden = remaining.every(({ metadata }) => metadata.deletionTimestamp === undefined);
    return {
      remainingPods: remaining.map(keyOf),
      hopeless: remaining.length > 0 && forbidden && !(await hasPlace(client)),
      refusals,
    };
  });
}

async function hasPlace(client: KubeClient): Promise<boolean> {
  const { items } = await client.request<List<Node>>("GET", "/api/v1/nodes");
  return items.some((node) => takesPods(node) && !node.spec?.taints?.some(({ effect }) => effect === "NoSchedule"));
}

/** Gives what the API server said when it refuses the eviction now, mostly for a budget's sake; it may allow it at the next try. */
async function evict(client: KubeClient, pod: Pod): Promise<string | undefined> {
  const { name, namespace } = pod.metadata;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/eviction`;
  const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
  try {
    await client.request("POST", path, { body });
    return undefined;
  } catch (error) {
    if (!(error instanceof KubeRefusal)) throw error;
    // Forbidden: by a policy or webhook, or because the namespace is going, which ends the pod as well.
    if (error.status === 429 || error.status === 403) {
      return [error.message, ...error.causes.map(({ message = "" }) => message)].filter(Boolean).join(" ");
    }
    // A pod that is gone needs no eviction.
    if (error.status === 404) return undefined;
    throw error;
  }
}

/** Labels, taints and schedulability of a node that lives. */
export function patchNode(client: KubeClient, name: string, patch: NodePatch): Promise<void> {
  return asBackendError(async () => {
    const node = await nodeNamed(client, name);
    const { addTaints = [], removeTaints = [] } = patch;
    const same = (a: { key: string; effect: string }, b: Taint): boolean => a.key === b.key && a.effect === b.effect;
    const kept = (node.spec?.taints ?? []).filter(
      (taint) => ![...addTaints, ...removeTaints].some((changed) => same(changed, taint)),
    );
    const taintsChange = addTaints.length + removeTaints.length > 0;
    const body = {
      // A change of taints is made against what was read: whoever else changes them meanwhile must not be undone.
      metadata: {
        ...(patch.labels ? { labels: patch.labels } : {}),
        ...(taintsChange ? { resourceVersion: node.metadata.resourceVersion } : {}),
      },
      spec: {
        ...(patch.unschedulable === undefined ? {} : { unschedulable: patch.unschedulable || null }),
        ...(taintsChange ? { taints: [...kept, ...addTaints] } : {}),
      },
    };
    await client.request("PATCH", nodePath(name), { contentType: MERGE_PATCH, body });
  });
}

/** Nothing when it is not there. */
export async function deleteNode(client: KubeClient, name: string): Promise<void> {
  try {
    await client.request("DELETE", nodePath(name));
  } catch (error) {
    if (!(error instanceof KubeRefusal && error.status === 404)) throw error;
  }
}
