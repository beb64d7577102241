/** Refusals that several EKS operations share, worded as EKS words them. */
import { DomainError } from "../errors.js";
import type { ClusterRecord, NodegroupRecord, UpdateRecord } from "../model.js";

export const invalidParameter = (message: string): DomainError => new DomainError("InvalidParameterException", message);

export const noClusterFound = (clusterName: string): DomainError =>
  new DomainError("ResourceNotFoundException", `No cluster found for name: ${clusterName}.`, { clusterName });

/** EKS shows connected clusters, and has nothing else to say about them. */
export const isConnectedCluster = (clusterName: string): DomainError =>
  new DomainError(
    "InvalidRequestException",
    `The operation is not supported for connected clusters: ${clusterName} was registered through the EKS connector`,
    { clusterName },
  );

export const noNodegroupFound = (clusterName: string, nodegroupName: string): DomainError =>
  new DomainError("ResourceNotFoundException", `No node group found for name: ${nodegroupName}.`, {
    clusterName,
    nodegroupName,
  });

/** EKS refuses an update that would change nothing. */
export const noChangesNeeded = (what: string): DomainError =>
  invalidParameter(`No changes needed for the ${what} provided`);

/** Something of the cluster can only be done while it is ACTIVE. */
export function checkActive(cluster: ClusterRecord): void {
  if (cluster.status === "ACTIVE") return;
  throw new DomainError("InvalidRequestException", `Cluster '${cluster.name}' is not in ACTIVE status`, {
    clusterName: cluster.name,
  });
}

/** What belongs to a cluster without an update of it can be made while another thing is being updated, but not before it is there or as it goes. */
export function checkUsable(cluster: ClusterRecord): void {
  if (cluster.status !== "UPDATING") checkActive(cluster);
}

/** Only one update of the cluster itself runs at a time; a cluster that is not ACTIVE for another reason takes none. */
export function checkUpdatable(cluster: ClusterRecord, updateType: string, inProgress: UpdateRecord | undefined): void {
  if (inProgress) {
    throw new DomainError(
      "ResourceInUseException",
      `Cannot ${updateType} because cluster ${cluster.name} currently has update ${inProgress.id} in progress`,
      { clusterName: cluster.name },
    );
  }
  checkActive(cluster);
}

/** A DEGRADED node group behaves like an ACTIVE one. */
export function checkNodegroupUpdatable(nodegroup: NodegroupRecord, inProgress: UpdateRecord | undefined): void {
  if (!inProgress && (nodegroup.status === "ACTIVE" || nodegroup.status === "DEGRADED")) return;
  throw new DomainError(
    "ResourceInUseException",
    "Nodegroup cannot be updated as it is currently not in Active State",
    { clusterName: nodegroup.clusterName, nodegroupName: nodegroup.name },
  );
}

/** Eight or seventeen hex digits. */
const SUBNET_ID = /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/;

/** What `--strict` asks of subnets: no local service knows any, but an id that EC2 would never give out cannot be one's. */
export function checkSubnets({ strict }: { strict: boolean }, subnetIds: readonly string[] = []): void {
  const unknown = strict ? subnetIds.find((id) => !SUBNET_ID.test(id)) : undefined;
  if (unknown !== undefined) throw invalidParameter(`The subnet ID '${unknown}' does not exist`);
}

/** What EKS answers for roles that are not there, or do not trust it; `--strict` does, too. */
export const unknownRole = (roleArn: string): DomainError =>
  invalidParameter(
    `Role with arn: ${roleArn}, could not be assumed because it does not exist or the trusted entity is not correct`,
  );
