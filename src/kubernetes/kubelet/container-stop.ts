import type { Container, Pod } from "../schema/generated/types.js";
import type { Breakdown } from "../trouble.js";
import { becomes, type Moment, type Next } from "./container-moment.js";
import { type LifecycleEnvironment, restarts } from "./pod-lifecycle.js";
import {
  type ContainerRuntime,
  crashBackoffMs,
  KILLED,
  type Running,
  type Stop,
  type Terminated,
} from "./pod-runtime.js";

/** How a container is stopped (its hook, SIGTERM, its grace period, SIGKILL), and what follows its end. */

export const graceSecondsOf = ({ pod }: Moment): number => pod.spec?.terminationGracePeriodSeconds ?? 30;

export function beginStop(
  container: ContainerRuntime,
  state: Running,
  { env, pod, spec }: Moment,
  graceSeconds: number,
): Running {
  return stopState(container, state, { pod, spec, env, graceMs: graceSeconds * 1000 });
}

/** A running container that has begun to be stopped: at once when nothing has to be waited for. */
export function stopState(
  container: ContainerRuntime,
  state: Running,
  { pod, spec, env, graceMs }: { pod: Pod; spec: Container; env: LifecycleEnvironment; graceMs: number },
): Running {
  const { nowMs } = env;
  const stop = { sinceMs: nowMs, killMs: nowMs + graceMs };
  const { preStop } = spec.lifecycle ?? {};
  if (preStop && graceMs > 0 && !preStop.sleep && !state.hooking) return { ...state, stop };
  const sleepMs = (preStop?.sleep?.seconds ?? 0) * 1000;
  if (sleepMs > 0 && graceMs > 0 && state.live) return { ...state, stop };
  if (state.live) {
    env.operations.signal(container, graceMs > 0 ? "TERM" : "KILL");
    return { ...state, stop: { ...stop, termMs: nowMs } };
  }
  const stopMs = env.behaviourOf(pod, spec, container.role).stopAfterMs ?? env.draw("stop");
  const needMs = sleepMs + stopMs;
  const exitMs = Math.min(nowMs + Math.min(needMs, graceMs), state.exitMs ?? Number.POSITIVE_INFINITY);
  const isKilled = needMs > graceMs && graceMs > 0;
  return {
    ...state,
    stop: { ...stop, termMs: nowMs + sleepMs },
    exitMs,
    ...(exitMs === state.exitMs ? {} : { exitCode: isKilled ? KILLED : 0 }),
  };
}

/** After its hooks have run, a container that is killed still gets this long (kubelet's minimumGracePeriodInSeconds). */
const LEAST_GRACE_MS = 2_000;

export function followStop(container: ContainerRuntime, state: Running, stop: Stop, moment: Moment): Next {
  const { env, spec, pod, emit } = moment;
  const { nowMs, operations } = env;
  if (stop.termMs !== undefined) {
    if (!state.live || nowMs < stop.killMs) return undefined;
    operations.signal(container, "KILL");
    return ended(container, { ...state, exitCode: KILLED }, stop.killMs, moment);
  }
  const handler = spec.lifecycle?.preStop;
  const result = handler ? operations.hook(container, spec, "preStop", handler) : { ok: true, output: "" };
  if (!result && nowMs < stop.killMs) return undefined;
  if (result && !result.ok) emit("Warning", "FailedPreStopHook", "PreStopHook failed");
  const killMs = Math.max(stop.killMs, nowMs + LEAST_GRACE_MS);
  const next = { ...stop, killMs, termMs: nowMs };
  if (state.live) {
    operations.signal(container, "TERM");
    return becomes(container, { ...state, stop: next });
  }
  const stopMs = env.behaviourOf(pod, spec, container.role).stopAfterMs ?? env.draw("stop");
  const exitMs = Math.min(nowMs + stopMs, killMs);
  return becomes(container, { ...state, stop: next, exitMs, exitCode: exitMs === killMs ? KILLED : 0 });
}

/** A running container that ends now although nobody stops it. */
export function brokenDown(state: Running, how: Breakdown, nowMs: number): Running {
  const { live: _live, hooking: _hooking, failsStartup: _failsStartup, ...rest } = state;
  return how === "oom"
    ? { ...rest, exitMs: nowMs, exitCode: KILLED, oomKilled: true }
    : { ...rest, exitMs: nowMs, exitCode: 1 };
}

/** A container that ran this long starts its back-off from the beginning. */
const STABLE_MS = 600_000;

export function ended(container: ContainerRuntime, state: Running, exitMs: number, moment: Moment): Next {
  const { pod, emit, stopping, env, spec } = moment;
  const { startedMs, exitCode } = state;
  const behaviour = env.behaviourOf(pod, spec, container.role);
  const isOutOfMemory = state.oomKilled === true || behaviour.oomKilled;
  const reason = isOutOfMemory && exitCode === KILLED ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
  const message = behaviour.terminationMessage ?? env.operations.lastWords(container, spec);
  env.operations.end(container);
  if (state.failsStartup && !stopping)
    emit("Normal", "Killing", `Container ${container.name} failed startup probe, will be restarted`);
  const end: Terminated = {
    is: "terminated",
    startedMs,
    finishedMs: exitMs,
    exitCode,
    reason,
    ...(message === undefined ? {} : { message }),
  };
  if (stopping || !restarts(pod, container, exitCode)) return becomes(container, end);
  const crashes = exitMs - startedMs >= STABLE_MS ? 0 : container.crashes;
  const delayMs = crashBackoffMs(crashes);
  if (delayMs > 0) {
    const { name, namespace, uid } = pod.metadata;
    const where = `${container.name} in pod ${name}_${namespace}(${uid})`;
    emit("Warning", "BackOff", `Back-off restarting failed container ${where}`);
  }
  const next = { ...container, last: end, crashes: crashes + 1 };
  return becomes(next, { is: "crashBackoff", untilMs: exitMs + delayMs, delayMs });
}
