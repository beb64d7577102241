import { digestOf } from "../runtime/hash.js";
import type { Container, Probe } from "../schema/generated/types.js";
import type { Behaviour } from "./behaviour.js";
import { becomes, type ContainerContext, type Moment, type Next } from "./container-moment.js";
import { beginStop, ended, followStop, graceSecondsOf } from "./container-stop.js";
import { isKnownImage } from "./image-programs.js";
import { imageOf, notFoundText } from "./images.js";
import { isKnownProgram } from "./known-programs.js";
import { fieldPathOf, type KubeletEvent } from "./pod-lifecycle.js";
import { environmentProblem } from "./pod-references.js";
import {
  type ContainerRuntime,
  type ContainerState,
  isLasting,
  type Pulling,
  type Running,
  runningState,
  specOf,
} from "./pod-runtime.js";
import { beginProbes, dueProbe, hasProbes, judged, nextProbeMs } from "./probes.js";
import { REFERENCE_RETRY_MS } from "./timings.js";

/** One container from its image to its end, and again: the states and what leads from one to the next. Event texts are the kubelet's. */
export interface ContainerStep {
  container: ContainerRuntime;
  events: KubeletEvent[];
  wakeMs?: number;
}

/** kubelet's image back-off: 10 s, doubled, at most 5 min. */
const PULL_BASE_MS = 10_000;
const PULL_MAX_MS = 300_000;
/** ErrImagePull turns into ImagePullBackOff with the kubelet's next look at the pod. */
const ERR_IMAGE_PULL_MS = 1_500;

export function advanceContainer(container: ContainerRuntime, context: ContainerContext): ContainerStep {
  const events: KubeletEvent[] = [];
  const spec = specOf(context.pod, container);
  if (!spec) return { container, events };
  const fieldPath = fieldPathOf(container);
  const moment: Moment = {
    ...context,
    spec,
    emit: (type, reason, message) => events.push({ fieldPath, type, reason, message }),
  };
  let current = container;
  for (let next = follow(current, moment); next; next = follow(current, moment)) current = next;
  return { container: current, events, wakeMs: wakeMsOf(current, context) };
}

function wakeMsOf({ state }: ContainerRuntime, { sandboxMs, stopping, env }: ContainerContext): number | undefined {
  if (stopping && state.is !== "running") return undefined;
  switch (state.is) {
    case "waiting":
      return state.problem ? undefined : sandboxMs;
    case "pulling":
    case "starting":
    case "crashBackoff":
      return state.untilMs;
    case "pullFailed":
      return state.backedOff ? state.retryMs : state.failedMs + ERR_IMAGE_PULL_MS;
    case "running": {
      let wakeMs = Math.min(state.exitMs ?? Number.POSITIVE_INFINITY, state.relistMs ?? Number.POSITIVE_INFINITY);
      if (state.stop) wakeMs = Math.min(wakeMs, state.stop.killMs);
      else if (state.probes) wakeMs = Math.min(wakeMs, nextProbeMs(state, env.nowMs));
      if (state.hooking || state.stop || state.probes) return wakeMs === Number.POSITIVE_INFINITY ? undefined : wakeMs;
      if (!state.started) wakeMs = Math.min(wakeMs, state.startupMs);
      if (!state.ready && !state.unfit)
        wakeMs = Math.min(wakeMs, state.readyMs, state.unhealthyMs ?? Number.POSITIVE_INFINITY);
      return wakeMs === Number.POSITIVE_INFINITY ? undefined : wakeMs;
    }
    case "terminated":
      return undefined;
  }
}

