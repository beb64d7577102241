/** EKS Auto Mode: three settings that are on or off together, and what they ask of the rest of the cluster. */
import { minorOf } from "../catalogue/index.js";
import type { AuthenticationMode } from "../model.js";
import { invalidParameter } from "./refusals.js";

export interface AutoModeSettings {
  computeConfig?: { enabled?: boolean; nodePools?: string[]; nodeRoleArn?: string } | undefined;
  storageConfig?: { blockStorage?: { enabled?: boolean } } | undefined;
  elasticLoadBalancing?: LoadBalancing | undefined;
}

export interface LoadBalancing {
  enabled?: boolean;
  gatewayApi?: { crds?: { managed?: boolean } };
}

/** As it is kept and shown. */
export const loadBalancingOf = ({
  enabled = false,
  gatewayApi,
}: LoadBalancing): { enabled: boolean } & LoadBalancing => ({
  enabled,
  ...(gatewayApi ? { gatewayApi } : {}),
});

const NODE_POOLS = ["general-purpose", "system"];
const FIRST_VERSION = 29;

/** Throws InvalidParameterException. Returns whether Auto Mode is on. */
export function checkAutoMode(
  settings: AutoModeSettings,
  cluster: { version: string; authenticationMode: AuthenticationMode; bootstrapSelfManagedAddons: boolean },
): boolean {
  const switches = [
    settings.computeConfig?.enabled === true,
    settings.storageConfig?.blockStorage?.enabled === true,
    settings.elasticLoadBalancing?.enabled === true,
  ];
  const on = switches.includes(true);
  if (on && switches.includes(false)) {
    throw invalidParameter(
      "For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled.",
    );
  }
  const { nodePools = [], nodeRoleArn } = settings.computeConfig ?? {};
  if (nodePools.length > 0 && !nodeRoleArn) {
    throw invalidParameter("When Compute Config nodeRoleArn is null or empty, nodePool list cannot be populated.");
  }
  const unknown = nodePools.filter((pool) => !NODE_POOLS.includes(pool));
  if (unknown.length > 0) {
    throw invalidParameter(
      `Invalid node pools [${unknown.join(", ")}]; valid node pools are [${NODE_POOLS.join(", ")}]`,
    );
  }
  if (!on && settings.elasticLoadBalancing?.gatewayApi?.crds?.managed) {
    throw invalidParameter("Gateway API CRDs can only be managed while EKS Auto Mode is enabled");
  }
  if (!on) return false;
  if (cluster.authenticationMode === "CONFIG_MAP") {
    throw invalidParameter(
      "When EKS Auto Mode is enabled, you must use an EKS access config authentication mode of API_AND_CONFIG_MAP or API",
    );
  }
  if (minorOf(cluster.version) < FIRST_VERSION) {
    throw invalidParameter("EKS Auto Mode is only supported for cluster version 1.29 or above.");
  }
  if (cluster.bootstrapSelfManagedAddons) {
    throw invalidParameter("When EKS Auto Mode is enabled, bootstrapSelfManagedAddons must be set to false");
  }
  return true;
}
