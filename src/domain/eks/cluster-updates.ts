/**
 * UpdateClusterConfig: one kind of change a call, each with its own rules, no-op text and update parameters. A table of kinds; what a kind plans is the
 * part of the cluster's row that the reconciler puts in place.
 */
import { clusterVersion, supportStatus } from "../catalogue/index.js";
import type { AuthenticationMode, ClusterRecord } from "../model.js";
import { checkAutoMode, loadBalancingOf } from "./auto-mode.js";
import {
  checkEndpointAccess,
  checkSecurityGroups,
  checkSubnetZones,
  DEFAULT_PUBLIC_ACCESS_CIDRS,
  type RemoteNetworkConfig,
} from "./cluster-network.js";
import { checkHybrid, type NewCluster } from "./cluster-rules.js";
import { applyLogging } from "./logging.js";
import { invalidParameter, noChangesNeeded } from "./refusals.js";

/** The members of the request that mean a change; all of them are members of CreateCluster too. */
export type ConfigChange = Partial<
  Pick<
    NewCluster,
    | "resourcesVpcConfig"
    | "logging"
    | "upgradePolicy"
    | "zonalShiftConfig"
    | "computeConfig"
    | "storageConfig"
    | "kubernetesNetworkConfig"
    | "remoteNetworkConfig"
    | "deletionProtection"
    | "controlPlaneScalingConfig"
  >
> & { accessConfig?: { authenticationMode?: AuthenticationMode } };

export interface UpdatePlan {
  /** Update.type. */
  type: string;
  params: { type: string; value: string }[];
  /** New values of the row; null takes a member away. */
  changes: Partial<ClusterRecord>;
}

interface Kind {
  type: string;
  /** Whether the request asks for this kind. */
  asked(request: ConfigChange): boolean;
  plan(
    cluster: ClusterRecord,
    request: ConfigChange,
    nowMs: number,
  ): [changes: Partial<ClusterRecord>, params: Record<string, unknown>];
}

