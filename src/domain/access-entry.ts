/** Access entries: which IAM principal is which Kubernetes user of a cluster, and which access policies it has there. */

/** Decides the user name, the groups and what may be changed. It stays as it is once the entry exists. */
export type AccessEntryType =
  | "STANDARD"
  | "EC2_LINUX"
  | "EC2_WINDOWS"
  | "FARGATE_LINUX"
  | "EC2"
  | "HYBRID_LINUX"
  | "HYPERPOD_LINUX";

export interface AccessScope {
  type: "cluster" | "namespace";
  /** Empty for the whole cluster. `*` in a name stands for any characters. */
  namespaces: string[];
}

export interface AssociatedPolicy {
  policyArn: string;
  accessScope: AccessScope;
  associatedAtMs: number;
  modifiedAtMs: number;
}

export interface AccessEntryRecord {
  clusterId: string;
  clusterName: string;
  /** As it was given, with its path. */
  principalArn: string;
  /** IAM's unique id of the principal when the entry was made: who takes its name after it was deleted is somebody else. Absent where it was not known. */
  principalId?: string;
  arn: string;
  type: AccessEntryType;
  /** With its `{{...}}` templates. */
  username: string;
  kubernetesGroups: string[];
  tags: Record<string, string>;
  createdAtMs: number;
  modifiedAtMs: number;
  /** In order of their ARNs. */
  policies: AssociatedPolicy[];
  /** EKS made it itself, for a node group's role: it goes with the last group of that role. */
  ofNodeRole?: boolean;
}
