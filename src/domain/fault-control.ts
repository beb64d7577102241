import type { CatalogueEntry, FaultRequest, FaultView } from "./faults/index.js";
import type { Scope } from "./model.js";

/** One zone as the whole account, or one cluster, sees it. */
export interface ZoneSummary {
  name: string;
  id: string;
  /** `failed`: without power; `impaired`: another fault of the zone is on. */
  state: "available" | "impaired" | "failed";
  /** Masters, and how many of them run. */
  members: number;
  membersUp: number;
  nodes: number;
  readyNodes: number;
  pods: number;
  readyPods: number;
  /** Faults of this zone that are on, and those that touch masters or nodes in it. */
  faults: { id: string; fault: string }[];
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
  /** Resolves when the fault acts, or is scheduled. Rejects with InvalidParameterException, ResourceNotFoundException, or InvalidRequestException where a backend cannot do it. */
  start(scope: Scope, request: FaultRequest): Promise<FaultView>;
  /** Ends it; nothing more when it has ended already. Rejects with ResourceNotFoundException. */
  stop(scope: Scope, id: string): Promise<FaultView>;
  /** Ends all that are on or scheduled, latest first. */
  stopAll(scope: Scope): Promise<FaultView[]>;
  /** Oldest first; those that have ended only when `all`. */
  list(scope: Scope, options?: { all?: boolean }): FaultView[];
  /** Every fault there is. */
  catalogue(): readonly CatalogueEntry[];
}
