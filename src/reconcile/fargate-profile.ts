/** Fargate profiles: the backend is told which there are, and a profile that goes takes its pods with it. */
import { BackendError, type FargateSpec } from "../backends/backend.js";
import { FARGATE, type FargateProfileRecord, type FargateProfileStatus } from "../domain/fargate.js";
import type { ClusterRecord, HealthIssue } from "../domain/model.js";
import { capacityOf, emit, nodegroupKey, type ReconcileContext } from "./context.js";
import { subnetZones } from "./launch.js";
import { forgetNodeRole, mapNodeRole } from "./node-roles.js";

/** How often a deletion looks whether the profile's pods have gone, in milliseconds. */
const POLL_MS = 2_000;

/** Profiles whose pods may be there; those being created come in with their last step. */
const SERVED: readonly FargateProfileStatus[] = ["ACTIVE"];

/** What the backend is to know of a cluster's profiles; `starting` is one that is about to be ACTIVE. */
export function fargateSpec(context: ReconcileContext, cluster: ClusterRecord, starting?: string): FargateSpec {
  const hasCapacity = capacityOf(context, cluster);
  const profiles = context.state.fargateProfiles
    .list(cluster.id)
    .filter(({ status, name }) => SERVED.includes(status) || name === starting);
  return {
    launchMs: context.profile.fargateLaunchMs,
    profiles: profiles.map(({ name, selectors, subnets, podExecutionRoleArn }) => ({
      name,
      podExecutionRoleArn,
      selectors,
      zones: [...new Set(subnetZones(context, cluster, { subnets }).values())].filter(
        (zone) => hasCapacity(zone, [FARGATE]).length > 0,
      ),
    })),
  };
}

export async function reconcileFargateProfile(context: ReconcileContext, key: string): Promise<void> {
  const { state } = context;
  const slash = key.indexOf("/");
  const cluster = state.clusters.byId(key.slice(0, slash));
  const profile = cluster && state.fargateProfiles.get(cluster.id, key.slice(slash + 1));
  // Attaching the cluster schedules all of its profiles, and tells the backend of those that are ACTIVE.
  if (!cluster || !profile || !context.isAttached(cluster.id)) return;
  // Zones have come or gone.
  if (profile.status === "ACTIVE")
    await context.backendOf(cluster).setFargate?.(cluster.id, fargateSpec(context, cluster));
  if (profile.status === "CREATING") return create(context, cluster, profile);
  if (profile.status === "DELETING") return remove(context, cluster, profile);
}

async function create(context: ReconcileContext, cluster: ClusterRecord, profile: FargateProfileRecord): Promise<void> {
  const { clock, profile: timing } = context;
  const readyAtMs = profile.createdAtMs + timing.fargateProfileCreateMs;
  if (clock.now() < readyAtMs) {
    return context.schedule("fargate-profile", nodegroupKey(cluster.id, profile.name), readyAtMs);
  }
  const backend = context.backendOf(cluster);
  if (!backend.setFargate) {
    const message = `The backend ${backend.name} has no Fargate`;
    return settle(context, cluster, profile, "CREATE_FAILED", [{ code: "InternalFailure", message, resourceIds: [] }]);
  }
  await mapNodeRole(context, cluster, profile.podExecutionRoleArn, "FARGATE_LINUX");
  await backend.setFargate(cluster.id, fargateSpec(context, cluster, profile.name));
  settle(context, cluster, profile, "ACTIVE", []);
}

const EVENTS = {
  ACTIVE: { type: "FargateProfileActive", text: "is ACTIVE" },
  CREATE_FAILED: { type: "FargateProfileCreateFailed", text: "could not be created" },
} as const;

function settle(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { name }: FargateProfileRecord,
  status: keyof typeof EVENTS,
  healthIssues: HealthIssue[],
): void {
  const { state } = context;
  const { type, text } = EVENTS[status];
  state.transaction(() => {
    const present = state.fargateProfiles.get(cluster.id, name);
    if (present?.status !== "CREATING") return;
    state.fargateProfiles.put({ ...present, status, healthIssues });
    const why = healthIssues[0] ? `: ${healthIssues[0].message}` : "";
    emit(context, cluster, {
      source: "fargate-profile",
      type,
      subject: name,
      message: `Fargate profile ${name} ${text}${why}.`,
    });
  });
}

async function remove(context: ReconcileContext, cluster: ClusterRecord, profile: FargateProfileRecord): Promise<void> {
  const { state, clock, profile: timing } = context;
  const { name, podExecutionRoleArn } = profile;
  const key = nodegroupKey(cluster.id, name);
  const sinceMs = profile.deletingSinceMs ?? clock.now();
  if (profile.deletingSinceMs === undefined) {
    profile = { ...profile, deletingSinceMs: sinceMs };
    state.fargateProfiles.put(profile);
  }
  const remaining = await podsLeft(context, cluster);
  if (remaining > 0) return context.schedule("fargate-profile", key, clock.now() + POLL_MS);
  const goneAtMs = sinceMs + timing.fargateProfileDeleteMs;
  if (clock.now() < goneAtMs) return context.schedule("fargate-profile", key, goneAtMs);
  await forgetNodeRole(context, cluster, podExecutionRoleArn);
  state.transaction(() => {
    state.fargateProfiles.remove(cluster.id, name);
    emit(context, cluster, {
      source: "fargate-profile",
      type: "FargateProfileDeleted",
      subject: name,
      message: `Fargate profile ${name} is gone.`,
    });
  });
}

/** An API server that cannot be reached deletes nothing: the deletion goes on later. */
async function podsLeft(context: ReconcileContext, cluster: ClusterRecord): Promise<number> {
  try {
    const answer = await context.backendOf(cluster).setFargate?.(cluster.id, fargateSpec(context, cluster));
    return answer?.remainingPods.length ?? 0;
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "unavailable")) throw error;
    return Number.POSITIVE_INFINITY;
  }
}
