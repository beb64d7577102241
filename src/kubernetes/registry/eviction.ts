import { formatSeconds } from "../../clock/clock.js";
import type { DeleteOptions } from "../api.js";
import { forbidden, internalError, notFound, StatusError } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import { deleteObject } from "./deletion.js";
import { type Caller, entryOf, find, type Machinery } from "./machinery.js";
import { type LabelSelector, labelSelectorPredicate } from "./selectors.js";
import { changeObject } from "./update.js";

/** Seconds after which an evictor is told to try again; upstream's figure. */
const RETRY_SECONDS = 10;
/** More entries than this in disruptedPods mean that the disruption controller does not keep up. */
const MOST_DISRUPTED_PODS = 2_000;

interface Evictable extends KubeObject {
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

interface Budget extends KubeObject {
  spec: { selector?: LabelSelector; unhealthyPodEvictionPolicy?: string };
  status?: {
    observedGeneration?: number;
    disruptionsAllowed?: number;
    currentHealthy?: number;
    desiredHealthy?: number;
    disruptedPods?: Record<string, string>;
  };
}

const BUDGETS = "poddisruptionbudgets.policy";

const isReady = (pod: Evictable): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

function tooManyDisruptions(why: string): StatusError {
  return new StatusError(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: "DisruptionBudget", message: why }],
    retryAfterSeconds: RETRY_SECONDS,
  });
}

/** True when the pod's end cannot disturb anything that a budget protects. */
function needsNoBudget(pod: Evictable): boolean {
  const phase = pod.status?.phase;
  return (
    phase === "Succeeded" || phase === "Failed" || phase === "Pending" || pod.metadata.deletionTimestamp !== undefined
  );
}

/** True when the pod is not healthy anyway and its budget lets such pods go. */
function mayGoUnhealthy(pod: Evictable, budget: Budget): boolean {
  if (isReady(pod)) return false;
  if (budget.spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

/**
 * Deletes a pod if its disruption budget allows: 429 TooManyRequests (retry after ten seconds) when not. Takes one of the budget's allowed disruptions,
 * so that evictions in a row cannot together break it before the disruption controller has counted again.
 */
export async function evict(
  machinery: Machinery,
  caller: Caller,
  key: ObjectKey,
  options: DeleteOptions,
): Promise<void> {
  const pods = entryOf(machinery, "pods");
  const pod = find(machinery, pods, key) as Evictable | undefined;
  if (!pod) throw notFound("", "pods", key.name);
  if (!needsNoBudget(pod)) await takeDisruption(machinery, caller, pod, options);
  await deleteObject(machinery, pods, caller, key, options);
}

async function takeDisruption(
  machinery: Machinery,
  caller: Caller,
  pod: Evictable,
  options: DeleteOptions,
): Promise<void> {
  const budgets = (machinery.store.list(BUDGETS, pod.metadata.namespace) as readonly Budget[]).filter((candidate) =>
    labelSelectorPredicate(candidate.spec.selector)(pod.metadata.labels),
  );
  if (budgets.length > 1)
    throw internalError(
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  const budget = budgets[0];
  if (!budget || mayGoUnhealthy(pod, budget)) return;
  const { name, generation = 0 } = budget.metadata;
  const {
    observedGeneration = 0,
    disruptionsAllowed = 0,
    currentHealthy = 0,
    desiredHealthy = 0,
    disruptedPods,
  } = budget.status ?? {};
  if (observedGeneration < generation)
    throw tooManyDisruptions(`The disruption budget ${name} is still being processed by the server.`);
  if (disruptionsAllowed < 0)
    throw forbidden("policy", "poddisruptionbudgets", name, "pdb disruptions allowed is negative");
  if (Object.keys(disruptedPods ?? {}).length > MOST_DISRUPTED_PODS) {
    throw forbidden(
      "policy",
      "poddisruptionbudgets",
      name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    );
  }
  if (disruptionsAllowed === 0) {
    throw tooManyDisruptions(
      `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
    );
  }
  await changeObject(machinery, caller, {
    entry: entryOf(machinery, BUDGETS),
    key: { namespace: budget.metadata.namespace, name },
    options: { ...options, subresource: "status" },
    change: (current) => {
      const { status } = current as Budget;
      return {
        ...current,
        status: {
          ...status,
          disruptionsAllowed: (status?.disruptionsAllowed ?? 0) - 1,
          disruptedPods: { ...status?.disruptedPods, [pod.metadata.name]: formatSeconds(machinery.clock.now()) },
        },
      };
    },
  });
}
