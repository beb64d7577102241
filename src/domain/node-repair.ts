/**
 * Node auto repair: which nodes EKS replaces or reboots, and when it holds back. It sees node conditions alone; machines that fail EC2's status checks are
 * the Auto Scaling group's affair. Source: the user guide on node auto repair.
 */

/** A condition of node health that is not True. */
export interface NodeCondition {
  /** `Ready`, or one of those that the node monitoring agent reports. */
  type: string;
  reason: string;
  sinceMs: number;
}

export type RepairAction = "Replace" | "Reboot" | "NoAction";

/** `nodeRepairConfig` of a node group. */
export interface NodeRepairSettings {
  enabled?: boolean;
  maxUnhealthyNodeThresholdCount?: number;
  maxUnhealthyNodeThresholdPercentage?: number;
  maxParallelNodesRepairedCount?: number;
  maxParallelNodesRepairedPercentage?: number;
  nodeRepairConfigOverrides?: readonly {
    nodeMonitoringCondition?: string;
    nodeUnhealthyReason?: string;
    minRepairWaitTimeMins?: number;
    repairAction?: string;
  }[];
}

const MINUTE_MS = 60_000;

/** How long a condition is watched before it is acted upon, in minutes. Others (DiskPressure, MemoryPressure, ...) are never. */
const WAIT_MINUTES: Readonly<Record<string, number>> = {
  Ready: 30,
  KernelReady: 30,
  NetworkingReady: 30,
  StorageReady: 30,
  ContainerRuntimeReady: 30,
  AcceleratedHardwareReady: 10,
};

/** Conditions that repair looks at. */
export const REPAIR_CONDITIONS: readonly string[] = Object.keys(WAIT_MINUTES);

/** Reasons of AcceleratedHardwareReady that a reboot mends. */
const REBOOT_REASONS = /^NvidiaXID(13|31|48|63|64|94|95)Error$/;
/** Diagnostics that are reported and never acted upon. */
const NO_ACTION_REASONS = /^DCGM/;

/** More than this many nodes and more than this share of them unhealthy: something larger is wrong, and replacing nodes would not help. */
const GUARD = { nodes: 5, share: 0.2 };

/** Why nothing is begun: unhealthy nodes are more than repair may touch, or the cluster is shifted away from a zone. */
export type RepairHold = "unhealthy-threshold" | "zonal-shift";

export interface RepairView {
  settings: NodeRepairSettings;
  /** Nodes of EKS Auto Mode are replaced where those of node groups may be rebooted. */
  replacesAlways?: boolean;
  /** The cluster is shifted away from a zone. */
  isShifted?: boolean;
  /** Nodes in service. */
  nodes: readonly { id: string; conditions: readonly NodeCondition[] }[];
  /** Repairs under way. */
  repairing: number;
  nowMs: number;
}

export interface NodeRepairDecision {
  repairs: { id: string; action: "Replace" | "Reboot"; condition: NodeCondition }[];
  /** Set when nodes are due and nothing is begun. */
  held?: RepairHold;
  /** When the next node becomes due. */
  nextCheckMs?: number;
}

export function decideNodeRepair(view: RepairView): NodeRepairDecision {
  const { settings, nodes, repairing, nowMs, replacesAlways = false } = view;
  if (!settings.enabled) return { repairs: [] };
  const unhealthy = nodes.flatMap(({ id, conditions }) => {
    const turns = conditions.flatMap((condition) => turnOf(settings, condition, replacesAlways) ?? []);
    const first = turns.sort((a, b) => a.dueMs - b.dueMs)[0];
    return first ? [{ id, ...first }] : [];
  });
  const count = unhealthy.length + repairing;
  const held = view.isShifted
    ? "zonal-shift"
    : exceedsThreshold(settings, count, nodes.length + repairing)
      ? "unhealthy-threshold"
      : undefined;
  const due = unhealthy
    .filter(({ dueMs }) => dueMs <= nowMs)
    .sort((a, b) => a.dueMs - b.dueMs || (a.id < b.id ? -1 : 1));
  const slots = held ? 0 : Math.max(0, maxParallel(settings, count) - repairing);
  const waiting = unhealthy.filter(({ dueMs }) => dueMs > nowMs).map(({ dueMs }) => dueMs);
  return {
    repairs: due.slice(0, slots).map(({ id, action, condition }) => ({ id, action, condition })),
    ...(held && due.length > 0 ? { held } : {}),
    ...(waiting.length > 0 ? { nextCheckMs: Math.min(...waiting) } : {}),
  };
}

interface Turn {
  action: "Replace" | "Reboot";
  condition: NodeCondition;
  dueMs: number;
}

/** Undefined for what nothing is done about. */
function turnOf(settings: NodeRepairSettings, condition: NodeCondition, replacesAlways: boolean): Turn | undefined {
  const override = settings.nodeRepairConfigOverrides?.find(
    ({ nodeMonitoringCondition, nodeUnhealthyReason }) =>
      nodeMonitoringCondition === condition.type && nodeUnhealthyReason === condition.reason,
  );
  const minutes = override?.minRepairWaitTimeMins ?? WAIT_MINUTES[condition.type];
  const action =
    (override?.repairAction as RepairAction | undefined) ?? (replacesAlways ? "Replace" : defaultAction(condition));
  if (minutes === undefined || action === "NoAction") return undefined;
  return { action, condition, dueMs: condition.sinceMs + minutes * MINUTE_MS };
}

function defaultAction({ type, reason }: NodeCondition): RepairAction {
  if (type !== "AcceleratedHardwareReady") return "Replace";
  if (NO_ACTION_REASONS.test(reason)) return "NoAction";
  return REBOOT_REASONS.test(reason) ? "Reboot" : "Replace";
}

function exceedsThreshold(settings: NodeRepairSettings, unhealthy: number, total: number): boolean {
  const { maxUnhealthyNodeThresholdCount: count, maxUnhealthyNodeThresholdPercentage: percentage } = settings;
  if (count !== undefined) return unhealthy > count;
  if (percentage !== undefined) return unhealthy * 100 > total * percentage;
  return unhealthy > GUARD.nodes && unhealthy > total * GUARD.share;
}

/** Nodes repaired at a time; the percentage is of the unhealthy ones, and always leaves one. No limit unless told. */
function maxParallel(settings: NodeRepairSettings, unhealthy: number): number {
  const { maxParallelNodesRepairedCount: count, maxParallelNodesRepairedPercentage: percentage } = settings;
  if (count !== undefined) return count;
  if (percentage !== undefined) return Math.max(1, Math.floor((unhealthy * percentage) / 100));
  return Number.POSITIVE_INFINITY;
}
