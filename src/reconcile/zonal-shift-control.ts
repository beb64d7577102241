/** Zonal shifts as people ask for them: what is asked is checked and written down, and then carried out by the reconciler. */
import type { Clock } from "../clock/clock.js";
import { findZone } from "../domain/catalogue/index.js";
import { parseArn } from "../domain/eks/arns.js";
import { DomainError } from "../domain/errors.js";
import type { ClusterRecord, Scope } from "../domain/model.js";
import {
  checkActive,
  checkComment,
  checkShiftable,
  shiftDurationMs,
  type ZonalShiftControl,
  type ZonalShiftRecord,
} from "../domain/zonal-shift.js";
import type { State } from "../state/state.js";
import { emit } from "./context.js";
import { subnetZones } from "./launch.js";
import { endShift, scheduleShifted } from "./zonal-shift.js";

/** `nudge` owes a reconciler a look, as Reconcilers.nudge does. */
export function createZonalShiftControl(options: {
  state: State;
  clock: Clock;
  nudge: (kind: string, key: string) => void;
}): ZonalShiftControl {
  const { state, clock } = options;
  const context = { state, clock, schedule: options.nudge };

  const clusterOf = (scope: Scope, nameOrArn: string): ClusterRecord => {
    const arn = parseArn(nameOrArn);
    const name = arn ? arn.resource.replace(/^cluster\//, "") : nameOrArn;
    const cluster = state.clusters.get({ ...scope, name });
    if (cluster && (!arn || cluster.arn === nameOrArn)) return cluster;
    const known = state.clusters.names(scope, { limit: 10 });
    const hint = known.length > 0 ? `Clusters: ${known.join(", ")}.` : "There are no clusters.";
    throw new DomainError("ResourceNotFoundException", `No cluster found for name: ${nameOrArn}. ${hint}`, {
      clusterName: name,
    });
  };

  /** Zones that the cluster has subnets in: there is nothing to shift away from anywhere else. */
  const zonesOf = (cluster: ClusterRecord): Set<string> => {
    const groups = state.nodegroups.list(cluster.id);
    const subnets = [...cluster.vpcConfig.subnetIds, ...groups.flatMap((group) => group.subnets)];
    return new Set(subnetZones(context, cluster, { subnets }).values());
  };

  const shiftOf = (scope: Scope, id: string): { shift: ZonalShiftRecord; cluster: ClusterRecord } => {
    for (const cluster of clustersOf(scope)) {
      const shift = state.zonalShifts.get(cluster.id, id);
      if (shift) return { shift, cluster };
    }
    const active = clustersOf(scope).flatMap((cluster) =>
      state.zonalShifts
        .list(cluster.id)
        .filter(({ status }) => status === "ACTIVE")
        .map((shift) => `${shift.id} (${cluster.name}, ${shift.zone})`),
    );
    const hint = active.length > 0 ? `Active: ${active.join(", ")}.` : "None is active.";
    throw new DomainError("ResourceNotFoundException", `No zonal shift found for id: ${id}. ${hint}`);
  };

  const clustersOf = (scope: Scope): ClusterRecord[] =>
    state.clusters.all().filter(({ accountId, region }) => accountId === scope.accountId && region === scope.region);

  return {
    start: (scope, { cluster: named, awayFrom, expiresIn, comment }) => {
      const cluster = clusterOf(scope, named);
      const zones = zonesOf(cluster);
      const zone = findZone(cluster.region, awayFrom);
      if (!zone || !zones.has(zone.name)) {
        const known = [...zones].map((name) => `${name} (${findZone(cluster.region, name)?.id})`);
        throw new DomainError(
          "InvalidParameterException",
          `Cluster ${cluster.name} has no subnets in a zone ${awayFrom}; it can be shifted away from ${known.join(", ")}`,
          { clusterName: cluster.name },
        );
      }
      const durationMs = shiftDurationMs(expiresIn);
      checkComment(comment);
      checkShiftable(cluster, state.zonalShifts.list(cluster.id));
      const nowMs = clock.now();
      const count = state.zonalShifts.count(cluster.id);
      const shift: ZonalShiftRecord = {
        accountId: cluster.accountId,
        region: cluster.region,
        id: clock.random(`zonal shift ${count} of ${cluster.id} at ${nowMs}`).uuid(),
        clusterName: cluster.name,
        clusterId: cluster.id,
        resourceArn: cluster.arn,
        zone: zone.name,
        zoneId: zone.id,
        comment,
        startedAtMs: nowMs,
        expiresAtMs: nowMs + durationMs,
        status: "ACTIVE",
        cordoned: [],
        leftAlone: [],
      };
      state.transaction(() => {
        state.zonalShifts.put(shift);
        emit(context, cluster, {
          source: "zone",
          type: "ZonalShiftStarted",
          subject: zone.name,
          zone: zone.name,
          message: `Cluster ${cluster.name} is shifted away from ${zone.name} (${zone.id}) for ${expiresIn}${comment ? `: ${comment}` : ""}.`,
          detail: { zonalShiftId: shift.id, expiresAtMs: shift.expiresAtMs },
        });
        scheduleShifted(context, cluster.id);
      });
      return shift;
    },

    update: (scope, id, { expiresIn, comment }) => {
      const { shift, cluster } = shiftOf(scope, id);
      checkActive(shift);
      if (comment !== undefined) checkComment(comment);
      const changed: ZonalShiftRecord = {
        ...shift,
        ...(comment === undefined ? {} : { comment }),
        ...(expiresIn === undefined ? {} : { expiresAtMs: clock.now() + shiftDurationMs(expiresIn) }),
      };
      state.transaction(() => {
        state.zonalShifts.put(changed);
        scheduleShifted(context, cluster.id);
      });
      return changed;
    },

    cancel: (scope, id) => {
      const { shift, cluster } = shiftOf(scope, id);
      checkActive(shift);
      return endShift(context, cluster, shift, "CANCELED");
    },

    list: (scope, { cluster, ended = false } = {}) => {
      const clusters = cluster === undefined ? clustersOf(scope) : [clusterOf(scope, cluster)];
      return clusters
        .flatMap(({ id }) => state.zonalShifts.list(id))
        .filter(({ status }) => ended || status === "ACTIVE")
        .sort((a, b) => a.startedAtMs - b.startedAtMs || (a.id < b.id ? -1 : 1));
    },
  };
}
