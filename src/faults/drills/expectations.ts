/** Expectations while a drill goes on: when each one's clock starts, whether it is met, and what decided that. */
import type { Expectation } from "./drill.js";
import { evaluate, isOfEvents, isSeen, see } from "./probes/evaluate.js";
import type { ProbeVerdict } from "./probes/verdict.js";
import type { CheckResult } from "./result.js";
import type { Stage, Watcher } from "./stage.js";
import { roundedDuration } from "./titles.js";

export interface Watched extends Watcher {
  readonly expectation: Expectation;
  readonly isBegun: boolean;
  /** Nothing that is still to come can change it. */
  readonly isDecided: boolean;
  /** Its clock starts. */
  begin(atMs: number): Promise<void>;
  /** The steps are over: what is met from now on need not wait for the end of its time. */
  stepsEnded(atMs: number): Promise<void>;
  /** When it is decided at the latest, once its clock runs. */
  readonly lastMs: number | undefined;
  result(): CheckResult;
}

export function watchExpectation(stage: Stage, expectation: Expectation): Watched {
  const { probe, mode, withinMs, holdsForMs } = expectation;
  const seen = isSeen(probe);
  const ofEvents = isOfEvents(probe);
  let beganMs: number | undefined;
  let endedMs: number | undefined;
  let decided: { ok: boolean; message: string; tookMs?: number } | undefined;
  let metSinceMs: number | undefined;
  let last: ProbeVerdict | undefined;

  const since = (atMs: number): string => `${roundedDuration(atMs - (beganMs ?? atMs))} after its clock started`;
  const deadlineMs = (): number => (beganMs ?? 0) + withinMs;

  /** What was so up to this moment has gone on until now. */
  const reach = (atMs: number): void => {
    if (beganMs === undefined || decided) return;
    if (mode === "happens" && atMs > deadlineMs())
      decided = {
        ok: false,
        message: `never so within ${roundedDuration(withinMs)}: ${last?.message ?? "not looked at"}`,
      };
    if (mode !== "within") return;
    if (metSinceMs === undefined) {
      if (atMs > deadlineMs())
        decided = {
          ok: false,
          message: `not so after ${roundedDuration(withinMs)}: ${last?.message ?? "not looked at"}`,
        };
      return;
    }
    // While the steps go on it has to be so when its time is over, not just some time before: what is still well has not recovered.
    const heldFromMs = endedMs === undefined ? deadlineMs() : Math.min(deadlineMs(), Math.max(endedMs, metSinceMs));
    if (atMs >= heldFromMs + holdsForMs)
      decided = { ok: true, message: last?.message ?? "", tookMs: Math.max(0, metSinceMs - beganMs) };
  };

  const take = (found: ProbeVerdict, atMs: number): void => {
    if (beganMs === undefined || decided) return;
    reach(atMs);
    if (decided) return;
    last = found;
    if (mode === "always" && !found.ok) decided = { ok: false, message: `${since(atMs)}: ${found.message}` };
    if (mode === "never" && found.ok) decided = { ok: false, message: `${since(atMs)}: ${found.message}` };
    if (mode === "happens" && found.ok) decided = { ok: true, message: found.message, tookMs: atMs - beganMs };
    if (mode !== "within") return;
    if (found.ok) {
      metSinceMs ??= atMs;
      return;
    }
    if (metSinceMs !== undefined && atMs > deadlineMs())
      decided = { ok: false, message: `so no longer ${since(atMs)}: ${found.message}` };
    metSinceMs = undefined;
  };

  const lookNow = async (): Promise<void> => take(await evaluate(probe, stage), stage.target.now());

  const watched: Watched = {
    expectation,
    get isBegun() {
      return beganMs !== undefined;
    },
    get isDecided() {
      return decided !== undefined;
    },
    get lastMs() {
      return beganMs === undefined ? undefined : deadlineMs() + holdsForMs;
    },
    begin: async (atMs) => {
      beganMs = atMs;
      // "Finally" is asked once, at the end.
      if (mode !== "finally") await lookNow();
    },
    stepsEnded: async (atMs) => {
      endedMs = atMs;
      if (mode === "finally") {
        beganMs ??= atMs;
        const found = await evaluate(probe, stage);
        decided = found;
        return;
      }
      reach(atMs);
    },
    look: ({ atMs, cluster }) => {
      if (!seen || ofEvents || beganMs === undefined || decided || atMs < beganMs) return;
      if ("cluster" in probe && probe.cluster !== cluster) return;
      const found = see(probe, stage);
      if (found) take(found, atMs);
    },
    event: ({ atMs }) => {
      if (!ofEvents || beganMs === undefined || decided || atMs < beganMs) return;
      const found = see(probe, stage);
      if (found) take(found, atMs);
    },
    upTo: async (nowMs) => {
      if (beganMs === undefined || decided || mode === "finally") return;
      if (!seen) await lookNow();
      reach(nowMs);
    },
    asks: () => !seen && beganMs !== undefined && decided === undefined && mode !== "finally",
    nextMs: () => (mode === "within" || mode === "happens" ? deadlineMs() : undefined),
    result: () => {
      const limits = mode === "within" || mode === "happens" ? { limitMs: withinMs + holdsForMs } : {};
      return {
        title: expectation.title,
        phase: "expectations",
        ...limits,
        ...(decided?.tookMs === undefined ? {} : { tookMs: decided.tookMs }),
        ...outcome(),
      };
    },
  };

  const outcome = (): { ok: boolean; message: string } => {
    if (decided) return { ok: decided.ok, message: decided.message };
    if (beganMs === undefined) return { ok: false, message: "its clock never started: the drill ended before" };
    // What had to be so at every moment has been so until the end.
    if (mode === "always")
      return { ok: true, message: `at every moment; in the end ${last?.message ?? "not looked at"}` };
    if (mode === "never") return { ok: true, message: `at no moment; in the end ${last?.message ?? "not looked at"}` };
    return { ok: false, message: `the drill ended before this was decided: ${last?.message ?? "not looked at"}` };
  };
  return watched;
}
