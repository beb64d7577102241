/** What active faults mean for those who decide: which zones take no new machines. */
import type { FaultRecord } from "./model.js";

/** The kinds of faults there are, with the sentence that says what each does. Acting on them is the injector's part. */
export const FAULT_KINDS = {
  "zone-power-loss":
    "Every machine in the zone loses power: nodes and the master there are off, and nothing can be launched.",
  "insufficient-capacity":
    "EC2 has no room in the zone for new instances of the types named, or of any; those that run go on.",
  "instance-termination": "The machine is gone at once, without an orderly shutdown.",
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;

/** Kinds during which no machine runs in the zone. */
const NO_POWER: readonly string[] = ["zone-power-loss"] satisfies FaultKind[];

/** Whether a fault touches a cluster: those restricted to one touch only that. */
export const touches = (fault: FaultRecord, clusterName: string | undefined): boolean =>
  fault.clusterName === undefined || fault.clusterName === clusterName;

/** Whether machines can run in the zone, as far as a cluster is concerned. */
export function zoneHasPower(faults: readonly FaultRecord[], zone: string, clusterName: string | undefined): boolean {
  return !faults.some((fault) => fault.zone === zone && NO_POWER.includes(fault.kind) && touches(fault, clusterName));
}

/** Whether EC2 can launch an instance of the type in the zone now, as far as a cluster is concerned. */
export function zoneHasCapacity(
  faults: readonly FaultRecord[],
  zone: string,
  instanceType: string,
  clusterName: string | undefined,
): boolean {
  const isOut = ({ parameters }: FaultRecord): boolean => {
    const types = parameters.instanceTypes;
    return !Array.isArray(types) || types.length === 0 || types.includes(instanceType);
  };
  return (
    zoneHasPower(faults, zone, clusterName) &&
    !faults.some(
      (fault) =>
        fault.kind === "insufficient-capacity" && fault.zone === zone && touches(fault, clusterName) && isOut(fault),
    )
  );
}
