/**
 * Rows as the API shows them. What is absent, null, {} or [] differs from member to member and is kept as EKS has it; the order of members is the
 * model's and not decided here.
 */
import { oidcIssuer } from "../../domain/eks/arns.js";
import { loggingSetup } from "../../domain/eks/logging.js";
import type { ClusterRecord, NodegroupRecord, UpdateRecord } from "../../domain/model.js";
import type {
  Cluster,
  EncryptionConfig,
  Nodegroup,
  NodeRepairConfig,
  RemoteNetworkConfigResponse,
  Update,
  WarmPoolConfig,
} from "../model/generated/operations.js";

export function clusterView(cluster: ClusterRecord): Cluster {
  const { clusterSecurityGroupId, ...vpcConfig } = cluster.vpcConfig;
  return {
    name: cluster.name,
    arn: cluster.arn,
    createdAt: cluster.createdAtMs,
    version: cluster.version,
    endpoint: cluster.endpoint,
    roleArn: cluster.roleArn,
    resourcesVpcConfig: {
      ...vpcConfig,
      // The group is made while the cluster is.
      ...(cluster.status === "CREATING" ? {} : { clusterSecurityGroupId }),
    } as Cluster["resourcesVpcConfig"],
    kubernetesNetworkConfig: cluster.networkConfig,
    logging: { clusterLogging: loggingSetup(cluster.loggingEnabled) },
    // The issuer exists from about the time when the endpoint does.
    ...(cluster.endpoint ? { identity: { oidc: { issuer: oidcIssuer(cluster) } } } : {}),
    status: cluster.status,
    certificateAuthority: cluster.certificateAuthorityPem
      ? { data: btoa(cluster.certificateAuthorityPem), active: cluster.activeCertificateAuthority }
      : {},
    clientRequestToken: cluster.clientRequestToken,
    platformVersion: cluster.platformVersion,
    tags: cluster.tags,
    encryptionConfig: cluster.encryptionConfig as EncryptionConfig[] | undefined,
    health: { issues: cluster.healthIssues as NonNullable<Cluster["health"]>["issues"] },
    accessConfig: cluster.accessConfig,
    upgradePolicy: cluster.upgradePolicy,
    zonalShiftConfig: cluster.zonalShiftConfig,
    remoteNetworkConfig: (cluster.remoteNetworkConfig ?? undefined) as RemoteNetworkConfigResponse | undefined,
    computeConfig: cluster.computeConfig,
    storageConfig: cluster.storageConfig,
    deletionProtection: cluster.deletionProtection,
    controlPlaneScalingConfig: cluster.controlPlaneScalingConfig as Cluster["controlPlaneScalingConfig"],
  };
}

export function nodegroupView(nodegroup: NodegroupRecord): Nodegroup {
  const created = nodegroup.status !== "CREATING";
  return {
    nodegroupName: nodegroup.name,
    nodegroupArn: nodegroup.arn,
    clusterName: nodegroup.clusterName,
    version: nodegroup.version,
    releaseVersion: nodegroup.releaseVersion,
    createdAt: nodegroup.createdAtMs,
    modifiedAt: nodegroup.modifiedAtMs,
    status: nodegroup.status,
    capacityType: nodegroup.capacityType as Nodegroup["capacityType"],
    scalingConfig: nodegroup.scalingConfig,
    instanceTypes: nodegroup.instanceTypes,
    subnets: nodegroup.subnets,
    remoteAccess: nodegroup.remoteAccess,
    amiType: nodegroup.amiType as Nodegroup["amiType"],
    nodeRole: nodegroup.nodeRole,
    labels: nodegroup.labels,
    taints: nodegroup.taints.length > 0 ? (nodegroup.taints as Nodegroup["taints"]) : undefined,
    resources: created ? { autoScalingGroups: [{ name: autoScalingGroupName(nodegroup) }] } : undefined,
    diskSize: nodegroup.diskSize,
    health: { issues: nodegroup.healthIssues as NonNullable<Nodegroup["health"]>["issues"] },
    updateConfig: nodegroup.updateConfig as Nodegroup["updateConfig"],
    nodeRepairConfig: nodegroup.nodeRepairConfig as NodeRepairConfig | undefined,
    warmPoolConfig: nodegroup.warmPoolConfig as WarmPoolConfig | undefined,
    launchTemplate: nodegroup.launchTemplate,
    tags: nodegroup.tags,
  };
}

const autoScalingGroupName = (nodegroup: NodegroupRecord): string => `eks-${nodegroup.name}-${nodegroup.uuid}`;

export function updateView(update: UpdateRecord): Update {
  return {
    id: update.id,
    status: update.status,
    type: update.type as Update["type"],
    params: update.params as Update["params"],
    createdAt: update.createdAtMs,
    errors: update.errors as Update["errors"],
    cancellation: update.cancellation,
  };
}
