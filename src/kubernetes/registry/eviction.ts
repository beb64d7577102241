import { formatSeconds } from "../../clock/clock.js";
import type { DeleteOptions } from "../api.js";
import { forbidden, internalError, notFound, StatusError } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import { conditionOf, withCondition } from "../runtime/conditions.js";
import { deleteObject } from "./deletion.js";
import { type Caller, entryOf, find, type Machinery } from "./machinery.js";
import { type LabelSelector, labelSelectorPredicate } from "./selectors.js";
import { changeObject } from "./update.js";

/**
 * Seconds after which an evictor is told to try again while the budget has not been looked at. When it simply allows no disruption nothing is said, as
 * upstream: clients that heed the header would hide the refusal from those who ask.
 */
const RETRY_SECONDS = 10;
/** More entries than this in disruptedPods mean that the disruption controller does not keep up. */
const MOST_DISRUPTED_PODS = 2_000;

interface Evictable extends KubeObject {
  status?: { phase?: string; conditions?: BudgetCondition[] };
}

interface BudgetCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

interface Budget extends KubeObject {
  spec: { selector?: LabelSelector; unhealthyPodEvictionPolicy?: string };
  status?: {
    observedGeneration?: number;
    disruptionsAllowed?: number;
    currentHealthy?: number;
    desiredHealthy?: number;
    disruptedPods?: Record<string, string>;
    conditions?: BudgetCondition[];
  };
}

const BUDGETS = "poddisruptionbudgets.policy";

const isReady = (pod: Evictable): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

function tooManyDisruptions(why: string, retryAfterSeconds?: number): StatusError {
  return new StatusError(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: "DisruptionBudget", message: why }],
    ...(retryAfterSeconds ? { retryAfterSeconds } : {}),
  });
}

/** Why a budget allows nothing at this moment, in upstream's words. */
function refusalOf({ metadata: { name }, status }: Budget): string {
  const { currentHealthy = 0, desiredHealthy = 0, conditions } = status ?? {};
  const condition = conditionOf(conditions, "DisruptionAllowed");
  const message = condition?.status === "False" ? condition.message : undefined;
  // The counts mean nothing when they could not be made.
  if (message && condition?.reason === "SyncFailed")
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${message}`;
  if (currentHealthy <= desiredHealthy)
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  return message
    ? `The disruption budget ${name} does not allow evicting pods currently (${condition?.reason}): ${message}`
    : `The disruption budget ${name} does not allow evicting pods currently`;
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
  if (options.dryRun) return void (await deleteObject(machinery, pods, caller, key, options));
  const { preconditions, ...others } = options;
  // The mark is a write of its own: a revision asked for is that before it.
  if (preconditions) await deleteObject(machinery, pods, caller, key, { ...options, dryRun: true });
  await markDisrupted(machinery, caller, key);
  const uid = preconditions?.uid;
  await deleteObject(machinery, pods, caller, key, { ...others, ...(uid ? { preconditions: { uid } } : {}) });
}

/** The condition by which a Job's failure policy and others tell an eviction from a failure. */
async function markDisrupted(machinery: Machinery, caller: Caller, key: ObjectKey): Promise<void> {
  await changeObject(machinery, caller, {
    entry: entryOf(machinery, "pods"),
    key,
    options: { subresource: "status" },
    change: (current) => {
      const { status } = current as Evictable;
      const conditions = withCondition(status?.conditions, {
        type: "DisruptionTarget",
        status: "True",
        reason: "EvictionByEvictionAPI",
        message: "Eviction API: evicting",
        lastTransitionTime: formatSeconds(machinery.clock.now()),
      });
      return { ...current, status: { ...status, conditions } };
    },
  });
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
  const { observedGeneration = 0, disruptionsAllowed = 0, disruptedPods } = budget.status ?? {};
  if (observedGeneration < generation) {
    const why = `The disruption budget ${name} is still being processed by the server.`;
    throw tooManyDisruptions(why, RETRY_SECONDS);
  }
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
  if (disruptionsAllowed === 0) throw tooManyDisruptions(refusalOf(budget));
  await changeObject(machinery, caller, {
    entry: entryOf(machinery, BUDGETS),
    key: { namespace: budget.metadata.namespace, name },
    options: { ...options, subresource: "status" },
    change: (current) => {
      const { status, metadata } = current as Budget;
      const time = formatSeconds(machinery.clock.now());
      const left = (status?.disruptionsAllowed ?? 0) - 1;
      const spent = { type: "DisruptionAllowed", status: "False", reason: "InsufficientPods", message: "" };
      const conditions =
        left > 0
          ? status?.conditions
          : withCondition(status?.conditions, {
              ...spent,
              lastTransitionTime: time,
              ...(metadata.generation ? { observedGeneration: metadata.generation } : {}),
            });
      return {
        ...current,
        status: {
          ...status,
          disruptionsAllowed: left,
          disruptedPods: { ...status?.disruptedPods, [pod.metadata.name]: time },
          ...(conditions ? { conditions } : {}),
        },
      };
    },
  });
}
