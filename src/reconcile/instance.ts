/** Instances: launched, joined as nodes, watched over by EC2's status checks, drained and terminated. */
import type { NodeSpec, Observation } from "../backends/backend.js";
import { DEFAULT_TERMINATION_GRACE_MS } from "../domain/auto-mode/life.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { LIMITS } from "../domain/profile.js";
import { pooledState, warmPoolOf } from "../domain/warm-pool.js";
import { cannotJoin, emit, nodegroupKey, type ReconcileContext } from "./context.js";
import { drainInstance, nextDrainLookMs } from "./drain.js";
import { shiftedZonesOf } from "./shifted.js";
import { instanceSpec } from "./specs.js";

export async function reconcileInstance(context: ReconcileContext, instanceId: string): Promise<void> {
  const instance = context.state.instances.get(instanceId);
  const cluster = instance && context.state.clusters.byId(instance.clusterId);
  if (!instance || !cluster) return;
  if (instance.lifecycle === "Terminated") return forget(context, instance);
  // Attaching the cluster schedules all of its instances.
  if (!context.isAttached(cluster.id)) return;
  if (instance.lifecycle === "Terminating") return terminate(context, cluster, instance);
  if (instance.lifecycle === "Warmed") return warmUp(context, cluster, instance);
  const checked = checkHealth(context, cluster, instance);
  if (checked.lifecycle === "Pending") return join(context, cluster, checked);
}

/** The row as it is now, changed; undefined when it is gone. */
function change(
  context: ReconcileContext,
  instanceId: string,
  changes: Partial<InstanceRecord>,
): InstanceRecord | undefined {
  const present = context.state.instances.get(instanceId);
  if (!present) return undefined;
  const changed = { ...present, ...changes };
  context.state.instances.put(changed);
  return changed;
}

/** Whoever launched the instance has to look at what has become of it. */
function scheduleGroup(context: ReconcileContext, { clusterId, nodegroupName, nodePool }: InstanceRecord): void {
  if (nodePool) context.schedule("autopool", clusterId);
  else context.schedule("nodegroup", nodegroupKey(clusterId, nodegroupName));
}

/** EC2's status checks fail a while after the machine did; that one is stopped EC2 says itself. */
function checkHealth(context: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): InstanceRecord {
  if (instance.state === "stopping" || instance.state === "stopped") {
    scheduleGroup(context, instance);
    if (instance.unhealthySinceMs !== undefined) return instance;
    return change(context, instance.instanceId, { unhealthySinceMs: context.clock.now() }) ?? instance;
  }
  // Spot: the group replaces it before it goes, or at least moves what runs on it.
  if (instance.rebalanceRecommendedAtMs !== undefined || instance.interruptionAtMs !== undefined) {
    scheduleGroup(context, instance);
  }
  if (instance.unhealthySinceMs === undefined || instance.statusCheck === "impaired") return instance;
  const impairedAtMs = instance.unhealthySinceMs + context.profile.statusCheckFailureMs;
  if (context.clock.now() < impairedAtMs) {
    context.schedule("instance", instance.instanceId, impairedAtMs);
    return instance;
  }
  return context.state.transaction(() => {
    emit(context, cluster, {
      source: "instance",
      type: "InstanceImpaired",
      subject: instance.instanceId,
      zone: instance.zone,
      message: `Instance ${instance.instanceId} (${instance.privateDnsName}) in ${instance.zone} has failed its status checks.`,
    });
    scheduleGroup(context, instance);
    return change(context, instance.instanceId, { statusCheck: "impaired" }) ?? instance;
  });
}

/** One that ran in the warm pool need not boot. */
function bootMs({ prepared }: InstanceRecord, profile: ReconcileContext["profile"]): number {
  if (prepared === undefined) return profile.instanceBootMs;
  return prepared === "running" ? 0 : profile.warmStartMs;
}

async function join(context: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): Promise<void> {
  const { state, clock, profile } = context;
  if (instance.state === "pending") {
    const bootedAtMs = instance.launchedAtMs + bootMs(instance, profile);
    if (clock.now() < bootedAtMs) return context.schedule("instance", instance.instanceId, bootedAtMs);
    const spec = instanceSpec(instance, state.nodegroups.get(cluster, instance.nodegroupName));
    // A machine without power does not boot; its status checks will tell.
    if (!spec || instance.unhealthySinceMs !== undefined) return;
    const running = cannotJoin(context, instance)
      ? change(context, instance.instanceId, { state: "running", unjoined: true })
      : await startKubelet(context, cluster, instance, spec);
    if (!running) return;
    instance = running;
  } else if (instance.unjoined && instance.unhealthySinceMs === undefined && !cannotJoin(context, instance)) {
    const spec = instanceSpec(instance, state.nodegroups.get(cluster, instance.nodegroupName));
    const running = spec && (await startKubelet(context, cluster, instance, spec));
    if (!running) return;
    instance = running;
  }
  if (!instance.nodeReady || instance.lifecycle !== "Pending" || instance.unhealthySinceMs !== undefined) return;
  state.transaction(() => {
    change(context, instance.instanceId, {
      lifecycle: "InService",
      statusCheck: "ok",
      inServiceSinceMs: clock.now(),
    });
    emit(context, cluster, {
      source: "instance",
      type: "InstanceInService",
      subject: instance.instanceId,
      zone: instance.zone,
      message: `Instance ${instance.instanceId} in ${instance.zone} is in service as node ${instance.privateDnsName}.`,
    });
    scheduleGroup(context, instance);
  });
}

