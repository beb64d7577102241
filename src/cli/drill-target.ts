/** Drills in an emulator that runs elsewhere, through the same routes as everybody: the EKS API, the clusters' API servers and `/_eksim`. */
import { createClock } from "../clock/create-clock.js";
import { UsageError } from "../config.js";
import type { EventRecord } from "../domain/model.js";
import type { Look } from "../domain/recording.js";
import type { Answer, DrillTarget, HttpCall } from "../faults/drills/target.js";
import { silence, startedFault, type ToldFault } from "../testkit/drills/answers.js";
import { clusterCalls } from "../testkit/drills/cluster-calls.js";
import { execInPod } from "../testkit/drills/exec.js";
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
/** How long an API server may take to answer, in milliseconds of this machine's time. */
const ANSWER_LIMIT_MS = 60_000;
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
  const answered = async (work: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> => {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    try {
      return await work(limit);
    } catch (error) {
      // Who is asked for what it does not have has answered.
      if (error instanceof UsageError) return { status: 0, body: error.message };
      return { status: 0, body: silence(error, { isOver: limit.aborted, limitMs: ANSWER_LIMIT_MS }) };
    }
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
      const path = wake === "change" && recordingId ? `recordings/${recordingId}/advance` : "clock/advance";
      nowMs = (await call<{ nowMs: number }>(target, "POST", path, { ms })).nowMs;
      signal?.throwIfAborted();
    },
    settle: async () => {
      // Of no length, but everything due at this moment has happened when it is over.
      if (stepped) nowMs = (await call<{ nowMs: number }>(target, "POST", "clock/advance", { ms: 0 })).nowMs;
      else await refresh();
    },
    eks: ({ method, path, body }: HttpCall) => answered((signal) => eksAnswer(caller, method, path, body, signal)),
    kubernetes: (cluster, request) =>
      answered(async (signal) => calls.kubernetes(await endpointOf(cluster), request, signal)),
    exec: async (cluster, where, command) =>
      execInPod(caller, await endpointOf(cluster), where, command, AbortSignal.timeout(ANSWER_LIMIT_MS)),
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
