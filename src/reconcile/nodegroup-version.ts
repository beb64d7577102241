/**
 * UpdateNodegroupVersion in EKS's phases: scale up (DEFAULT only) until every zone that holds nodes has a new one, cordon the old ones; upgrade, draining
 * and terminating old nodes a few at a time; scale down to the size from before. Source: the user guide on managed node update behaviour.
 */

import { BackendError } from "../backends/backend.js";
import { decideScaleIn, isAlive, isUnhealthy } from "../domain/auto-scaling.js";
import type { ClusterRecord, InstanceRecord, NodegroupRecord, UpdateRecord } from "../domain/model.js";
import { LIMITS } from "../domain/profile.js";
import { drainSlots, surgeOf } from "../domain/rolling-update.js";
import { nextNodegroupStatus } from "../domain/transitions.js";
import { emit, nodegroupKey, type ReconcileContext } from "./context.js";
import { type Drained, drainInstance, EMPTY, nextDrainLookMs } from "./drain.js";
import { type LaunchTarget, subnetZones, terminateInstance } from "./launch.js";
import { cordonedByShift } from "./shifted.js";

/** Keeps traffic of load balancers away from nodes that are about to go. */
const EXCLUDE_FROM_LOAD_BALANCERS = "node.kubernetes.io/exclude-from-external-load-balancers";

/** Most pods that the error of an update names. */
const PODS_NAMED = 5;

/** How far the update has come; kept in its row. */
interface Progress {
  phase: "scale-up" | "upgrade" | "scale-down";
  startedAtMs: number;
  /** Instances from before. */
  old: string[];
  /** Instances above the desired size. */
  surge: number;
  /** Old instances being drained: since when, and since when they have been empty. */
  draining: Record<string, { sinceMs: number; emptySinceMs?: number }>;
}

interface Plan extends LaunchTarget {
  force?: boolean;
  progress?: Progress;
}

/** One update under way, with everything a phase looks at. */
interface Rolling {
  context: ReconcileContext;
  cluster: ClusterRecord;
  group: NodegroupRecord;
  update: UpdateRecord;
  plan: Plan;
  progress: Progress;
  /** Not terminated. */
  instances: InstanceRecord[];
}

/** What the Auto Scaling group has to know while the update runs. */
export interface RollingState {
  surge: number;
  target: LaunchTarget;
}

/** Takes the update one step further; undefined when it has ended. */
export async function advanceVersionUpdate(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  update: UpdateRecord,
): Promise<RollingState | undefined> {
  const plan = update.plan as unknown as Plan;
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const progress = plan.progress ?? begin(context, cluster, group, instances);
  const rolling: Rolling = { context, cluster, group, update, plan, progress, instances };
  if (!plan.progress) save(rolling, progress);
  const next = await PHASES[progress.phase](rolling);
  if (!next) return undefined;
  return { surge: next.surge, target: plan };
}

const PHASES: Readonly<Record<Progress["phase"], (rolling: Rolling) => Promise<Progress | undefined>>> = {
  "scale-up": scaleUp,
  upgrade,
  "scale-down": scaleDown,
};

function begin(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  instances: InstanceRecord[],
): Progress {
  const old = instances.filter(isAlive);
  const surges = group.updateConfig.updateStrategy !== "MINIMAL" && old.length > 0;
  const zones = new Set(subnetZones(context, cluster, group).values()).size;
  emit(context, cluster, {
    source: "update",
    type: "UpdateStarted",
    subject: group.name,
    message: `The update of node group ${group.name} replaces ${old.length} nodes.`,
  });
  return {
    phase: surges ? "scale-up" : "upgrade",
    startedAtMs: context.clock.now(),
    old: old.map(({ instanceId }) => instanceId),
    surge: surges ? surgeOf(zones, group.updateConfig, group.scalingConfig.desiredSize) : 0,
    draining: {},
  };
}

function save(rolling: Rolling, progress: Progress): Progress {
  const plan = { ...rolling.update.plan, progress };
  rolling.context.state.updates.put({ ...rolling.update, plan });
  return progress;
}

const again = ({ context, cluster, group }: Rolling, atMs?: number): void =>
  context.schedule("nodegroup", nodegroupKey(cluster.id, group.name), atMs);

const olds = ({ instances, progress }: Rolling): InstanceRecord[] =>
  instances.filter(({ instanceId }) => progress.old.includes(instanceId));

