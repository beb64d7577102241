import { formatSeconds } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { Controller } from "../controller.js";
import { type KubeObject, keyOf, parseKey } from "../object.js";
import { conditionOf, withCondition } from "../runtime/conditions.js";
import { isEqual } from "../runtime/hash.js";
import { scaledValue } from "../runtime/int-or-percent.js";
import { matcherOf } from "../runtime/label-selector.js";
import { controllerOf } from "../runtime/owners.js";
import { isPodReady, isPodTerminal } from "../runtime/pods.js";
import type {
  Condition,
  LabelSelector,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
} from "../schema/generated/types.js";
import type { OwnerReference } from "../schema/object-meta.js";
import { resourceName } from "../schema/resource-info.js";
import { defineController, on } from "./define-controller.js";
import { messageOf } from "./pod-control.js";
import { resourceOfReference } from "./served-resources.js";

/** PodDisruptionBudgets: how many of the selected pods may be evicted at this moment. The eviction subresource spends what is written here. */
const RESOURCE = "poddisruptionbudgets.policy";
/** An eviction that was granted, or announced on the pod, but whose pod has not begun to go after this long did not happen. */
const DISRUPTION_TIMEOUT_MS = 120_000;
/** Keys of pods whose announced disruption may have come to nothing; budgets' keys are `namespace/name`. */
const ANNOUNCED = "pod ";

/** Pods that the budget counts on: of the controllers behind the pods where it is given as a share, of the pods themselves else. */
export function expectations(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  controllersScale: () => number,
): { expected: number; desired: number } {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  if (maxUnavailable !== undefined) {
    const expected = controllersScale();
    return { expected, desired: Math.max(0, expected - scaledValue(maxUnavailable, expected, "up")) };
  }
  if (typeof minAvailable === "string") {
    const expected = controllersScale();
    return { expected, desired: scaledValue(minAvailable, expected, "up") };
  }
  return { expected: pods.length, desired: minAvailable ?? 0 };
}

/** Evictions that were granted and are still under way. */
export function stillDisrupted(
  disrupted: Readonly<Record<string, string>> | undefined,
  pods: readonly Pod[],
  nowMs: number,
): { pods: Record<string, string>; nextExpiryMs?: number } {
  const kept: Record<string, string> = {};
  let nextExpiryMs: number | undefined;
  for (const [name, time] of Object.entries(disrupted ?? {})) {
    const pod = pods.find((candidate) => candidate.metadata.name === name);
    if (!pod || pod.metadata.deletionTimestamp) continue;
    const expiryMs = Date.parse(time) + DISRUPTION_TIMEOUT_MS - nowMs;
    if (expiryMs <= 0) continue;
    kept[name] = time;
    nextExpiryMs = Math.min(expiryMs, nextExpiryMs ?? expiryMs);
  }
  return { pods: kept, nextExpiryMs };
}

