/** An add-on of a cluster: software that EKS installs in it and keeps. */
import type { HealthIssue, Scope } from "./model.js";

export type AddonStatus =
  | "CREATING"
  | "ACTIVE"
  | "CREATE_FAILED"
  | "UPDATING"
  | "UPDATE_FAILED"
  | "DELETING"
  | "DELETE_FAILED"
  | "DEGRADED";

export type ResolveConflicts = "NONE" | "OVERWRITE" | "PRESERVE";

/** An object that has been put into the cluster: what to look for, and what to take away again. */
export interface ObjectReference {
  /** e.g. `deployments.apps`. */
  resource: string;
  namespace?: string;
  name: string;
}

/** What a user sets of an add-on. */
export interface AddonSettings {
  version: string;
  /** As the user wrote them. */
  configurationValues?: string;
  /** What they say. */
  configuration?: Record<string, unknown>;
  serviceAccountRoleArn?: string;
}

export interface AddonRecord extends Scope, AddonSettings {
  clusterId: string;
  clusterName: string;
  name: string;
  arn: string;
  namespace: string;
  createdAtMs: number;
  modifiedAtMs: number;
  status: AddonStatus;
  healthIssues: HealthIssue[];
  tags: Record<string, string>;
  /** How its creation deals with fields that others own. */
  resolveConflicts: ResolveConflicts;
  /** What it has put into the cluster; absent until it has. */
  objects?: ObjectReference[];
  /** The update that is being carried out. */
  updateId?: string;
  /** Since when its Deployments have had fewer replicas than they want. */
  lackingSinceMs?: number;
  /** When the deletion was begun. */
  deletingSinceMs?: number;
  /** Its deletion leaves the objects in the cluster. */
  preserve?: boolean;
}

/** What an update changes; kept as the plan of its record. */
export interface AddonUpdatePlan extends Record<string, unknown> {
  changes: Partial<AddonSettings>;
  resolveConflicts: ResolveConflicts;
  /** Whether the objects have been changed already. */
  applied?: boolean;
}
