/**
 * Add-ons: their objects put into the cluster, changed and taken away as the rows say, and their health followed. An add-on is ACTIVE when its Deployments
 * have their replicas; DaemonSets run wherever there are nodes, be it none.
 */
import type { ApplyMode, Observation } from "../backends/backend.js";
import type { AddonRecord, AddonStatus, AddonUpdatePlan, ObjectReference } from "../domain/addon.js";
import type { ClusterRecord, HealthIssue, UpdateRecord } from "../domain/model.js";
import { LIMITS } from "../domain/profile.js";
import { nextAddonStatus } from "../domain/transitions.js";
import { install, MANAGER, objectsOf, uninstall } from "./addon-objects.js";
import { emit, nodegroupKey, type ReconcileContext } from "./context.js";

interface Addon {
  context: ReconcileContext;
  cluster: ClusterRecord;
  record: AddonRecord;
}

export async function reconcileAddon(context: ReconcileContext, key: string): Promise<void> {
  const slash = key.indexOf("/");
  const cluster = context.state.clusters.byId(key.slice(0, slash));
  const record = cluster && context.state.addons.get(cluster.id, key.slice(slash + 1));
  // Attaching the cluster schedules all of its add-ons.
  if (!cluster || !record || !context.isAttached(cluster.id)) return;
  const addon = { context, cluster, record };
  switch (record.status) {
    case "CREATING":
      return create(addon);
    case "UPDATING":
      return update(addon);
    case "ACTIVE":
    case "DEGRADED":
      return followHealth(addon);
    case "DELETING":
      return remove(addon);
    default:
      return;
  }
}

/** A Deployment that is an add-on's has got or lost its replicas. */
export function observeDeployment(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { namespace, name }: Extract<Observation, { kind: "deployment" }>,
): void {
  for (const { name: addonName, objects = [] } of context.state.addons.list(cluster.id)) {
    const owns = objects.some(
      (object) => object.resource === "deployments.apps" && object.name === name && object.namespace === namespace,
    );
    if (owns) schedule(context, { clusterId: cluster.id, name: addonName });
  }
}

const schedule = (
  context: ReconcileContext,
  { clusterId, name }: Pick<AddonRecord, "clusterId" | "name">,
  dueMs?: number,
): void => context.schedule("addon", nodegroupKey(clusterId, name), dueMs);

async function create({ context, cluster, record }: Addon): Promise<void> {
  const { clock, profile } = context;
  let present = record;
  if (!present.objects) {
    // PRESERVE keeps what a user has changed of a managed add-on; before there is one, it is the same as NONE.
    const mode = record.resolveConflicts === "OVERWRITE" ? "take" : "refuse";
    const { objects, issue } = await install(context, cluster, { wanted: record, mode });
    if (issue) return fail({ context, cluster, record }, "CREATE_FAILED", objects, issue);
    const installed = change(context, record, { objects });
    if (!installed) return;
    present = installed;
  }
  const readyAtMs = record.createdAtMs + profile.addonCreateMs;
  if (clock.now() < readyAtMs) return schedule(context, record, readyAtMs);
  return followHealth({ context, cluster, record: present });
}

async function update({ context, cluster, record }: Addon): Promise<void> {
  const { state, clock, profile } = context;
  const found = state.updates.get(cluster.id, record.updateId ?? "");
  if (found?.status !== "InProgress") return;
  const plan = found.plan as AddonUpdatePlan;
  const doneAtMs = found.createdAtMs + profile.addonUpdateMs;
  if (clock.now() < doneAtMs) return schedule(context, record, doneAtMs);
  let present = record;
  if (!plan.applied) {
    const changed = { ...record, ...plan.changes };
    const { objects, issue } = await install(context, cluster, { wanted: changed, mode: MODES[plan.resolveConflicts] });
    if (issue) return fail({ context, cluster, record }, "UPDATE_FAILED", objects, issue);
    const updated = state.transaction(() => {
      const written = change(context, record, { ...plan.changes, objects, lackingSinceMs: undefined });
      // Called off in the meantime, it stays called off.
      if (written) state.updates.put({ ...found, plan: { ...plan, applied: true } });
      return written;
    });
    if (!updated) return;
    present = updated;
  }
  return followHealth({ context, cluster, record: present });
}

const MODES: Readonly<Record<AddonUpdatePlan["resolveConflicts"], ApplyMode>> = {
  NONE: "refuse",
  OVERWRITE: "take",
  PRESERVE: "leave",
};

/** ACTIVE while the Deployments have their replicas; DEGRADED once one is gone, or has lacked them for some time. */
async function followHealth({ context, cluster, record }: Addon): Promise<void> {
  const { clock } = context;
  const { missing, lacking } = await objectsOf(context, cluster).replicas(cluster.id, record.objects ?? [], {
    manager: MANAGER,
  });
  if (missing.length > 0) {
    const message = `The add-on is unhealthy because its resources were not found: ${missing.join(", ")}`;
    const issue = { code: "K8sResourceNotFound", message, resourceIds: missing };
    return become({ context, cluster, record }, "DEGRADED", [issue]);
  }
  if (lacking.length === 0) {
    return become({ context, cluster, record: { ...record, lackingSinceMs: undefined } }, "ACTIVE", []);
  }
  const sinceMs = record.lackingSinceMs ?? clock.now();
  const degradedAtMs = sinceMs + LIMITS.addonReplicasMs;
  if (clock.now() < degradedAtMs && record.status !== "DEGRADED") {
    if (record.lackingSinceMs === undefined) change(context, record, { lackingSinceMs: sinceMs });
    return schedule(context, record, degradedAtMs);
  }
  const issue = {
    code: "InsufficientNumberOfReplicas",
    message: "The add-on is unhealthy because it doesn't have the desired number of replicas.",
    resourceIds: lacking,
  };
  return become({ context, cluster, record }, "DEGRADED", [issue]);
}

