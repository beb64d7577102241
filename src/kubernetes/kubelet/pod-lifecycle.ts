import { digestOf } from "../runtime/hash.js";
import type { Pod } from "../schema/generated/types.js";
import type { PodTrouble } from "../trouble.js";
import { type BehaviourOf, behaviourProblem } from "./behaviour.js";
import { advanceContainer, type ContainerStep } from "./container-lifecycle.js";
import type { ContainerOperations } from "./container-operations.js";
import { stopState } from "./container-stop.js";
import type { PodPlacement } from "./machine/field-values.js";
import { ATTACHING, mountProblem, type ReferenceLookups, sandboxProblem } from "./pod-references.js";
import { type ContainerRuntime, type PodRuntime, specOf, type Terminated, withNewContainers } from "./pod-runtime.js";
import type { TokenProblem } from "./pod-tokens.js";
import { EVICTED, EVICTION_GRACE_SECONDS } from "./pressure.js";
import { REFERENCE_RETRY_MS, type Timing } from "./timings.js";

/**
 * The life of a pod on its node: a function of the pod, what its containers were doing, and the time. It returns what they do now, what there is to
 * tell, and when to look again. It may be called late (a kubelet that was cut off): everything then happens with the times it would have had. What a kubelet
 * that was stopped would have done itself meanwhile, it does when it is back.
 */
export interface LifecycleEnvironment {
  nowMs: number;
  /** Since when the kubelet acts without a break: nothing was pulled, started or found ready in a break before. */
  actingSinceMs: number;
  /** When the image is (or will be) on this node; undefined when nobody pulled it yet. */
  imageReadyMs(image: string): number | undefined;
  imagePulled(image: string, readyMs: number): void;
  /** It did not come after all. */
  imageLost(image: string): void;
  /** Why this image cannot be pulled on this node now, in the container runtime's words. */
  pullProblem(image: string): string | undefined;
  /** Nothing can be written on this node. */
  diskFull: boolean;
  /** What is wrong with the pod. */
  trouble: PodTrouble | undefined;
  /** A random duration, ms. */
  draw(timing: Timing): number;
  /** Why a token of its service account is not there yet, which its containers need before they start; undefined: all are. */
  tokenProblem(): TokenProblem | undefined;
  /** Other objects that the pod needs before its containers can start. */
  references: ReferenceLookups;
  placement: PodPlacement;
  behaviourOf: BehaviourOf;
  /** The pod's containers on the machine that runs them. */
  operations: ContainerOperations;
}

