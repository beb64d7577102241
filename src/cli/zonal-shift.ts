/** `eksim zonal-shift`: shifts a cluster away from a zone, as ARC's StartZonalShift does. */
import { call, targetOf } from "./client.js";
import { renderTable } from "./table.js";

interface TargetOptions {
  endpoint?: string;
  region?: string;
}

interface Shift {
  zonalShiftId: string;
  cluster: string;
  awayFrom: string;
  zone: string;
  status: string;
  comment: string;
  expiryTime: string;
}

/** `eksim zonal-shift start <zone>`; `for` = how long, such as 90m. */
export async function startZonalShift(
  zone: string,
  options: TargetOptions & { cluster: string; for: string; comment?: string },
): Promise<void> {
  const shift = await call<Shift>(targetOf(options, zone), "POST", "zonal-shifts", {
    cluster: options.cluster,
    awayFrom: zone,
    expiresIn: options.for,
    comment: options.comment,
  });
  console.log(
    `Cluster ${shift.cluster} is shifted away from ${shift.zone} (${shift.awayFrom}) until ${shift.expiryTime}. End it with: eksim zonal-shift cancel ${shift.zonalShiftId}`,
  );
}

/** `eksim zonal-shift update <id>`. */
export async function updateZonalShift(
  id: string,
  options: TargetOptions & { for?: string; comment?: string },
): Promise<void> {
  const shift = await call<Shift>(targetOf(options), "POST", `zonal-shifts/${encodeURIComponent(id)}/update`, {
    expiresIn: options.for,
    comment: options.comment,
  });
  console.log(`Zonal shift ${shift.zonalShiftId} of cluster ${shift.cluster} goes on until ${shift.expiryTime}.`);
}

/** `eksim zonal-shift cancel <id>`. */
export async function cancelZonalShift(id: string, options: TargetOptions): Promise<void> {
  const shift = await call<Shift>(targetOf(options), "POST", `zonal-shifts/${encodeURIComponent(id)}/cancel`);
  console.log(`The zonal shift of cluster ${shift.cluster} away from ${shift.zone} is canceled.`);
}

/** `eksim zonal-shift list`. */
export async function listZonalShifts(options: TargetOptions & { cluster?: string; all?: boolean }): Promise<void> {
  const { zonalShifts } = await call<{ zonalShifts: Shift[] }>(targetOf(options), "GET", "zonal-shifts", {
    cluster: options.cluster,
    all: options.all ? "true" : undefined,
  });
  const rows = zonalShifts.map((shift) => [
    shift.zonalShiftId,
    shift.cluster,
    shift.zone,
    shift.awayFrom,
    shift.status,
    shift.expiryTime,
    shift.comment,
  ]);
  console.log(renderTable(["ID", "CLUSTER", "ZONE", "ZONE ID", "STATUS", "EXPIRES", "COMMENT"], rows));
}
