/**
 * What came of a drill: all that reports, verdicts and predictions are made from. Times are simulated, epoch milliseconds; `wallMs` alone is the machine's, and
 * no report whose bytes are compared carries it.
 */
import type { ZoneCounts } from "../../domain/kubernetes-objects.js";
import type { EventRecord } from "../../domain/model.js";

export type Verdict = "passed" | "failed" | "error";

export interface DrillResult {
  name: string;
  description?: string;
  verdict: Verdict;
  /** What went wrong first, in a sentence; absent when it passed. */
  why?: string;
  seed: number;
  backend: string;
  clusters: readonly string[];
  startedAtMs: number;
  endedAtMs: number;
  wallMs: number;
  phases: readonly PhaseResult[];
  steps: readonly StepResult[];
  checks: readonly CheckResult[];
  faults: readonly FaultSpan[];
  workloads: readonly WorkloadResult[];
  samples: readonly Sample[];
  events: readonly EventRecord[];
  predictions: readonly Prediction[];
}

export type PhaseName = "setup" | "steady-state" | "steps" | "expectations" | "clean-up";

export interface PhaseResult {
  name: PhaseName;
  startedAtMs: number;
  endedAtMs: number;
  ok: boolean;
  message?: string;
}

/** One entry of the drill's `steps`, carried out. */
export interface StepResult {
  title: string;
  startedAtMs: number;
  endedAtMs: number;
  ok: boolean;
  /** What it did, or why it could not. */
  message: string;
  faultId?: string;
}

/** A probe of the steady state, or an expectation with its time limit. */
export interface CheckResult {
  title: string;
  phase: "steady-state" | "expectations";
  ok: boolean;
  /** How long it was given, from when its clock started, and how long it took; absent when it was never met. */
  limitMs?: number;
  tookMs?: number;
  message: string;
}

export interface FaultSpan {
  id: string;
  name: string;
  /** A sentence: what it does to what. */
  title: string;
  /** Absent: it is not about one cluster. */
  cluster?: string;
  zone?: string;
  startedAtMs: number;
  endedAtMs?: number;
}

/** How one workload fared. The four moments count from the first fault; absent: it never came to that, or is not over yet. */
export interface WorkloadResult {
  /** Absent in results of before this was told: the drill's only cluster. */
  cluster?: string;
  namespace: string;
  kind: string;
  name: string;
  wanted: number;
  /** Ready replicas below which it does not do its work: from the drill's file, a PodDisruptionBudget, or 1. */
  minimum: number;
  lowestReady: number;
  firstNotReadyMs?: number;
  firstEvictedMs?: number;
  /** All replicas have a node that is Ready again. */
  rescheduledMs?: number;
  /** All replicas are Ready again. */
  recoveredMs?: number;
  minutesBelowMinimum: number;
  /** Ready replicas from each moment on at which their number changed, oldest first; the first says how it began. */
  readyOverTime?: readonly (readonly [atMs: number, ready: number])[];
}

/** A look at a cluster: taken whenever anything of it has changed. */
export interface Sample {
  atMs: number;
  cluster: string;
  zones: Readonly<Record<string, ZoneCounts>>;
  pendingPods: number;
  apiAvailable: boolean;
}

/** What lint said before the drill of one workload and one zone, and whether it came so: `held` is absent where that zone was not lost in this drill, or not it alone. */
export interface Prediction {
  cluster: string;
  zone: string;
  namespace: string;
  kind: string;
  name: string;
  says: "survives" | "below-minimum" | "loses-every-replica" | "loses-its-volume";
  /** A sentence with the reason. */
  message: string;
  /** Its claims whose volumes nobody reaches without the zone; a workload may survive without some of them. */
  volumes?: readonly string[];
  /** What would help, a sentence each. */
  help?: readonly string[];
  held?: boolean;
  /** What was seen instead, or that it was so. */
  seen?: string;
}
