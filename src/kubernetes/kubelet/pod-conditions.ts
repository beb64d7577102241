import { formatSeconds } from "../../clock/clock.js";
import { conditionOf } from "../runtime/conditions.js";
import type { Pod, PodCondition } from "../schema/generated/types.js";
import {
  type ContainerRuntime,
  hasSucceeded,
  isInitialised,
  isLasting,
  isServing,
  type PodRuntime,
} from "./pod-runtime.js";

/** The conditions of a pod that its kubelet answers for, with kubelet's reasons and messages. */
interface Verdict {
  status: boolean;
  reason?: string;
  message?: string;
}

const YES: Verdict = { status: true };

const OWNED: ReadonlySet<string> = new Set([
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
  "PodScheduled",
]);

const RESIZE_PENDING = "PodResizePending";

/** All conditions of the pod: the kubelet's own for `phase` at `nowMs`, and what others wrote (readiness gates, DisruptionTarget). */
export function conditionsOf(
  pod: Pod,
  runtime: PodRuntime,
  { phase, hasNetwork, nowMs }: { phase: string; hasNetwork: boolean; nowMs: number },
): PodCondition[] {
  const containersReady = judgeContainersReady(runtime, phase);
  const verdicts: Record<string, Verdict> = {
    PodReadyToStartContainers: { status: hasNetwork },
    Initialized: judgeInitialised(runtime, phase),
    Ready: judgeReady(pod, containersReady),
    ContainersReady: containersReady,
    PodScheduled: YES,
  };
  const previous = pod.status?.conditions;
  const { generation } = pod.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const now = formatSeconds(nowMs);
  const conditions: PodCondition[] = [];
  for (const type of OWNED) {
    const { status, reason, message } = verdicts[type] as Verdict;
    const before = conditionOf(previous, type);
    const text = status ? "True" : "False";
    conditions.push({
      type,
      status: text,
      lastTransitionTime: before?.status === text ? (before.lastTransitionTime ?? now) : now,
      ...(reason ? { reason } : {}),
      ...(message ? { message } : {}),
      ...observed,
    });
  }
  for (const condition of previous ?? [])
    if (!OWNED.has(condition.type) && condition.type !== RESIZE_PENDING) conditions.push(condition);
  if (runtime.resizePending) {
    const before = conditionOf(previous, RESIZE_PENDING);
    conditions.push({
      type: RESIZE_PENDING,
      status: "True",
      lastTransitionTime: before?.lastTransitionTime ?? now,
      ...runtime.resizePending,
      ...observed,
    });
  }
  return conditions;
}

const names = (containers: readonly ContainerRuntime[]): string => `[${containers.map(({ name }) => name).join(" ")}]`;

function judgeInitialised(runtime: PodRuntime, phase: string): Verdict {
  if (phase === "Succeeded") return { status: true, reason: "PodCompleted" };
  if (isInitialised(runtime)) return YES;
  const open = runtime.containers.filter(
    (container) =>
      (container.role === "init" && !hasSucceeded(container)) ||
      (container.role === "sidecar" && !(container.state.is === "running" && container.state.started)),
  );
  const message = `containers with incomplete status: ${names(open)}`;
  return { status: false, reason: "ContainersNotInitialized", message };
}

function judgeContainersReady(runtime: PodRuntime, phase: string): Verdict {
  if (phase === "Succeeded") return { status: false, reason: "PodCompleted" };
  if (phase === "Failed") return { status: false, reason: "PodFailed" };
  const unready = runtime.containers.filter((container) => isLasting(container.role) && !isServing(container));
  if (unready.length === 0) return YES;
  return { status: false, reason: "ContainersNotReady", message: `containers with unready status: ${names(unready)}` };
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
