/** The workloads that a drill watches: which they are, how many replicas each wants and needs, and how each fared. */
import type { Look, WorkloadCounts } from "../../domain/recording.js";
import { type Amount, WORKLOAD_KINDS, type WorkloadChoice, type WorkloadKind } from "./drill.js";
import { list } from "./kubernetes.js";
import { type BudgetObject, minimumOf } from "./lint/minimum.js";
import type { WorkloadResult } from "./result.js";
import { type Stage, type Watcher, workloadKey } from "./stage.js";
import type { DrillTarget } from "./target.js";

export interface Workload {
  cluster: string;
  namespace: string;
  kind: WorkloadKind;
  name: string;
  wanted: number;
  minimum: number;
}

interface WorkloadObject {
  metadata: { name: string; namespace: string };
  spec: { replicas?: number; template: { metadata?: { labels?: Record<string, string> } } };
  status?: { desiredNumberScheduled?: number };
}

const LISTS: Readonly<Record<WorkloadKind, string>> = {
  Deployment: "/apis/apps/v1/deployments",
  StatefulSet: "/apis/apps/v1/statefulsets",
  DaemonSet: "/apis/apps/v1/daemonsets",
};

/** As many as the share of `wanted` is, rounded up. */
export const resolveAmount = (amount: Amount, wanted: number): number =>
  "count" in amount ? amount.count : Math.ceil((amount.percent * wanted) / 100);

/** What a workload wants as it is written now. */
const wantedBy = (kind: WorkloadKind, { spec, status }: WorkloadObject): number =>
  kind === "DaemonSet" ? (status?.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);

/**
 * Workloads of a cluster that are chosen, or all outside of kube-system. Throws KubernetesRefusal, and Errors for chosen ones that are not there.
 */
export async function findWorkloads(
  target: DrillTarget,
  cluster: string,
  choices: readonly WorkloadChoice[],
): Promise<Workload[]> {
  const mine = choices.filter((choice) => choice.cluster === cluster);
  if (choices.length > 0 && mine.length === 0) return [];
  const budgets = await list<BudgetObject>(target, cluster, "/apis/policy/v1/poddisruptionbudgets");
  const found: Workload[] = [];
  for (const kind of WORKLOAD_KINDS) {
    for (const object of await list<WorkloadObject>(target, cluster, LISTS[kind])) {
      const { name, namespace } = object.metadata;
      const choice = mine.find((one) => one.kind === kind && one.name === name && one.namespace === namespace);
      if (mine.length > 0 ? !choice : namespace === "kube-system") continue;
      const wanted = wantedBy(kind, object);
      const minimum = choice?.minimum
        ? resolveAmount(choice.minimum, wanted)
        : minimumOf(
            wanted,
            object.spec.template.metadata?.labels ?? {},
            budgets.filter((budget) => budget.metadata.namespace === namespace),
          );
      found.push({ cluster, namespace, kind, name, wanted, minimum });
    }
  }
  const missing = mine.find(
    ({ kind, namespace, name }) =>
      !found.some((one) => one.kind === kind && one.name === name && one.namespace === namespace),
  );
  if (missing)
    throw new Error(`there is no ${missing.kind} ${missing.namespace}/${missing.name} in cluster ${cluster} to watch`);
  return found;
}

/** Reads anew what the watched workloads want: steps may have changed it. Leaves things as they are while the API does not answer. */
export async function refreshWanted(stage: Stage, fates: readonly Fate[]): Promise<void> {
  for (const cluster of new Set(fates.map(({ workload }) => workload.cluster))) {
    for (const kind of WORKLOAD_KINDS) {
      if (!fates.some(({ workload }) => workload.cluster === cluster && workload.kind === kind)) continue;
      // A DaemonSet wants a pod a node: with nodes gone it wants fewer, which is what it has lost.
      if (kind === "DaemonSet") continue;
      const objects = await list<WorkloadObject>(stage.target, cluster, LISTS[kind]).catch(() => undefined);
      for (const object of objects ?? []) {
        const { name, namespace } = object.metadata;
        const fate = fates.find(
          ({ workload: one }) =>
            one.cluster === cluster && one.kind === kind && one.name === name && one.namespace === namespace,
        );
        fate?.want(wantedBy(kind, object), stage.target.now());
      }
    }
  }
}

/** Follows one workload through the drill. */
export interface Fate extends Watcher {
  readonly workload: Workload;
  want(replicas: number, atMs: number): void;
  /** Times below the minimum count from here. */
  begin(nowMs: number): void;
  result(times: { firstFaultMs: number | undefined; endMs: number }): WorkloadResult;
}

