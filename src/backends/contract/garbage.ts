/** What outlives the process and stands for nothing. */
export interface KnownCluster {
  clusterId: string;
  instanceIds: readonly string[];
  memberIds: readonly string[];
}

export interface Orphan {
  /** `foreign`: something like it that this backend has not made, which it only tells of. */
  kind: "cluster" | "machine" | "foreign";
  name: string;
  /** Name of the EKS cluster that a machine is in. */
  cluster?: string;
  why: string;
  removed: boolean;
}
