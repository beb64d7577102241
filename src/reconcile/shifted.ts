/** What a cluster's zonal shifts mean for those who launch, repair and cordon. */
import { shiftedZones } from "../domain/zonal-shift.js";
import type { ReconcileContext } from "./context.js";

/** Names of the zones that a cluster is shifted away from now. */
export const shiftedZonesOf = ({ state }: Pick<ReconcileContext, "state">, clusterId: string): ReadonlySet<string> =>
  new Set(shiftedZones(state.zonalShifts.list(clusterId)));

/** Nodes that an active shift has cordoned: nobody else uncordons them. */
export const cordonedByShift = ({ state }: Pick<ReconcileContext, "state">, clusterId: string): ReadonlySet<string> =>
  new Set(
    state.zonalShifts
      .list(clusterId)
      .filter(({ status }) => status === "ACTIVE")
      .flatMap(({ cordoned }) => cordoned),
  );
