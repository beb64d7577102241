/** The Auto Scaling group behind a node group, carried out: instances launched and terminated, the warm pool kept at its size. */
import { decideScaling, isAlive, type ScalingDecision } from "../domain/auto-scaling.js";
import type { ClusterRecord, InstanceRecord, NodegroupRecord } from "../domain/model.js";
import { decideWarmPool, warmPoolOf, warmPoolSize } from "../domain/warm-pool.js";
import { capacityOf, nodegroupKey, type ReconcileContext } from "./context.js";
import { type LaunchTarget, launchInstance, startWarmInstance, subnetZones, terminateInstance } from "./launch.js";

/** What the group decided, and the zones it may use. */
export type Outcome = ScalingDecision & { zones: readonly string[] };

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
  { desired, target }: { desired: number; target: LaunchTarget },
): Outcome {
  const { state, clock, profile } = context;
  const zoneOf = subnetZones(context, cluster, group);
  const zones = [...new Set(zoneOf.values())];
  const capacity = capacityOf(context, cluster);
  const typesIn = (zone: string): string[] => capacity(zone, group.instanceTypes);
  const scaling: Scaling = { context, cluster, group, target, zoneOf, typesIn };
  const decision = decideScaling({
    zones,
    desired,
    instances: state.instances.ofNodegroup(cluster.id, group.name),
    hasCapacity: (zone) => typesIn(zone).length > 0,
    nowMs: clock.now(),
    healthCheckPeriodMs: profile.statusCheckFailureMs + profile.healthCheckPeriodMs,
  });
  for (const action of decision.actions) {
    if (action.kind === "terminate") {
      terminateInstance(context, cluster, action.instanceId, action.reason);
      continue;
    }
    const why = action.why === "rebalance" ? "the zones are levelled" : `the group wants ${desired}`;
    const warm = pooled(scaling).find(({ zone, state: machine }) => zone === action.zone && machine !== "pending");
    if (warm) startWarmInstance(context, cluster, warm, why);
    else launch(scaling, action.zone, "Pending", why);
  }
  if (decision.nextCheckMs !== undefined) {
    context.schedule("nodegroup", nodegroupKey(cluster.id, group.name), decision.nextCheckMs);
  }
  // The pool is filled from what the group leaves.
  if (group.status !== "CREATING") keepWarmPool(scaling, zones);
  return { ...decision, zones };
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
  if (group.capacityType !== "SPOT") return types[0] ?? group.instanceTypes[0] ?? "t3.medium";
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const used = (type: string): number => instances.filter(({ instanceType }) => instanceType === type).length;
  return types.reduce((best, type) => (used(type) < used(best) ? type : best), types[0] ?? "t3.medium");
}

/** Of the group's subnets in the zone, the one with the fewest of its instances. */
function emptiestSubnet({ context, cluster, group, zoneOf }: Scaling, zone: string): string {
  const instances = context.state.instances.ofNodegroup(cluster.id, group.name);
  const used = (subnetId: string): number => instances.filter((instance) => instance.subnetId === subnetId).length;
  return [...zoneOf.keys()]
    .filter((subnetId) => zoneOf.get(subnetId) === zone)
    .reduce((best, subnetId) => (best === "" || used(subnetId) < used(best) ? subnetId : best), "");
}
