/** The Auto Scaling group behind a node group, carried out: instances launched and terminated, the warm pool kept at its size. */
import { decideScaling, isAlive, type ScalingDecision } from "../domain/auto-scaling.js";
import { zonesOf } from "../domain/catalogue/index.js";
import { launchBackoffMs, launchFailureText } from "../domain/launch-failure.js";
import type { ClusterRecord, InstanceRecord, NodegroupRecord } from "../domain/model.js";
import { decideWarmPool, warmPoolOf, warmPoolSize } from "../domain/warm-pool.js";
import { capacityOf, emit, nodegroupKey, type ReconcileContext } from "./context.js";
import { type LaunchTarget, launchInstance, startWarmInstance, subnetZones, terminateInstance } from "./launch.js";
import { shiftedZonesOf } from "./shifted.js";

/** What EKS takes when a group names no instance type. */
const DEFAULT_TYPE = "t3.medium";

/** What the group decided, the zones it may use, and its row as it is now. */
export type Outcome = ScalingDecision & { zones: readonly string[]; group: NodegroupRecord };

/** Sentences for why an instance is launched. */
const WHY: Readonly<Record<"rebalance" | "rebalance-recommendation", string>> = {
  rebalance: "the zones are levelled",
  "rebalance-recommendation": "EC2 recommends to replace a Spot instance",
};

/** A group with what it takes to launch instances for it. */
interface Scaling {
  context: ReconcileContext;
  cluster: ClusterRecord;
  group: NodegroupRecord;
  target: LaunchTarget;
  /** Zone of each of the group's subnets. */
  zoneOf: ReadonlyMap<string, string>;
  /** Instance types that EC2 can launch in a zone, in the group's order. */
  typesIn(zone: string): string[];
}

export function scale(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  { desired, target, isUpdated }: { desired: number; target: LaunchTarget; isUpdated: boolean },
): Outcome {
  const { state, clock, profile } = context;
  const zoneOf = subnetZones(context, cluster, group);
  const shifted = shiftedZonesOf(context, cluster.id);
  const zones = [...new Set(zoneOf.values())].filter((zone) => !shifted.has(zone));
  const capacity = capacityOf(context, cluster);
  const typesIn = (zone: string): string[] => capacity(zone, group.instanceTypes);
  const scaling: Scaling = { context, cluster, group, target, zoneOf, typesIn };
  const decision = decideScaling({
    zones,
    desired,
    maxSize: group.scalingConfig.maxSize,
    instances: state.instances.ofNodegroup(cluster.id, group.name),
    hasCapacity: (zone) => typesIn(zone).length > 0,
    mayLaunch: clock.now() >= (group.launchBackoff?.untilMs ?? 0),
    rebalances: shifted.size === 0 && !isUpdated,
    nowMs: clock.now(),
    healthCheckPeriodMs: profile.healthCheckPeriodMs,
    statusCheckFailureMs: profile.statusCheckFailureMs,
  });
  const present = noteRefusals(scaling, decision);
  for (const action of decision.actions) {
    if (action.kind === "terminate") {
      terminateInstance(context, cluster, action.instanceId, action.reason);
      continue;
    }
    const why = action.why === "capacity" ? `the group wants ${desired}` : WHY[action.why];
    const warm = pooled(scaling).find(({ zone, state: machine }) => zone === action.zone && machine !== "pending");
    if (warm) startWarmInstance(context, cluster, warm, why);
    else launch(scaling, action.zone, "Pending", why);
  }
  if (decision.nextCheckMs !== undefined) {
    context.schedule("nodegroup", nodegroupKey(cluster.id, group.name), decision.nextCheckMs);
  }
  // The pool is filled from what the group leaves.
  if (group.status !== "CREATING") keepWarmPool(scaling, zones);
  return { ...decision, zones, group: present };
}

