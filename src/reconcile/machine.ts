/** Machines that go off although nobody in eksim has switched them off, and come back: containers that were killed, say. EC2 sees a stopped instance. */
import type { ClusterRecord } from "../domain/model.js";
import { emit, type ReconcileContext } from "./context.js";

/** Takes down what the backend saw of a machine. */
export function observeMachine(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { nodeName, state }: { nodeName: string; state: "on" | "off" },
): void {
  const instance = context.state.instances.byDnsName(cluster.id, nodeName);
  if (!instance || !["Pending", "InService"].includes(instance.lifecycle)) return;
  const { unhealthySinceMs, ...rest } = instance;
  if (state === "off") {
    if (instance.state !== "running") return;
    const since = unhealthySinceMs ?? context.clock.now();
    context.state.instances.put({ ...rest, state: "stopped", unhealthySinceMs: since });
  } else {
    if (instance.state !== "stopped") return;
    context.state.instances.put({
      ...rest,
      state: "running",
      statusCheck: instance.lifecycle === "InService" ? "ok" : "initializing",
    });
  }
  emit(context, cluster, {
    source: "instance",
    type: state === "off" ? "InstanceStopped" : "InstanceStarted",
    subject: instance.instanceId,
    zone: instance.zone,
    message:
      state === "off"
        ? `Instance ${instance.instanceId} (${nodeName}) in ${instance.zone} was stopped from outside.`
        : `Instance ${instance.instanceId} (${nodeName}) in ${instance.zone} was started from outside.`,
    detail: { node: nodeName },
  });
  context.schedule("instance", instance.instanceId);
}