interface Moment {
  atMs: number;
  ready: number;
  placed: number;
  gone: number;
  wanted: number;
}

export function followWorkload(stage: Stage, workload: Workload): Fate {
  const { cluster, namespace, kind, name } = workload;
  const key = workloadKey(namespace, kind, name);
  const moments: Moment[] = [];
  let wanted = workload.wanted;
  let goneBefore = 0;

  const note = (atMs: number, counts: WorkloadCounts | undefined): void => {
    const { ready = 0, placed = 0, gone = 0 } = counts ?? {};
    const moment = { atMs, ready, placed, gone, wanted };
    if (moments.at(-1)?.atMs === atMs) moments.pop();
    moments.push(moment);
  };
  return {
    workload,
    want: (replicas, atMs) => {
      if (replicas === wanted) return;
      wanted = replicas;
      stage.wanted.set(`${cluster}/${key}`, wanted);
      note(atMs, stage.view(cluster).workloads.get(key));
    },
    begin: (nowMs) => {
      const counts = stage.view(cluster).workloads.get(key);
      goneBefore = counts?.gone ?? 0;
      note(nowMs, counts);
    },
    look: (look: Look) => {
      if (look.cluster !== cluster || moments.length === 0) return;
      const counts = look.workloads.find((one) => workloadKey(one.namespace, one.kind, one.name) === key);
      if (counts) note(look.atMs, counts);
    },
    result: ({ firstFaultMs, endMs }) => ({
      cluster,
      namespace,
      kind,
      name,
      wanted: workload.wanted,
      minimum: workload.minimum,
      lowestReady: Math.min(...moments.map(({ ready }) => ready)),
      ...(firstFaultMs === undefined ? {} : turningPoints(moments, firstFaultMs, goneBefore)),
      minutesBelowMinimum: minutesBelow(moments, workload.minimum, endMs),
      readyOverTime: steps(moments),
    }),
  };
}

/** Moments at which the count of ready replicas changed, with the first. */
function steps(moments: readonly Moment[]): (readonly [atMs: number, ready: number])[] {
  return moments
    .filter(({ ready }, index) => index === 0 || ready !== moments[index - 1]?.ready)
    .map(({ atMs, ready }) => [atMs, ready] as const);
}

/**
 * The four moments, counted from the first fault. `recovered` and `rescheduled` are the end of the worst: the first moment after the lowest count was first met at which
 * everything was there again, and only when it is there at the end. A replica whose place is taken by another in the very moment it is evicted never lacks in a
 * count: such a workload is rescheduled then.
 */
function turningPoints(
  moments: readonly Moment[],
  firstFaultMs: number,
  goneBefore: number,
): Pick<WorkloadResult, "firstNotReadyMs" | "firstEvictedMs" | "rescheduledMs" | "recoveredMs"> {
  const before = moments.filter(({ atMs }) => atMs < firstFaultMs).at(-1)?.gone ?? goneBefore;
  const after = moments.filter(({ atMs }) => atMs >= firstFaultMs);
  const since = (moment: Moment | undefined): number | undefined => moment && moment.atMs - firstFaultMs;
  const firstGone = after.findIndex(({ gone }) => gone > before);
  const whole = (count: "ready" | "placed", otherwise = -1): number | undefined => {
    const last = after.at(-1);
    const lowest = Math.min(...after.map((moment) => moment[count]));
    const lacking = after.findIndex((moment) => moment[count] === lowest && moment[count] < moment.wanted);
    const worst = lacking < 0 ? otherwise : lacking;
    if (!last || worst < 0 || last[count] < last.wanted) return undefined;
    return since(after.slice(worst).find((moment) => moment[count] >= moment.wanted));
  };
  const all = {
    firstNotReadyMs: since(after.find(({ ready, wanted }) => ready < wanted)),
    firstEvictedMs: since(after[firstGone]),
    rescheduledMs: whole("placed", firstGone),
    recoveredMs: whole("ready"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Summed between changes. */
function minutesBelow(moments: readonly Moment[], minimum: number, endMs: number): number {
  let ms = 0;
  for (const [index, { atMs, ready }] of moments.entries()) {
    const untilMs = Math.min(moments[index + 1]?.atMs ?? endMs, endMs);
    if (ready < minimum && untilMs > atMs) ms += untilMs - atMs;
  }
  return ms / 60_000;
}
