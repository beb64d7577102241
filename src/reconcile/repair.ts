/** Node auto repair carried out: nodes are replaced through the Auto Scaling group, or rebooted. Which ones is decided in domain/node-repair. */
import { BackendError } from "../backends/backend.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { decideNodeRepair, type NodeCondition, type NodeRepairSettings } from "../domain/node-repair.js";
import { emit, type ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";

/** Begins the repairs that are due among instances of one group. Returns when the next one is. */
export async function repairNodes(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: { name: string; settings: NodeRepairSettings; instances: readonly InstanceRecord[] },
): Promise<number | undefined> {
  const { state, clock } = context;
  const inService = group.instances.filter(
    ({ lifecycle, unhealthySinceMs }) => lifecycle === "InService" && unhealthySinceMs === undefined,
  );
  const decision = decideNodeRepair({
    settings: group.settings,
    nodes: inService.map(({ instanceId, unhealthyConditions = [] }) => ({
      id: instanceId,
      conditions: unhealthyConditions,
    })),
    repairing: group.instances.filter(({ terminationReason }) => terminationReason === "repair").length,
    nowMs: clock.now(),
  });
  for (const { id, action, condition } of decision.repairs) {
    const instance = state.instances.get(id);
    if (!instance) continue;
    tell(context, cluster, instance, `${action === "Reboot" ? "rebooted" : "replaced"}`, condition);
    if (action === "Replace") terminateInstance(context, cluster, id, "repair");
    else await reboot(context, cluster, instance);
  }
  if (decision.held) {
    context.log.debug({ cluster: cluster.name, group: group.name }, "too many nodes are unhealthy: repair holds back");
  }
  return decision.nextCheckMs;
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

/** EC2 reboots keep instance and node; what is still wrong afterwards is waited for anew. */
async function reboot(context: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): Promise<void> {
  const { state, clock } = context;
  const backend = context.backendOf(cluster);
  try {
    await backend.setNodePower(cluster.id, instance.privateDnsName, "stopped");
    await backend.setNodePower(cluster.id, instance.privateDnsName, "running");
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
  }
  const present = state.instances.get(instance.instanceId);
  if (!present) return;
  const unhealthyConditions = (present.unhealthyConditions ?? []).map((condition) => ({
    ...condition,
    sinceMs: clock.now(),
  }));
  state.instances.put({ ...present, unhealthyConditions });
}
