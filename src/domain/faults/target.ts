/** What a fault is aimed at: as people say it, and what came of that when it started. */

/**
 * A selector. What is named narrows: a zone and a node group mean the nodes of the group in the zone. Which of its members a fault takes, its catalogue entry
 * says; the others are refused.
 */
export interface FaultTarget {
  /** Name (`us-east-1a`) or id (`use1-az1`). */
  zone?: string;
  cluster?: string;
  nodegroup?: string;
  /** Node names or instance ids. */
  nodes?: readonly string[];
  /** Labels of nodes, all of which they must have. */
  labels?: Readonly<Record<string, string>>;
  namespace?: string;
  /** Names of pods. */
  pods?: readonly string[];
  /** Labels of pods, all of which they must have. */
  podLabels?: Readonly<Record<string, string>>;
  /** That many of what is left, chosen by the fault's seed. */
  count?: number;
  /** That share of what is left, 1 to 100, rounded up, chosen by the fault's seed. */
  percent?: number;
}

export type FaultTargetMember = keyof FaultTarget;

/** Kinds of things that faults are aimed at. */
export type TargetType = "zone" | "node" | "master" | "cluster" | "nodegroup" | "pod" | "account";

/** What was found when the fault started: written down, and looked at ever after. */
export interface ResolvedTargets {
  /** Ids of the clusters that are touched; absent: every cluster of the account in the region, those made later too. */
  clusterIds?: readonly string[];
  /** By zone name: newcomers in the zone are touched too. */
  zone?: string;
  nodes?: readonly TargetNode[];
  /** `zone`: where they stood; absent in records of before. */
  masters?: readonly { clusterId: string; id: string; zone?: string }[];
  nodegroups?: readonly { clusterId: string; name: string }[];
  pods?: readonly { clusterId: string; namespace: string; name: string }[];
  /** Newcomers that the selector means are touched as well: it names a zone, and nobody was chosen one by one. */
  newcomers?: boolean;
}

export interface TargetNode {
  clusterId: string;
  name: string;
  /** Absent for Fargate's machines. */
  instanceId?: string;
  zone?: string;
}
