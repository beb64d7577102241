/** UpdateNodegroupConfig: the new numbers, labels and taints, applied to the row and to the nodes that live. */
import { BackendError, type NodePatch } from "../backends/backend.js";
import { decideScaleIn } from "../domain/auto-scaling.js";
import type { ClusterRecord, NodegroupRecord, UpdateRecord } from "../domain/model.js";
import { kubernetesTaints } from "../domain/node.js";
import { nextNodegroupStatus } from "../domain/transitions.js";
import { emit, nodegroupKey, type ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";

/** Takes the update one step further; the group's row as it is afterwards. */
export async function applyConfigUpdate(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  update: UpdateRecord,
): Promise<NodegroupRecord> {
  const { state, clock, profile } = context;
  const doneAtMs = update.createdAtMs + profile.nodegroupConfigUpdateMs;
  if (clock.now() < doneAtMs) {
    context.schedule("nodegroup", nodegroupKey(cluster.id, group.name), doneAtMs);
    return group;
  }
  const changed: NodegroupRecord = { ...group, ...(update.plan as Partial<NodegroupRecord>) };
  const patch = nodePatch(group, changed);
  if (patch) await patchNodes(context, cluster, group, patch);
  return state.transaction(() => {
    const present = state.nodegroups.get(cluster, group.name);
    if (present?.status !== "UPDATING" && present?.status !== "ACTIVE" && present?.status !== "DEGRADED") return group;
    // Another size or configuration is tried at once, however often EC2 has refused the last one.
    const { launchBackoff: _, ...fresh } = changed;
    const done = { ...fresh, status: nextNodegroupStatus(present.status, "ACTIVE"), modifiedAtMs: clock.now() };
    state.nodegroups.put(done);
    state.updates.put({ ...update, status: "Successful", finishedAtMs: clock.now() });
    emit(context, cluster, {
      source: "update",
      type: "UpdateSuccessful",
      subject: update.id,
      message: `${update.type} of node group ${group.name} has succeeded.`,
    });
    // A lowered size takes instances away at once; a raised one is filled up by the group's next look.
    const instances = state.instances.ofNodegroup(cluster.id, group.name);
    for (const action of decideScaleIn(instances, done.scalingConfig.desiredSize, clock.now())) {
      if (action.kind === "terminate") terminateInstance(context, cluster, action.instanceId, action.reason);
    }
    return done;
  });
}

/** What live nodes have to be told; undefined when neither labels nor taints changed. Unlike version updates this never replaces nodes. */
function nodePatch(before: NodegroupRecord, after: NodegroupRecord): NodePatch | undefined {
  const labels: Record<string, string | null> = {};
  for (const key of Object.keys(before.labels)) if (!(key in after.labels)) labels[key] = null;
  for (const [key, value] of Object.entries(after.labels)) if (before.labels[key] !== value) labels[key] = value;
  const [old, wanted] = [kubernetesTaints(before.taints), kubernetesTaints(after.taints)];
  const isIn = (list: typeof old, taint: (typeof old)[number]): boolean =>
    list.some((other) => other.key === taint.key && other.effect === taint.effect && other.value === taint.value);
  const addTaints = wanted.filter((taint) => !isIn(old, taint));
  const removeTaints = old.filter(
    (taint) => !wanted.some(({ key, effect }) => key === taint.key && effect === taint.effect),
  );
  if (Object.keys(labels).length + addTaints.length + removeTaints.length === 0) return undefined;
  return { labels, addTaints, removeTaints };
}

async function patchNodes(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  patch: NodePatch,
): Promise<void> {
  const backend = context.backendOf(cluster);
  for (const instance of context.state.instances.ofNodegroup(cluster.id, group.name)) {
    if (instance.state !== "running") continue;
    try {
      await backend.patchNode(cluster.id, instance.privateDnsName, patch);
    } catch (error) {
      // A node that is on its way out needs no labels.
      if (!(error instanceof BackendError && error.code === "missing")) throw error;
    }
  }
}
