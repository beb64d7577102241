/** Drills in an emulator that runs elsewhere, through the same routes as everybody: the EKS API, the clusters' API servers and `/_eksim`. */
import { createClock } from "../clock/create-clock.js";
import { UsageError } from "../config.js";
import { knownFault } from "../domain/faults/index.js";
import type { EventRecord } from "../domain/model.js";
import type { Look } from "../domain/recording.js";
import type { Answer, CommandOutcome, DrillTarget, HttpCall } from "../faults/drills/target.js";
import { silence, startedFault, type ToldFault } from "../testkit/drills/answers.js";
import { clusterCalls } from "../testkit/drills/cluster-calls.js";
import { execInPod } from "../testkit/drills/exec.js";
import { moveUntilAnswered, sleeps } from "../testkit/drills/patience.js";
import { runCommand } from "../testkit/drills/run-command.js";
import { eksAnswer, type KubernetesEndpoint } from "../testkit/http.js";
import { call, type Target } from "./client.js";
import { callerOf, describeCluster } from "./eks.js";

interface Health {
  backend: string;
  seed: number;
  clock: { kind: string; nowMs: number };
}

/** How often a clock that runs is looked at, in milliseconds of this machine's time. */
const LOOK_EVERY_MS = 250;
/** How long an API server may take to answer, in milliseconds of simulated time where the clock is stepped, else of this machine's. */
const ANSWER_LIMIT_MS = 60_000;
/** How often an emulator whose clock stands still is asked for its rest without an answer, until the answer is taken to wait for time to pass. */
const ROUNDS_OF_REST = { first: 30, next: 4 };
/** Each look is a call: time moves by a twentieth of what has been waited for, or by so many milliseconds. */
const LEAST_STEP_MS = 100;
const EVENTS_A_PAGE = 10_000;

