/** What active faults mean for those who launch machines: which zones take no new ones. */
import type { FaultRecord, HealthIssue } from "../model.js";
import { knownFault } from "./catalogue.js";

/** Whether a fault touches a cluster: those restricted to one touch only that. */
export const touches = (fault: Pick<FaultRecord, "clusterName">, clusterName: string | undefined): boolean =>
  fault.clusterName === undefined || fault.clusterName === clusterName;

/** Whether machines can run in the zone, as far as a cluster is concerned. */
export function zoneHasPower(faults: readonly FaultRecord[], zone: string, clusterName: string | undefined): boolean {
  return !faults.some((fault) => fault.zone === zone && knownFault(fault)?.takesPower && touches(fault, clusterName));
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
      (fault) => fault.zone === zone && knownFault(fault)?.takesCapacity && touches(fault, clusterName) && isOut(fault),
    )
  );
}

/** Whether new instances of the node group are kept from becoming nodes. */
export const joiningFails = (faults: readonly FaultRecord[], clusterName: string, nodegroup: string): boolean =>
  faults.some((fault) => knownFault(fault)?.keepsFromJoining && means(fault, clusterName, nodegroup));

/** What EKS's checks find wrong with the node group, apart from what comes of its own instances. */
export function nodegroupIssues(faults: readonly FaultRecord[], clusterName: string, nodegroup: string): HealthIssue[] {
  return faults.flatMap((fault) => {
    const issue = fault.target.nodegroup === nodegroup ? knownFault(fault)?.nodegroupIssue?.(fault) : undefined;
    return issue && touches(fault, clusterName) ? [issue] : [];
  });
}

/** Faults of node groups mean one, or all of the cluster's. */
const means = (fault: FaultRecord, clusterName: string, nodegroup: string): boolean =>
  touches(fault, clusterName) && (fault.target.nodegroup ?? nodegroup) === nodegroup;
