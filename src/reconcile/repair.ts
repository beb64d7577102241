/** Node auto repair carried out: nodes are replaced through the Auto Scaling group, or rebooted. Which ones is decided in domain/node-repair. */
import { BackendError } from "../backends/backend.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import {
  decideNodeRepair,
  type NodeCondition,
  type NodeRepairDecision,
  type NodeRepairSettings,
} from "../domain/node-repair.js";
import { emit, type ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";
import { shiftedZonesOf } from "./shifted.js";

/** How long a node may take to come back well from a reboot; until then its repair is under way. */
const REBOOT_MS = 10 * 60_000;

/** Begins the repairs that are due among instances of one group or node pool. */
export async function repairNodes(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: { settings: NodeRepairSettings; instances: readonly InstanceRecord[]; replacesAlways?: boolean },
): Promise<NodeRepairDecision> {
  const { state, clock } = context;
  const isRebooting = ({ rebootedAtMs, unhealthyConditions = [] }: InstanceRecord): boolean =>
    rebootedAtMs !== undefined && clock.now() < rebootedAtMs + REBOOT_MS && unhealthyConditions.length > 0;
  const inService = group.instances.filter(
    ({ lifecycle, unhealthySinceMs }) => lifecycle === "InService" && unhealthySinceMs === undefined,
  );
  const rebooting = inService.filter(isRebooting);
  const replacing = group.instances.filter(({ terminationReason }) => terminationReason === "repair");
  const decision = decideNodeRepair({
    settings: group.settings,
    replacesAlways: group.replacesAlways ?? false,
    isShifted: shiftedZonesOf(context, cluster.id).size > 0,
    nodes: inService
      .filter((instance) => !rebooting.includes(instance))
      .map(({ instanceId, unhealthyConditions = [] }) => ({ id: instanceId, conditions: unhealthyConditions })),
    repairing: rebooting.length + replacing.length,
    nowMs: clock.now(),
  });
  for (const { id, action, condition } of decision.repairs) {
    const instance = state.instances.get(id);
    if (!instance) continue;
    tell(context, cluster, instance, action === "Reboot" ? "rebooted" : "replaced", condition);
    if (action === "Replace") terminateInstance(context, cluster, id, "repair");
    else await reboot(context, cluster, instance);
  }
  const again = [
    ...rebooting.map(({ rebootedAtMs = 0 }) => rebootedAtMs + REBOOT_MS),
    ...(decision.repairs.some(({ action }) => action === "Reboot") ? [clock.now() + REBOOT_MS] : []),
  ];
  const nextCheckMs = Math.min(decision.nextCheckMs ?? Number.POSITIVE_INFINITY, ...again);
  return Number.isFinite(nextCheckMs) ? { ...decision, nextCheckMs } : decision;
}

function tell(
  context: ReconcileContext,
  cluster: ClusterRecord,
  instance: InstanceRecord,
  done: string,
  { type, reason }: NodeCondition,
): void {
  emit(context, cluster, {
    source: "node",
    type: "NodeRepairStarted",
    subject: instance.privateDnsName,
    zone: instance.zone,
    message: `Node ${instance.privateDnsName} in ${instance.zone} is ${done}: its condition ${type} is not True (${reason}).`,
    detail: { instanceId: instance.instanceId, condition: type, reason },
  });
}

/** EC2 reboots keep instance and node; what is still wrong afterwards is waited for anew. What keeps the machine off is not undone by it. */
async function reboot(context: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): Promise<void> {
  const { state, clock } = context;
  try {
    await context.backendOf(cluster).rebootNode?.(cluster.id, instance.privateDnsName);
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
  }
  const present = state.instances.get(instance.instanceId);
  if (!present) return;
  const unhealthyConditions = (present.unhealthyConditions ?? []).map((condition) => ({
    ...condition,
    sinceMs: clock.now(),
  }));
  state.instances.put({ ...present, unhealthyConditions, rebootedAtMs: clock.now() });
}