function follow(container: ContainerRuntime, moment: Moment): Next {
  const { state } = container;
  const { nowMs } = moment.env;
  if (state.is === "running") return followRunning(container, state, moment);
  if (state.is === "terminated" || moment.stopping) return undefined;
  const image = moment.spec.image ?? "";
  // Another image begins its back-off anew.
  if (image !== container.image) return { ...container, image, crashes: 0, state: { is: "waiting" } };
  switch (state.is) {
    case "waiting":
      if (state.problem || nowMs < moment.sandboxMs) return undefined;
      return becomes(container, prepare(container, moment, nowMs));
    case "pulling":
      return nowMs < state.untilMs
        ? undefined
        : becomes(container, pulled(container, postponed(state, moment), moment));
    case "starting": {
      if (nowMs < state.untilMs) return undefined;
      const problem = startProblem(container, moment);
      if (problem === undefined)
        return becomes(container, started(container, postponed(state, moment).untilMs, moment));
      moment.emit("Warning", "Failed", `Error: ${problem.message}`);
      return becomes(container, { is: "starting", untilMs: nowMs + REFERENCE_RETRY_MS, problem });
    }
    case "pullFailed": {
      if (nowMs >= state.retryMs) {
        moment.emit("Normal", "Pulling", `Pulling image "${container.image}"`);
        const sinceMs = Math.max(state.retryMs, moment.env.actingSinceMs);
        const untilMs = sinceMs + moment.env.draw("recheck");
        return becomes(container, { is: "pulling", sinceMs, untilMs, attempts: state.attempts + 1 });
      }
      if (state.backedOff || nowMs < state.failedMs + ERR_IMAGE_PULL_MS) return undefined;
      moment.emit("Normal", "BackOff", `Back-off pulling image "${container.image}"`);
      moment.emit("Warning", "Failed", "Error: ImagePullBackOff");
      return becomes(container, { ...state, backedOff: true });
    }
    case "crashBackoff": {
      if (nowMs < state.untilMs) return undefined;
      const again = { ...container, restarts: container.restarts + 1 };
      return becomes(again, prepare(again, moment, postponed(state, moment).untilMs));
    }
  }
}

/** What the kubelet would have done while it was stopped it does when it is back. */
const postponed = <S extends { untilMs: number }>(state: S, { env: { actingSinceMs } }: Moment): S =>
  state.untilMs < actingSinceMs ? { ...state, untilMs: actingSinceMs } : state;

/** Why the container cannot be made, with the reason that it waits for. */
function startProblem(
  { name, restarts }: ContainerRuntime,
  { pod, spec, env }: Moment,
): { reason: string; message: string } | undefined {
  const problem = environmentProblem(pod, spec, env.references, env.placement);
  if (problem !== undefined) return { reason: "CreateContainerConfigError", message: problem };
  if (!env.diskFull) return undefined;
  const id = digestOf(`${pod.metadata.uid}/${name}/${restarts}`);
  const directory = `/var/lib/containerd/io.containerd.grpc.v1.cri/containers/${id}`;
  const message = `failed to create container root directory "${directory}": mkdir ${directory}: no space left on device`;
  return { reason: "CreateContainerError", message };
}

/** From waiting towards an image. */
function prepare(container: ContainerRuntime, moment: Moment, atMs: number): ContainerState {
  const { image } = container;
  const { spec, env, emit, problem } = moment;
  const refuse = (reason: string, message: string, eventReason: string): ContainerState => {
    emit("Warning", eventReason, message);
    return { is: "waiting", problem: { reason, message } };
  };
  if (problem) return refuse("InvalidImageBehaviour", problem, "InvalidImageBehaviour");
  if (imageOf(image).problem === "invalid") {
    const parse = `couldn't parse image name "${image}": invalid reference format`;
    return refuse("InvalidImageName", `Failed to apply default image tag "${image}": ${parse}`, "InspectFailed");
  }
  const readyMs = env.imageReadyMs(image);
  const isPresent = readyMs !== undefined && readyMs <= atMs;
  const policy = spec.imagePullPolicy ?? (imageOf(image).fullName.endsWith(":latest") ? "Always" : "IfNotPresent");
  if (isPresent && policy !== "Always") {
    emit("Normal", "Pulled", `Container image "${image}" already present on machine and can be accessed by the pod`);
    return { is: "starting", untilMs: atMs + env.draw("start") };
  }
  if (policy === "Never")
    return refuse(
      "ErrImageNeverPull",
      `Container image "${image}" is not present with pull policy of Never`,
      "ErrImageNeverPull",
    );
  emit("Normal", "Pulling", `Pulling image "${image}"`);
  // One download serves all pods that wait for the image.
  const untilMs = isPresent ? atMs + env.draw("recheck") : (readyMs ?? atMs + env.draw("pull"));
  if (readyMs === undefined && pullProblem(container, moment) === undefined) env.imagePulled(image, untilMs);
  return { is: "pulling", sinceMs: atMs, untilMs, attempts: 1 };
}

const isMissing = ({ image, role }: ContainerRuntime, { pod, spec, env }: Moment): boolean =>
  imageOf(image).problem === "missing" || env.behaviourOf(pod, spec, role).imageMissing;

