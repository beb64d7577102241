/** Runs a drill from setup to clean-up and says what came of it. Whatever happens on the way, what was broken is mended and what was made is taken away. */
import { carryOut, StepFailure, stopFaults } from "./carry-out.js";
import { cleanUp } from "./clean-up.js";
import type { Drill, NamedProbe, Probe, Step } from "./drill.js";
import { type Watched, watchExpectation } from "./expectations.js";
import { whatCannotBe } from "./feasible.js";
import type { LiveState, LiveStep } from "./live/state.js";
import { evaluate } from "./probes/evaluate.js";
import type {
  CheckResult,
  DrillResult,
  FaultSpan,
  PhaseName,
  PhaseResult,
  Prediction,
  Sample,
  StepResult,
  Verdict,
} from "./result.js";
import { nothingMade, setUp } from "./setup.js";
import { createStage, type Stage, workloadKey } from "./stage.js";
import type { DrillTarget } from "./target.js";
import { type Fate, findWorkloads, followWorkload, refreshWanted } from "./workloads.js";

export interface RunOptions {
  /** Interrupts the drill: faults are ended and everything is cleaned up before it resolves. */
  signal?: AbortSignal;
  /** Called whenever there may be something new to show. */
  show?: (state: LiveState) => void;
  /** What is foretold of each cluster before anything is broken. Throws: nothing is foretold. */
  predict?: (cluster: string) => Promise<readonly Prediction[]>;
  /** Compares what was foretold with what came. */
  judge?: (predictions: readonly Prediction[], result: DrillResult) => readonly Prediction[];
}

/** What ends a drill before its end. */
class Stop extends Error {
  constructor(
    readonly verdict: Exclude<Verdict, "passed">,
    message: string,
  ) {
    super(message);
    this.name = "Stop";
  }
}

const DEFAULT_STEADY_MS = 900_000;

/** Never rejects for what happens in the drill: the result says it. */
export async function runDrill(drill: Drill, target: DrillTarget, options: RunOptions = {}): Promise<DrillResult> {
  const startedWallMs = target.wallMs();
  const startedAtMs = target.now();
  const phases: PhaseResult[] = [];
  const checks: CheckResult[] = [];
  const stepResults: StepResult[] = [];
  const fates: Fate[] = [];
  const made = nothingMade();
  let predictions: readonly Prediction[] = [];
  let stop: Stop | undefined;
  let phase: PhaseName | undefined;
  let stepsEndMs: number | undefined;

  const liveSteps: LiveStep[] = drill.steps.map((step) => ({
    title: step.title,
    state: "waiting",
    ...lasting(step),
  }));
  const stage = createStage({
    drill,
    target,
    ...(options.signal ? { signal: options.signal } : {}),
    shown: () =>
      options.show?.({
        name: drill.name,
        nowMs: target.now(),
        startedAtMs,
        ...(phase ? { phase } : {}),
        steps: liveSteps,
        samples: lastSamples(stage),
        faults: stage.faults,
        checks,
        events: stage.events,
      }),
  });
  const watched = drill.expectations.map((expectation) => watchExpectation(stage, expectation));
  for (const one of watched) stage.watch(one);

  const inPhase = async (name: PhaseName, work: () => Promise<string | undefined>): Promise<void> => {
    phase = name;
    const began = target.now();
    let message: string | undefined;
    let ok = true;
    try {
      message = await work();
    } catch (error) {
      ok = false;
      const reason = reasonOf(error, options.signal);
      message = reason.message;
      stop ??= reason;
    }
    phases.push({ name, startedAtMs: began, endedAtMs: target.now(), ok, ...(message ? { message } : {}) });
  };

  await inPhase("setup", async () => {
    const refusals = await whatCannotBe(drill, target);
    if (refusals.length > 0)
      throw new Stop("error", `it cannot be played here, and nothing of it has been done: ${refusals.join("; ")}`);
    await stage.begin();
    await setUp(stage, made);
    return undefined;
  });

  if (!stop)
    await inPhase("steady-state", async () => {
      await findAll(stage, fates);
      await reachSteadyState(stage, fates, checks);
      predictions = await foretell(drill, options);
      return undefined;
    });

  if (!stop)
    await inPhase("steps", async () => {
      for (const fate of fates) fate.begin(target.now());
      await carryOutSteps({ stage, made, watched, fates, liveSteps, stepResults });
      return undefined;
    });

  if (phases.some(({ name, ok }) => name === "steps" && ok))
    await inPhase("expectations", async () => {
      stepsEndMs = target.now();
      await stage.catchUp();
      for (const one of watched) await one.stepsEnded(stepsEndMs);
      await untilDecided(stage, watched);
      checks.push(...watched.map((one) => one.result()));
      await recover(stage, checks);
      const failed = checks.find(({ ok }) => !ok);
      if (failed) throw new Stop("failed", `${failed.title}: ${failed.message}`);
      return undefined;
    });
  else if (phases.some(({ name }) => name === "steps")) checks.push(...watched.map((one) => one.result()));

  const watchedUntilMs = target.now();
  // Where the steps never began there is nothing to tell of the workloads.
  const workloads = phases.some(({ name }) => name === "steps")
    ? fates.map((fate) => fate.result({ firstFaultMs: firstFault(stage.faults), endMs: watchedUntilMs }))
    : [];
  await inPhase("clean-up", async () => {
    const left = await cleanUp(stage, made);
    if (left.length > 0) throw new Stop("error", `not everything could be cleaned up: ${left.join("; ")}`);
    return undefined;
  });
  await stage.end();

  const result: DrillResult = {
    name: drill.name,
    ...(drill.description ? { description: drill.description } : {}),
    verdict: stop?.verdict ?? "passed",
    ...(stop ? { why: stop.message } : {}),
    seed: target.seed,
    backend: target.backend,
    clusters: drill.clusters.map(({ name }) => name),
    startedAtMs,
    endedAtMs: target.now(),
    wallMs: target.wallMs() - startedWallMs,
    phases,
    steps: stepResults,
    checks,
    faults: stage.faults,
    workloads,
    samples: stage.samples,
    events: stage.events,
    predictions,
  };
  return options.judge ? { ...result, predictions: options.judge(predictions, result) } : result;
}

