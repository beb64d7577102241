/** Pods: readiness, restarts and the one word that says how a pod is doing. */
import type { Container, ContainerStatus, Pod, PodTemplate } from "../schema/generated/types.js";
import {
  age,
  conditionStatus,
  name,
  orNone,
  type Printer,
  printer,
  type RowCondition,
  text,
  wideText,
} from "./column.js";
import { ageOf } from "./human-duration.js";
import { labelsText } from "./selector-text.js";

interface PodSummary {
  ready: number;
  total: number;
  status: string;
  restarts: number;
  /** When a container ended that was restarted since; RFC 3339. */
  lastRestart?: string;
}

const summaries = new WeakMap<Pod, PodSummary>();

/** Computed once an object: stored pods never change. */
function summaryOf(pod: Pod): PodSummary {
  let summary = summaries.get(pod);
  if (!summary) {
    summary = summarise(pod);
    summaries.set(pod, summary);
  }
  return summary;
}

const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === "Always";

function summarise(pod: Pod): PodSummary {
  const { status = {} } = pod;
  const initContainers = new Map((pod.spec?.initContainers ?? []).map((container) => [container.name, container]));
  const sidecars = [...initContainers.values()].filter(isSidecar).length;
  const summary: PodSummary = {
    ready: 0,
    total: (pod.spec?.containers.length ?? 0) + sidecars,
    status: firstReason(pod),
    restarts: 0,
  };

  const initStatuses = status.initContainerStatuses ?? [];
  const blocking = initStatuses.findIndex((container) => !isPast(container, initContainers.get(container.name)));
  const seen = blocking < 0 ? initStatuses : initStatuses.slice(0, blocking + 1);
  for (const container of blocking < 0 ? seen : seen.slice(0, -1)) {
    if (isSidecar(initContainers.get(container.name)) && !endedWell(container) && container.ready) summary.ready++;
  }
  const stuck = initStatuses[blocking];
  if (stuck) summary.status = initReason(stuck, blocking, initContainers.size);

  if (!stuck || conditionStatus(status.conditions, "Initialized") === "True") {
    // From here on only sidecars' restarts count, together with those of the containers.
    for (const container of seen) if (isSidecar(initContainers.get(container.name))) addRestarts(summary, container);
    judgeContainers(summary, pod);
  } else {
    for (const container of seen) addRestarts(summary, container);
  }

  if (pod.metadata.deletionTimestamp) {
    if (status.reason === "NodeLost") summary.status = "Unknown";
    else if (status.phase !== "Succeeded" && status.phase !== "Failed") summary.status = "Terminating";
  }
  return summary;
}

function firstReason({ status }: Pod): string {
  const gated = status?.conditions?.some(({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated");
  return gated ? "SchedulingGated" : status?.reason || (status?.phase ?? "");
}

const endedWell = ({ state }: ContainerStatus): boolean => state?.terminated?.exitCode === 0;

/** An init container that no longer holds up the next one. */
const isPast = (status: ContainerStatus, container: Container | undefined): boolean =>
  endedWell(status) || (isSidecar(container) && status.started === true);

function initReason({ state }: ContainerStatus, index: number, total: number): string {
  if (state?.terminated) return `Init:${endReason(state.terminated)}`;
  const waiting = state?.waiting?.reason;
  return waiting && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${index}/${total}`;
}

const endReason = ({ reason, signal, exitCode }: { reason?: string; signal?: number; exitCode: number }): string =>
  reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);

/** The reason of the first container that has one stands for the pod; "Completed" only when nothing runs any more. */
function judgeContainers(summary: PodSummary, { status }: Pod): void {
  let running = false;
  for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
    addRestarts(summary, container);
    const { state } = container;
    if (state?.waiting?.reason) summary.status = state.waiting.reason;
    else if (state?.terminated) summary.status = endReason(state.terminated);
    else if (container.ready && state?.running) {
      running = true;
      summary.ready++;
    }
  }
  if (summary.status === "Completed" && running) {
    summary.status = conditionStatus(status?.conditions, "Ready") === "True" ? "Running" : "NotReady";
  }
}

function addRestarts(summary: PodSummary, container: ContainerStatus): void {
  summary.restarts += container.restartCount;
  const ended = container.lastState?.terminated?.finishedAt;
  if (ended && (summary.lastRestart === undefined || ended > summary.lastRestart)) summary.lastRestart = ended;
}

function restartsText(pod: Pod, nowMs: number): string {
  const { restarts, lastRestart } = summaryOf(pod);
  return restarts > 0 && lastRestart ? `${restarts} (${ageOf(lastRestart, nowMs)} ago)` : String(restarts);
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  const passed = gates.filter(({ conditionType }) => conditionStatus(status?.conditions, conditionType) === "True");
  return `${passed.length}/${gates.length}`;
}

const COMPLETED: Readonly<Record<string, readonly RowCondition[]>> = {
  Succeeded: [
    { type: "Completed", status: "True", reason: "Succeeded", message: "The pod has completed successfully." },
  ],
  Failed: [{ type: "Completed", status: "True", reason: "Failed", message: "The pod failed." }],
};

const pods: Printer = {
  ...printer<Pod>(
    name,
    text(
      "Ready",
      (pod) => `${summaryOf(pod).ready}/${summaryOf(pod).total}`,
      "Containers that are ready, of all that the pod has.",
    ),
    text("Status", (pod) => summaryOf(pod).status, "State of the pod's containers in one word."),
    text("Restarts", restartsText, "How often containers of the pod were restarted, and when last."),
    age,
    wideText("IP", ({ status }) => orNone(status?.podIPs?.[0]?.ip), "Address of the pod."),
    wideText("Node", ({ spec }) => orNone(spec?.nodeName), "Node that the pod is bound to."),
    wideText(
      "Nominated Node",
      ({ status }) => orNone(status?.nominatedNodeName),
      "Node where lower-priority pods are making room.",
    ),
    wideText(
      "Readiness Gates",
      readinessGates,
      "Conditions beside the containers that make the pod ready, and how many hold.",
    ),
  ),
  conditions: (pod) => COMPLETED[(pod as Pod).status?.phase ?? ""],
};

export const containerNames = (containers: readonly Container[] | undefined): string =>
  (containers ?? []).map((container) => container.name).join(",");

export const containerImages = (containers: readonly Container[] | undefined): string =>
  (containers ?? []).map((container) => container.image ?? "").join(",");

export const podPrinters: Readonly<Record<string, Printer>> = {
  Pod: pods,
  PodTemplate: printer<PodTemplate>(
    name,
    text(
      "Containers",
      ({ template }) => containerNames(template?.spec?.containers),
      "Names of the template's containers.",
    ),
    text(
      "Images",
      ({ template }) => containerImages(template?.spec?.containers),
      "Images of the template's containers.",
    ),
    text(
      "Pod Labels",
      ({ template }) => labelsText(template?.metadata?.labels),
      "Labels of pods made from the template.",
    ),
  ),
};