const pullProblem = (container: ContainerRuntime, moment: Moment): string | undefined =>
  moment.env.pullProblem(container.image) ?? (isMissing(container, moment) ? notFoundText(container.image) : undefined);

function pulled(container: ContainerRuntime, { sinceMs, untilMs, attempts }: Pulling, moment: Moment): ContainerState {
  const { emit, env } = moment;
  const { image } = container;
  const readyMs = env.imageReadyMs(image);
  const message = pullProblem(container, moment);
  if (message !== undefined) {
    // What was there before the pull stays.
    if (readyMs !== undefined && readyMs > sinceMs) env.imageLost(image);
    emit("Warning", "Failed", `Failed to pull image "${image}": ${message}`);
    emit("Warning", "Failed", "Error: ErrImagePull");
    const delayMs = Math.min(PULL_MAX_MS, PULL_BASE_MS * 2 ** Math.min(attempts - 1, 10));
    return { is: "pullFailed", failedMs: untilMs, retryMs: untilMs + delayMs, attempts, backedOff: false, message };
  }
  if (readyMs === undefined) env.imagePulled(image, untilMs);
  const took = tookText(untilMs - sinceMs);
  emit(
    "Normal",
    "Pulled",
    `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${imageOf(image).sizeBytes} bytes.`,
  );
  return { is: "starting", untilMs: untilMs + env.draw("start") };
}

