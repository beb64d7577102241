import { formatNanos } from "../../clock/clock.js";
import { badRequest } from "../errors.js";
import type { Pod } from "../schema/generated/types.js";
import type { BehaviourOf } from "./behaviour.js";
import { waitingReason } from "./container-status.js";
import type { LogLine } from "./machine/container-log.js";
import { fromBytes } from "./machine/files.js";
import type { PodLogs } from "./machine/pod-machine.js";
import { type ContainerRuntime, type PodRuntime, specOf } from "./pod-runtime.js";

/** What `kubectl logs` asks for. */
export interface PodLogOptions {
  /** Required when the pod has more than one container. */
  container?: string;
  /** The run before the present one. */
  previous?: boolean;
  timestamps?: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  /** Epoch ms; at most one of both. */
  sinceTimeMs?: number;
  limitBytes?: number;
}

export interface LogSources {
  pod: Pod;
  runtime: PodRuntime | undefined;
  logs: PodLogs | undefined;
  behaviourOf: BehaviourOf;
  /** What the node's clock showed at a time. */
  shown: (ms: number) => number;
}

/** Reasons that a kubelet spells out. */
const WAITING: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: "trying and failing to pull image",
};

const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";

/** Output of a container so far. Throws StatusError (BadRequest) with upstream's texts when there can be none. */
export function podLog(sources: LogSources, options: PodLogOptions, nowMs: number): string {
  const lines = logLines(sources, options, nowMs);
  const text = lines
    .map(
      ({ text: line, atMs, partial }) =>
        `${options.timestamps ? `${formatNanos(sources.shown(atMs))} ` : ""}${partial ? fromBytes(line) : `${line}\n`}`,
    )
    .join("");
  return options.limitBytes === undefined ? text : Buffer.from(text).subarray(0, options.limitBytes).toString();
}

function logLines(
  { pod, runtime, logs, behaviourOf }: LogSources,
  options: PodLogOptions,
  nowMs: number,
): readonly LogLine[] {
  const { name } = pod.metadata;
  const containers = pod.spec?.containers ?? [];
  const only = containers.length === 1 ? containers[0]?.name : undefined;
  const wanted = options.container ?? only ?? pod.metadata.annotations?.[DEFAULT_CONTAINER];
  if (wanted === undefined) {
    const names = containers.map((container) => container.name).join(" ");
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names}]`);
  }
  const container = runtime?.containers.find((candidate) => candidate.name === wanted);
  const spec = container && specOf(pod, container);
  if (runtime && (!container || !spec)) throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  const previous = options.previous ?? false;
  const startedMs = container && startOf(container, previous);
  if (!container || !spec || startedMs === undefined) {
    if (previous && container) throw badRequest(`previous terminated container "${wanted}" in pod "${name}" not found`);
    const reason = (runtime && container && waitingReason(pod, runtime, container)) ?? "ContainerCreating";
    throw badRequest(`container "${wanted}" in pod "${name}" is waiting to start: ${WAITING[reason] ?? reason}`);
  }
  const number = runNumber(container, previous);
  const run = [logs?.run(wanted), logs?.previous(wanted)].find((candidate) => candidate?.number === number);
  const behaviour = run ? undefined : behaviourOf(pod, spec, container.role);
  let lines: readonly LogLine[] =
    run?.log.all() ?? (behaviour?.output ?? []).map((text) => ({ text, atMs: startedMs }));
  const sinceMs =
    options.sinceTimeMs ?? (options.sinceSeconds === undefined ? undefined : nowMs - options.sinceSeconds * 1000);
  if (sinceMs !== undefined) lines = lines.filter(({ atMs }) => atMs >= sinceMs);
  if (options.tailLines !== undefined) lines = options.tailLines > 0 ? lines.slice(-options.tailLines) : [];
  return lines;
}

function startOf({ state, last }: ContainerRuntime, previous: boolean): number | undefined {
  if (previous) return last?.startedMs;
  if (state.is === "running" || state.is === "terminated") return state.startedMs;
  return state.is === "crashBackoff" || state.is === "starting" || state.is === "pulling" ? last?.startedMs : undefined;
}

/** Which run's log is wanted: a container between two runs shows the one before. */
function runNumber({ state, restarts }: ContainerRuntime, previous: boolean): number {
  if (state.is === "running" || state.is === "terminated") return previous ? restarts - 1 : restarts;
  return state.is === "crashBackoff" ? restarts : restarts - 1;
}