async function startKubelet(
  context: ReconcileContext,
  cluster: ClusterRecord,
  { instanceId }: InstanceRecord,
  spec: NodeSpec,
): Promise<InstanceRecord | undefined> {
  await context.backendOf(cluster).addNode(cluster.id, spec);
  const present = context.state.instances.get(instanceId);
  if (!present) return undefined;
  const { unjoined: _, ...rest } = present;
  const running: InstanceRecord = { ...rest, state: "running" };
  context.state.instances.put(running);
  await context.onNewcomer?.(cluster.id, spec.name);
  return context.state.instances.get(instanceId);
}

/** An instance of the warm pool boots once, and then waits in the pool's state. */
function warmUp(context: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): void {
  if (instance.state !== "pending") return;
  const bootedAtMs = instance.launchedAtMs + context.profile.instanceBootMs;
  if (context.clock.now() < bootedAtMs) {
    context.schedule("instance", instance.instanceId, bootedAtMs);
    return;
  }
  const group = context.state.nodegroups.get(cluster, instance.nodegroupName);
  if (group) putIntoPool(context, cluster, instance, pooledState(warmPoolOf(group)));
}

function putIntoPool(
  context: ReconcileContext,
  cluster: ClusterRecord,
  instance: InstanceRecord,
  pooled: InstanceRecord["state"],
): void {
  context.state.transaction(() => {
    change(context, instance.instanceId, { lifecycle: "Warmed", state: pooled, nodeReady: false });
    emit(context, cluster, {
      source: "instance",
      type: "InstanceWarmed",
      subject: instance.instanceId,
      zone: instance.zone,
      message: `Instance ${instance.instanceId} in ${instance.zone} waits ${pooled} in the warm pool of node group ${instance.nodegroupName}.`,
    });
    scheduleGroup(context, instance);
  });
}

/** Whether an instance that the group gives up goes back to its warm pool. */
function isReused({ state }: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): boolean {
  if (instance.terminationReason !== "scale-in" || instance.unhealthySinceMs !== undefined) return false;
  const group = state.nodegroups.get(cluster, instance.nodegroupName);
  const pool = group && group.status !== "DELETING" ? warmPoolOf(group) : {};
  return pool.enabled === true && pool.reuseOnScaleIn === true;
}

async function terminate(context: ReconcileContext, cluster: ClusterRecord, instance: InstanceRecord): Promise<void> {
  const { clock, profile } = context;
  const backend = context.backendOf(cluster);
  if (instance.terminatedAtMs === undefined) {
    if (instance.state !== "stopped" && !(await isDrained(context, cluster, instance))) return;
    const stopping = change(context, instance.instanceId, { state: "shutting-down", terminatedAtMs: clock.now() });
    if (!stopping) return;
    instance = stopping;
  }
  await backend.removeNode(cluster.id, instance.privateDnsName, { graceful: instance.unhealthySinceMs === undefined });
  const goneAtMs = (instance.terminatedAtMs ?? clock.now()) + profile.instanceShutdownMs;
  if (clock.now() < goneAtMs) return context.schedule("instance", instance.instanceId, goneAtMs);
  if (isReused(context, cluster, instance)) {
    const group = context.state.nodegroups.get(cluster, instance.nodegroupName);
    return putIntoPool(context, cluster, instance, pooledState(warmPoolOf(group ?? {})));
  }
  context.state.transaction(() => {
    change(context, instance.instanceId, {
      lifecycle: "Terminated",
      state: "terminated",
      terminatedAtMs: clock.now(),
    });
    emit(context, cluster, {
      source: "instance",
      type: "InstanceTerminated",
      subject: instance.instanceId,
      zone: instance.zone,
      message: `Instance ${instance.instanceId} (${instance.privateDnsName}) in ${instance.zone} is terminated.`,
      detail: { reason: instance.terminationReason },
    });
    scheduleGroup(context, instance);
    context.schedule("instance", instance.instanceId, clock.now() + LIMITS.terminatedVisibleMs);
  });
}

/** Notice that EC2 gives before it takes a Spot instance back. */
const INTERRUPTION_NOTICE_MS = 2 * 60_000;

