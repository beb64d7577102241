/** Node groups: filled up and kept at their size, updated, taken down. What to launch and terminate is decided in domain/auto-scaling. */
import { isAlive, isUnhealthy } from "../domain/auto-scaling.js";
import { nodeEntryType } from "../domain/eks/access-entry-types.js";
import { noZoneText } from "../domain/launch-failure.js";
import type { ClusterRecord, HealthIssue, InstanceRecord, NodegroupRecord, NodegroupStatus } from "../domain/model.js";
import type { RepairHold } from "../domain/node-repair.js";
import { LIMITS } from "../domain/profile.js";
import { nextNodegroupStatus } from "../domain/transitions.js";
import { emit, issuesFound, nodegroupKey, type ReconcileContext } from "./context.js";
import { type LaunchTarget, terminateInstance } from "./launch.js";
import { forgetNodeRole, mapNodeRole } from "./node-roles.js";
import { applyConfigUpdate } from "./nodegroup-config.js";
import { launchFailure, type Outcome, scale } from "./nodegroup-scaling.js";
import { advanceVersionUpdate } from "./nodegroup-version.js";
import { repairNodes } from "./repair.js";

const AT_REST: readonly NodegroupStatus[] = ["CREATE_FAILED", "DELETE_FAILED"];

export async function reconcileNodegroup(context: ReconcileContext, key: string): Promise<void> {
  const { state } = context;
  const slash = key.indexOf("/");
  const cluster = state.clusters.byId(key.slice(0, slash));
  const found = cluster && state.nodegroups.get(cluster, key.slice(slash + 1));
  // Attaching the cluster schedules all of its groups.
  if (!cluster || !found || AT_REST.includes(found.status) || !context.isAttached(cluster.id)) return;
  if (found.status === "DELETING") return remove(context, cluster, found);
  if (found.status === "CREATING") await mapNodeRole(context, cluster, found.nodeRole, nodeEntryType(found.amiType));

  let group = found;
  let surge = 0;
  let target: LaunchTarget = group;
  const update = state.updates.inProgress(cluster.id, group.name);
  if (update?.type === "VersionUpdate") {
    const rolling = await advanceVersionUpdate(context, cluster, group, update);
    if (rolling) ({ surge, target } = rolling);
    else group = state.nodegroups.get(cluster, group.name) ?? group;
  } else if (update) {
    group = await applyConfigUpdate(context, cluster, group, update);
  }
  if (group.status !== "CREATING" && update?.type !== "VersionUpdate") await repair(context, cluster, group);
  const present = state.nodegroups.get(cluster, group.name);
  if (!present) return;
  if (present.status === "DELETING") return context.schedule("nodegroup", key);
  state.transaction(() => {
    const desired = present.scalingConfig.desiredSize + surge;
    const isUpdated = present.status === "UPDATING";
    const outcome = scale(context, cluster, present, { desired, target, isUpdated });
    settleStatus(context, cluster, outcome.group, outcome);
  });
}

async function repair(context: ReconcileContext, cluster: ClusterRecord, group: NodegroupRecord): Promise<void> {
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const settings = group.nodeRepairConfig ?? {};
  const { held, nextCheckMs } = await repairNodes(context, cluster, { settings, instances });
  if (nextCheckMs !== undefined) context.schedule("nodegroup", nodegroupKey(cluster.id, group.name), nextCheckMs);
  const { repairHeld, ...present } = context.state.nodegroups.get(cluster, group.name) ?? group;
  if (held === repairHeld) return;
  context.state.transaction(() => {
    context.state.nodegroups.put(held ? { ...present, repairHeld: held } : present);
    emit(context, cluster, {
      source: "nodegroup",
      type: held ? "NodeRepairHeld" : "NodeRepairResumed",
      subject: group.name,
      message: held
        ? `Node auto repair of node group ${group.name} begins nothing: ${HOLDS[held]}.`
        : `Nothing holds node auto repair of node group ${group.name} back any more.`,
    });
  });
}

/** Sentences for why repair holds back. */
const HOLDS: Readonly<Record<RepairHold, string>> = {
  "unhealthy-threshold": "more of its nodes are unhealthy than repair may touch",
  "zonal-shift": "the cluster is shifted away from a zone",
};

/** CREATING -> ACTIVE when its nodes have joined; ACTIVE <-> DEGRADED as issues come and go. */
function settleStatus(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  decision: Outcome,
): void {
  const { clock } = context;
  const key = nodegroupKey(cluster.id, group.name);
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name).filter(isAlive);
  const joined = instances.filter((instance) => instance.lifecycle === "InService" && !isUnhealthy(instance));
  const issues = healthIssues(context, cluster, group, instances, decision);
  if (group.status === "CREATING") {
    settleCreation(context, cluster, group, { joined: joined.length, issues, unplaced: decision.unplaced });
  } else if (group.status === "ACTIVE" || group.status === "DEGRADED") {
    become(context, cluster, group, issues.length > 0 ? "DEGRADED" : "ACTIVE", issues);
  }
  const joining = instances
    .filter(({ lifecycle }) => lifecycle === "Pending")
    .map(({ launchedAtMs }) => launchedAtMs + LIMITS.joinMs);
  const nextMs = Math.min(...joining.filter((dueMs) => dueMs > clock.now()));
  if (Number.isFinite(nextMs)) context.schedule("nodegroup", key, nextMs);
}

