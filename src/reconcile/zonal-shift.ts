/**
 * Zonal shifts carried out: nodes of the zone are cordoned, newcomers too, and its endpoints withdrawn; both are undone when the shift has ended. Nothing is
 * evicted or terminated. What the shift means for launches and repairs is read from its row by those who do them.
 */
import { BackendError } from "../backends/backend.js";
import type { ClusterRecord } from "../domain/model.js";
import {
  endOf,
  planCordon,
  type ShiftableNode,
  shiftedZones,
  type ZonalShiftRecord,
  type ZonalShiftStatus,
} from "../domain/zonal-shift.js";
import { emit, type ReconcileContext } from "./context.js";
import { beingReplaced } from "./nodegroup-version.js";

export async function reconcileZonalShift(context: ReconcileContext, clusterId: string): Promise<void> {
  const { state } = context;
  const cluster = state.clusters.byId(clusterId);
  if (!cluster || (cluster.status !== "ACTIVE" && cluster.status !== "UPDATING") || !context.isAttached(clusterId))
    return;
  endThoseDue(context, cluster);
  const shifts = state.zonalShifts.list(clusterId);
  const active = shifts.filter(({ status }) => status === "ACTIVE");
  const backend = context.backendOf(cluster);
  if (!backend.setShiftedZones && active.length > 0) {
    context.log.warn(
      { cluster: cluster.name, backend: backend.name },
      "the backend cannot take a zone's endpoints out of EndpointSlices: the zonal shift leaves traffic as it is",
    );
  }
  await backend.setShiftedZones?.(clusterId, shiftedZones(shifts));
  for (const shift of shifts) if (shift.status !== "ACTIVE") await restore(context, cluster, shift);
  if (active.length === 0) return;
  const nodes = await nodesOf(context, cluster);
  for (const shift of active) await cordonZone(context, cluster, shift, nodes);
  context.schedule("zonal-shift", clusterId, Math.min(...active.map(({ expiresAtMs }) => expiresAtMs)));
}

function endThoseDue(context: ReconcileContext, cluster: ClusterRecord): void {
  const { state, clock } = context;
  const enabled = cluster.zonalShiftConfig?.enabled === true;
  for (const shift of state.zonalShifts.list(cluster.id)) {
    const status = endOf(shift, { enabled, nowMs: clock.now() });
    if (status) endShift(context, cluster, shift, status);
  }
}

/** Writes down that a shift has ended; the next look undoes what it did. Launches and repairs that waited for it go on. */
export function endShift(
  context: Pick<ReconcileContext, "state" | "clock" | "schedule">,
  cluster: ClusterRecord,
  shift: ZonalShiftRecord,
  status: Exclude<ZonalShiftStatus, "ACTIVE">,
): ZonalShiftRecord {
  const { state, clock } = context;
  const ended: ZonalShiftRecord = { ...shift, status, endedAtMs: clock.now() };
  state.transaction(() => {
    state.zonalShifts.put(ended);
    emit(context, cluster, {
      source: "zone",
      type: status === "EXPIRED" ? "ZonalShiftExpired" : "ZonalShiftCanceled",
      subject: shift.zone,
      zone: shift.zone,
      message: `The zonal shift of cluster ${cluster.name} away from ${shift.zone} ${status === "EXPIRED" ? "has expired" : "is canceled"}.`,
      detail: { zonalShiftId: shift.id },
    });
    scheduleShifted(context, cluster.id);
  });
  return ended;
}

/** Everything that looks at a cluster's zonal shifts. */
export function scheduleShifted(
  { state, schedule }: Pick<ReconcileContext, "state" | "schedule">,
  clusterId: string,
): void {
  schedule("zonal-shift", clusterId);
  schedule("autopool", clusterId);
  for (const { name } of state.nodegroups.list(clusterId)) schedule("nodegroup", `${clusterId}/${name}`);
}

/** Nodes as the backend has them; where it cannot tell, those of instances. */
async function nodesOf(context: ReconcileContext, cluster: ClusterRecord): Promise<readonly ShiftableNode[]> {
  const backend = context.backendOf(cluster);
  if (backend.nodes) return backend.nodes(cluster.id);
  return context.state.instances
    .ofCluster(cluster.id)
    .filter(({ lifecycle, state }) => lifecycle !== "Warmed" && state === "running")
    .map(({ privateDnsName, zone }) => ({ name: privateDnsName, zone, unschedulable: false }));
}

/** What is about to be cordoned is written down first: whatever happens in between, the end of the shift puts it back. */
async function cordonZone(
  context: ReconcileContext,
  cluster: ClusterRecord,
  shift: ZonalShiftRecord,
  nodes: readonly ShiftableNode[],
): Promise<void> {
  const { zonalShifts } = context.state;
  const { cordon, leaveAlone } = planCordon(shift, nodes);
  if (cordon.length + leaveAlone.length === 0) return;
  // It may have been canceled while the nodes were looked up.
  const present = zonalShifts.get(cluster.id, shift.id);
  if (present?.status !== "ACTIVE") return;
  context.state.transaction(() => {
    zonalShifts.put({
      ...present,
      cordoned: [...present.cordoned, ...cordon],
      leftAlone: [...present.leftAlone, ...leaveAlone],
    });
    if (cordon.length === 0) return;
    emit(context, cluster, {
      source: "zone",
      type: "ZonalShiftNodesCordoned",
      subject: shift.zone,
      zone: shift.zone,
      message: `The zonal shift away from ${shift.zone} cordons ${cordon.length === 1 ? "1 node" : `${cordon.length} nodes`}.`,
      detail: { zonalShiftId: shift.id, nodes: cordon },
    });
  });
  for (const name of cordon) await setUnschedulable(context, cluster, name, true);
}

async function restore(context: ReconcileContext, cluster: ClusterRecord, shift: ZonalShiftRecord): Promise<void> {
  if (shift.cordoned.length === 0) return;
  // Nodes that a version update is about to drain have to stay cordoned.
  const replaced = beingReplaced(context, cluster);
  for (const name of shift.cordoned) if (!replaced.has(name)) await setUnschedulable(context, cluster, name, false);
  context.state.zonalShifts.put({ ...shift, cordoned: [] });
}

async function setUnschedulable(
  context: ReconcileContext,
  cluster: ClusterRecord,
  name: string,
  unschedulable: boolean,
): Promise<void> {
  try {
    await context.backendOf(cluster).patchNode(cluster.id, name, { unschedulable });
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
  }
}
