import type { Scope } from "./model.js";

/** One zone as the whole account, or one cluster, sees it. */
export interface ZoneSummary {
  name: string;
  id: string;
  state: "available" | "failed";
  /** Masters, and how many of them run. */
  members: number;
  membersUp: number;
  nodes: number;
  readyNodes: number;
  pods: number;
  readyPods: number;
}

/**
 * What can be broken and mended, as people ask for it; each answer says in `message`, in a sentence, what was done. Rejects with InvalidParameterException or
 * ResourceNotFoundException for what does not exist, naming what does.
 */
export interface FaultControl {
  zones(scope: Scope, clusterName?: string): Promise<ZoneSummary[]>;
  /** `zone` = name or id. */
  failZone(scope: Scope, zone: string, clusterName?: string): Promise<{ message: string; faultId: string }>;
  restoreZone(scope: Scope, zone: string, clusterName?: string): Promise<{ message: string }>;
  /** `node` = node name or instance id. */
  killNode(scope: Scope, node: string, clusterName?: string): Promise<{ message: string; instanceId: string }>;
}
