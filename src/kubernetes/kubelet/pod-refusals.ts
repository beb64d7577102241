import type { Clock } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { NodeInfo } from "../scheduler/node-info.js";
import { podInfoOf } from "../scheduler/pod-info.js";
import type { PodSet } from "../scheduler/pod-sets.js";
import type { Node, Pod } from "../schema/generated/types.js";
import type { Pressure } from "../trouble.js";
import { type Rejection, rejectionOf } from "./pod-admission.js";
import { pressureRejection } from "./pressure.js";

/**
 * Pods that a kubelet does not take. Deciding is one thing and saying so another: the latter takes a real kubelet time, and has to here, too, since whoever
 * made the pod makes another at once, which the scheduler may send to the same node as long as the Node does not tell what is wrong.
 */
export interface Refusal {
  /** Of the pod. */
  uid: string;
  failure: Rejection;
  /** When its status tells it, epoch ms. */
  dueMs: number;
}

export interface PodRefusals {
  /** Why a pod that has come is not taken; the same answer until it has been told. */
  of(key: string, pod: Pod): Refusal | undefined;
  /** It has been told, or the pod is gone. */
  forget(key: string): void;
}

export interface PodRefusalsOptions {
  api: KubeApi;
  clock: Clock;
  /** What is on the node. */
  node: NodeInfo;
  pressures: () => readonly Pressure[];
  /** How long it takes to say so, ms. */
  delayMs: () => number;
}

/** Admission looks at the pod and the node alone, never at other pods' labels. */
export const noSets = (): PodSet => ({ id: "", living: false, matches: () => false, shelves: [] });

/** Whether a kubelet has taken it before, as it may have before this process was restarted. */
export const isTakenOn = ({ status }: Pod): boolean => status?.startTime !== undefined;

export function createPodRefusals({ api, clock, node, pressures, delayMs }: PodRefusalsOptions): PodRefusals {
  const decided = new Map<string, Refusal>();
  return {
    of(key, pod) {
      const { uid } = pod.metadata;
      const known = decided.get(key);
      if (known?.uid === uid) return known;
      decided.delete(key);
      const present = api.get<Node>("nodes", { name: node.name });
      if (present !== node.node) node.setNode(present);
      if (isTakenOn(pod) || !present) return undefined;
      const failure = pressureRejection(pod, pressures()) ?? rejectionOf(podInfoOf(pod, noSets), node);
      if (!failure) return undefined;
      const refusal = { uid, failure, dueMs: clock.now() + delayMs() };
      decided.set(key, refusal);
      return refusal;
    },
    forget: (key) => void decided.delete(key),
  };
}