const given = (...values: unknown[]): boolean => values.some((value) => value !== undefined);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const KINDS: readonly Kind[] = [
  {
    type: "EndpointAccessUpdate",
    asked: ({ resourcesVpcConfig: vpc }) =>
      given(vpc?.endpointPublicAccess, vpc?.endpointPrivateAccess, vpc?.publicAccessCidrs),
    plan: (cluster, { resourcesVpcConfig: asked = {} }) => {
      const present = cluster.vpcConfig;
      const endpointPublicAccess = asked.endpointPublicAccess ?? present.endpointPublicAccess;
      const kept = asked.publicAccessCidrs ?? present.publicAccessCidrs;
      const access = {
        endpointPublicAccess,
        endpointPrivateAccess: asked.endpointPrivateAccess ?? present.endpointPrivateAccess,
        publicAccessCidrs:
          endpointPublicAccess && kept.length === 0
            ? [...DEFAULT_PUBLIC_ACCESS_CIDRS[cluster.networkConfig.ipFamily]]
            : kept,
      };
      checkEndpointAccess(access);
      if (
        access.endpointPublicAccess === present.endpointPublicAccess &&
        access.endpointPrivateAccess === present.endpointPrivateAccess &&
        same([...access.publicAccessCidrs].sort(), [...present.publicAccessCidrs].sort())
      ) {
        // EKS's own sentence, the space before the first comma included.
        throw invalidParameter(
          `Cluster is already at the desired configuration with endpointPrivateAccess: ${present.endpointPrivateAccess} , endpointPublicAccess: ${present.endpointPublicAccess}, and Public Endpoint Restrictions: [${present.publicAccessCidrs.join(", ")}]`,
        );
      }
      return [
        { vpcConfig: { ...present, ...access } },
        {
          EndpointPublicAccess: access.endpointPublicAccess,
          EndpointPrivateAccess: access.endpointPrivateAccess,
          PublicAccessCidrs: access.publicAccessCidrs,
        },
      ];
    },
  },
  {
    type: "VpcConfigUpdate",
    asked: ({ resourcesVpcConfig: vpc }) => given(vpc?.subnetIds, vpc?.securityGroupIds),
    plan: (cluster, { resourcesVpcConfig: asked = {} }) => {
      const present = cluster.vpcConfig;
      const { subnetIds = present.subnetIds, securityGroupIds = present.securityGroupIds } = asked;
      checkSubnetZones(cluster.region, subnetIds);
      checkSecurityGroups(securityGroupIds);
      if (same([subnetIds, securityGroupIds], [present.subnetIds, present.securityGroupIds]))
        throw noChangesNeeded("VPC config");
      return [
        { vpcConfig: { ...present, subnetIds, securityGroupIds } },
        { Subnets: asked.subnetIds, SecurityGroups: asked.securityGroupIds },
      ];
    },
  },
  {
    type: "ControlPlaneEgressUpdate",
    asked: ({ resourcesVpcConfig: vpc }) => given(vpc?.controlPlaneEgressMode),
    plan: (cluster, { resourcesVpcConfig: asked = {} }) => {
      const present = cluster.vpcConfig.controlPlaneEgressMode ?? "AWS_MANAGED";
      const controlPlaneEgressMode = asked.controlPlaneEgressMode ?? present;
      if (controlPlaneEgressMode === present) throw noChangesNeeded("controlPlaneEgressMode");
      if (controlPlaneEgressMode === "AWS_MANAGED") {
        throw invalidParameter(`controlPlaneEgressMode cannot be changed from ${present} to AWS_MANAGED`);
      }
      return [
        { vpcConfig: { ...cluster.vpcConfig, controlPlaneEgressMode } },
        { ControlPlaneEgressMode: controlPlaneEgressMode },
      ];
    },
  },
  {
    type: "LoggingUpdate",
    asked: ({ logging }) => given(logging),
    plan: (cluster, { logging }) => {
      const loggingEnabled = applyLogging(cluster.loggingEnabled, logging);
      if (same(loggingEnabled, cluster.loggingEnabled)) throw noChangesNeeded("logging config");
      return [{ loggingEnabled }, { ClusterLogging: logging }];
    },
  },
  {
    type: "AccessConfigUpdate",
    asked: ({ accessConfig }) => given(accessConfig?.authenticationMode),
    plan: (cluster, { accessConfig }) => {
      const present = cluster.accessConfig.authenticationMode;
      const asked = accessConfig?.authenticationMode ?? present;
      // One way only, one step at a time; staying where it is is refused in the same words.
      const next: Partial<Record<AuthenticationMode, AuthenticationMode>> = {
        CONFIG_MAP: "API_AND_CONFIG_MAP",
        API_AND_CONFIG_MAP: "API",
      };
      if (next[present] !== asked)
        throw invalidParameter(`Unsupported authentication mode update from ${present} to ${asked}`);
      return [{ accessConfig: { ...cluster.accessConfig, authenticationMode: asked } }, { AuthenticationMode: asked }];
    },
  },
  {
    type: "UpgradePolicyUpdate",
    asked: ({ upgradePolicy }) => given(upgradePolicy?.supportType),
    plan: (cluster, { upgradePolicy }, nowMs) => {
      const supportType = upgradePolicy?.supportType ?? cluster.upgradePolicy.supportType;
      if (supportType === cluster.upgradePolicy.supportType) throw noChangesNeeded("upgradePolicy");
      const version = clusterVersion(cluster.version);
      if (supportType === "STANDARD" && version && supportStatus(version, nowMs) !== "STANDARD_SUPPORT") {
        throw invalidParameter(
          `The support type cannot be changed to STANDARD while Kubernetes version ${cluster.version} is in extended support`,
        );
      }
      return [{ upgradePolicy: { supportType } }, { UpgradePolicy: upgradePolicy }];
    },
  },
  {
    type: "ZonalShiftConfigUpdate",
    asked: ({ zonalShiftConfig }) => given(zonalShiftConfig?.enabled),
    plan: (cluster, { zonalShiftConfig }) => {
      const enabled = zonalShiftConfig?.enabled ?? false;
      if (enabled === (cluster.zonalShiftConfig?.enabled ?? false)) throw noChangesNeeded("zonalShiftConfig");
      return [{ zonalShiftConfig: { enabled } }, { ZonalShiftConfig: zonalShiftConfig }];
    },
  },
  {
    type: "AutoModeUpdate",
    asked: ({ computeConfig, storageConfig, kubernetesNetworkConfig }) =>
      given(computeConfig, storageConfig, kubernetesNetworkConfig),
    plan: planAutoMode,
  },
  {
    type: "RemoteNetworkConfigUpdate",
    asked: ({ remoteNetworkConfig }) => given(remoteNetworkConfig),
    plan: (cluster, { remoteNetworkConfig: asked = {} }) => {
      const removal = asked.remoteNodeNetworks?.length === 0 && asked.remotePodNetworks?.length === 0;
      const present = (cluster.remoteNetworkConfig ?? undefined) as RemoteNetworkConfig | undefined;
      const next = removal ? undefined : { ...present, ...asked };
      if (same(next, present)) throw invalidParameter("No changes detected for remoteNetworkConfig");
      if (next) checkHybrid(next, cluster.accessConfig.authenticationMode, cluster.networkConfig.serviceIpv4Cidr);
      return [{ remoteNetworkConfig: next ?? null }, { RemoteNetworkConfig: asked }];
    },
  },
  {
    type: "DeletionProtectionUpdate",
    asked: ({ deletionProtection }) => given(deletionProtection),
    plan: (cluster, { deletionProtection = cluster.deletionProtection }) => {
      if (deletionProtection === cluster.deletionProtection) throw noChangesNeeded("deletionProtection");
      return [{ deletionProtection }, { DeletionProtection: deletionProtection }];
    },
  },
  {
    type: "ControlPlaneScalingConfigUpdate",
    asked: ({ controlPlaneScalingConfig }) => given(controlPlaneScalingConfig?.tier),
    plan: (cluster, { controlPlaneScalingConfig }) => {
      const present = cluster.controlPlaneScalingConfig?.tier ?? "standard";
      const tier = controlPlaneScalingConfig?.tier ?? present;
      if (tier === present) throw noChangesNeeded("controlPlaneScalingConfig");
      return [{ controlPlaneScalingConfig: { tier } }, { UpdatedTier: tier, PreviousTier: present }];
    },
  },
];