/** Throws UsageError where no emulator answers. */
export async function remoteTarget(target: Target): Promise<DrillTarget> {
  const health = await call<Health>(target, "GET", "health");
  const caller = callerOf(target);
  const machine = createClock({ kind: "real" });
  const calls = clusterCalls(caller);
  const stepped = health.clock.kind === "stepped";
  const endpoints = new Map<string, KubernetesEndpoint>();
  let nowMs = health.clock.nowMs;
  let recordingId: string | undefined;
  /** Looks that were read to see whether anything has changed. */
  let looks: Look[] = [];
  let lastSequence = 0;

  const refresh = async (): Promise<void> => {
    nowMs = (await call<{ nowMs: number }>(target, "GET", "clock")).nowMs;
  };
  const readLooks = async (): Promise<void> => {
    if (recordingId === undefined) return;
    const answer = await call<{ looks: Look[] }>(target, "GET", `recordings/${recordingId}`);
    looks.push(...answer.looks);
  };
  const eventsAfter = async (sequence: number, limit = EVENTS_A_PAGE): Promise<EventRecord[]> =>
    (await call<{ events: EventRecord[] }>(target, "GET", "events", { after: sequence, limit })).events;

  const endpointOf = async (name: string): Promise<KubernetesEndpoint> => {
    const known = endpoints.get(name);
    if (known) return known;
    const { endpoint, certificateAuthority } = await describeCluster(caller, name);
    if (!endpoint || !certificateAuthority?.data) throw new Error(`cluster ${name} has no endpoint yet`);
    const caPem = Buffer.from(certificateAuthority.data, "base64").toString("utf8");
    const found = { endpoint, caPem, clusterName: name };
    endpoints.set(name, found);
    return found;
  };
  /** Moves a stepped clock; by nothing, everything due at this moment has happened when it is over. */
  const advance = async (ms: number): Promise<void> => {
    nowMs = (await call<{ nowMs: number }>(target, "POST", "clock/advance", { ms })).nowMs;
  };
  const standing = {
    now: () => nowMs,
    rest: () => advance(0),
    advance,
    rounds: ROUNDS_OF_REST,
    stepMs: (waitedMs: number) => Math.max(LEAST_STEP_MS, Math.floor(waitedMs / 20)),
  };
  const mayTakeTime = async (): Promise<boolean> => {
    const { faults } = await call<{ faults: { fault: string }[] }>(target, "GET", "faults");
    return faults.some(({ fault }) => knownFault({ kind: fault })?.slowsAnswers);
  };

  /** The answer to a call; a clock that stands still is moved for one that waits for it. */
  const answered = async (
    work: (signal: AbortSignal) => Promise<Answer>,
    takesTime: (answer: Promise<Answer>) => Promise<boolean> = mayTakeTime,
  ): Promise<Answer> => {
    const abort = new AbortController();
    const giveUp = (): void => abort.abort();
    const answer = work(abort.signal).catch((error: unknown): Answer => {
      // Who is asked for what it does not have has answered.
      if (error instanceof UsageError) return { status: 0, body: error.message };
      return { status: 0, body: silence(error, { isOver: abort.signal.aborted, limitMs: ANSWER_LIMIT_MS }) };
    });
    if (stepped && (await takesTime(answer))) {
      await moveUntilAnswered(answer, standing, { limitMs: ANSWER_LIMIT_MS, giveUp });
      return answer;
    }
    const ended = new AbortController();
    void machine.sleep(ANSWER_LIMIT_MS, ended.signal).then(giveUp, () => {});
    return answer.finally(() => ended.abort());
  };

  /** Until something changes or the time is over, whichever comes first. */
  const passRunning = async (limitMs: number, wakes: boolean, signal: AbortSignal | undefined): Promise<void> => {
    const endMs = nowMs + limitMs;
    for (;;) {
      signal?.throwIfAborted();
      await machine.sleep(LOOK_EVERY_MS, signal);
      await refresh();
      if (nowMs >= endMs) return;
      if (!wakes) continue;
      const before = looks.length;
      await readLooks();
      if (looks.length > before || (await eventsAfter(lastSequence, 1)).length > 0) return;
    }
  };

  return {
    backend: health.backend,
    seed: health.seed,
    stepped,
    isPrivate: false,
    now: () => nowMs,
    wallMs: () => machine.now(),
    pass: async (limitMs, { wake, signal }) => {
      signal?.throwIfAborted();
      // Whole milliseconds are what the routes take.
      const ms = Math.max(1, Math.ceil(limitMs));
      if (!stepped) return passRunning(ms, wake === "change", signal);
      if (wake === "change" && recordingId)
        nowMs = (await call<{ nowMs: number }>(target, "POST", `recordings/${recordingId}/advance`, { ms })).nowMs;
      else await advance(ms);
      signal?.throwIfAborted();
    },
    settle: async () => {
      if (stepped) await advance(0);
      else await refresh();
    },
    eks: ({ method, path, body }: HttpCall) => answered((signal) => eksAnswer(caller, method, path, body, signal)),
    kubernetes: (cluster, request) =>
      answered(async (signal) => calls.kubernetes(await endpointOf(cluster), request, signal)),
    exec: async (cluster, where, command) => {
      const work = async (signal: AbortSignal): Promise<Answer> => ({
        status: 200,
        body: await execInPod(caller, await endpointOf(cluster), where, command, signal),
      });
      const answer = await answered(work, async (ended) => (await mayTakeTime()) || sleeps(ended, machine));
      return answer.status === 200 ? (answer.body as CommandOutcome) : { output: String(answer.body) };
    },
    foresee: async (acts) =>
      (await call<{ refusals: (string | null)[] }>(target, "POST", "foresight", {}, { acts })).refusals,
    startFault: async (request) => startedFault(await call<ToldFault>(target, "POST", "faults", {}, request)),
    stopFault: async (id) => {
      await call(target, "DELETE", `faults/${encodeURIComponent(id)}`);
    },
    startZonalShift: async (shift) =>
      (await call<{ zonalShiftId: string }>(target, "POST", "zonal-shifts", shift)).zonalShiftId,
    cancelZonalShift: async (id) => {
      await call(target, "POST", `zonal-shifts/${encodeURIComponent(id)}/cancel`);
    },
    events: async (afterSequence) => {
      const all: EventRecord[] = [];
      for (let after = afterSequence; ; ) {
        const page = await eventsAfter(after);
        all.push(...page);
        after = page.at(-1)?.sequence ?? after;
        lastSequence = after;
        if (page.length < EVENTS_A_PAGE) return all;
      }
    },
    record: async (clusters) => {
      const { id } = await call<{ id: string }>(target, "POST", "recordings", { clusters: clusters.join(",") });
      recordingId = id;
      return {
        read: async () => {
          await readLooks();
          const read = looks;
          looks = [];
          return read;
        },
        close: async () => {
          recordingId = undefined;
          calls.close();
          await call(target, "DELETE", `recordings/${id}`);
        },
      };
    },
    command: (argv, timeoutMs) =>
      runCommand(argv, timeoutMs, { AWS_ENDPOINT_URL: target.endpoint, AWS_REGION: target.region }),
  };
}
