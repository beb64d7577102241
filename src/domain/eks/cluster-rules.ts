/** What CreateCluster makes of a request: every rule of EKS that needs no look at the world, and the defaults of what was not said. */
import { clusterVersion, isOffered, platformVersionAt } from "../catalogue/index.js";
import type { AuthenticationMode, ClusterRecord, Scope } from "../model.js";
import { stableHex } from "../stable-hex.js";
import { clusterArn } from "./arns.js";
import { checkAutoMode, type LoadBalancing, loadBalancingOf } from "./auto-mode.js";
import {
  checkEndpointAccess,
  checkRemoteNetworks,
  checkSecurityGroups,
  checkServiceCidr,
  checkSubnetZones,
  DEFAULT_PUBLIC_ACCESS_CIDRS,
  DEFAULT_SERVICE_CIDR,
  type RemoteNetworkConfig,
} from "./cluster-network.js";
import { checkEncryption, type EncryptionConfig } from "./encryption.js";
import { applyLogging, type LoggingRequest } from "./logging.js";
import { invalidParameter } from "./refusals.js";
import { addTags } from "./tags.js";

export interface NewCluster {
  name: string;
  roleArn: string;
  version?: string;
  resourcesVpcConfig: {
    subnetIds?: string[];
    securityGroupIds?: string[];
    endpointPublicAccess?: boolean;
    endpointPrivateAccess?: boolean;
    publicAccessCidrs?: string[];
    controlPlaneEgressMode?: string;
  };
  kubernetesNetworkConfig?: {
    serviceIpv4Cidr?: string;
    ipFamily?: "ipv4" | "ipv6";
    elasticLoadBalancing?: LoadBalancing;
  };
  logging?: LoggingRequest;
  clientRequestToken?: string;
  tags?: Record<string, string>;
  encryptionConfig?: EncryptionConfig[];
  accessConfig?: { authenticationMode?: AuthenticationMode; bootstrapClusterCreatorAdminPermissions?: boolean };
  bootstrapSelfManagedAddons?: boolean;
  upgradePolicy?: { supportType?: "STANDARD" | "EXTENDED" };
  zonalShiftConfig?: { enabled?: boolean };
  remoteNetworkConfig?: RemoteNetworkConfig;
  computeConfig?: { enabled?: boolean; nodePools?: string[]; nodeRoleArn?: string };
  storageConfig?: { blockStorage?: { enabled?: boolean } };
  deletionProtection?: boolean;
  controlPlaneScalingConfig?: { tier?: string };
}

/** What the record needs beside the request. */
export interface ClusterFacts {
  scope: Scope;
  /** 32 upper-case hex digits, not yet taken. */
  id: string;
  nowMs: number;
  creatorArn: string;
  defaultVersion: string;
  backend: string;
}

/** The row of a new cluster, CREATING. Throws InvalidParameterException for what EKS would not make. */
export function newCluster(request: NewCluster, facts: ClusterFacts): ClusterRecord {
  const { scope, id } = facts;
  const version = chooseVersion(request.version ?? facts.defaultVersion, facts.nowMs);
  const authenticationMode = request.accessConfig?.authenticationMode ?? "CONFIG_MAP";
  const networkConfig = networkOf(request, id);
  const accessConfig = {
    authenticationMode,
    bootstrapClusterCreatorAdminPermissions: request.accessConfig?.bootstrapClusterCreatorAdminPermissions ?? true,
  };
  if (authenticationMode === "CONFIG_MAP" && !accessConfig.bootstrapClusterCreatorAdminPermissions) {
    throw invalidParameter(
      "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP",
    );
  }
  const bootstrapSelfManagedAddons = request.bootstrapSelfManagedAddons ?? true;
  const vpcConfig = vpcOf(request, facts, networkConfig.ipFamily);
  checkEncryption(request.encryptionConfig ?? [], scope.region);
  checkAutoMode(
    {
      computeConfig: request.computeConfig,
      storageConfig: request.storageConfig,
      elasticLoadBalancing: request.kubernetesNetworkConfig?.elasticLoadBalancing,
    },
    { version: version.version, authenticationMode, bootstrapSelfManagedAddons },
  );
  if (request.remoteNetworkConfig)
    checkHybrid(request.remoteNetworkConfig, authenticationMode, networkConfig.serviceIpv4Cidr);

  return {
    ...scope,
    name: request.name,
    arn: clusterArn(scope, request.name),
    id,
    createdAtMs: facts.nowMs,
    status: "CREATING",
    version: version.version,
    platformVersion: version.platformVersion,
    roleArn: request.roleArn,
    creatorArn: facts.creatorArn,
    vpcConfig,
    networkConfig,
    loggingEnabled: applyLogging([], request.logging),
    accessConfig,
    upgradePolicy: { supportType: request.upgradePolicy?.supportType ?? "EXTENDED" },
    deletionProtection: request.deletionProtection ?? false,
    bootstrapSelfManagedAddons,
    ...(request.encryptionConfig?.length ? { encryptionConfig: request.encryptionConfig } : {}),
    ...(request.zonalShiftConfig ? { zonalShiftConfig: { enabled: request.zonalShiftConfig.enabled ?? false } } : {}),
    ...(request.computeConfig ? { computeConfig: request.computeConfig } : {}),
    ...(request.storageConfig ? { storageConfig: request.storageConfig } : {}),
    ...(request.remoteNetworkConfig ? { remoteNetworkConfig: request.remoteNetworkConfig } : {}),
    controlPlaneScalingConfig: { tier: request.controlPlaneScalingConfig?.tier ?? "standard" },
    port: 0,
    healthIssues: [],
    tags: addTags({}, request.tags ?? {}, "InvalidParameterException"),
    ...(request.clientRequestToken ? { clientRequestToken: request.clientRequestToken } : {}),
    backend: facts.backend,
  };
}