/** While a group is being created EKS shows no issues, until it gives up. */
function settleCreation(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  { joined, issues, unplaced }: { joined: number; issues: HealthIssue[]; unplaced: number },
): void {
  const { clock, profile } = context;
  const key = nodegroupKey(cluster.id, group.name);
  const readyAtMs = group.createdAtMs + profile.nodegroupCreateMs;
  const givenUpAtMs = group.createdAtMs + (unplaced > 0 ? LIMITS.launchFailureMs : LIMITS.joinMs);
  if (joined >= group.scalingConfig.desiredSize) {
    if (clock.now() < readyAtMs) context.schedule("nodegroup", key, readyAtMs);
    else {
      become(context, cluster, group, "ACTIVE", []);
      // What only groups that are made get: the warm pool.
      context.schedule("nodegroup", key);
    }
  } else if (issues.length > 0) {
    if (clock.now() < givenUpAtMs) context.schedule("nodegroup", key, givenUpAtMs);
    else become(context, cluster, group, "CREATE_FAILED", issues);
  }
}

function healthIssues(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  instances: readonly InstanceRecord[],
  decision: Outcome,
): HealthIssue[] {
  const { clock } = context;
  const issues: HealthIssue[] = issuesFound(context, group);
  const late = instances.filter(
    ({ lifecycle, launchedAtMs }) => lifecycle === "Pending" && clock.now() >= launchedAtMs + LIMITS.joinMs,
  );
  if (late.length > 0) {
    issues.push({
      code: "NodeCreationFailure",
      message: "Instances failed to join the kubernetes cluster",
      resourceIds: late.map(({ instanceId }) => instanceId),
    });
  }
  if (decision.unplaced > 0) {
    issues.push({
      code: "AsgInstanceLaunchFailures",
      message: decision.zones[0]
        ? launchFailure(context, cluster, group, decision.zones[0])
        : noZoneText(group.capacityType),
      resourceIds: [`eks-${group.name}-${group.uuid}`],
    });
  }
  return issues;
}

const STATUS_EVENTS: Partial<Record<NodegroupStatus, { type: string; text: string }>> = {
  ACTIVE: { type: "NodegroupActive", text: "is ACTIVE" },
  DEGRADED: { type: "NodegroupDegraded", text: "is DEGRADED" },
  CREATE_FAILED: { type: "NodegroupCreateFailed", text: "could not be created" },
};

function become(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  status: NodegroupStatus,
  healthIssues: HealthIssue[],
): void {
  const same = JSON.stringify(group.healthIssues) === JSON.stringify(healthIssues);
  if (status === group.status && same) return;
  context.state.nodegroups.put({ ...group, status: nextNodegroupStatus(group.status, status), healthIssues });
  const told = STATUS_EVENTS[status];
  if (!told || status === group.status) return;
  const why = healthIssues[0] ? `: ${healthIssues[0].message}` : "";
  emit(context, cluster, {
    source: "nodegroup",
    type: told.type,
    subject: group.name,
    message: `Node group ${group.name} ${told.text}${why}${why.endsWith(".") ? "" : "."}`,
  });
}

async function remove(context: ReconcileContext, cluster: ClusterRecord, group: NodegroupRecord): Promise<void> {
  const { state, clock, profile } = context;
  const key = nodegroupKey(cluster.id, group.name);
  const sinceMs = group.deletingSinceMs ?? clock.now();
  if (group.deletingSinceMs === undefined) {
    group = { ...group, deletingSinceMs: sinceMs };
    state.nodegroups.put(group);
  }
  const instances = state.instances.ofNodegroup(cluster.id, group.name);
  if (instances.length > 0) {
    // Each instance that has ended schedules its group.
    state.transaction(() => {
      for (const { instanceId } of instances) terminateInstance(context, cluster, instanceId, "nodegroup-delete");
    });
    return;
  }
  const goneAtMs = sinceMs + profile.nodegroupDeleteMs;
  if (clock.now() < goneAtMs) return context.schedule("nodegroup", key, goneAtMs);
  await forgetNodeRole(context, cluster, group.nodeRole);
  state.transaction(() => {
    state.nodegroups.remove(cluster, group.name);
    emit(context, cluster, {
      source: "nodegroup",
      type: "NodegroupDeleted",
      subject: group.name,
      message: `Node group ${group.name} is gone.`,
    });
  });
}
