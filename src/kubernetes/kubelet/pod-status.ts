import { formatSeconds } from "../../clock/clock.js";
import { conditionOf } from "../runtime/conditions.js";
import type {
  ContainerState as ApiContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
} from "../schema/generated/types.js";
import { digestOf, imageOf } from "./images.js";
import { type ContainerRuntime, type PodRuntime, specOf, type Terminated } from "./pod-runtime.js";

/** Renders what a kubelet knows of a pod as `status`, the way kubelet's generateAPIPodStatus does. */
export interface PodPlace {
  hostIP: string;
  /** Undefined until the sandbox has an address. */
  podIP: string | undefined;
}

export function statusOf(pod: Pod, runtime: PodRuntime, place: PodPlace, nowMs: number): PodStatus {
  const previous = pod.status ?? {};
  if (runtime.failure && runtime.containers.length === 0) return rejectedStatus(pod, runtime);
  const phase = phaseOf(pod, runtime);
  const statuses = (wanted: (container: ContainerRuntime) => boolean): ContainerStatus[] =>
    runtime.containers.filter(wanted).map((container) => containerStatus(pod, runtime, container));
  const init = statuses(({ role }) => role === "init" || role === "sidecar");
  const ephemeral = statuses(({ role }) => role === "ephemeral");
  // The address is told with the first thing that can be seen of the containers, to spare a write.
  const hasNetwork = place.podIP !== undefined && (previous.podIP !== undefined || runtime.containers.some(hasBegun));
  const status: PodStatus = {
    ...previous,
    phase,
    conditions: conditionsOf(pod, runtime, phase, hasNetwork && !runtime.ended, nowMs),
    hostIP: place.hostIP,
    hostIPs: [{ ip: place.hostIP }],
    ...(hasNetwork && place.podIP !== undefined ? { podIP: place.podIP, podIPs: [{ ip: place.podIP }] } : {}),
    startTime: formatSeconds(runtime.startedMs),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: statuses(({ role }) => role === "app"),
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...(runtime.ended ? runtime.failure : {}),
  };
  delete status.nominatedNodeName;
  return status;
}

const hasBegun = ({ state, restarts }: ContainerRuntime): boolean =>
  state.is === "running" || state.is === "terminated" || restarts > 0;

/** A pod that kubelet admission refused: nothing but the refusal. */
function rejectedStatus(pod: Pod, { failure, startedMs }: PodRuntime): PodStatus {
  return { ...pod.status, phase: "Failed", startTime: formatSeconds(startedMs), ...failure };
}

/** kubelet's getPhase: a pod is over once nothing of it runs any more, sidecars included. */
export function phaseOf(pod: Pod, runtime: PodRuntime): string {
  const present = pod.status?.phase;
  if (present === "Failed" || present === "Succeeded") return present;
  const isDone = ({ state }: ContainerRuntime): boolean => state.is === "terminated" && state.exitCode === 0;
  // Deleted pods, too, end in one of these two before they go.
  if (runtime.ended && runtime.failure) return "Failed";
  if (runtime.ended) return runtime.containers.every((c) => c.role !== "app" || isDone(c)) ? "Succeeded" : "Failed";
  const begun = runtime.containers.every(
    ({ role, state, last }) =>
      role !== "app" || state.is === "running" || state.is === "terminated" || last !== undefined,
  );
  return begun && initialised(runtime) ? "Running" : "Pending";
}

const initialised = (runtime: PodRuntime): boolean =>
  runtime.containers.every(
    ({ role, state }) =>
      (role !== "init" && role !== "sidecar") ||
      (role === "init" ? state.is === "terminated" && state.exitCode === 0 : state.is === "running" && state.started),
  ) ||
  runtime.containers.some(({ role, state, last }) => role === "app" && (state.is === "running" || last !== undefined));

function containerStatus(pod: Pod, runtime: PodRuntime, container: ContainerRuntime): ContainerStatus {
  const { name, image, state, restarts, last } = container;
  const known = state.is !== "waiting" || last !== undefined;
  const begun = hasBegun(container);
  const { fullName, imageID } = imageOf(image);
  const running = state.is === "running";
  const id = begun ? containerID(pod, name, restarts) : undefined;
  const resources = specOf(pod, container)?.resources;
  return {
    name,
    state: apiState(pod, runtime, container, id),
    lastState: last
      ? terminatedState(last, containerID(pod, name, Math.max(0, restarts - (state.is === "crashBackoff" ? 0 : 1))))
      : {},
    ready: container.role === "init" ? state.is === "terminated" && state.exitCode === 0 : running && state.ready,
    restartCount: restarts,
    image: begun && known ? fullName : image,
    imageID: begun && known ? imageID : "",
    ...(id ? { containerID: id } : {}),
    started: running && state.started,
    ...(running && resources?.requests ? { allocatedResources: resources.requests } : {}),
    ...(running && resources ? { resources } : {}),
  };
}

const containerID = (pod: Pod, name: string, run: number): string =>
  `containerd://${digestOf(`${pod.metadata.uid}/${name}/${run}`)}`;

