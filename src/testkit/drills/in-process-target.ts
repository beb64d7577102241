/** Drills in an emulator of this process: calls go over HTTP as everybody's do, time and looks come straight from it. */
import { atRest, type Clock } from "../../clock/clock.js";
import { createClock, isStepped } from "../../clock/create-clock.js";
import { knownFault } from "../../domain/faults/index.js";
import type { Scope } from "../../domain/model.js";
import type { Recording } from "../../domain/recording.js";
import type { Answer, DrillTarget } from "../../faults/drills/target.js";
import type { Emulator } from "../../main.js";
import { type Caller, eksAnswer, type KubernetesEndpoint } from "../http.js";
import { silence, startedFault } from "./answers.js";
import { clusterCalls } from "./cluster-calls.js";
import { execInPod } from "./exec.js";
import { moveUntilAnswered, sleeps } from "./patience.js";
import { runCommand } from "./run-command.js";

export interface InProcessTargetOptions {
  emulator: Emulator;
  caller: Caller;
  scope: Scope;
  seed: number;
  backend: string;
  /** The emulator ends with the drill. */
  isPrivate: boolean;
  endpointOf(cluster: string): KubernetesEndpoint;
}

/** How often a clock that stands still comes to rest without an answer, until the answer is taken to wait for time to pass. */
const ROUNDS_OF_REST = 300;

/** How long an answer is waited for, and how far time moves between two looks, in milliseconds of simulated time. */
const ANSWER_LIMIT_MS = 60_000;
const PATIENCE_STEP_MS = 100;

/** How often a running clock is looked at for changes, in milliseconds of simulated time. */
const LOOK_EVERY_MS = 500;

export function inProcessTarget(options: InProcessTargetOptions): DrillTarget {
  const { emulator, caller, scope, endpointOf } = options;
  const { clock, faults, zonalShifts, state } = emulator;
  const machine = createClock({ kind: "real" });
  const calls = clusterCalls(caller);
  const recordings = new Set<Recording>();

  const mayTakeTime = (): boolean => faults.list(scope).some(({ fault }) => knownFault({ kind: fault })?.slowsAnswers);

  /** The answer to a call; time is moved for one that waits for it. */
  const answered = async (
    work: (signal: AbortSignal) => Promise<Answer>,
    takesTime: (answer: Promise<Answer>) => boolean | Promise<boolean> = mayTakeTime,
  ): Promise<Answer> => {
    await atRest(clock);
    const abort = new AbortController();
    const answer = work(abort.signal).then(
      (value) => value,
      (error: unknown): Answer => ({
        status: 0,
        body: silence(error, { isOver: abort.signal.aborted, limitMs: ANSWER_LIMIT_MS }),
      }),
    );
    if (isStepped(clock) && (await takesTime(answer))) {
      const standing = {
        now: () => clock.now(),
        rest: () => clock.settled(),
        advance: (ms: number) => clock.advance(ms),
        rounds: { first: ROUNDS_OF_REST, next: ROUNDS_OF_REST },
        stepMs: () => PATIENCE_STEP_MS,
      };
      await moveUntilAnswered(answer, standing, { limitMs: ANSWER_LIMIT_MS, giveUp: () => abort.abort() });
    }
    return answer;
  };

  const settle = async (): Promise<void> => {
    if (isStepped(clock)) await emulator.idle();
  };

  return {
    backend: options.backend,
    seed: options.seed,
    stepped: isStepped(clock),
    isPrivate: options.isPrivate,
    now: () => Math.floor(clock.now()),
    wallMs: () => machine.now(),
    pass: async (limitMs, { wake, signal }) => {
      signal?.throwIfAborted();
      const before = versionOf(recordings);
      const isChanged = (): boolean => signal?.aborted === true || versionOf(recordings) !== before;
      if (!isStepped(clock)) return passRunning(clock, limitMs, wake === "change" ? isChanged : undefined, signal);
      await emulator.idle();
      if (wake === "end") await clock.advance(limitMs);
      else await clock.advanceUntil(isChanged, limitMs);
      await emulator.idle();
      signal?.throwIfAborted();
    },
    settle,
    eks: ({ method, path, body }) => answered((signal) => eksAnswer(caller, method, path, body, signal)),
    kubernetes: (cluster, call) => answered((signal) => calls.kubernetes(endpointOf(cluster), call, signal)),
    exec: async (cluster, where, command) => {
      const work = async (signal: AbortSignal): Promise<Answer> => ({
        status: 200,
        body: await execInPod(caller, endpointOf(cluster), where, command, signal),
      });
      const answer = await answered(work, (ended) => mayTakeTime() || sleeps(ended, machine));
      return answer.status === 200
        ? (answer.body as Awaited<ReturnType<DrillTarget["exec"]>>)
        : { output: String(answer.body) };
    },
    foresee: async (acts) => emulator.foresight.foresee(scope, acts),
    startFault: async (request) => {
      await atRest(clock);
      return startedFault(await faults.start(scope, request));
    },
    stopFault: async (id) => {
      await atRest(clock);
      await faults.stop(scope, id);
    },
    startZonalShift: async (shift) => {
      await atRest(clock);
      return zonalShifts.start(scope, shift).id;
    },
    cancelZonalShift: async (id) => {
      await atRest(clock);
      zonalShifts.cancel(scope, id);
    },
    events: async (afterSequence) => state.events.read({ ...scope, afterSequence, limit: 1_000_000 }),
    record: async (clusters) => {
      const recording = emulator.recorder.record(scope, clusters);
      recordings.add(recording);
      return {
        read: async () => recording.read(),
        close: async () => {
          recordings.delete(recording);
          recording.close();
          calls.close();
        },
      };
    },
    command: (argv, timeoutMs) =>
      runCommand(argv, timeoutMs, {
        AWS_ENDPOINT_URL: caller.endpoint,
        AWS_REGION: caller.region,
        AWS_DEFAULT_REGION: caller.region,
        AWS_ACCESS_KEY_ID: caller.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: caller.credentials.secretAccessKey,
      }),
  };
}

const versionOf = (recordings: ReadonlySet<Recording>): number =>
  [...recordings].reduce((sum, { version }) => sum + version, 0);

async function passRunning(
  clock: Clock,
  limitMs: number,
  isChanged: (() => boolean) | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const endMs = clock.now() + limitMs;
  if (!isChanged) return clock.sleep(limitMs, signal);
  while (clock.now() < endMs && !isChanged()) await clock.sleep(Math.min(LOOK_EVERY_MS, endMs - clock.now()), signal);
}
