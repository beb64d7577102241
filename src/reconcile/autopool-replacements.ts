/**
 * Nodes of EKS Auto Mode that go when others serve in their place, as Karpenter does it: the replacements are launched first, new pods are kept away from the old
 * node, and it is drained once they are Ready. Where they come to nothing it stays.
 */
import { BackendError, type NodeDemand, type NodePatch } from "../backends/backend.js";
import type { PlannedNode } from "../domain/auto-mode/plan.js";
import type { OfferingFilter } from "../domain/auto-mode/unavailable.js";
import { isAlive } from "../domain/auto-scaling.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import type { State } from "../state/state.js";
import { autoInstances, launchNode, noteUnavailable } from "./autopool-launch.js";
import { emit, type ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";

/** Keeps new pods away from nodes that are to go. */
const DISRUPTED = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };

export type ReplacementReason = "underutilized" | "drift";

const WORDS: Readonly<Record<ReplacementReason, { launched: string; goes: string; reason: string }>> = {
  underutilized: { launched: "a smaller node will do", goes: "a smaller one", reason: "Underutilized" },
  drift: { launched: "a node has drifted", goes: "as its pool wants it", reason: "Drifted" },
};

/** Whether the instance waits for the pods of others that go for its sake. */
export const isTakingOver = (state: Pick<State, "instances">, { nodePool }: InstanceRecord): boolean =>
  (nodePool?.replaces ?? []).some((id) => {
    const old = state.instances.get(id);
    return old !== undefined && old.lifecycle !== "Terminated" && old.replacementId !== undefined;
  });

/** Launches what is to serve in the place of the instances. Nothing is changed where it cannot be launched. */
export async function replaceFirst(
  context: ReconcileContext,
  cluster: ClusterRecord,
  demand: NodeDemand,
  what: {
    instances: readonly InstanceRecord[];
    nodes: readonly PlannedNode[];
    reason: ReplacementReason;
    filter: OfferingFilter;
  },
): Promise<void> {
  const { state } = context;
  const { instances, nodes, reason, filter } = what;
  const replaces = instances.map(({ instanceId }) => instanceId);
  const words = WORDS[reason];
  const marked = state.transaction(() => {
    noteUnavailable(context, cluster, filter);
    const launched = nodes.flatMap(
      (node) => launchNode(context, cluster, demand, { node, why: words.launched, replaces, reason }) ?? [],
    );
    const [first] = launched;
    if (!first) return [];
    const names = launched.map(({ privateDnsName }) => privateDnsName).join(", ");
    return instances.filter(({ instanceId }) => {
      const present = state.instances.get(instanceId);
      if (!present) return false;
      state.instances.put({ ...present, replacementId: first.instanceId });
      emit(context, cluster, {
        source: "node",
        type: "NodeDisrupted",
        subject: present.privateDnsName,
        zone: present.zone,
        message: `Node ${present.privateDnsName} in ${present.zone} goes when ${names}, ${words.goes}, serve${launched.length === 1 ? "s" : ""} in its place.`,
        detail: { instanceId, reason: words.reason, replacement: first.instanceId },
      });
      return true;
    });
  });
  for (const instance of marked) await patch(context, cluster, instance, { addTaints: [DISRUPTED] });
}

/** Nodes whose replacements serve go; those whose replacements came to nothing stay. */
export async function settleReplacements(context: ReconcileContext, cluster: ClusterRecord): Promise<void> {
  const { state } = context;
  const all = autoInstances(context, cluster);
  for (const instance of all) {
    const { replacementId } = instance;
    if (replacementId === undefined || instance.lifecycle !== "InService") continue;
    const known = state.instances.get(replacementId);
    const replacements = all.filter(
      (other) => isAlive(other) && other.nodePool?.replaces?.includes(instance.instanceId),
    );
    if (!known || !isAlive(known)) {
      // First the taint: where it cannot be taken away now, the row says that it has to be.
      await patch(context, cluster, instance, { removeTaints: [DISRUPTED] });
      const present = state.instances.get(instance.instanceId);
      if (!present) continue;
      const { replacementId: _, ...rest } = present;
      state.instances.put(rest);
    } else if (replacements.every(({ lifecycle, nodeReady }) => lifecycle === "InService" && nodeReady)) {
      const reason = known.nodePool?.replacesBecause ?? "underutilized";
      state.transaction(() => terminateInstance(context, cluster, instance.instanceId, reason));
    }
  }
}

async function patch(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { privateDnsName }: InstanceRecord,
  change: NodePatch,
): Promise<void> {
  try {
    await context.backendOf(cluster).patchNode(cluster.id, privateDnsName, change);
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
  }
}
