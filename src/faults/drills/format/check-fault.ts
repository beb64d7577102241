/** Says before a drill is run what the injector would refuse of its faults: names, parameters, and members of the selector that mean nothing to a fault. */
import { parseDuration } from "../../../clock/duration.js";
import { DomainError } from "../../../domain/errors.js";
import { type FaultRequest, type FaultTarget, faultNamed, readParameters } from "../../../domain/faults/index.js";

/** Undefined: it can be asked for, whatever the world says to it then. */
export function checkFault(
  { fault, target = {}, parameters = {}, duration }: FaultRequest,
  region: string,
): string | undefined {
  try {
    const definition = faultNamed(fault);
    readParameters(fault, definition.parameters, parameters, { region, readDuration: parseDuration });
    const { takes, needs = [] } = definition.target;
    const stranger = (Object.keys(target) as (keyof FaultTarget)[]).find((member) => !takes.includes(member));
    if (stranger !== undefined) return `${fault} does not go by ${stranger}; it takes ${takes.join(", ")}`;
    if (needs.length > 0 && !needs.some((member) => target[member] !== undefined))
      return `${fault} needs a target: ${needs.join(" or ")}`;
    if (duration !== undefined && !definition.lasts) return `${fault} happens once; it takes no duration`;
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
