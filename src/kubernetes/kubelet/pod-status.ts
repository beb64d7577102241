import { formatSeconds } from "../../clock/clock.js";
import type { ContainerStatus, Pod, PodStatus } from "../schema/generated/types.js";
import { containerStatus, type Shown } from "./container-status.js";
import { conditionsOf } from "./pod-conditions.js";
import { type ContainerRuntime, hasSucceeded, isInitialised, type PodRuntime, type Role } from "./pod-runtime.js";

/** Renders what a kubelet knows of a pod as `status`, the way kubelet's generateAPIPodStatus does. */
export interface PodPlace {
  hostIP: string;
  /** Undefined until the sandbox has an address. */
  podIP: string | undefined;
  shown: Shown;
}

export function statusOf(pod: Pod, runtime: PodRuntime, place: PodPlace, nowMs: number): PodStatus {
  const previous = pod.status ?? {};
  if (runtime.failure && runtime.containers.length === 0) return rejectedStatus(pod, runtime, place.shown);
  const phase = phaseOf(pod, runtime);
  const statuses = (...roles: readonly Role[]): ContainerStatus[] =>
    runtime.containers
      .filter(({ role }) => roles.includes(role))
      .map((container) => containerStatus(pod, runtime, container, place.shown));
  const init = statuses("init", "sidecar");
  const ephemeral = statuses("ephemeral");
  // The address is told with the first thing that can be seen of the containers, to spare a write.
  const hasNetwork = place.podIP !== undefined && (previous.podIP !== undefined || runtime.containers.some(hasBegun));
  const status: PodStatus = {
    ...previous,
    phase,
    conditions: conditionsOf(pod, runtime, {
      phase,
      hasNetwork: hasNetwork && !runtime.ended,
      nowMs: place.shown(nowMs),
    }),
    hostIP: place.hostIP,
    hostIPs: [{ ip: place.hostIP }],
    ...(hasNetwork && place.podIP !== undefined ? { podIP: place.podIP, podIPs: [{ ip: place.podIP }] } : {}),
    startTime: formatSeconds(place.shown(runtime.startedMs)),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: statuses("app"),
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: ephemeral } : {}),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...(runtime.ended ? runtime.failure : {}),
  };
  delete status.nominatedNodeName;
  return status;
}

const hasBegun = ({ state, last }: ContainerRuntime): boolean =>
  state.is === "running" || state.is === "terminated" || last !== undefined;

/** A pod that kubelet admission refused: nothing but the refusal. */
function rejectedStatus(pod: Pod, { failure, startedMs }: PodRuntime, shown: Shown): PodStatus {
  return { ...pod.status, phase: "Failed", startTime: formatSeconds(shown(startedMs)), ...failure };
}

/** kubelet's getPhase: a pod is over once nothing of it runs any more, sidecars included. */
export function phaseOf(pod: Pod, runtime: PodRuntime): string {
  const present = pod.status?.phase;
  if (present === "Failed" || present === "Succeeded") return present;
  const apps = runtime.containers.filter(({ role }) => role === "app");
  // Deleted pods, too, end in one of these two before they go.
  if (runtime.ended) return !runtime.failure && apps.every(hasSucceeded) ? "Succeeded" : "Failed";
  return apps.every(hasBegun) && isInitialised(runtime) ? "Running" : "Pending";
}
