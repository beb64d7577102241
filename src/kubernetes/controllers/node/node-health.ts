import { formatSeconds } from "../../../clock/clock.js";
import { conditionOf, withCondition } from "../../runtime/conditions.js";
import { sameTaint, TAINT } from "../../runtime/taints.js";
import type { Node, NodeCondition, Taint } from "../../schema/generated/types.js";
import { NODE_LIFECYCLE } from "./zones.js";

/** Pure judgements about one node: is it silent, what do its conditions and taints become. */

/** What was last seen of a node's signs of life. */
export interface NodeWatch {
  /** When the newest sign of life was noticed, epoch ms. */
  seenMs: number;
  renewalMs: number | undefined;
  heartbeat: string | undefined;
}

export const readyCondition = (node: Node): NodeCondition | undefined => conditionOf(node.status?.conditions, "Ready");

/** A renewed lease or a newer heartbeat in the Ready condition counts from the moment it is noticed. */
export function observe(
  watch: NodeWatch | undefined,
  node: Node,
  renewalMs: number | undefined,
  nowMs: number,
): NodeWatch {
  const ready = readyCondition(node);
  // A heartbeat of a condition that we wrote ourselves is the old one, so it never counts as new.
  const heartbeat = ready?.lastHeartbeatTime;
  if (!watch) return { seenMs: ready ? nowMs : Date.parse(node.metadata.creationTimestamp), renewalMs, heartbeat };
  if (watch.renewalMs === renewalMs && watch.heartbeat === heartbeat) return watch;
  return { seenMs: nowMs, renewalMs, heartbeat };
}

/** The same between two looks at all nodes: its lease alone counts, since what single reads show of heartbeats follows from it, and lists do not show it. */
export const withRenewal = (watch: NodeWatch, renewalMs: number | undefined, nowMs: number): NodeWatch =>
  watch.renewalMs === renewalMs ? watch : { ...watch, renewalMs, seenMs: nowMs };

export const isSilent = (watch: NodeWatch, node: Node, nowMs: number): boolean =>
  nowMs - watch.seenMs >= (readyCondition(node) ? NODE_LIFECYCLE.gracePeriodMs : NODE_LIFECYCLE.startupGracePeriodMs);

const JUDGED = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** Conditions of a silent node: nothing is known any more. The same list when they say so already. */
export function unknownConditions(node: Node, nowMs: number): NodeCondition[] {
  let conditions = (node.status?.conditions ?? []) as NodeCondition[];
  for (const type of JUDGED) {
    const present = conditionOf(conditions, type);
    if (present?.status === "Unknown") continue;
    const said = present
      ? {
          reason: "NodeStatusUnknown",
          message: "Kubelet stopped posting node status.",
          lastHeartbeatTime: present.lastHeartbeatTime,
        }
      : {
          reason: "NodeStatusNeverUpdated",
          message: "Kubelet never posted node status.",
          lastHeartbeatTime: node.metadata.creationTimestamp,
        };
    conditions = withCondition(conditions, {
      type,
      status: "Unknown",
      lastTransitionTime: formatSeconds(nowMs),
      ...said,
    });
  }
  return conditions;
}

/** Condition type and status -> taint, as upstream's nodeConditionToTaintKeyStatusMap. */
const CONDITION_TAINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: TAINT.notReady, Unknown: TAINT.unreachable },
  MemoryPressure: { True: TAINT.memoryPressure },
  DiskPressure: { True: TAINT.diskPressure },
  NetworkUnavailable: { True: TAINT.networkUnavailable },
  PIDPressure: { True: TAINT.pidPressure },
};

const CONDITION_KEYS: ReadonlySet<string> = new Set([
  ...Object.values(CONDITION_TAINTS).flatMap((byStatus) => Object.values(byStatus)),
  TAINT.unschedulable,
]);

/** The NoSchedule taints that a node's conditions and spec.unschedulable call for. */
function noScheduleKeys(node: Node): Set<string> {
  const keys = new Set<string>();
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = CONDITION_TAINTS[type]?.[status];
    if (key) keys.add(key);
  }
  if (node.spec?.unschedulable) keys.add(TAINT.unschedulable);
  return keys;
}

const LIFECYCLE_NO_EXECUTE: readonly string[] = [TAINT.notReady, TAINT.unreachable];

/**
 * The node's taints as they should be: NoSchedule ones by condition, and of the two NoExecute ones at most the one that fits. `noExecute`: the node is
 * due to be evicted; without it only an existing taint is changed for its sibling. The same list when nothing changes.
 */
export function wantedTaints(node: Node, noExecute: boolean, nowMs: number): readonly Taint[] {
  const present = node.spec?.taints ?? [];
  const timeAdded = formatSeconds(nowMs);
  const wanted = noScheduleKeys(node);
  const status = readyCondition(node)?.status;
  const evictKey = status === "False" ? TAINT.notReady : status === "Unknown" ? TAINT.unreachable : undefined;
  const isOurs = (taint: Taint): boolean =>
    (taint.effect === "NoSchedule" && CONDITION_KEYS.has(taint.key)) ||
    (taint.effect === "NoExecute" && LIFECYCLE_NO_EXECUTE.includes(taint.key));
  const evicting =
    noExecute || present.some((taint) => taint.effect === "NoExecute" && LIFECYCLE_NO_EXECUTE.includes(taint.key));
  const ours: Taint[] = [...wanted].map((key) => ({ key, effect: "NoSchedule", timeAdded }));
  if (evictKey && evicting) ours.push({ key: evictKey, effect: "NoExecute", timeAdded });

  const gone = present.some((taint) => isOurs(taint) && !ours.some((own) => sameTaint(own, taint)));
  const added = ours.filter((own) => !present.some((taint) => sameTaint(own, taint)));
  if (!gone && added.length === 0) return present;
  return [...present.filter((taint) => !isOurs(taint) || ours.some((own) => sameTaint(own, taint))), ...added];
}

/** Without the two NoExecute taints: when every zone is down, nobody is to be evicted. */
export function withoutEviction(taints: readonly Taint[] | undefined): readonly Taint[] {
  const list = taints ?? [];
  const kept = list.filter((taint) => taint.effect !== "NoExecute" || !LIFECYCLE_NO_EXECUTE.includes(taint.key));
  return kept.length === list.length ? list : kept;
}

export const isEvicted = (node: Node): boolean =>
  (node.spec?.taints ?? []).some((taint) => taint.effect === "NoExecute" && LIFECYCLE_NO_EXECUTE.includes(taint.key));
