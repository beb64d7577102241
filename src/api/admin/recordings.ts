/**
 * `/_eksim/recordings`: looks at clusters, taken whenever something changes, for drills that run in another process. A recording lives in memory and ends
 * when it is closed, when many newer ones are open, or with the emulator.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Clock } from "../../clock/clock.js";
import { isStepped } from "../../clock/create-clock.js";
import { DomainError } from "../../domain/errors.js";
import type { Recorder, Recording } from "../../domain/recording.js";
import { scopeOf } from "./admin.js";

export interface RecordingDependencies {
  recorder: Recorder;
  clock: Clock;
  /** Resolves when no reconciler has work left at the present time. */
  idle: () => Promise<void>;
}

interface Query {
  account?: string;
  region?: string;
  clusters?: string;
  ms?: string;
}

type Request = FastifyRequest<{ Querystring: Query; Params: { id?: string } }>;

/** Those who forget to close theirs lose it to newer ones. */
const MOST_OPEN = 16;
/** Longest wait for a change, in milliseconds. */
const MAX_WAIT_MS = 86_400_000;

export function registerRecordings(app: FastifyInstance, { recorder, clock, idle }: RecordingDependencies): void {
  const open = new Map<string, Recording>();
  let made = 0;

  const recordingOf = ({ params: { id = "" } }: Request): Recording => {
    const recording = open.get(id);
    if (recording) return recording;
    throw new DomainError("ResourceNotFoundException", `There is no recording ${id}: begin a new one.`);
  };
  const close = (id: string): void => {
    open.get(id)?.close();
    open.delete(id);
  };

  app.post("/_eksim/recordings", (request: Request) => {
    const clusters = (request.query.clusters ?? "").split(",").filter(Boolean);
    if (clusters.length === 0)
      throw new DomainError("InvalidParameterException", "clusters is missing: name clusters, separated by commas");
    const [oldest] = open.keys();
    if (open.size >= MOST_OPEN && oldest !== undefined) close(oldest);
    made++;
    const id = `recording-${made}`;
    open.set(id, recorder.record(scopeOf(request.query), clusters));
    return { id };
  });

  app.get("/_eksim/recordings/:id", (request: Request) => ({ looks: recordingOf(request).read() }));

  app.delete("/_eksim/recordings/:id", (request: Request) => {
    recordingOf(request);
    close(request.params.id ?? "");
    return {};
  });

  // As /_eksim/clock/advance, but no further than to the first moment in which something changes.
  app.post("/_eksim/recordings/:id/advance", async (request: Request) => {
    const recording = recordingOf(request);
    const ms = Number(request.query.ms);
    if (!/^\d+$/.test(request.query.ms ?? "") || ms > MAX_WAIT_MS)
      throw new DomainError("InvalidParameterException", `ms must be a whole number from 0 to ${MAX_WAIT_MS}`);
    if (!isStepped(clock))
      throw new DomainError("InvalidRequestException", `The clock is ${clock.kind}; only a stepped one can be moved.`);
    await idle();
    const { version } = recording;
    await clock.advanceUntil(() => recording.version !== version, ms);
    await idle();
    return { nowMs: Math.floor(clock.now()) };
  });
}