const tookText = (ms: number): string => (ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(3)}s`);

function started(container: ContainerRuntime, atMs: number, { pod, spec, emit, env }: Moment): Running {
  emit("Normal", "Created", "Container created");
  emit("Normal", "Started", "Container started");
  const behaviour = env.behaviourOf(pod, spec, container.role);
  const running = runningState(atMs, spec, behaviour);
  if (running.live) env.operations.start(container, spec, atMs);
  const hooking = spec.lifecycle?.postStart !== undefined;
  const isProbed =
    (running.live || behaviour.http || behaviour.exec || hasKnownExecProbe(spec, behaviour)) && hasProbes(spec);
  if (!hooking && !isProbed) return running;
  return {
    ...running,
    ...(isProbed ? { probes: beginProbes(spec, atMs, atMs), unhealthyMs: undefined } : {}),
    ...(hooking ? { hooking } : {}),
    started: !hooking && spec.startupProbe === undefined,
    ready: !hooking && spec.startupProbe === undefined && spec.readinessProbe === undefined && running.ready,
  };
}

/** What a command finds in a known image can be told only by running it. */
const hasKnownExecProbe = (spec: Container, { image }: Behaviour): boolean =>
  isKnownImage(image) &&
  [spec.startupProbe, spec.readinessProbe, spec.livenessProbe].some(
    (probe) => probe?.exec?.command && isKnownProgram(probe.exec.command, image),
  );

/** How often a kubelet compares its containers with those of the runtime (PLEG's relist). */
const RELIST_MS = 1_000;

function followRunning(container: ContainerRuntime, state: Running, moment: Moment): Next {
  const { env, spec, emit, stopping } = moment;
  const { nowMs, operations } = env;
  if (state.live && !operations.isLive(container)) operations.start(container, spec, state.startedMs);
  const exit = operations.exitOf(container);
  if (exit && (state.live || exit.atMs <= nowMs))
    return ended(container, { ...state, exitCode: exit.code }, exit.atMs, moment);
  const isChanged =
    !stopping && !state.stop && spec.image !== container.image && (state.exitMs === undefined || state.exitMs > nowMs);
  if (isChanged && state.relistMs === undefined) return becomes(container, { ...state, relistMs: nowMs + RELIST_MS });
  if (state.relistMs !== undefined && nowMs >= state.relistMs) {
    const { relistMs: _, ...noticed } = state;
    if (!isChanged) return becomes(container, noticed);
    emit("Normal", "Killing", `Container ${container.name} definition changed, will be restarted`);
    const replaced = { ...container, image: spec.image ?? "" };
    return becomes(replaced, beginStop(replaced, noticed, moment, graceSecondsOf(moment)));
  }
  if (state.exitMs !== undefined && nowMs >= state.exitMs) {
    // A startup probe ends nothing while nobody probes.
    const endMs = state.failsStartup ? Math.max(state.exitMs, env.actingSinceMs) : state.exitMs;
    return ended(container, state, endMs, moment);
  }
  if (state.stop) return followStop(container, state, state.stop, moment);
  if (container.restartForResize && !stopping) {
    emit("Normal", "Killing", `Container ${container.name} resize requires restart`);
    const { restartForResize: _, ...rest } = container;
    return becomes(rest, beginStop(rest, state, moment, graceSecondsOf(moment)));
  }
  if (state.hooking) return followHook(container, state, moment);
  const isUnfit = env.trouble === "not-ready" && isLasting(container.role);
  if (!spec.readinessProbe && (isUnfit ? state.ready || !state.unfit : state.unfit))
    return becomes(container, withFitness(state, !isUnfit, nowMs));
  if (state.probes) return followProbes(container, state, moment);
  if (isUnfit && spec.readinessProbe)
    return becomes(container, { ...state, probes: beginProbes(spec, state.startedMs, nowMs), unhealthyMs: undefined });
  if (!state.live && hasProbes(spec) && operations.isLive(container))
    // Somebody has looked into it and may have changed something: from now on the probes are made for real.
    return becomes(container, { ...state, probes: beginProbes(spec, state.startedMs, nowMs), unhealthyMs: undefined });
  if (state.unhealthyMs !== undefined && nowMs >= state.unhealthyMs) {
    emit("Warning", "Unhealthy", probeFailure(spec));
    return becomes(container, { ...state, unhealthyMs: undefined });
  }
  const started = state.started || nowMs >= state.startupMs;
  const ready = !state.unfit && (state.ready || nowMs >= state.readyMs);
  if (started === state.started && ready === state.ready) return undefined;
  return becomes(container, { ...state, started, ready });
}

/** Without a probe nothing could tell that a container is not fit to serve: it is said of it. */
function withFitness({ unfit: _, ...state }: Running, isFit: boolean, nowMs: number): Running {
  return isFit ? { ...state, ready: state.started && state.readyMs <= nowMs } : { ...state, ready: false, unfit: true };
}

/** The container counts as started only when its postStart hook has come back; one that fails ends it. */
function followHook(container: ContainerRuntime, state: Running, moment: Moment): Next {
  const { env, spec, emit } = moment;
  const handler = spec.lifecycle?.postStart;
  const result = handler ? env.operations.hook(container, spec, "postStart", handler) : { ok: true, output: "" };
  if (!result) return undefined;
  const { hooking: _, ...rest } = state;
  if (!result.ok) {
    emit("Warning", "FailedPostStartHook", "PostStartHook failed");
    emit("Normal", "Killing", "FailedPostStartHook");
    return becomes(container, beginStop(container, rest, moment, graceSecondsOf(moment)));
  }
  const isStarted = spec.startupProbe === undefined;
  return becomes(container, {
    ...rest,
    started: isStarted && rest.startupMs <= env.nowMs,
    ready: isStarted && spec.readinessProbe === undefined && rest.readyMs <= env.nowMs,
  });
}

const KIND_NAMES = { startup: "Startup", liveness: "Liveness", readiness: "Readiness" } as const;

function followProbes(container: ContainerRuntime, state: Running, moment: Moment): Next {
  const { env, spec, emit } = moment;
  const due = dueProbe(state, spec, env.nowMs);
  if (!due) return undefined;
  const { kind, probe } = due;
  const isUnfit = kind === "readiness" && env.trouble === "not-ready";
  const result = isUnfit
    ? { ok: false, output: failedProbeOutput(probe) }
    : env.operations.check(container, spec, kind, probe);
  if (!result) return undefined;
  if (!result.ok) emit("Warning", "Unhealthy", `${KIND_NAMES[kind]} probe failed: ${result.output}`);
  const { running, restart } = judged(state, kind, probe, result, env.nowMs);
  if (!restart) return becomes(container, running);
  emit("Normal", "Killing", `Container ${container.name} failed ${kind} probe, will be restarted`);
  const graceSeconds = probe.terminationGracePeriodSeconds ?? graceSecondsOf(moment);
  return becomes(container, beginStop(container, running, moment, graceSeconds));
}

function probeFailure({ startupProbe, readinessProbe }: Container): string {
  const probe = startupProbe ?? readinessProbe;
  return `${startupProbe ? "Startup" : "Readiness"} probe failed: ${failedProbeOutput(probe)}`;
}

function failedProbeOutput(probe: Probe | undefined): string {
  if (probe?.httpGet) return "HTTP probe failed with statuscode: 503";
  return probe?.exec ? "command exited with 1" : "connect: connection refused";
}