/** Versions are bare minors; one that is not offered any more, or not yet, is refused in the same words as one that never was. */
function chooseVersion(version: string, nowMs: number): { version: string; platformVersion: string } {
  const known = clusterVersion(version);
  if (!known || !isOffered(known, nowMs)) throw invalidParameter(`unsupported Kubernetes version ${version}`);
  return { version, platformVersion: platformVersionAt(version, nowMs)?.platformVersion ?? known.platformVersion };
}

/** No VPC is known here: an account has one a region, by a name that stays the same. */
const vpcIdOf = (scope: Scope): string => `vpc-${stableHex(`vpc ${scope.accountId} ${scope.region}`, 17)}`;

function vpcOf(request: NewCluster, facts: ClusterFacts, ipFamily: "ipv4" | "ipv6"): ClusterRecord["vpcConfig"] {
  const asked = request.resourcesVpcConfig;
  const subnetIds = asked.subnetIds ?? [];
  const securityGroupIds = asked.securityGroupIds ?? [];
  checkSubnetZones(facts.scope.region, subnetIds);
  checkSecurityGroups(securityGroupIds);
  const endpointPublicAccess = asked.endpointPublicAccess ?? true;
  const access = {
    endpointPublicAccess,
    endpointPrivateAccess: asked.endpointPrivateAccess ?? false,
    publicAccessCidrs: asked.publicAccessCidrs?.length
      ? asked.publicAccessCidrs
      : endpointPublicAccess
        ? [...DEFAULT_PUBLIC_ACCESS_CIDRS[ipFamily]]
        : [],
  };
  checkEndpointAccess(access);
  return {
    subnetIds,
    securityGroupIds,
    clusterSecurityGroupId: `sg-${stableHex(`cluster security group ${facts.id}`, 17)}`,
    vpcId: vpcIdOf(facts.scope),
    ...access,
    ...(asked.controlPlaneEgressMode ? { controlPlaneEgressMode: asked.controlPlaneEgressMode } : {}),
  };
}

function networkOf(request: NewCluster, id: string): ClusterRecord["networkConfig"] {
  const { serviceIpv4Cidr, ipFamily = "ipv4", elasticLoadBalancing } = request.kubernetesNetworkConfig ?? {};
  const loadBalancing = elasticLoadBalancing ? { elasticLoadBalancing: loadBalancingOf(elasticLoadBalancing) } : {};
  if (ipFamily === "ipv6") {
    if (serviceIpv4Cidr !== undefined) {
      throw invalidParameter('serviceIpv4Cidr cannot be specified when creating an "ipv6" cluster');
    }
    // A unique local range of the cluster's own, of the size that EKS gives.
    const digits = stableHex(`service range ${id}`, 10);
    const serviceIpv6Cidr = `fd${digits.slice(0, 2)}:${digits.slice(2, 6)}:${digits.slice(6)}::/108`;
    return { ipFamily, serviceIpv6Cidr, ...loadBalancing };
  }
  if (serviceIpv4Cidr !== undefined) checkServiceCidr(serviceIpv4Cidr);
  return { serviceIpv4Cidr: serviceIpv4Cidr ?? DEFAULT_SERVICE_CIDR, ipFamily, ...loadBalancing };
}

/** Hybrid nodes: their networks, and the authentication mode that they need. */
export function checkHybrid(
  config: RemoteNetworkConfig,
  authenticationMode: AuthenticationMode,
  serviceCidr: string | undefined,
): void {
  checkRemoteNetworks(config, serviceCidr);
  if (authenticationMode === "CONFIG_MAP") {
    throw invalidParameter(
      "AccessConfig AuthMode must be API_AND_CONFIG_MAP or API when remoteNetworkConfig is specified",
    );
  }
}