export const disruptionController = (): Controller =>
  defineController({ name: "disruption-controller", component: "controllermanager" }, (env) => {
    const { api, clock, events, queue } = env;

    const reconcile = async (key: string): Promise<void> => {
      if (key.startsWith(ANNOUNCED)) return withdraw(key);
      const budget = api.get<PodDisruptionBudget>(RESOURCE, parseKey(key));
      if (!budget) return queue.forget(key);
      const matches = matcherOf(budget.spec?.selector);
      const pods = api
        .list<Pod>("pods", { namespace: budget.metadata.namespace })
        .filter((pod) => matches(pod.metadata.labels));
      if (pods.length === 0) events.event(budget, "Normal", "NoPods", "No matching pods found");
      const nowMs = clock.now();
      const disrupted = stillDisrupted(budget.status?.disruptedPods, pods, nowMs);
      let counts: { expected: number; desired: number };
      try {
        counts = expectations(budget, pods, () => scaleOfManaged(budget, pods));
      } catch (error) {
        const message = messageOf(error);
        events.event(
          budget,
          "Warning",
          "CalculateExpectedPodCountFailed",
          `Failed to calculate the number of expected pods: ${message}`,
        );
        // Nothing may be evicted while nobody knows how many there should be.
        await write(
          budget,
          { ...budget.status, disruptionsAllowed: 0 },
          { status: "False", reason: "SyncFailed", message },
        );
        return;
      }
      const healthy = pods.filter(
        (pod) =>
          isPodReady(pod) &&
          !pod.metadata.deletionTimestamp &&
          !isPodTerminal(pod) &&
          disrupted.pods[pod.metadata.name] === undefined,
      ).length;
      const allowed = counts.expected > 0 ? Math.max(0, healthy - counts.desired) : 0;
      await write(
        budget,
        {
          ...(Object.keys(disrupted.pods).length ? { disruptedPods: disrupted.pods } : {}),
          currentHealthy: healthy,
          desiredHealthy: counts.desired,
          expectedPods: counts.expected,
          disruptionsAllowed: allowed,
          conditions: budget.status?.conditions,
        },
        allowed > 0
          ? { status: "True", reason: "SufficientPods", message: "" }
          : { status: "False", reason: "InsufficientPods", message: "" },
      );
      if (disrupted.nextExpiryMs) queue.addAfter(key, disrupted.nextExpiryMs);
    };

    /** Pods without a controller have no size to take a share of: they are left out, and the owner of the budget is told. */
    const scaleOfManaged = (budget: PodDisruptionBudget, pods: readonly Pod[]): number => {
      const managed = pods.filter(controllerOf);
      if (managed.length < pods.length) {
        events.event(
          budget,
          "Warning",
          "UnmanagedPods",
          `Pods selected by this PodDisruptionBudget (selector: ${formatSelector(budget.spec?.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
        );
      }
      return scaleOf(env, managed);
    };

    /** Takes back the mark of a disruption that did not happen. */
    const withdraw = async (key: string): Promise<void> => {
      const pod = api.get<Pod>("pods", parseKey(key.slice(ANNOUNCED.length)));
      const sinceMs = pod && announcedMs(pod);
      if (!pod || sinceMs === undefined) return;
      const leftMs = sinceMs + DISRUPTION_TIMEOUT_MS - clock.now();
      if (leftMs > 0) return queue.addAfter(key, leftMs);
      const time = formatSeconds(clock.now());
      const conditions = withCondition(pod.status?.conditions, {
        type: "DisruptionTarget",
        status: "False",
        lastTransitionTime: time,
      });
      await api.updateStatus<Pod>("pods", { ...pod, status: { ...pod.status, conditions } });
    };

    const write = async (
      budget: PodDisruptionBudget,
      counts: PodDisruptionBudgetStatus,
      said: Pick<Condition, "status" | "reason" | "message">,
    ): Promise<void> => {
      const { generation } = budget.metadata;
      const present = counts.conditions?.find(({ type }) => type === "DisruptionAllowed");
      const condition: Condition = {
        type: "DisruptionAllowed",
        ...said,
        ...(generation ? { observedGeneration: generation } : {}),
        lastTransitionTime: present?.status === said.status ? present.lastTransitionTime : formatSeconds(clock.now()),
      };
      const others = (counts.conditions ?? []).filter(({ type }) => type !== "DisruptionAllowed");
      const status = { ...counts, observedGeneration: generation, conditions: [...others, condition] };
      if (!isEqual(status, budget.status)) await api.updateStatus<PodDisruptionBudget>(RESOURCE, { ...budget, status });
    };

    return {
      reconcile,
      watches: [
        on<PodDisruptionBudget>(RESOURCE, ({ type, object }) => (type === "DELETED" ? undefined : keyOf(object))),
        on<Pod>("pods", ({ type, object, previous }) => {
          const counts = ({ metadata, status }: Pod): unknown[] => [
            metadata.labels,
            metadata.deletionTimestamp,
            status?.conditions?.find((condition) => condition.type === "Ready")?.status,
            status?.phase,
          ];
          const announced = type === "DELETED" || announcedMs(object) === undefined ? [] : [ANNOUNCED + keyOf(object)];
          if (type === "MODIFIED" && previous && isEqual(counts(previous), counts(object))) return announced;
          return budgetsFor(api, object).concat(previous ? budgetsFor(api, previous) : [], announced);
        }),
        ...["deployments.apps", "replicasets.apps", "statefulsets.apps", "replicationcontrollers"].map((resource) =>
          // The size of a controller shows in budgets given as a share of it.
          on<KubeObject>(resource, ({ type, object, previous }) =>
            type === "MODIFIED" && replicasOf(previous) !== replicasOf(object)
              ? api.list<PodDisruptionBudget>(RESOURCE, { namespace: object.metadata.namespace }).map(keyOf)
              : undefined,
          ),
        ),
      ],
    };
  });

/** Since when a pod is said to be about to go although nobody has deleted it; what its kubelet says may take as long as it likes. */
function announcedMs(pod: Pod): number | undefined {
  const condition = conditionOf(pod.status?.conditions, "DisruptionTarget");
  if (condition?.status !== "True" || condition.reason === "TerminationByKubelet") return undefined;
  if (pod.metadata.deletionTimestamp || isPodTerminal(pod)) return undefined;
  return Date.parse(condition.lastTransitionTime ?? pod.metadata.creationTimestamp);
}

const formatSelector = (selector: LabelSelector | undefined): string => JSON.stringify(selector ?? {});

const replicasOf = (object: KubeObject | undefined): number | undefined =>
  (object?.spec as { replicas?: number } | undefined)?.replicas;

const budgetsFor = (api: KubeApi, pod: Pod): string[] =>
  api
    .list<PodDisruptionBudget>(RESOURCE, { namespace: pod.metadata.namespace })
    .filter((budget) => matcherOf(budget.spec?.selector)(pod.metadata.labels))
    .map(keyOf);

/** Replicas wanted by the controllers behind the pods, each counted once; throws when one cannot be known, in upstream's words. */
function scaleOf(env: Parameters<typeof resourceOfReference>[0] & { api: KubeApi }, pods: readonly Pod[]): number {
  const scales = new Map<string, number>();
  for (const pod of pods) {
    const reference = controllerOf(pod);
    if (!reference || scales.has(reference.uid)) continue;
    const { uid, replicas } = topController(env, pod, reference);
    scales.set(uid, replicas);
    scales.set(reference.uid, scales.get(reference.uid) ?? 0);
  }
  return [...scales.values()].reduce((total, replicas) => total + replicas, 0);
}

/** The Deployment above a ReplicaSet, or the controller itself. */
function topController(
  env: Parameters<typeof resourceOfReference>[0] & { api: KubeApi },
  pod: Pod,
  reference: OwnerReference,
): { uid: string; replicas: number } {
  const owner = ownerOf(env, pod, reference);
  if (!owner) throw new Error(`found no controllers for pod "${pod.metadata.name}"`);
  const above = controllerOf(owner);
  const top = (above && ownerOf(env, pod, above)) ?? owner;
  const replicas = replicasOf(top);
  if (replicas === undefined) {
    const info = resourceOfReference(env, reference);
    throw new Error(`${info ? resourceName(info) : reference.kind} does not implement the scale subresource`);
  }
  return { uid: top.metadata.uid, replicas };
}

function ownerOf(
  env: Parameters<typeof resourceOfReference>[0] & { api: KubeApi },
  pod: Pod,
  reference: OwnerReference,
): KubeObject | undefined {
  const info = resourceOfReference(env, reference);
  const namespace = info?.namespaced ? pod.metadata.namespace : undefined;
  const owner = info && env.api.get(resourceName(info), { namespace, name: reference.name });
  return owner?.metadata.uid === reference.uid ? owner : undefined;
}
