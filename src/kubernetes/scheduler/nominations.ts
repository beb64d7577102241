import type { NodeInfo } from "./node-info.js";
import type { PodInfo } from "./pod-info.js";

/** Which pods were promised room on which node by preemption (upstream's nominator). */
export interface Nominations {
  /** Promises `pod` room on the node; returns the pods of lower priority that lose their promise there. */
  set(pod: PodInfo, nodeName: string): PodInfo[];
  clear(key: string): void;
  nodeOf(key: string): string | undefined;
  /** Pods to plan around when placing `pod` on the node: those nominated there with at least its priority. */
  beside: (node: NodeInfo, pod: PodInfo) => readonly PodInfo[];
  readonly size: number;
}

const NONE: readonly PodInfo[] = [];

export function createNominations(): Nominations {
  const byNode = new Map<string, Map<string, PodInfo>>();
  const nodes = new Map<string, string>();

  const clear = (key: string): void => {
    const nodeName = nodes.get(key);
    if (nodeName === undefined) return;
    nodes.delete(key);
    const pods = byNode.get(nodeName);
    pods?.delete(key);
    if (pods?.size === 0) byNode.delete(nodeName);
  };

  return {
    set(pod, nodeName) {
      clear(pod.key);
      const present = byNode.get(nodeName) ?? new Map<string, PodInfo>();
      const losers = [...present.values()].filter((other) => other.priority < pod.priority);
      for (const loser of losers) clear(loser.key);
      present.set(pod.key, pod);
      byNode.set(nodeName, present);
      nodes.set(pod.key, nodeName);
      return losers;
    },
    clear,
    nodeOf: (key) => nodes.get(key),
    beside(node, pod) {
      const pods = byNode.get(node.name);
      if (!pods) return NONE;
      return [...pods.values()].filter((other) => other.key !== pod.key && other.priority >= pod.priority);
    },
    get size() {
      return nodes.size;
    },
  };
}