/** From when to when pods may leave. EC2 takes a Spot instance back when its notice is over, whatever still runs on it. */
function drainPeriod(
  { interruptionAtMs, nodePool, drainDeadlineMs, terminationReason }: InstanceRecord,
  nowMs: number,
  groupMs: number,
): { sinceMs: number; deadlineMs: number } {
  // Karpenter does not wait for what runs on a broken node.
  const graceMs = nodePool?.terminationGracePeriodMs ?? DEFAULT_TERMINATION_GRACE_MS;
  const autoModeMs = terminationReason === "repair" ? 0 : graceMs;
  const lengthMs = nodePool ? autoModeMs : groupMs;
  const deadlineMs = drainDeadlineMs ?? nowMs + lengthMs;
  if (interruptionAtMs !== undefined && (drainDeadlineMs === undefined || interruptionAtMs < drainDeadlineMs)) {
    return { sinceMs: interruptionAtMs - INTERRUPTION_NOTICE_MS, deadlineMs: interruptionAtMs };
  }
  return { sinceMs: deadlineMs - lengthMs, deadlineMs };
}

/**
 * Whether nothing keeps the instance any longer. EKS evicts the pods through the terminate hook, for 15 minutes at most (how long, is the profile's
 * matter); budgets that still forbid it then no longer count. A machine that is off, or never became a node, has nothing to drain.
 */
async function isDrained(
  context: ReconcileContext,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): Promise<boolean> {
  const { clock, profile } = context;
  if (instance.unhealthySinceMs !== undefined || instance.state === "pending") return true;
  const now = clock.now();
  const period = drainPeriod(instance, now, profile.drainMs);
  const { sinceMs } = period;
  let { deadlineMs } = period;
  if (instance.drainDeadlineMs !== deadlineMs) change(context, instance.instanceId, { drainDeadlineMs: deadlineMs });
  if (now >= deadlineMs) return true;
  const { remainingPods, hopeless } = await drainInstance(context, cluster, instance);
  if (remainingPods === 0) return true;
  // Auto Mode launches nodes for pods that find none.
  if (hopeless && !instance.nodePool) deadlineMs = Math.min(deadlineMs, sinceMs + profile.hopelessDrainMs);
  if (now >= deadlineMs) return true;
  context.schedule("instance", instance.instanceId, nextDrainLookMs(now, { sinceMs, deadlineMs }));
  return false;
}

function forget(context: ReconcileContext, instance: InstanceRecord): void {
  const untilMs = (instance.terminatedAtMs ?? 0) + LIMITS.terminatedVisibleMs;
  if (context.clock.now() < untilMs) context.schedule("instance", instance.instanceId, untilMs);
  else context.state.instances.remove(instance.instanceId);
}

type NodeObservation = Extract<Observation, { kind: "node" }>;

/** Conditions count from when they were first seen, whatever reasons they have had since. */
function noteConditions(context: ReconcileContext, instance: InstanceRecord, seen: NodeObservation): void {
  const before = instance.unhealthyConditions ?? [];
  const now = (seen.present ? (seen.unhealthy ?? []) : []).map(({ type, reason }) => ({
    type,
    reason,
    sinceMs: before.find((condition) => condition.type === type)?.sinceMs ?? context.clock.now(),
  }));
  if (JSON.stringify(now) === JSON.stringify(before)) return;
  change(context, instance.instanceId, { unhealthyConditions: now });
  if (instance.lifecycle === "InService") scheduleGroup(context, instance);
}

/** Takes down what the backend saw of a node. Nodes that no instance stands behind are not EKS's business. */
export function observeNode(context: ReconcileContext, cluster: ClusterRecord, seen: NodeObservation): void {
  // A zonal shift cordons nodes that come while it is on, self-managed ones too.
  if (seen.present && shiftedZonesOf(context, cluster.id).size > 0) context.schedule("zonal-shift", cluster.id);
  const instance = context.state.instances.byDnsName(cluster.id, seen.nodeName);
  if (!instance) return;
  noteConditions(context, instance, seen);
  if (seen.present && seen.ready === instance.nodeReady) return;
  const ready = seen.present && seen.ready;
  if (ready !== instance.nodeReady) change(context, instance.instanceId, { nodeReady: ready });
  const [type, text] = !seen.present
    ? ["NodeRemoved", "has left the cluster"]
    : ready
      ? ["NodeReady", "is Ready"]
      : ["NodeNotReady", `is not Ready${seen.reason ? ` (${seen.reason})` : ""}`];
  emit(context, cluster, {
    source: "node",
    type: type as string,
    subject: seen.nodeName,
    zone: instance.zone,
    message: `Node ${seen.nodeName} in ${instance.zone} ${text}.`,
    detail: { instanceId: instance.instanceId },
  });
  // Readiness concerns the group only through its instance: EC2 looks at machines, not at nodes.
  if (instance.lifecycle !== "Terminated") context.schedule("instance", instance.instanceId);
}
