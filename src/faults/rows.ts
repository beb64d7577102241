/** What AWS shows of machines that faults befall: states and status checks of instances, what EC2 announces, health issues. All that others see of a fault. */
import { isKnownToEc2, STOPPING_MS, type WholeWants } from "../domain/faults/index.js";
import type { ClusterRecord, ClusterUndo, EventRecord, HealthIssue, InstanceRecord } from "../domain/model.js";
import type { State } from "../state/state.js";

export interface RowsContext {
  state: State;
  nowMs: number;
}

/** To be called in a transaction. `touched` = what any fault may have changed. */
export function settleRows(
  context: RowsContext,
  cluster: ClusterRecord,
  wants: WholeWants,
  touched: ClusterUndo,
): void {
  const { state } = context;
  for (const instance of state.instances.ofCluster(cluster.id)) {
    const trouble = wants.machines[instance.privateDnsName];
    const before = touched.machines?.[instance.privateDnsName];
    let next = instance;
    if (trouble === "off") next = withoutPower(next, context.nowMs);
    else if (trouble === "stopped") next = stopped(next, context.nowMs);
    else if (isKnownToEc2(before)) next = wellAgain(next);
    const notice = wants.notices[instance.instanceId];
    if (notice) next = { ...next, ...notice };
    else if (touched.notices?.includes(instance.instanceId)) next = withoutNotice(next);
    if (JSON.stringify(next) === JSON.stringify(instance)) continue;
    state.instances.put(next);
    tellNotices(context, cluster, instance, next);
  }
  settleIssues(state, cluster, wants.issues, touched.issues ?? []);
}

/** Its status checks begin to fail. */
const withoutPower = (instance: InstanceRecord, nowMs: number): InstanceRecord =>
  instance.unhealthySinceMs === undefined ? { ...instance, unhealthySinceMs: nowMs } : instance;

function stopped(instance: InstanceRecord, nowMs: number): InstanceRecord {
  if (instance.lifecycle === "Terminating" || instance.lifecycle === "Warmed") return instance;
  if (instance.state === "running") return { ...instance, state: "stopping", unhealthySinceMs: nowMs };
  const isOver = instance.state === "stopping" && nowMs >= (instance.unhealthySinceMs ?? 0) + STOPPING_MS;
  return isOver ? { ...instance, state: "stopped" } : instance;
}

/** It boots again; what is being terminated stays so. */
function wellAgain(instance: InstanceRecord): InstanceRecord {
  if (instance.unhealthySinceMs === undefined || instance.lifecycle === "Terminating") return instance;
  const { unhealthySinceMs: _, ...healthy } = instance;
  const wasStopped = instance.lifecycle !== "Warmed" && /^stopp/.test(instance.state);
  return {
    ...healthy,
    ...(wasStopped ? { state: "running" as const } : {}),
    statusCheck: instance.lifecycle === "InService" ? "ok" : "initializing",
  };
}

function withoutNotice(instance: InstanceRecord): InstanceRecord {
  const { rebalanceRecommendedAtMs: _, interruptionAtMs: __, ...rest } = instance;
  return instance.lifecycle === "Terminating" ? instance : rest;
}

function tellNotices(
  context: RowsContext,
  cluster: ClusterRecord,
  before: InstanceRecord,
  { instanceId, zone, privateDnsName, rebalanceRecommendedAtMs, interruptionAtMs }: InstanceRecord,
): void {
  const tell = (type: string, message: string): void =>
    emit(context, cluster, { type, subject: instanceId, zone, message, detail: { node: privateDnsName } });
  if (rebalanceRecommendedAtMs !== undefined && before.rebalanceRecommendedAtMs === undefined)
    tell(
      "InstanceRebalanceRecommendation",
      `EC2 recommends to replace Spot instance ${instanceId} in ${zone}: it is likely to be interrupted.`,
    );
  if (interruptionAtMs !== undefined && before.interruptionAtMs === undefined)
    tell("SpotInterruptionWarning", `EC2 interrupts Spot instance ${instanceId} in ${zone} in two minutes.`);
}

function settleIssues(
  state: State,
  cluster: ClusterRecord,
  wanted: readonly HealthIssue[],
  touched: readonly HealthIssue[],
): void {
  const present = state.clusters.byId(cluster.id);
  if (!present || (wanted.length === 0 && touched.length === 0)) return;
  const ours = new Set([...wanted, ...touched].map((issue) => JSON.stringify(issue)));
  const healthIssues = [...present.healthIssues.filter((issue) => !ours.has(JSON.stringify(issue))), ...wanted];
  if (JSON.stringify(healthIssues) !== JSON.stringify(present.healthIssues))
    state.clusters.put({ ...present, healthIssues });
}

/** The instances are gone at once, as TerminateInstances leaves them; their reconcilers do the rest. To be called in a transaction. */
export function terminateRows(context: RowsContext, instanceIds: readonly string[], reason: string): void {
  const { state, nowMs } = context;
  for (const instanceId of instanceIds) {
    const instance = state.instances.get(instanceId);
    if (!instance || instance.lifecycle === "Terminated") continue;
    state.instances.put({
      ...instance,
      lifecycle: "Terminating",
      state: "shutting-down",
      terminationReason: reason,
      unhealthySinceMs: instance.unhealthySinceMs ?? nowMs,
      terminatedAtMs: nowMs,
    });
  }
}

function emit(
  { state, nowMs }: RowsContext,
  { accountId, region, name }: ClusterRecord,
  event: Pick<EventRecord, "type" | "subject" | "zone" | "message" | "detail">,
): void {
  state.events.append({ atMs: nowMs, accountId, region, clusterName: name, source: "instance", ...event });
}