/** Why a phase ended early. An interruption is neither a pass nor a failure. */
function reasonOf(error: unknown, signal: AbortSignal | undefined): Stop {
  if (signal?.aborted) return new Stop("error", "interrupted");
  if (error instanceof Stop) return error;
  if (error instanceof StepFailure) return new Stop(error.verdict, error.message);
  return new Stop("error", error instanceof Error ? error.message : String(error));
}

function lasting(step: Step): { lastsMs: number } | Record<string, never> {
  if (step.step === "wait") return { lastsMs: step.ms };
  if (step.step === "waitUntil") return { lastsMs: step.withinMs };
  return step.step === "command" ? {} : { lastsMs: 0 };
}

const lastSamples = (stage: Stage): Sample[] =>
  stage.drill.clusters.flatMap(({ name }) => stage.samples.findLast(({ cluster }) => cluster === name) ?? []);

const firstFault = (faults: readonly FaultSpan[]): number | undefined =>
  faults.length === 0 ? undefined : Math.min(...faults.map(({ startedAtMs }) => startedAtMs));

async function findAll(stage: Stage, fates: Fate[]): Promise<void> {
  for (const { name } of stage.drill.clusters) {
    for (const workload of await findWorkloads(stage.target, name, stage.drill.workloads)) {
      const { namespace, kind, wanted } = workload;
      stage.wanted.set(`${name}/${workloadKey(namespace, kind, workload.name)}`, wanted);
      const fate = followWorkload(stage, workload);
      fates.push(fate);
      stage.watch(fate);
    }
  }
}

/** Everything that is watched is ready, and all probes of the steady state are met at the same time. */
async function reachSteadyState(stage: Stage, fates: readonly Fate[], checks: CheckResult[]): Promise<void> {
  const { withinMs, probes } = stage.drill.steadyState ?? { withinMs: DEFAULT_STEADY_MS, probes: [] };
  const ready: NamedProbe[] = fates.map(({ workload: { cluster, namespace, kind, name } }) => ({
    title: `${kind.toLowerCase()}/${name} is ready`,
    probe: { probe: "rollout", cluster, namespace, workload: { kind, name } },
  }));
  const met = await allMet(stage, [...ready, ...probes], withinMs);
  // That workloads are ready is worth a line only where they are not.
  const told = met.filter(({ ok }, index) => index >= ready.length || !ok);
  checks.push(...told.map((check) => ({ ...check, phase: "steady-state" as const })));
  const unmet = met.find(({ ok }) => !ok);
  if (unmet) throw new Stop("error", `the steady state was not reached: ${unmet.title}: ${unmet.message}`);
}