export interface KubeletEvent {
  /** `spec.containers{web}`; absent: about the pod as a whole. */
  fieldPath?: string;
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

export interface PodStep {
  runtime: PodRuntime;
  events: readonly KubeletEvent[];
  /** When something will happen next. */
  wakeMs?: number;
}

const DEADLINE = {
  reason: "DeadlineExceeded",
  message: "Pod was active on the node longer than the specified deadline",
} as const;

const isUntouched = ({ state, restarts }: ContainerRuntime): boolean => state.is === "waiting" && restarts === 0;

export const isRunning = ({ state }: ContainerRuntime): boolean => state.is === "running";

/** Would never run again under the pod's restart policy. */
function isFinal(pod: Pod, container: ContainerRuntime): container is ContainerRuntime & { state: Terminated } {
  return container.state.is === "terminated" && !restarts(pod, container, container.state.exitCode);
}

export function restarts(pod: Pod, container: ContainerRuntime, exitCode: number): boolean {
  if (container.role === "ephemeral") return false;
  if (container.role === "sidecar") return true;
  const spec = specOf(pod, container);
  const policy = spec?.restartPolicy ?? pod.spec?.restartPolicy ?? "Always";
  for (const { action, exitCodes } of spec?.restartPolicyRules ?? [])
    if (action === "Restart" && (exitCodes?.values?.includes(exitCode) ?? false) === (exitCodes?.operator !== "NotIn"))
      return true;
  // An init container that succeeded is done, whatever the pod's policy.
  if (policy === "Always") return container.role === "app" || exitCode !== 0;
  return policy === "OnFailure" && exitCode !== 0;
}

/** Begins to end the pod: running containers get SIGTERM, and SIGKILL when the grace period is over. Sidecars go on until the others have ended. */
function stopPod(pod: Pod, runtime: PodRuntime, env: LifecycleEnvironment, graceSeconds: number): PodStep {
  const events: KubeletEvent[] = [];
  const containers = runtime.containers.map((container) => {
    if (container.state.is !== "running") return container;
    if (graceSeconds > 0 && container.role === "sidecar" && runtime.containers.some(isWaitedForBySidecars))
      return container;
    events.push(killing(container));
    return stopContainer(pod, container, env, graceSeconds * 1000);
  });
  return { runtime: { ...runtime, containers, stopping: { graceSeconds, sinceMs: env.nowMs } }, events };
}

const killing = (container: ContainerRuntime): KubeletEvent => ({
  fieldPath: fieldPathOf(container),
  type: "Normal",
  reason: "Killing",
  message: `Stopping container ${container.name}`,
});

const isWaitedForBySidecars = (container: ContainerRuntime): boolean =>
  container.role !== "sidecar" && isRunning(container);

/** What sidecars get at least, however long the others took. */
const LEAST_SIDECAR_GRACE_MS = 2_000;

/** Of a pod that is being ended, the sidecar whose turn it is: the last that was started goes first. */
function sidecarToStop({ stopping, containers }: PodRuntime): number {
  if (!stopping || containers.some(isWaitedForBySidecars)) return -1;
  const last = containers.findLastIndex((container) => container.role === "sidecar" && isRunning(container));
  const { state } = containers[last] ?? {};
  return state?.is === "running" && !state.stop ? last : -1;
}

function stopContainer(
  pod: Pod,
  container: ContainerRuntime,
  env: LifecycleEnvironment,
  graceMs: number,
): ContainerRuntime {
  const spec = specOf(pod, container);
  if (container.state.is !== "running" || !spec) return container;
  const { state } = container;
  // Already on its way: only less patience changes anything.
  if (state.stop && state.live)
    return {
      ...container,
      state: { ...state, stop: { ...state.stop, killMs: Math.min(state.stop.killMs, env.nowMs + graceMs) } },
    };
  return { ...container, state: stopState(container, state, { pod, spec, env, graceMs }) };
}

export function fieldPathOf({ name, role }: Pick<ContainerRuntime, "name" | "role">): string {
  const list = role === "app" ? "containers" : role === "ephemeral" ? "ephemeralContainers" : "initContainers";
  return `spec.${list}{${name}}`;
}

export function advancePod(pod: Pod, before: PodRuntime, env: LifecycleEnvironment): PodStep {
  if (before.ended) return { runtime: before, events: [] };
  const events: KubeletEvent[] = [];
  let runtime = withNewContainers(pod, before);
  let wakeMs = Number.POSITIVE_INFINITY;

  const stop = (graceSeconds = 30, failure?: PodRuntime["failure"]): void => {
    const step = stopPod(pod, runtime, env, graceSeconds);
    runtime = failure ? { ...step.runtime, failure } : step.runtime;
    events.push(...step.events);
  };
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const deadlineSeconds = pod.spec?.activeDeadlineSeconds;
  const deadlineMs = deadlineSeconds === undefined ? undefined : runtime.startedMs + deadlineSeconds * 1000;
  if (deletionTimestamp) {
    // Deleted, or deleted again with less patience.
    const present = runtime.stopping?.graceSeconds ?? Number.POSITIVE_INFINITY;
    if ((deletionGracePeriodSeconds ?? 30) < present) stop(deletionGracePeriodSeconds);
  } else if (!runtime.stopping && runtime.eviction !== undefined) {
    stop(EVICTION_GRACE_SECONDS, { reason: EVICTED, message: runtime.eviction });
  } else if (!runtime.stopping && deadlineMs !== undefined) {
    if (env.nowMs < deadlineMs) wakeMs = deadlineMs;
    else {
      events.push({ type: "Normal", ...DEADLINE });
      stop(pod.spec?.terminationGracePeriodSeconds, DEADLINE);
    }
  }

  if (!runtime.stopping && env.nowMs >= runtime.sandboxMs && runtime.containers.every(isUntouched)) {
    const token = env.tokenProblem();
    if (token && token.message === undefined)
      return { runtime, events, ...(wakeMs < Number.POSITIVE_INFINITY ? { wakeMs } : {}) };
    const unmounted = mountProblem(pod, env.references) ?? token?.message;
    const problem = unmounted ?? (env.diskFull ? noSandboxText(pod) : sandboxProblem(pod, env.references));
    if (problem !== undefined) {
      const reason = unmounted === undefined ? "FailedCreatePodSandBox" : "FailedMount";
      if (problem !== ATTACHING && problem !== runtime.blockedBy)
        events.push({ type: "Warning", reason, message: problem });
      const retryMs = problem === token?.message ? token.retryMs : undefined;
      wakeMs = Math.min(wakeMs, retryMs ?? env.nowMs + REFERENCE_RETRY_MS);
      return { runtime: { ...runtime, blockedBy: problem }, events, wakeMs };
    }
  }

  const context = {
    pod,
    env,
    sandboxMs: runtime.sandboxMs,
    stopping: runtime.stopping !== undefined,
    problem: behaviourProblem(pod),
  };
  const containers = [...runtime.containers];
  for (let i = 0; i < containers.length; i++) {
    const container = containers[i] as ContainerRuntime;
    const step: ContainerStep = advanceContainer(container, context);
    if (step.container !== container) containers[i] = step.container;
    events.push(...step.events);
    wakeMs = Math.min(wakeMs, step.wakeMs ?? Number.POSITIVE_INFINITY);
    // Containers after an init container wait for its success, those after a sidecar for its start.
    if (!context.stopping && isInTheWay(step.container)) break;
  }
  runtime = { ...runtime, containers };
  const next = sidecarToStop(runtime);
  if (next >= 0 && runtime.stopping) {
    const { graceSeconds, sinceMs = env.nowMs } = runtime.stopping;
    const leftMs = Math.max(LEAST_SIDECAR_GRACE_MS, sinceMs + graceSeconds * 1000 - env.nowMs);
    const sidecar = containers[next] as ContainerRuntime;
    containers[next] = stopContainer(pod, sidecar, env, graceSeconds === 0 ? 0 : leftMs);
    const step = advancePod(pod, { ...runtime, containers }, env);
    return { ...step, events: [...events, killing(sidecar), ...step.events] };
  }

  const apps = containers.filter(({ role }) => role === "app");
  const failedInit = containers.some(
    (container) => container.role === "init" && isFinal(pod, container) && container.state.exitCode !== 0,
  );
  const over = failedInit || apps.every((container) => isFinal(pod, container));
  if (over && !runtime.stopping && containers.some(isRunning)) {
    // Sidecars end once everything they served has ended.
    stop(pod.spec?.terminationGracePeriodSeconds);
    const last = advancePod(pod, runtime, env);
    return { ...last, events: [...events, ...last.events] };
  }
  if ((over || runtime.stopping) && !runtime.containers.some(isRunning)) {
    runtime = { ...runtime, ended: true };
    wakeMs = Number.POSITIVE_INFINITY;
  }
  return { runtime, events, ...(wakeMs === Number.POSITIVE_INFINITY ? {} : { wakeMs }) };
}

function noSandboxText({ metadata }: Pod): string {
  const directory = `/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/${digestOf(metadata.uid)}`;
  const why = `failed to create sandbox root directory "${directory}": mkdir ${directory}: no space left on device`;
  return `Failed to create pod sandbox: rpc error: code = Unknown desc = ${why}`;
}

function isInTheWay({ role, state }: ContainerRuntime): boolean {
  if (role === "init") return state.is !== "terminated" || state.exitCode !== 0;
  return role === "sidecar" && !(state.is === "running" && state.started);
}

/** After a machine stood still from `frozenMs` on: what its containers were about to do comes as much later. */
export function thawed(runtime: PodRuntime, frozenMs: number, nowMs: number): PodRuntime {
  const later = (ms: number): number => (ms > frozenMs ? ms + nowMs - frozenMs : ms);
  const laterIf = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : later(ms));
  const containers = runtime.containers.map((container): ContainerRuntime => {
    const { state } = container;
    if (state.is === "pulling" || state.is === "starting")
      return { ...container, state: { ...state, untilMs: later(state.untilMs) } };
    if (state.is !== "running") return container;
    const { exitMs, unhealthyMs, startupMs, readyMs, stop } = state;
    const moved = {
      ...state,
      exitMs: laterIf(exitMs),
      unhealthyMs: laterIf(unhealthyMs),
      startupMs: later(startupMs),
      readyMs: later(readyMs),
    };
    return { ...container, state: stop ? { ...moved, stop: { ...stop, killMs: later(stop.killMs) } } : moved };
  });
  return { ...runtime, containers, sandboxMs: later(runtime.sandboxMs) };
}

/** After a power cut: what was running is dead, and the sandbox with it. */
export function rebooted(pod: Pod, runtime: PodRuntime, diedMs: number, sandboxMs: number): PodRuntime {
  if (runtime.ended) return runtime;
  const containers = runtime.containers.map((container): ContainerRuntime => {
    const { state } = container;
    if (state.is === "running") {
      // What the runtime can no longer tell about is reported like this.
      const dead: Terminated = {
        is: "terminated",
        startedMs: state.startedMs,
        finishedMs: diedMs,
        exitCode: 255,
        reason: "Unknown",
      };
      if (!restarts(pod, container, dead.exitCode)) return { ...container, state: dead };
      return { ...container, state: { is: "waiting" }, restarts: container.restarts + 1, last: dead };
    }
    // A new sandbox begins with the init containers again.
    if (state.is === "terminated" && (container.role === "app" || container.role === "ephemeral")) return container;
    return { ...container, state: { is: "waiting" } };
  });
  return { ...runtime, containers, sandboxMs };
}
