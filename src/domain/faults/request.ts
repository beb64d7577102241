/** A fault as it is asked for, and as it is told of. */
import type { FaultPhase } from "../model.js";
import type { FaultTarget, ResolvedTargets } from "./target.js";

/** The same members everywhere: in JSON bodies, in drills, in the testkit. */
export interface FaultRequest {
  /** Name in the catalogue, such as `zone-power-loss`. */
  fault: string;
  target?: FaultTarget;
  /** By the names of the catalogue entry; those left out have its defaults. */
  parameters?: Readonly<Record<string, unknown>>;
  /** `45m`: it ends by itself that long after it has begun. Without one it is on until it is ended. */
  duration?: string;
  /** `5m`: it begins that long from now. Its targets are chosen then. */
  delay?: string;
  /** Decides whom `count`, `percent` and shares mean. Default: from the clock's seed. */
  seed?: number;
  /** When the selector means nothing that is there: refuse (default), or begin and end at once. */
  emptyTargets?: "fail" | "skip";
}

export interface FaultView {
  id: string;
  fault: string;
  /** A sentence: what it does to what. */
  title: string;
  phase: FaultPhase;
  /** A sentence: what of its zone it hits at its beginning. Told when it has begun, of faults that mean whatever stands there. */
  hits?: string;
  /** Ids of faults that were on already when this one began, and do just the same. Told when it has begun. */
  likewise?: readonly string[];
  /** It had ended before it was asked to. Told in answer to that. */
  wasOver?: true;
  zone?: string;
  /** As it was asked for, with names in place of ids. */
  target: FaultTarget;
  /** What it touches; empty before it has begun. */
  targets: ResolvedTargets;
  parameters: Readonly<Record<string, unknown>>;
  seed: number;
  /** Times are simulated, epoch milliseconds. When it began, or begins. */
  startedAtMs: number;
  /** When it ends by itself. */
  endsAtMs?: number;
  endedAtMs?: number;
  /** Why it ended otherwise than by its time or by being asked to. */
  reason?: string;
}
