import { quantityToMilli } from "../../registry/quantity.js";
import { conditionOf } from "../../runtime/conditions.js";
import { isPodReady, isPodTerminal } from "../../runtime/pods.js";
import type { Container, Pod } from "../../schema/generated/types.js";

/** How many replicas a metric asks for: pure. Upstream: pkg/controller/podautoscaler/replica_calculator.go. All amounts are thousandths. */

/** --horizontal-pod-autoscaler-cpu-initialization-period and --horizontal-pod-autoscaler-initial-readiness-delay */
const CPU_INITIALIZATION_MS = 300_000;
const INITIAL_READINESS_MS = 30_000;
/** --horizontal-pod-autoscaler-tolerance */
const TOLERANCE = 0.1;

/** Refusals of a metric; the message is upstream's. */
export class MetricError extends Error {}

export interface PodSample {
  milli: number;
  timestampMs: number;
  windowMs: number;
}

export interface Tolerances {
  up?: number;
  down?: number;
}

const within = (ratio: number, { up = TOLERANCE, down = TOLERANCE }: Tolerances): boolean =>
  ratio <= 1 + up && ratio >= 1 - down;

interface Groups {
  ready: number;
  unready: string[];
  missing: string[];
  ignored: string[];
}

function groupPods(
  pods: readonly Pod[],
  samples: ReadonlyMap<string, PodSample>,
  isCpu: boolean,
  nowMs: number,
): Groups {
  const groups: Groups = { ready: 0, unready: [], missing: [], ignored: [] };
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata;
    const sample = samples.get(name);
    if (deletionTimestamp || pod.status?.phase === "Failed") groups.ignored.push(name);
    else if (pod.status?.phase === "Pending") groups.unready.push(name);
    else if (!sample) groups.missing.push(name);
    else if (isCpu && isUnready(pod, sample, nowMs)) groups.unready.push(name);
    else groups.ready++;
  }
  return groups;
}

/** A young pod counts once it has been ready for a whole sample; an old one unless it has never been ready. */
function isUnready(pod: Pod, { timestampMs, windowMs }: PodSample, nowMs: number): boolean {
  const condition = conditionOf(pod.status?.conditions, "Ready");
  const startedMs = pod.status?.startTime ? Date.parse(pod.status.startTime) : undefined;
  if (!condition || startedMs === undefined) return true;
  const changedMs = Date.parse(condition.lastTransitionTime ?? "");
  if (startedMs + CPU_INITIALIZATION_MS > nowMs)
    return condition.status === "False" || timestampMs < changedMs + windowMs;
  return condition.status === "False" && startedMs + INITIAL_READINESS_MS > changedMs;
}

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

/** What the containers of a pod request of a resource. @throws MetricError */
function requestOf(pod: Pod, resource: string, container: string | undefined): number {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  const containers: readonly Container[] = [...(pod.spec?.containers ?? []), ...sidecars];
  let total = 0;
  for (const { name, resources } of containers) {
    if (container !== undefined && name !== container) continue;
    const request = resources?.requests?.[resource];
    if (!request)
      throw new MetricError(`missing request for ${resource} in container ${name} of Pod ${pod.metadata.name}`);
    total += quantityToMilli(request);
  }
  return total;
}

export interface PodMetricsInput {
  pods: readonly Pod[];
  samples: ReadonlyMap<string, PodSample>;
  currentReplicas: number;
  /** `cpu`, `memory`; absent for metrics that are no resource. */
  resource?: string;
  container?: string;
  target: { utilization: number } | { averageMilli: number };
  tolerances: Tolerances;
  nowMs: number;
}

export interface Proposal {
  replicas: number;
  /** Percent of the requests. */
  utilization?: number;
  /** Per pod. */
  averageMilli: number;
}

/** Replicas after a metric that each pod has. @throws MetricError */
export function replicasByPods(input: PodMetricsInput): Proposal {
  const { pods, currentReplicas, resource, container, target, tolerances, nowMs } = input;
  if (pods.length === 0) throw new MetricError("no pods returned by selector while calculating replica count");
  const groups = groupPods(pods, input.samples, resource === "cpu", nowMs);
  const byName = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  const values = new Map<string, number>();
  for (const [name, { milli }] of input.samples) if (byName.has(name)) values.set(name, milli);
  for (const name of [...groups.unready, ...groups.ignored]) values.delete(name);
  const byRequest = "utilization" in target;
  const requests = new Map<string, number>();
  if (byRequest) for (const pod of pods) requests.set(pod.metadata.name, requestOf(pod, resource ?? "", container));
  if (values.size === 0) throw new MetricError("did not receive metrics for targeted pods (pods might be unready)");

  const judge = () => {
    const total = sum(values.values());
    const averageMilli = Math.floor(total / values.size);
    if (!byRequest) return { ratio: averageMilli / target.averageMilli, averageMilli };
    const requested = sum([...values.keys()].map((name) => requests.get(name) ?? 0));
    if (requested === 0) throw new MetricError("no metrics returned matched known pods");
    const utilization = Math.floor((total * 100) / requested);
    return { ratio: utilization / target.utilization, utilization, averageMilli };
  };
  const seen = judge();
  const shown = {
    ...(seen.utilization === undefined ? {} : { utilization: seen.utilization }),
    averageMilli: seen.averageMilli,
  };
  const stay = { ...shown, replicas: currentReplicas };
  const countsUnready = groups.unready.length > 0 && seen.ratio > 1;
  if (!countsUnready && groups.missing.length === 0) {
    return within(seen.ratio, tolerances) ? stay : { ...shown, replicas: Math.ceil(seen.ratio * groups.ready) };
  }
  // Pods that tell nothing are taken to hold back the change: fully used when scaling down, idle when scaling up.
  for (const name of groups.missing) {
    if (seen.ratio > 1) values.set(name, 0);
    else if (byRequest) values.set(name, ((requests.get(name) ?? 0) * Math.max(100, target.utilization)) / 100);
    else values.set(name, target.averageMilli);
  }
  if (countsUnready) for (const name of groups.unready) values.set(name, 0);
  const { ratio } = judge();
  if (within(ratio, tolerances) || (seen.ratio < 1 && ratio > 1) || (seen.ratio > 1 && ratio < 1)) return stay;
  const replicas = Math.ceil(ratio * values.size);
  const wrongWay = (ratio < 1 && replicas > currentReplicas) || (ratio > 1 && replicas < currentReplicas);
  return wrongWay ? stay : { ...shown, replicas };
}

/** Replicas after a metric that is no pod's own (objects, external ones). @throws MetricError */
export function replicasByValue(input: {
  milli: number;
  target: { valueMilli: number } | { averageMilli: number };
  pods: readonly Pod[];
  currentReplicas: number;
  tolerances: Tolerances;
}): { replicas: number; averageMilli?: number } {
  const { milli, target, pods, currentReplicas, tolerances } = input;
  if ("averageMilli" in target) {
    const ratio = milli / (target.averageMilli * currentReplicas);
    const replicas = within(ratio, tolerances) ? currentReplicas : Math.ceil(milli / target.averageMilli);
    return { replicas, averageMilli: Math.ceil(milli / currentReplicas) };
  }
  const ratio = milli / target.valueMilli;
  if (currentReplicas === 0) return { replicas: Math.ceil(ratio) };
  if (within(ratio, tolerances)) return { replicas: currentReplicas };
  if (pods.length === 0) throw new MetricError("no pods returned by selector while calculating replica count");
  const ready = pods.filter((pod) => !isPodTerminal(pod) && isPodReady(pod)).length;
  return { replicas: Math.ceil(ratio * ready) };
}
