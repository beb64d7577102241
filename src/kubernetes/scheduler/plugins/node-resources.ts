import type { NodeInfo } from "../node-info.js";
import { type FilterPlugin, MAX_SCORE, type Refusal, refuse, refuseForGood, type ScorePlugin } from "../plugin.js";
import type { PodInfo } from "../pod-info.js";

/** NodeResourcesFit and the two scores about resources. */

const TOO_MANY_PODS = "Too many pods";

/** A resource of which `node` has too little left, in the order upstream reports them. `never`: not even on an empty node. */
export interface Shortage {
  resource: string;
  requested: number;
  used: number;
  capacity: number;
}

/** What `pod` lacks on `node`; undefined when it fits. CPU in thousandths. */
export function shortages(pod: PodInfo, node: NodeInfo): Shortage[] | undefined {
  let found: Shortage[] | undefined;
  const check = (resource: string, requested: number, used: number, capacity: number): void => {
    if (requested > 0 && requested > capacity - used) {
      found ??= [];
      found.push({ resource, requested, used, capacity });
    }
  };
  check("pods", 1, node.pods.size, node.allowedPods);
  const { requests } = pod.demand;
  const { requested, allocatable } = node;
  check("cpu", requests.milliCpu, requested.milliCpu, allocatable.milliCpu);
  check("memory", requests.memory, requested.memory, allocatable.memory);
  check("ephemeral-storage", requests.ephemeralStorage, requested.ephemeralStorage, allocatable.ephemeralStorage);
  for (const name in requests.scalars)
    check(name, requests.scalars[name] as number, requested.scalars?.[name] ?? 0, allocatable.scalars?.[name] ?? 0);
  return found;
}

const known = new Map<string, Refusal>();

/** Shortages have few spellings; nodes by the thousand report the same one. */
function refusalOf(found: readonly Shortage[]): Refusal {
  const forGood = found.some((shortage) => shortage.requested > shortage.capacity);
  let id = String(forGood);
  for (const { resource } of found) id += `|${resource}`;
  let refusal = known.get(id);
  if (!refusal) {
    const reasons = found.map(({ resource }) => (resource === "pods" ? TOO_MANY_PODS : `Insufficient ${resource}`));
    refusal = forGood ? refuseForGood(...reasons) : refuse(...reasons);
    if (known.size < 1000) known.set(id, refusal);
  }
  return refusal;
}

export const nodeResourcesFit: FilterPlugin = {
  name: "NodeResourcesFit",
  wakesOn: ["node", "podGone"],
  prepare: (pod) => (node) => {
    const found = shortages(pod, node);
    return found ? refusalOf(found) : undefined;
  },
};

const freeShare = (used: number, capacity: number): number =>
  capacity <= 0 || used > capacity ? 0 : Math.floor(((capacity - used) * MAX_SCORE) / capacity);

/** LeastAllocated over CPU and memory, the default strategy of NodeResourcesFit. */
export const leastAllocated: ScorePlugin = {
  name: "NodeResourcesFit",
  weight: 1,
  prepare: (pod) => {
    const { milliCpu, memory } = pod.demand.assumed;
    return ({ assumed, allocatable }) =>
      Math.floor(
        (freeShare(assumed.milliCpu + milliCpu, allocatable.milliCpu) +
          freeShare(assumed.memory + memory, allocatable.memory)) /
          2,
      );
  },
};

const usedShare = (used: number, capacity: number): number => (capacity <= 0 ? 1 : Math.min(1, used / capacity));

/** Prefers nodes whose CPU and memory would be used to the same degree. A pod without requests has no say. */
export const balancedAllocation: ScorePlugin = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  prepare: (pod) => {
    const { milliCpu, memory } = pod.demand.requests;
    if (milliCpu === 0 && memory === 0) return undefined;
    return ({ requested, allocatable }) => {
      const cpu = usedShare(requested.milliCpu + milliCpu, allocatable.milliCpu);
      const mem = usedShare(requested.memory + memory, allocatable.memory);
      // The standard deviation of two values is half their distance.
      return Math.floor((1 - Math.abs(cpu - mem) / 2) * MAX_SCORE);
    };
  },
};
