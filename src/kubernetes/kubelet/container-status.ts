import { formatSeconds } from "../../clock/clock.js";
import { digestOf } from "../runtime/hash.js";
import type { ContainerState, ContainerStatus, Pod } from "../schema/generated/types.js";
import { imageOf } from "./images.js";
import {
  type ContainerRuntime,
  hasSucceeded,
  isServing,
  type PodRuntime,
  specOf,
  type Terminated,
} from "./pod-runtime.js";

/** What the node's clock showed at a time. */
export type Shown = (ms: number) => number;

/** One entry of containerStatuses. IDs follow from the pod's uid, the container's name and the number of the run: nothing needs to be kept. */
export function containerStatus(
  pod: Pod,
  runtime: PodRuntime,
  container: ContainerRuntime,
  shown: Shown,
): ContainerStatus {
  const { name, image, role, state, restarts, last } = container;
  const isRunning = state.is === "running";
  const hasRun = isRunning || state.is === "terminated" || last !== undefined;
  const { fullName, imageID } = imageOf(image);
  const allocated = runtime.allocated ? runtime.allocated[name] : specOf(pod, container)?.resources;
  const resources = isRunning ? allocated : undefined;
  const id = (run: number): string => `containerd://${digestOf(`${pod.metadata.uid}/${name}/${run}`)}`;
  // A container that waits for its next start still counts, and shows, the run before.
  const containerID = hasRun ? id(restarts) : "";
  const isBetween = state.is === "crashBackoff";
  return {
    name,
    state:
      isBetween && state.delayMs === 0 && last
        ? ended(last, containerID, shown)
        : stateOf(pod, runtime, container, { id: containerID, shown }),
    lastState: last ? ended(last, isBetween ? containerID : id(restarts - 1), shown) : {},
    ready: role === "init" ? hasSucceeded(container) : isServing(container),
    restartCount: restarts,
    image: hasRun ? fullName : image,
    imageID: hasRun ? imageID : "",
    ...(hasRun ? { containerID } : {}),
    started: isRunning && state.started,
    ...(resources?.requests ? { allocatedResources: resources.requests } : {}),
    ...(resources ? { resources } : {}),
  };
}

/** Why a container waits, in the word of its status; undefined when it does not. */
export const waitingReason = (pod: Pod, runtime: PodRuntime, container: ContainerRuntime): string | undefined =>
  stateOf(pod, runtime, container, { id: "", shown: (ms) => ms }).waiting?.reason;

function stateOf(
  pod: Pod,
  runtime: PodRuntime,
  container: ContainerRuntime,
  { id, shown }: { id: string; shown: Shown },
): ContainerState {
  const { state, image } = container;
  switch (state.is) {
    case "running":
      return { running: { startedAt: formatSeconds(shown(state.startedMs)) } };
    case "terminated":
      return ended(state, id, shown);
    case "crashBackoff":
      return waiting("CrashLoopBackOff", crashText(pod, container, state.delayMs));
    case "pullFailed":
      return state.backedOff
        ? waiting("ImagePullBackOff", `Back-off pulling image "${image}"`)
        : waiting("ErrImagePull", state.message);
    case "pulling":
      // Further attempts do not show: what is seen is that the pull does not get anywhere.
      return state.attempts > 1
        ? waiting("ImagePullBackOff", `Back-off pulling image "${image}"`)
        : waiting(creating(runtime, container));
    case "waiting":
      return state.problem
        ? waiting(state.problem.reason, state.problem.message)
        : waiting(creating(runtime, container));
    case "starting":
      return state.problem
        ? waiting(state.problem.reason, state.problem.message)
        : waiting(creating(runtime, container));
  }
}

const waiting = (reason: string, message?: string): ContainerState => ({
  waiting: { ...(message === undefined ? {} : { message }), reason },
});

/** Containers of pods with init containers say PodInitializing until they start, even after the last of those is done. */
const creating = ({ containers }: PodRuntime, { role }: ContainerRuntime): string =>
  role !== "ephemeral" && containers.some((other) => other.role === "init" || other.role === "sidecar")
    ? "PodInitializing"
    : "ContainerCreating";

function crashText(pod: Pod, { name }: ContainerRuntime, delayMs: number): string {
  const minutes = Math.floor(delayMs / 60_000);
  const delay = `${minutes > 0 ? `${minutes}m` : ""}${(delayMs % 60_000) / 1000}s`;
  const { name: podName, namespace, uid } = pod.metadata;
  return `back-off ${delay} restarting failed container=${name} pod=${podName}_${namespace}(${uid})`;
}

const ended = (
  { exitCode, reason, message, startedMs, finishedMs }: Terminated,
  containerID: string,
  shown: Shown,
): ContainerState => ({
  terminated: {
    exitCode,
    reason,
    ...(message === undefined ? {} : { message }),
    startedAt: formatSeconds(shown(startedMs)),
    finishedAt: formatSeconds(shown(finishedMs)),
    containerID,
  },
});
