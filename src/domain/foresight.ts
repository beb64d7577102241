import type { FaultRequest } from "./faults/index.js";
import type { Scope } from "./model.js";

/** Something that somebody plans to do to a cluster that need not be there yet. `backend`: the one that it is, or will be, held by. */
export type PlannedAct = { backend: string } & (
  | { act: "fault"; fault: FaultRequest }
  /** Masters or nodes of a minor version; absent: of EKS's default one. */
  | { act: "version"; version?: string }
  /** An add-on of EKS, by its name. */
  | { act: "addon"; addon: string }
  | { act: "fargate" }
  | { act: "zonal-shift" }
);

export const ACTS: readonly PlannedAct["act"][] = ["fault", "version", "addon", "fargate", "zonal-shift"];

/** Says of plans what will be refused in them, whatever comes: before the first of their steps, not in their middle. */
export interface Foresight {
  /** For each act why it cannot be, in a sentence; null: nothing is known that speaks against it. */
  foresee(scope: Scope, acts: readonly PlannedAct[]): Promise<(string | null)[]>;
}