/** Names of nodes that are drained or about to be: those of updates under way, and those on their way out. */
export function beingReplaced({ state }: ReconcileContext, cluster: ClusterRecord): ReadonlySet<string> {
  const old = state.nodegroups.list(cluster.id).flatMap(({ name }) => {
    const { progress } = (state.updates.inProgress(cluster.id, name)?.plan ?? {}) as { progress?: Progress };
    return progress && progress.phase !== "scale-up" ? progress.old : [];
  });
  return new Set(
    state.instances
      .ofCluster(cluster.id)
      .filter(({ instanceId, lifecycle }) => lifecycle === "Terminating" || old.includes(instanceId))
      .map(({ privateDnsName }) => privateDnsName),
  );
}

async function scaleUp(rolling: Rolling): Promise<Progress | undefined> {
  const { context, progress, instances } = rolling;
  const old = olds(rolling).filter(isAlive);
  const joined = instances.filter(
    (instance) =>
      instance.lifecycle === "InService" && !isUnhealthy(instance) && !progress.old.includes(instance.instanceId),
  );
  const waitingFor = old.filter(({ zone }) => !joined.some((instance) => instance.zone === zone));
  if (waitingFor.length > 0) {
    const deadlineMs = progress.startedAtMs + LIMITS.joinMs;
    if (context.clock.now() < deadlineMs) {
      again(rolling, deadlineMs);
      return progress;
    }
    return fail(rolling, {
      errorCode: "NodeCreationFailure",
      errorMessage: `Couldn't proceed with upgrade process as new nodes are not joining node group ${rolling.group.name}`,
      resourceIds: instances.filter(({ lifecycle }) => lifecycle === "Pending").map(({ instanceId }) => instanceId),
    });
  }
  await cordon(rolling, old, true);
  again(rolling);
  return save(rolling, { ...progress, phase: "upgrade" });
}

async function cordon({ context, cluster }: Rolling, nodes: readonly InstanceRecord[], on: boolean): Promise<void> {
  const backend = context.backendOf(cluster);
  for (const { privateDnsName, state } of nodes) {
    if (state !== "running") continue;
    const labels = { [EXCLUDE_FROM_LOAD_BALANCERS]: on ? "true" : null };
    try {
      await backend.patchNode(cluster.id, privateDnsName, { unschedulable: on, labels });
    } catch (error) {
      if (!(error instanceof BackendError && error.code === "missing")) throw error;
    }
  }
}

async function upgrade(rolling: Rolling): Promise<Progress | undefined> {
  const { context, cluster, group, plan, instances } = rolling;
  const { clock, profile } = context;
  const present = olds(rolling);
  const alive = present.filter(isAlive);
  const desired = group.scalingConfig.desiredSize;
  if (present.length === 0) {
    // What replaces the last old nodes has to serve first; a newcomer that never joins is not waited for longer than others.
    const joining = instances.some(
      ({ lifecycle, launchedAtMs }) => lifecycle === "Pending" && clock.now() < launchedAtMs + LIMITS.joinMs,
    );
    const serving = instances.filter(({ lifecycle }) => lifecycle === "InService").length;
    if (joining || serving < desired) return rolling.progress;
    again(rolling);
    return save(rolling, { ...rolling.progress, phase: "scale-down" });
  }

  const draining: Progress["draining"] = {};
  for (const { instanceId } of alive) {
    const entry = rolling.progress.draining[instanceId];
    if (entry) draining[instanceId] = entry;
  }
  const busy = Object.keys(draining).length;
  const slots = drainSlots({
    config: group.updateConfig,
    desired,
    surge: rolling.progress.surge,
    inFlight: busy + present.length - alive.length,
    inService: instances.filter(({ lifecycle }) => lifecycle === "InService").length - busy,
  });
  const waiting = alive.filter(({ instanceId }) => !(instanceId in draining));
  for (const { instanceId } of clock
    .random(`update ${rolling.update.id} ${waiting.length}`)
    .shuffle(waiting)
    .slice(0, slots)) {
    draining[instanceId] = { sinceMs: clock.now() };
  }
  let progress = save(rolling, { ...rolling.progress, draining });

  const stuck: string[] = [];
  const refusals: Record<string, string> = {};
  for (const instance of alive) {
    const entry = draining[instance.instanceId];
    if (!entry) continue;
    const drained = await drain(rolling, instance);
    if (drained.remainingPods > 0) {
      const deadlineMs = entry.sinceMs + LIMITS.evictionMs;
      if (clock.now() < deadlineMs) {
        again(rolling, nextDrainLookMs(clock.now(), { sinceMs: entry.sinceMs, deadlineMs }));
        continue;
      }
      if (!plan.force) {
        stuck.push(instance.privateDnsName);
        Object.assign(refusals, drained.refusals);
        continue;
      }
    }
    const emptySinceMs = entry.emptySinceMs ?? clock.now();
    if (clock.now() < emptySinceMs + profile.cordonWaitMs) {
      draining[instance.instanceId] = { ...entry, emptySinceMs };
      progress = save(rolling, { ...progress, draining });
      again(rolling, emptySinceMs + profile.cordonWaitMs);
      continue;
    }
    const row = context.state.instances.get(instance.instanceId);
    // Drained already, or forced: the instance reconciler must not try again.
    if (row) context.state.instances.put({ ...row, drainDeadlineMs: clock.now() });
    terminateInstance(context, cluster, instance.instanceId, "update");
  }
  if (stuck.length === 0) return progress;
  return fail(rolling, {
    errorCode: "PodEvictionFailure",
    errorMessage: evictionFailure(group.name, refusals),
    resourceIds: stuck,
  });
}