/** Waits until all probes are met at once. Gives each with what it said last. */
async function allMet(
  stage: Stage,
  probes: readonly NamedProbe[],
  withinMs: number,
): Promise<Omit<CheckResult, "phase">[]> {
  const beganMs = stage.target.now();
  let found: Omit<CheckResult, "phase">[] = [];
  await stage.pass(withinMs, async () => {
    found = [];
    for (const { title, probe } of probes) found.push(await check(stage, title, probe, withinMs, beganMs));
    return found.every(({ ok }) => ok);
  });
  return found;
}

async function check(
  stage: Stage,
  title: string,
  probe: Probe,
  limitMs: number,
  beganMs: number,
): Promise<Omit<CheckResult, "phase">> {
  const { ok, message } = await evaluate(probe, stage);
  return { title, ok, limitMs, ...(ok ? { tookMs: stage.target.now() - beganMs } : {}), message };
}

async function foretell(drill: Drill, { predict }: RunOptions): Promise<Prediction[]> {
  const all: Prediction[] = [];
  for (const { name } of predict ? drill.clusters : []) all.push(...((await predict?.(name)) ?? []));
  return all;
}

async function carryOutSteps(doing: {
  stage: Stage;
  made: ReturnType<typeof nothingMade>;
  watched: readonly Watched[];
  fates: readonly Fate[];
  liveSteps: LiveStep[];
  stepResults: StepResult[];
}): Promise<void> {
  const { stage, made, watched, fates, liveSteps, stepResults } = doing;
  const { drill, target } = stage;
  // Without faults the clocks start with the first step.
  const hasFaults = drill.steps.some(({ step }) => step === "fault");
  const beginOthers = async (isDue: (one: Watched) => boolean): Promise<void> => {
    for (const one of watched) if (!one.isBegun && isDue(one)) await one.begin(target.now());
  };
  await stage.catchUp();
  if (!hasFaults) await beginOthers(({ expectation }) => expectation.after === undefined);
  for (const [index, step] of drill.steps.entries()) {
    stage.signal?.throwIfAborted();
    const startedAtMs = target.now();
    const show = (state: LiveStep["state"]): void => {
      liveSteps[index] = { ...(liveSteps[index] as LiveStep), state, startedAtMs };
    };
    show("running");
    await stage.catchUp();
    const told = { title: step.title, startedAtMs };
    try {
      const done = await carryOut(step, { stage, made, uninterrupted: false });
      stepResults.push({ ...told, endedAtMs: target.now(), ok: true, ...done });
      show("done");
    } catch (error) {
      const { verdict, message } = reasonOf(error, stage.signal);
      stepResults.push({ ...told, endedAtMs: target.now(), ok: false, message });
      show("failed");
      throw new Stop(verdict, stage.signal?.aborted ? message : `${step.title}: ${message}`);
    }
    if (!WAITS.has(step.step)) await refreshWanted(stage, fates);
    await beginOthers(({ expectation: { after } }) =>
      after === undefined ? step.step === "fault" : after === step.id,
    );
  }
  await stage.catchUp();
}

/** Steps that change nothing by themselves. */
const WAITS: ReadonlySet<Step["step"]> = new Set(["wait", "waitUntil", "fault", "stopFault"]);

/** Lets time pass until every expectation is decided; those for all times are decided by the end of this. */
async function untilDecided(stage: Stage, watched: readonly Watched[]): Promise<void> {
  const open = (): Watched[] =>
    watched.filter((one) => !one.isDecided && one.isBegun && TIMED.has(one.expectation.mode));
  while (open().length > 0) {
    const lastMs = Math.max(...open().map((one) => one.lastMs ?? 0));
    // A moment beyond its time an expectation that is not met by then has failed.
    await stage.pass(Math.max(1, lastMs - stage.target.now() + 1), () => open().length === 0);
  }
}

const TIMED: ReadonlySet<string> = new Set(["within", "happens"]);

/** What is still broken is mended, and then all has to come right. */
async function recover(stage: Stage, checks: CheckResult[]): Promise<void> {
  const { recovery } = stage.drill;
  if (!recovery) return;
  await stopFaults(stage);
  await stage.target.settle();
  const probes = recovery.probes.length > 0 ? recovery.probes : (stage.drill.steadyState?.probes ?? []);
  const found = await allMet(stage, probes, recovery.withinMs);
  checks.push(...found.map((one) => ({ ...one, title: `recovery: ${one.title}`, phase: "expectations" as const })));
}
