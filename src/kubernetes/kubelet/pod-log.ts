import { formatMicros } from "../../clock/clock.js";
import { badRequest } from "../errors.js";
import type { Pod } from "../schema/generated/types.js";
import { behaviourOf } from "./behaviour.js";
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
  limitBytes?: number;
}

/** Output of a container so far. Throws StatusError (BadRequest) with upstream's texts when there can be none. */
export function podLog(pod: Pod, runtime: PodRuntime | undefined, options: PodLogOptions, nowMs: number): string {
  const { name } = pod.metadata;
  const containers = pod.spec?.containers ?? [];
  const wanted = options.container ?? (containers.length === 1 ? containers[0]?.name : undefined);
  if (wanted === undefined) {
    const names = containers.map((container) => container.name).join(" ");
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names}]`);
  }
  const container = runtime?.containers.find((candidate) => candidate.name === wanted);
  const spec = container && specOf(pod, container);
  if (runtime && (!container || !spec)) throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  const startedMs = container && startOf(container, options.previous ?? false);
  if (!container || !spec || startedMs === undefined) {
    if (options.previous && container)
      throw badRequest(`previous terminated container "${wanted}" in pod "${name}" not found`);
    throw badRequest(`container "${wanted}" in pod "${name}" is waiting to start: ContainerCreating`);
  }
  if (options.sinceSeconds !== undefined && startedMs < nowMs - options.sinceSeconds * 1000) return "";
  let lines = behaviourOf(pod, spec, container.role).output;
  if (options.tailLines !== undefined) lines = options.tailLines > 0 ? lines.slice(-options.tailLines) : [];
  const stamp = options.timestamps ? `${formatMicros(startedMs)} ` : "";
  const text = lines.map((line) => `${stamp}${line}\n`).join("");
  return options.limitBytes === undefined ? text : Buffer.from(text).subarray(0, options.limitBytes).toString();
}

function startOf({ state, last }: ContainerRuntime, previous: boolean): number | undefined {
  if (previous) return last?.startedMs;
  if (state.is === "running" || state.is === "terminated") return state.startedMs;
  return state.is === "crashBackoff" ? last?.startedMs : undefined;
}
