/** What a view of a running drill is shown: how things stand now. Lists may grow between two showings but keep their order. */
import type { EventRecord } from "../../../domain/model.js";
import type { CheckResult, DrillResult, FaultSpan, PhaseName, Sample } from "../result.js";

export interface LiveStep {
  title: string;
  state: "waiting" | "running" | "done" | "failed";
  /** Simulated time at which it began. */
  startedAtMs?: number;
  /** How much simulated time it takes, or takes at most, where that is known. */
  lastsMs?: number;
}

export interface LiveState {
  name: string;
  /** Simulated time, epoch milliseconds, as everything here. */
  nowMs: number;
  startedAtMs: number;
  phase?: PhaseName;
  steps: readonly LiveStep[];
  /** The last look at each cluster. */
  samples: readonly Sample[];
  /** All so far; those that have ended say so. */
  faults: readonly FaultSpan[];
  /** All so far. */
  checks: readonly CheckResult[];
  /** All so far. */
  events: readonly EventRecord[];
}

export interface LiveView {
  update(state: LiveState): void;
  /** Takes the view away and says what came of the drill; without a result, it only takes it away. */
  end(result?: DrillResult): void;
}

/** What is left to do by the steps, in milliseconds of simulated time; `atLeast`: of some step nobody knows how long it takes. */
export function timeLeft({ steps, nowMs }: LiveState): { ms: number; atLeast: boolean } {
  let ms = 0;
  let atLeast = false;
  for (const { state, lastsMs, startedAtMs = nowMs } of steps) {
    if (state === "done" || state === "failed") continue;
    if (lastsMs === undefined) atLeast = true;
    else ms += state === "running" ? Math.max(0, startedAtMs + lastsMs - nowMs) : lastsMs;
  }
  return { ms, atLeast };
}
