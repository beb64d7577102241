/** The settings of a node group that can be set at creation and changed later: sizes, update behaviour, repair, warm pool. */
import type { NodegroupRecord, ScalingConfig } from "../model.js";
import { invalidParameter } from "./refusals.js";

/** Quota of EKS; not adjustable below that here. */
const MAX_NODES = 450;

/** Sizes of node groups created without any. */
const DEFAULT_SCALING: ScalingConfig = { minSize: 2, maxSize: 2, desiredSize: 2 };

/** EKS words the same rule differently when a group is created and when it is changed. */
const SIZE_TEXTS = {
  create: {
    minAboveDesired: () => "minSize can't be greater than desiredSize",
    desiredAboveMax: () => "desiredSize can't be greater than maxSize",
  },
  update: {
    minAboveDesired: ({ minSize, desiredSize }: ScalingConfig) =>
      `Minimum capacity ${minSize} can't be greater than desired size ${desiredSize}`,
    desiredAboveMax: ({ maxSize, desiredSize }: ScalingConfig) =>
      `desired capacity ${desiredSize} can't be greater than max size ${maxSize}`,
  },
};

export function checkScaling(scaling: ScalingConfig, when: "create" | "update"): void {
  const texts = SIZE_TEXTS[when];
  if (scaling.minSize > scaling.desiredSize) throw invalidParameter(texts.minAboveDesired(scaling));
  if (scaling.desiredSize > scaling.maxSize) throw invalidParameter(texts.desiredAboveMax(scaling));
  if (scaling.maxSize > MAX_NODES) throw invalidParameter(`maxSize can't be greater than ${MAX_NODES}`);
}

/** At creation all three sizes are given, or none. */
export function initialScaling(asked: Partial<ScalingConfig> | undefined): ScalingConfig {
  if (!asked) return DEFAULT_SCALING;
  const { minSize, maxSize, desiredSize } = asked;
  if (minSize === undefined || maxSize === undefined || desiredSize === undefined) {
    throw invalidParameter("minSize, maxSize and desiredSize must all be specified in scalingConfig");
  }
  const scaling = { minSize, maxSize, desiredSize };
  checkScaling(scaling, "create");
  return scaling;
}

export interface UpdateBehaviour {
  maxUnavailable?: number;
  maxUnavailablePercentage?: number;
  updateStrategy?: string;
}

/** How many nodes an update may take away at a time: a number or a percentage, one node unless told. */
export function updateBehaviour(asked: UpdateBehaviour | undefined): NodegroupRecord["updateConfig"] {
  if (!asked) return { maxUnavailable: 1 };
  const { maxUnavailable, maxUnavailablePercentage, updateStrategy } = asked;
  if (maxUnavailable === undefined && maxUnavailablePercentage === undefined && updateStrategy === undefined) {
    throw invalidParameter("UpdateConfig cannot be empty if set in the request.");
  }
  if (maxUnavailable !== undefined && maxUnavailablePercentage !== undefined) {
    throw invalidParameter("Either provide max-unavailable or max-unavailable-percentage in the request.");
  }
  if (maxUnavailable !== undefined && maxUnavailable > 100)
    throw invalidParameter("maxUnavailable can't be greater than 100");
  return {
    ...(maxUnavailablePercentage === undefined
      ? { maxUnavailable: maxUnavailable ?? 1 }
      : { maxUnavailablePercentage }),
    ...(updateStrategy === undefined ? {} : { updateStrategy }),
  };
}

export interface NodeRepair {
  enabled?: boolean;
  maxUnhealthyNodeThresholdCount?: number;
  maxUnhealthyNodeThresholdPercentage?: number;
  maxParallelNodesRepairedCount?: number;
  maxParallelNodesRepairedPercentage?: number;
  nodeRepairConfigOverrides?: {
    nodeMonitoringCondition?: string;
    nodeUnhealthyReason?: string;
    minRepairWaitTimeMins?: number;
    repairAction?: string;
  }[];
}

export function checkNodeRepair(config: NodeRepair): void {
  const both = (a: number | undefined, b: number | undefined): boolean => a !== undefined && b !== undefined;
  if (
    both(config.maxUnhealthyNodeThresholdCount, config.maxUnhealthyNodeThresholdPercentage) ||
    both(config.maxParallelNodesRepairedCount, config.maxParallelNodesRepairedPercentage)
  ) {
    // EKS uses this sentence for the threshold's pair too.
    throw invalidParameter("Either provide max parallel nodes to repair count or percentage in the request.");
  }
  for (const {
    nodeMonitoringCondition,
    nodeUnhealthyReason,
    minRepairWaitTimeMins,
    repairAction,
  } of config.nodeRepairConfigOverrides ?? []) {
    if (!nodeMonitoringCondition || !nodeUnhealthyReason || minRepairWaitTimeMins === undefined || !repairAction) {
      throw invalidParameter(
        "Node repair config overrides must specify nodeMonitoringCondition, nodeUnhealthyReason, minRepairWaitTimeMins and repairAction.",
      );
    }
  }
}

export interface WarmPool {
  enabled?: boolean;
  minSize?: number;
  maxGroupPreparedCapacity?: number;
  poolState?: string;
  reuseOnScaleIn?: boolean;
}

/** Instances kept prepared; not with Spot, and Bottlerocket knows neither hibernation nor reuse. */
export function warmPool(asked: WarmPool, nodegroup: { capacityType: string; amiType: string }): WarmPool {
  if (asked.enabled && nodegroup.capacityType === "SPOT") {
    throw invalidParameter("Warm pools are not supported for node groups with capacity type SPOT");
  }
  if (nodegroup.amiType.startsWith("BOTTLEROCKET") && (asked.poolState === "HIBERNATED" || asked.reuseOnScaleIn)) {
    throw invalidParameter("Bottlerocket node groups support neither the HIBERNATED pool state nor reuseOnScaleIn");
  }
  return { enabled: false, minSize: 0, poolState: "STOPPED", reuseOnScaleIn: false, ...asked };
}