/** What has got into the cluster all the same is remembered, so that it goes when the add-on does. */
function fail(addon: Addon, status: AddonStatus, objects: ObjectReference[], issue: HealthIssue): void {
  addon.context.state.transaction(() => {
    change(addon.context, addon.record, { objects });
    become(addon, status, [issue]);
  });
}

const STATUS_EVENTS: Partial<Record<AddonStatus, { type: string; text: string }>> = {
  ACTIVE: { type: "AddonActive", text: "is ACTIVE" },
  DEGRADED: { type: "AddonDegraded", text: "is DEGRADED" },
  CREATE_FAILED: { type: "AddonCreateFailed", text: "could not be created" },
  UPDATE_FAILED: { type: "AddonUpdateFailed", text: "could not be updated" },
  DELETE_FAILED: { type: "AddonDeleteFailed", text: "could not be deleted" },
};

function become({ context, cluster, record }: Addon, status: AddonStatus, healthIssues: HealthIssue[]): void {
  const { state, clock } = context;
  state.transaction(() => {
    const present = state.addons.get(cluster.id, record.name);
    if (present?.status !== record.status || present.arn !== record.arn) return;
    const same =
      status === present.status &&
      present.lackingSinceMs === record.lackingSinceMs &&
      JSON.stringify(present.healthIssues) === JSON.stringify(healthIssues);
    if (same) return;
    const { updateId, lackingSinceMs: _, ...rest } = present;
    const moved = status !== present.status;
    state.addons.put({
      ...rest,
      ...(record.lackingSinceMs === undefined ? {} : { lackingSinceMs: record.lackingSinceMs }),
      status: nextAddonStatus(present.status, status),
      healthIssues,
      ...(moved ? { modifiedAtMs: clock.now() } : {}),
    });
    const update = updateId === undefined ? undefined : state.updates.get(cluster.id, updateId);
    if (update?.status === "InProgress") endUpdate({ context, cluster, record }, update, healthIssues);
    if (moved) tell({ context, cluster, record }, status, healthIssues[0]);
  });
}

function tell({ context, cluster, record }: Addon, status: AddonStatus, issue: HealthIssue | undefined): void {
  const told = STATUS_EVENTS[status];
  if (!told) return;
  const why = issue ? `: ${issue.message.replaceAll("\n", " ")}` : "";
  emit(context, cluster, {
    source: "addon",
    type: told.type,
    subject: record.name,
    message: `Add-on ${record.name} ${told.text}${why}${why.endsWith(".") ? "" : "."}`,
  });
}

/** An update whose add-on is left with an issue has failed. */
function endUpdate({ context, cluster, record }: Addon, update: UpdateRecord, issues: readonly HealthIssue[]): void {
  const { state, clock } = context;
  const failed = issues.length > 0;
  state.updates.put({
    ...update,
    status: failed ? "Failed" : "Successful",
    finishedAtMs: clock.now(),
    errors: issues.map(({ code, message, resourceIds }) => ({ errorCode: code, errorMessage: message, resourceIds })),
  });
  emit(context, cluster, {
    source: "update",
    type: failed ? "UpdateFailed" : "UpdateSuccessful",
    subject: update.id,
    message: `${update.type} of add-on ${record.name} has ${failed ? "failed" : "succeeded"}.`,
  });
}

/** Writes to the row unless somebody has asked for something else in the meantime; the row as it is then. */
function change(
  context: ReconcileContext,
  record: AddonRecord,
  changes: Partial<AddonRecord>,
): AddonRecord | undefined {
  const { state } = context;
  return state.transaction(() => {
    const present = state.addons.get(record.clusterId, record.name);
    if (present?.arn !== record.arn) return undefined;
    // What has been put into the cluster is to be known whatever comes next.
    const changed = { ...present, ...changes };
    state.addons.put(changed);
    return present.status === record.status ? changed : undefined;
  });
}

async function remove({ context, cluster, record }: Addon): Promise<void> {
  const { state, clock, profile } = context;
  const sinceMs = record.deletingSinceMs ?? clock.now();
  if (record.deletingSinceMs === undefined) change(context, record, { deletingSinceMs: sinceMs });
  const goneAtMs = sinceMs + profile.addonDeleteMs;
  if (clock.now() < goneAtMs) return schedule(context, record, goneAtMs);
  if (!record.preserve && record.objects) {
    const issue = await uninstall(context, cluster, record);
    if (issue) return become({ context, cluster, record }, "DELETE_FAILED", [issue]);
  }
  state.transaction(() => {
    state.addons.remove(cluster.id, record.name);
    for (const association of state.podIdentityAssociations.list(cluster.id)) {
      if (association.ownerArn !== record.arn) continue;
      const { ownerArn: _, ...kept } = association;
      // Software that stays keeps its roles; they are the user's from now on.
      if (record.preserve) state.podIdentityAssociations.put(kept);
      else state.podIdentityAssociations.remove(cluster.id, association.id);
    }
    emit(context, cluster, {
      source: "addon",
      type: "AddonDeleted",
      subject: record.name,
      message: `Add-on ${record.name} is gone${record.preserve ? "; what it has installed stays" : ""}.`,
    });
  });
}
