import type { NodeInfo } from "./node-info.js";
import type { PodInfo } from "./pod-info.js";
import type { ClusterSnapshot } from "./snapshot.js";

/**
 * The forms of scheduling rules. A plugin is asked once a pod and answers with a function over nodes, so that whatever it must gather first lives in
 * that function's scope. Names, order and weights are those of kube-scheduler's default profile.
 */
export interface Refusal {
  /** Upstream's wording: what FailedScheduling counts. */
  readonly reasons: readonly string[];
  /** True when evicting other pods could not change it (UnschedulableAndUnresolvable). */
  readonly unresolvable: boolean;
}

export const refuse = (...reasons: string[]): Refusal => ({ reasons, unresolvable: false });
export const refuseForGood = (...reasons: string[]): Refusal => ({ reasons, unresolvable: true });

export type NodeFilter = (node: NodeInfo) => Refusal | undefined;

export interface FilterPlugin {
  readonly name: string;
  /** A filter; undefined when the pod does not concern this plugin; a Refusal when no node at all will do. */
  prepare(pod: PodInfo, cluster: ClusterSnapshot): NodeFilter | Refusal | undefined;
  /** What could make room for a pod that this plugin refused. */
  readonly wakesOn: readonly ClusterChange[];
}

/**
 * Changes in the cluster for which refused pods are tried again: a node came or changed; a pod left its node; a pod was placed, or a placed one changed;
 * claims, volumes or storage classes changed; labels of a namespace changed.
 */
export type ClusterChange = "node" | "podGone" | "podPlaced" | "storage" | "namespace";

export type NodeScore = (node: NodeInfo) => number;

export interface ScorePlugin {
  readonly name: string;
  readonly weight: number;
  /** Undefined when this plugin has no preference for the pod. `nodes`: those that passed the filters. */
  prepare(pod: PodInfo, cluster: ClusterSnapshot, nodes: readonly NodeInfo[]): NodeScore | undefined;
  /** Brings raw scores to 0..MAX_SCORE in place; absent when they are already. */
  normalise?(scores: Float64Array, nodes: readonly NodeInfo[]): void;
}

export const MAX_SCORE = 100;

/** helper.DefaultNormalizeScore: the highest becomes 100; `reverse` for "less is better". */
export function normaliseToMax(scores: Float64Array, reverse: boolean): void {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  for (let i = 0; i < scores.length; i++) {
    const scaled = max === 0 ? 0 : Math.floor(((scores[i] as number) * MAX_SCORE) / max);
    scores[i] = reverse ? MAX_SCORE - scaled : scaled;
  }
}