/** EKS's text, and which pods are kept by which disruption budgets: the one thing that whoever reads it has to know. */
function evictionFailure(group: string, refusals: Readonly<Record<string, string>>): string {
  const text = `Reached max retries while trying to evict pods from nodes in node group ${group}`;
  const kept = Object.entries(refusals).map(([pod, why]) => `${pod}: ${why}`);
  const more = kept.length > PODS_NAMED ? [`and ${kept.length - PODS_NAMED} more pods`] : [];
  return kept.length === 0 ? text : [text, ...kept.slice(0, PODS_NAMED), ...more].join("; ");
}

/** A machine that is off, or never became a node, has nothing to drain. */
async function drain({ context, cluster }: Rolling, instance: InstanceRecord): Promise<Drained> {
  if (instance.state !== "running" || instance.unhealthySinceMs !== undefined) return EMPTY;
  return drainInstance(context, cluster, instance);
}

/** One instance at a time, each drained before the next goes. */
async function scaleDown(rolling: Rolling): Promise<Progress | undefined> {
  const { context, cluster, group, progress, instances } = rolling;
  if (instances.some(({ lifecycle }) => lifecycle === "Terminating")) return progress;
  if (progress.surge === 0) return finish(rolling);
  const surge = progress.surge - 1;
  return context.state.transaction(() => {
    for (const action of decideScaleIn(instances, group.scalingConfig.desiredSize + surge, context.clock.now())) {
      if (action.kind === "terminate") terminateInstance(context, cluster, action.instanceId, "update");
    }
    again(rolling);
    return save(rolling, { ...progress, surge });
  });
}

function finish({ context, cluster, group, update, plan }: Rolling): undefined {
  const { state, clock } = context;
  state.transaction(() => {
    state.nodegroups.put({
      ...group,
      version: plan.version,
      releaseVersion: plan.releaseVersion,
      ...(plan.launchTemplate ? { launchTemplate: plan.launchTemplate } : {}),
      status: nextNodegroupStatus(group.status, "ACTIVE"),
      modifiedAtMs: clock.now(),
    });
    const { progress: _, ...rest } = plan;
    state.updates.put({ ...update, plan: { ...rest }, status: "Successful", finishedAtMs: clock.now() });
    emit(context, cluster, {
      source: "update",
      type: "UpdateSuccessful",
      subject: update.id,
      message: `${update.type} of node group ${group.name} has succeeded: its nodes run ${plan.releaseVersion}.`,
    });
  });
}

/** The update ends Failed: the size goes back, old nodes that are left take pods again, the group keeps its version and whatever nodes it has. */
async function fail(rolling: Rolling, error: UpdateRecord["errors"][number]): Promise<undefined> {
  const { context, cluster, group, update, plan, instances } = rolling;
  const { state, clock } = context;
  const shifted = cordonedByShift(context, cluster.id);
  const kept = olds(rolling).filter((instance) => isAlive(instance) && !shifted.has(instance.privateDnsName));
  await cordon(rolling, kept, false);
  state.transaction(() => {
    const { progress: _, ...rest } = plan;
    state.updates.put({ ...update, plan: { ...rest }, status: "Failed", finishedAtMs: clock.now(), errors: [error] });
    state.nodegroups.put({ ...group, status: nextNodegroupStatus(group.status, "ACTIVE"), modifiedAtMs: clock.now() });
    for (const action of decideScaleIn(instances, group.scalingConfig.desiredSize, clock.now())) {
      if (action.kind === "terminate") terminateInstance(context, cluster, action.instanceId, "update");
    }
    emit(context, cluster, {
      source: "update",
      type: "UpdateFailed",
      subject: update.id,
      message: `${update.type} of node group ${group.name} has failed: ${error.errorMessage}.`,
      detail: { errorCode: error.errorCode, resourceIds: error.resourceIds },
    });
  });
  return undefined;
}