/** The kind of update that a request asks for. Throws when it asks for none or for more than one. */
export function updateTypeOf(request: ConfigChange): string {
  return kindOf(request).type;
}

function kindOf(request: ConfigChange): Kind {
  const [kind, ...others] = KINDS.filter((candidate) => candidate.asked(request));
  if (!kind) throw noChangesNeeded("cluster config");
  if (others.length > 0) throw invalidParameter("Only one type of update can be allowed.");
  return kind;
}

/** Throws InvalidParameterException for what EKS would not change, which includes changes of nothing. */
export function planConfigUpdate(cluster: ClusterRecord, request: ConfigChange, nowMs: number): UpdatePlan {
  const kind = kindOf(request);
  const [changes, params] = kind.plan(cluster, request, nowMs);
  return { type: kind.type, changes, params: updateParams(params) };
}

/** Update.params: values are text; lists and objects are JSON in it. Undefined ones are left out. */
export function updateParams(params: Record<string, unknown>): { type: string; value: string }[] {
  return Object.entries(params)
    .filter(([, value]) => value !== undefined)
    .map(([type, value]) => ({ type, value: typeof value === "object" ? JSON.stringify(value) : String(value) }));
}

function planAutoMode(
  cluster: ClusterRecord,
  request: ConfigChange,
): [Partial<ClusterRecord>, Record<string, unknown>] {
  const { computeConfig, storageConfig, kubernetesNetworkConfig } = request;
  const { serviceIpv4Cidr, ipFamily } = kubernetesNetworkConfig ?? {};
  if (
    (serviceIpv4Cidr ?? cluster.networkConfig.serviceIpv4Cidr) !== cluster.networkConfig.serviceIpv4Cidr ||
    (ipFamily ?? cluster.networkConfig.ipFamily) !== cluster.networkConfig.ipFamily
  ) {
    throw invalidParameter("serviceIpv4Cidr and ipFamily cannot be changed after the cluster was created");
  }
  const roleBefore = cluster.computeConfig?.nodeRoleArn;
  const roleNow = computeConfig?.nodeRoleArn;
  if (roleBefore && roleNow && roleBefore !== roleNow) {
    throw invalidParameter("The Compute Config nodeRoleArn cannot be changed once it is set");
  }
  const elasticLoadBalancing = kubernetesNetworkConfig?.elasticLoadBalancing;
  const next = {
    computeConfig: computeConfig ? { ...cluster.computeConfig, ...computeConfig } : cluster.computeConfig,
    storageConfig: storageConfig ?? cluster.storageConfig,
    elasticLoadBalancing: elasticLoadBalancing
      ? loadBalancingOf({
          // What is switched off keeps no settings.
          ...(elasticLoadBalancing.enabled === false ? {} : cluster.networkConfig.elasticLoadBalancing),
          ...elasticLoadBalancing,
        })
      : cluster.networkConfig.elasticLoadBalancing,
  };
  checkAutoMode(next, {
    version: cluster.version,
    authenticationMode: cluster.accessConfig.authenticationMode,
    // Only asked at creation: a cluster that has its self-managed add-ons keeps them.
    bootstrapSelfManagedAddons: false,
  });
  const networkConfig = next.elasticLoadBalancing
    ? { ...cluster.networkConfig, elasticLoadBalancing: next.elasticLoadBalancing }
    : cluster.networkConfig;
  if (
    same(
      [next.computeConfig, next.storageConfig, networkConfig],
      [cluster.computeConfig, cluster.storageConfig, cluster.networkConfig],
    )
  ) {
    throw noChangesNeeded("Auto Mode config");
  }
  return [
    {
      ...(next.computeConfig ? { computeConfig: next.computeConfig } : {}),
      ...(next.storageConfig ? { storageConfig: next.storageConfig } : {}),
      networkConfig,
    },
    { ComputeConfig: computeConfig, StorageConfig: storageConfig, KubernetesNetworkConfig: kubernetesNetworkConfig },
  ];
}