/** A scaling activity that failed is told; when nothing at all could be launched, the group waits before it asks EC2 again, longer each time. */
function noteRefusals({ context, cluster, group }: Scaling, decision: ScalingDecision): NodegroupRecord {
  const { state, clock, profile } = context;
  const nowMs = clock.now();
  for (const zone of decision.refusedIn) {
    emit(context, cluster, {
      source: "nodegroup",
      type: "ScalingActivityFailed",
      subject: group.name,
      zone,
      message: `Node group ${group.name} could not launch an instance in ${zone}: ${launchFailure(context, cluster, group, zone)}`,
      detail: { autoScalingGroup: `eks-${group.name}-${group.uuid}` },
    });
  }
  const { launchBackoff, ...rest } = group;
  if (decision.unplaced === 0) {
    if (!launchBackoff) return group;
    state.nodegroups.put(rest);
    return rest;
  }
  const key = nodegroupKey(cluster.id, group.name);
  if (launchBackoff && nowMs < launchBackoff.untilMs) {
    context.schedule("nodegroup", key, launchBackoff.untilMs);
    return group;
  }
  const failures = (launchBackoff?.failures ?? 0) + 1;
  const untilMs = nowMs + launchBackoffMs(failures, profile.launchBackoff);
  const waiting = { ...group, launchBackoff: { failures, untilMs } };
  state.nodegroups.put(waiting);
  context.schedule("nodegroup", key, untilMs);
  return waiting;
}

/** What EC2 says when the group asks for an instance in a zone that has none. */
export function launchFailure(
  context: ReconcileContext,
  cluster: ClusterRecord,
  group: NodegroupRecord,
  zone: string,
): string {
  const instanceType = group.instanceTypes[0] ?? DEFAULT_TYPE;
  const capacity = capacityOf(context, cluster);
  const otherZones = zonesOf(cluster.region)
    .map(({ name }) => name)
    .filter((name) => name !== zone && capacity(name, [instanceType]).length > 0);
  return launchFailureText({ capacityType: group.capacityType, instanceType, zone, otherZones });
}

/** Instances of the warm pool that have power. */
const pooled = ({ context, cluster, group }: Scaling): InstanceRecord[] =>
  context.state.instances
    .ofNodegroup(cluster.id, group.name)
    .filter(({ lifecycle, unhealthySinceMs }) => lifecycle === "Warmed" && unhealthySinceMs === undefined);

function keepWarmPool(scaling: Scaling, zones: readonly string[]): void {
  const { context, cluster, group, typesIn } = scaling;
  const settings = warmPoolOf(group);
  const isReturning = ({ lifecycle, terminationReason }: InstanceRecord): boolean =>
    lifecycle === "Terminating" && terminationReason === "scale-in";
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const decision = decideWarmPool({
    size: warmPoolSize(settings, group.scalingConfig),
    zones,
    pooled: pooled(scaling),
    serving: instances.filter(isAlive),
    returning: settings.reuseOnScaleIn ? instances.filter(isReturning).length : 0,
    hasCapacity: (zone) => typesIn(zone).length > 0,
    nowMs: context.clock.now(),
  });
  for (const instanceId of decision.terminate) terminateInstance(context, cluster, instanceId, "warm-pool");
  for (const zone of decision.launch) launch(scaling, zone, "Warmed", "it is prepared for the warm pool");
}

function launch(scaling: Scaling, zone: string, lifecycle: "Pending" | "Warmed", why: string): void {
  const { context, cluster, group, target } = scaling;
  launchInstance(context, cluster, group, {
    zone,
    subnetId: emptiestSubnet(scaling, zone),
    instanceType: chooseType(scaling, zone),
    target,
    why,
    lifecycle,
  });
}

/** On-Demand takes the first type in the group's order that there is; Spot spreads over all there are, as fewer are then lost at once. */
function chooseType({ context, cluster, group, typesIn }: Scaling, zone: string): string {
  const types = typesIn(zone);
  if (group.capacityType !== "SPOT") return types[0] ?? group.instanceTypes[0] ?? DEFAULT_TYPE;
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const used = (type: string): number => instances.filter(({ instanceType }) => instanceType === type).length;
  return types.reduce((best, type) => (used(type) < used(best) ? type : best), types[0] ?? DEFAULT_TYPE);
}

/** Of the group's subnets in the zone, the one with the fewest of its instances. */
function emptiestSubnet({ context, cluster, group, zoneOf }: Scaling, zone: string): string {
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const used = (subnetId: string): number => instances.filter((instance) => instance.subnetId === subnetId).length;
  return [...zoneOf.keys()]
    .filter((subnetId) => zoneOf.get(subnetId) === zone)
    .reduce((best, subnetId) => (best === "" || used(subnetId) < used(best) ? subnetId : best), "");
}
