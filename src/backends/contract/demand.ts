/** What pods ask of nodes and what nodes have left, for whoever launches them and gives them up. */
import type { Amounts, NodePool, WaitingPod } from "../../domain/auto-mode/plan.js";

export interface NodeDemand {
  /** Pods that no present node takes; those of DaemonSets never ask for one. */
  pods: readonly WaitingPod[];
  /** How many pods keep each node from being empty; nodes without any are not named. */
  busy: Readonly<Record<string, number>>;
  /** What DaemonSets take of every node. */
  overhead: Amounts;
  pools: readonly DemandingPool[];
  /** When the schedule of a disruption budget next begins or ends, epoch ms. */
  budgetsChangeAtMs?: number;
}

/** One of Karpenter's NodePools, with what decides how long its nodes live. Durations as they are written there, such as `336h`. */
export interface DemandingPool extends NodePool {
  expireAfter?: string;
  consolidateAfter?: string;
  /** `WhenEmpty` or `WhenEmptyOrUnderutilized`. */
  consolidationPolicy?: string;
  terminationGracePeriod?: string;
  /** Disruption budgets that are active now, by their schedules; absent when the pool names none at all. */
  budgets?: readonly { nodes: string; reasons?: readonly string[] }[];
}

/** A node as whoever packs pods sees it. */
export interface NodeLoad {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly { key: string; value?: string; effect: string }[];
  /** It is Ready and takes pods. */
  open: boolean;
  /** What of it is not asked for yet. */
  free: Amounts & { pods: number };
  /** What runs on it, without pods of DaemonSets. */
  pods: readonly WaitingPod[];
  /** Why what runs on it must not be moved: a pod that says so, or a disruption budget. */
  blockedBy?: string;
}
