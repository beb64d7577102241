/** What pods ask of nodes and what nodes have left, for whoever launches them and gives them up. */
/** Amounts: CPU in thousandths of a core, memory in bytes, extended resources by name. */
export interface ResourceAmounts {
  milliCpu: number;
  memory: number;
  scalars?: Readonly<Record<string, number>>;
}

/** As in node affinity. */
export interface NodeRequirement {
  key: string;
  operator: string;
  values?: readonly string[];
}

export interface NodeDemand {
  /** Pods that no present node takes; those of DaemonSets never ask for one. */
  pods: readonly {
    uid: string;
    requests: ResourceAmounts;
    requirements: readonly NodeRequirement[];
    tolerations: readonly { key?: string; operator?: string; value?: string; effect?: string }[];
    /** It must be spread over zones: how many pods of its group each zone has. */
    spread?: { group: string; zones: Readonly<Record<string, number>> };
    /** Pods of one such group must not share a node. */
    apart?: string;
  }[];
  /** How many pods keep each node from being empty; nodes without any are not named. */
  busy: Readonly<Record<string, number>>;
  /** What DaemonSets take of every node. */
  overhead: ResourceAmounts;
  /** Karpenter's NodePools. Durations as they are written there, such as `336h`. */
  pools: readonly {
    name: string;
    weight: number;
    requirements: readonly NodeRequirement[];
    labels: Readonly<Record<string, string>>;
    taints: readonly { key: string; value?: string; effect: string }[];
    limits?: { milliCpu?: number; memory?: number };
    expireAfter?: string;
    consolidateAfter?: string;
    /** `WhenEmpty` or `WhenEmptyOrUnderutilized`. */
    consolidationPolicy?: string;
    terminationGracePeriod?: string;
    /** Disruption budgets that are active now, by their schedules; absent when the pool names none at all. */
    budgets?: readonly { nodes: string; reasons?: readonly string[] }[];
  }[];
  /** When the schedule of a disruption budget next begins or ends, epoch ms. */
  budgetsChangeAtMs?: number;
}

/** A node as whoever packs pods sees it. */
export interface NodeLoad {
  name: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly { key: string; value?: string; effect: string }[];
  /** It is Ready and takes pods. */
  open: boolean;
  /** What of it is not asked for yet. */
  free: ResourceAmounts & { pods: number };
  /** What runs on it, without pods of DaemonSets. */
  pods: NodeDemand["pods"];
  /** Why what runs on it must not be moved: a pod that says so, or a disruption budget. */
  blockedBy?: string;
}
