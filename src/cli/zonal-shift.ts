/** `eksim zonal-shift`: shifts a cluster away from a zone, as ARC's StartZonalShift does. */
import { UsageError } from "../config.js";
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

/** Refusals in the words of the command line: what ARC calls expiresIn is a flag here. */
const inFlags = <T>(answer: Promise<T>): Promise<T> =>
  answer.catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.message.replace(/^expiresIn\b/, "--for"), { cause: error });
  });

/** `eksim zonal-shift start <zone>`; `for` = how long, such as 90m. */
export async function startZonalShift(
  zone: string,
  options: TargetOptions & { cluster: string; for: string; comment?: string },
): Promise<void> {
  const shift = await inFlags(
    call<Shift>(targetOf(options, zone), "POST", "zonal-shifts", {
      cluster: options.cluster,
      awayFrom: zone,
      expiresIn: options.for,
      comment: options.comment,
    }),
  );
  console.log(
    `Cluster ${shift.cluster} is shifted away from ${shift.zone} (${shift.awayFrom}) until ${shift.expiryTime}. End it with: eksim zonal-shift cancel ${shift.zonalShiftId}`,
  );
}

/** `eksim zonal-shift update <id>`. */
export async function updateZonalShift(
  id: string,
  options: TargetOptions & { for?: string; comment?: string },
): Promise<void> {
  if (options.for === undefined && options.comment === undefined)
    throw new UsageError("nothing is to be changed: give --for, --comment or both");
  const shift = await inFlags(
    call<Shift>(targetOf(options), "POST", `zonal-shifts/${encodeURIComponent(id)}/update`, {
      expiresIn: options.for,
      comment: options.comment,
    }),
  );
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
  if (zonalShifts.length === 0) {
    const whose = options.cluster === undefined ? `in ${targetOf(options).region}` : `of cluster ${options.cluster}`;
    console.log(
      `No zonal shift ${options.all ? "has been started" : "is active"} ${whose}. Start one with: eksim zonal-shift start`,
    );
    return;
  }
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
