import { formatSeconds } from "../../clock/clock.js";
import { endpointHostName } from "../../domain/eks/endpoint-access.js";
import { faultTitle, touches } from "../../domain/faults/index.js";
import type { Scope } from "../../domain/model.js";
import { describeInterface } from "../../domain/network-interface.js";
import type { State } from "../../state/state.js";

/** Everything a person wants to see at a glance: clusters with masters, node groups and instances, the zones they are shifted away from, and the faults that are on. */
export function clusterStatus(state: State, scope: Scope, clusterName: string | undefined): Record<string, unknown> {
  const names = clusterName ? [clusterName] : state.clusters.names(scope, { limit: 1000 });
  const clusters = names.flatMap((name) => {
    const cluster = state.clusters.get({ ...scope, name });
    if (!cluster) return [];
    const instances = state.instances.ofCluster(cluster.id);
    return [
      {
        name: cluster.name,
        id: cluster.id,
        status: cluster.status,
        version: cluster.version,
        platformVersion: cluster.platformVersion,
        endpoint: cluster.endpoint,
        endpointHostName: endpointHostName(cluster.id, cluster.region),
        masters: state.members.list(cluster.id).map(({ id, zone, status, networkInterface }) => ({
          id,
          zone,
          status,
          ...(networkInterface ? { networkInterface: describeInterface(cluster, networkInterface) } : {}),
        })),
        nodegroups: state.nodegroups.list(cluster.id).map((group) => ({
          name: group.name,
          status: group.status,
          version: group.version,
          desired: group.scalingConfig.desiredSize,
          inService: instances.filter(
            (instance) => instance.nodegroupName === group.name && instance.lifecycle === "InService",
          ).length,
        })),
        instances: instances.map((instance) => ({
          instanceId: instance.instanceId,
          nodegroup: instance.nodegroupName,
          ...(instance.nodePool ? { nodePool: instance.nodePool.name } : {}),
          zone: instance.zone,
          lifecycle: instance.lifecycle,
          state: instance.state,
          statusCheck: instance.statusCheck,
          node: instance.privateDnsName,
          ready: instance.nodeReady,
        })),
        zonalShifts: state.zonalShifts
          .list(cluster.id)
          .filter(({ status }) => status === "ACTIVE")
          .map(({ id, zone, zoneId, expiresAtMs, comment }) => ({
            id,
            zone,
            awayFrom: zoneId,
            expiryTime: formatSeconds(expiresAtMs),
            comment,
          })),
      },
    ];
  });
  const faults = state.faults
    .active(scope)
    .filter((fault) => clusterName === undefined || touches(fault, clusterName))
    .map((fault) => ({
      id: fault.id,
      kind: fault.kind,
      title: faultTitle(fault),
      zone: fault.zone,
      clusterName: fault.clusterName,
      startedAt: formatSeconds(fault.startedAtMs),
      ...(fault.endsAtMs === undefined ? {} : { endsAt: formatSeconds(fault.endsAtMs) }),
    }));
  return { clusters, faults };
}
