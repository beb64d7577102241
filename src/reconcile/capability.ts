/**
 * Capabilities: what EKS puts into the cluster for them, and the status. The software itself runs outside of the cluster, and nothing here plays it: its
 * custom resources can be written and stay as they are written.
 */
import type { CapabilityRecord, CapabilityStatus } from "../domain/capability.js";
import { capabilityObjects } from "../domain/eks/capability-objects.js";
import type { ClusterRecord, UpdateRecord } from "../domain/model.js";
import { emit, nodegroupKey, type ReconcileContext } from "./context.js";

/** Field manager of what EKS itself puts into clusters. */
const MANAGER = "eks";

export async function reconcileCapability(context: ReconcileContext, key: string): Promise<void> {
  const { state } = context;
  const slash = key.indexOf("/");
  const cluster = state.clusters.byId(key.slice(0, slash));
  const capability = cluster && state.capabilities.get(cluster.id, key.slice(slash + 1));
  // Attaching the cluster schedules all of its capabilities.
  if (!cluster || !capability || !context.isAttached(cluster.id)) return;
  const step = STEPS[capability.status];
  if (step) await step(context, cluster, capability);
}

type Step = (context: ReconcileContext, cluster: ClusterRecord, capability: CapabilityRecord) => Promise<void>;

/** What is next to be done; nothing where the capability is at rest. */
const STEPS: Readonly<Partial<Record<CapabilityStatus, Step>>> = {
  CREATING: async (context, cluster, capability) => {
    if (isEarly(context, cluster, capability, capability.createdAtMs + context.profile.capabilityCreateMs)) return;
    const backend = context.backendOf(cluster);
    await backend.objects?.apply(cluster.id, capabilityObjects(capability), { manager: MANAGER, mode: "take" });
    context.state.transaction(() => {
      change(context, capability, "CREATING", { status: "ACTIVE" });
      tell(context, cluster, capability, "CapabilityActive", "is ACTIVE");
    });
  },

  UPDATING: async (context, cluster, capability) => {
    const update = updateOf(context, capability);
    if (!update) return;
    if (isEarly(context, cluster, capability, update.createdAtMs + context.profile.capabilityUpdateMs)) return;
    const { state, clock } = context;
    state.transaction(() => {
      change(context, capability, "UPDATING", { ...update.plan, status: "ACTIVE", modifiedAtMs: clock.now() });
      state.updates.put({ ...update, status: "Successful", finishedAtMs: clock.now() });
      emit(context, cluster, {
        source: "update",
        type: "UpdateSuccessful",
        subject: update.id,
        message: `${update.type} of capability ${capability.name} has succeeded.`,
      });
    });
  },

  // RETAIN: custom resources and their definitions stay in the cluster; so does the access entry, which others may use by now.
  DELETING: async (context, cluster, capability) => {
    const { state, clock, profile } = context;
    const sinceMs = capability.deletingSinceMs ?? clock.now();
    if (capability.deletingSinceMs === undefined) change(context, capability, "DELETING", { deletingSinceMs: sinceMs });
    if (isEarly(context, cluster, capability, sinceMs + profile.capabilityDeleteMs)) return;
    state.transaction(() => {
      state.capabilities.remove(cluster.id, capability.name);
      tell(context, cluster, capability, "CapabilityDeleted", "is gone");
    });
  },
};

/** Whether the step has to wait; it is then owed at `dueMs`. */
function isEarly(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { name }: CapabilityRecord,
  dueMs: number,
): boolean {
  if (context.clock.now() >= dueMs) return false;
  context.schedule("capability", nodegroupKey(cluster.id, name), dueMs);
  return true;
}

function updateOf({ state }: ReconcileContext, { clusterId, name }: CapabilityRecord): UpdateRecord | undefined {
  const ids = state.updates.ids(clusterId, { capabilityName: name }, { limit: Number.MAX_SAFE_INTEGER });
  return ids.flatMap((id) => state.updates.get(clusterId, id) ?? []).findLast(({ status }) => status === "InProgress");
}

/** The row as it is now, changed, if its status is still the one that the step was for. */
function change(
  { state }: ReconcileContext,
  { clusterId, name }: CapabilityRecord,
  status: CapabilityStatus,
  changes: Partial<CapabilityRecord>,
): void {
  const present = state.capabilities.get(clusterId, name);
  if (present?.status === status) state.capabilities.put({ ...present, ...changes });
}

function tell(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { name, type: kind }: CapabilityRecord,
  type: string,
  text: string,
): void {
  emit(context, cluster, {
    source: "capability",
    type,
    subject: name,
    message: `Capability ${name} (${kind}) ${text}.`,
    detail: { type: kind },
  });
}
