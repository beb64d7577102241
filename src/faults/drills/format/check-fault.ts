/** Says before a drill is run what the injector would refuse of its faults: names, parameters, and members of the selector that mean nothing to a fault. */
import { parseDuration } from "../../../clock/duration.js";
import { DomainError } from "../../../domain/errors.js";
import { type FaultRequest, faultNamed, type OperationsOf, readRequest } from "../../../domain/faults/index.js";

/** Undefined: it can be asked for, whatever the world says to it then. */
export function checkFault(
  request: FaultRequest,
  { region, operationsOf }: { region: string; operationsOf: OperationsOf },
): string | undefined {
  try {
    readRequest(request, { region, readDuration: parseDuration, operationsOf });
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
}

/** Whether a fault can be confined to a cluster. */
export function takesCluster(fault: string): boolean {
  try {
    return faultNamed(fault).target.takes.includes("cluster");
  } catch {
    // An unknown name is told of by `checkFault`.
    return false;
  }
}