function apiState(
  pod: Pod,
  runtime: PodRuntime,
  container: ContainerRuntime,
  id: string | undefined,
): ApiContainerState {
  const { state, name } = container;
  const waiting = (reason: string, message?: string): ApiContainerState => ({
    waiting: { ...(message === undefined ? {} : { message }), reason },
  });
  switch (state.is) {
    case "running":
      return { running: { startedAt: formatSeconds(state.startedMs) } };
    case "terminated":
      return terminatedState(state, id);
    case "crashBackoff": {
      if (state.delayMs === 0 && container.last) return terminatedState(container.last, id);
      const { name: podName, namespace, uid } = pod.metadata;
      const delay =
        state.delayMs < 60_000
          ? `${state.delayMs / 1000}s`
          : `${Math.floor(state.delayMs / 60_000)}m${(state.delayMs % 60_000) / 1000}s`;
      return waiting(
        "CrashLoopBackOff",
        `back-off ${delay} restarting failed container=${name} pod=${podName}_${namespace}(${uid})`,
      );
    }
    case "pullFailed":
      return state.backedOff
        ? waiting("ImagePullBackOff", `Back-off pulling image "${container.image}"`)
        : waiting("ErrImagePull", missing(container.image));
    case "pulling":
      if (state.attempts > 1) return waiting("ImagePullBackOff", `Back-off pulling image "${container.image}"`);
      return waiting(creating(runtime, container));
    case "waiting":
      return state.problem
        ? waiting(state.problem.reason, state.problem.message)
        : waiting(creating(runtime, container));
    case "starting":
      if (state.problem) return waiting("CreateContainerConfigError", state.problem);
      return waiting(creating(runtime, container));
  }
}

const missing = (image: string): string => {
  const { fullName } = imageOf(image);
  return `rpc error: code = NotFound desc = failed to pull and unpack image "${fullName}": failed to resolve reference "${fullName}": ${fullName}: not found`;
};

/** Pods with init containers say PodInitializing until the last of them is done. */
const creating = (runtime: PodRuntime, { role }: ContainerRuntime): string =>
  role === "app" && initialised(runtime)
    ? "ContainerCreating"
    : role === "ephemeral"
      ? "ContainerCreating"
      : "PodInitializing";

function terminatedState(
  { exitCode, reason, startedMs, finishedMs }: Terminated,
  id: string | undefined,
): ApiContainerState {
  return {
    terminated: {
      exitCode,
      reason,
      startedAt: formatSeconds(startedMs),
      finishedAt: formatSeconds(finishedMs),
      ...(id ? { containerID: id } : {}),
    },
  };
}

interface Verdict {
  status: boolean;
  reason?: string;
  message?: string;
}

const YES: Verdict = { status: true };
const named = (containers: readonly ContainerRuntime[]): string => `[${containers.map(({ name }) => name).join(" ")}]`;

function conditionsOf(
  pod: Pod,
  runtime: PodRuntime,
  phase: string,
  hasNetwork: boolean,
  nowMs: number,
): PodCondition[] {
  const verdicts: [string, Verdict][] = [["PodReadyToStartContainers", { status: hasNetwork }]];
  const initialisedVerdict = judgeInitialised(runtime, phase);
  const containersReady = judgeContainersReady(runtime, phase);
  verdicts.push(
    ["Initialized", initialisedVerdict],
    ["Ready", judgeReady(pod, containersReady)],
    ["ContainersReady", containersReady],
    ["PodScheduled", YES],
  );
  const previous = pod.status?.conditions;
  const now = formatSeconds(nowMs);
  const owned = new Set(verdicts.map(([type]) => type));
  const conditions = verdicts.map(([type, verdict]): PodCondition => {
    const before = conditionOf(previous, type);
    const status = verdict.status ? "True" : "False";
    // A deleted pod that was given up by the node controller must not come back as ready.
    const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
    return {
      type,
      status,
      lastTransitionTime,
      ...(verdict.reason ? { reason: verdict.reason } : {}),
      ...(verdict.message ? { message: verdict.message } : {}),
    };
  });
  // What others wrote stays: readiness gates, DisruptionTarget.
  for (const condition of previous ?? []) if (!owned.has(condition.type)) conditions.push(condition);
  return conditions;
}

const finished = (phase: string): Verdict | undefined =>
  phase === "Succeeded"
    ? { status: false, reason: "PodCompleted" }
    : phase === "Failed"
      ? { status: false, reason: "PodFailed" }
      : undefined;

function judgeInitialised(runtime: PodRuntime, phase: string): Verdict {
  if (phase === "Succeeded") return { status: true, reason: "PodCompleted" };
  if (initialised(runtime)) return YES;
  const open = runtime.containers.filter(
    ({ role, state }) =>
      (role === "init" && !(state.is === "terminated" && state.exitCode === 0)) ||
      (role === "sidecar" && !(state.is === "running" && state.started)),
  );
  return {
    status: false,
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: ${named(open)}`,
  };
}

function judgeContainersReady(runtime: PodRuntime, phase: string): Verdict {
  const over = finished(phase);
  if (over) return over;
  const unready = runtime.containers.filter(
    ({ role, state }) => (role === "app" || role === "sidecar") && !(state.is === "running" && state.ready),
  );
  if (unready.length === 0) return YES;
  return { status: false, reason: "ContainersNotReady", message: `containers with unready status: ${named(unready)}` };
}

function judgeReady(pod: Pod, containersReady: Verdict): Verdict {
  if (!containersReady.status) return containersReady;
  const problems: string[] = [];
  for (const { conditionType } of pod.spec?.readinessGates ?? []) {
    const gate = conditionOf(pod.status?.conditions, conditionType);
    if (!gate) problems.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (gate.status !== "True")
      problems.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
  }
  if (problems.length === 0) return YES;
  return { status: false, reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}
