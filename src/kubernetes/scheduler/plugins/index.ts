import type { FilterPlugin, ScorePlugin } from "../plugin.js";
import { interPodAffinity, preferredCompany } from "./inter-pod-affinity.js";
import { balancedAllocation, leastAllocated, nodeResourcesFit } from "./node-resources.js";
import {
  nodeAffinity,
  nodeName,
  nodePorts,
  nodeUnschedulable,
  preferredNodes,
  taintToleration,
  untaintedFirst,
} from "./node-rules.js";
import { podTopologySpread, spreadEvenly } from "./topology-spread.js";
import { nodeVolumeLimits } from "./volume-limits.js";
import { volumeBinding, volumeRestrictions, volumeZone } from "./volumes.js";

/** In the order of kube-scheduler's default profile: the first that refuses a node gives the reason. */
export const FILTERS: readonly FilterPlugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
];

/** ImageLocality is left out: simulated images have no size worth saving. */
export const SCORES: readonly ScorePlugin[] = [
  untaintedFirst,
  preferredNodes,
  leastAllocated,
  balancedAllocation,
  spreadEvenly,
  preferredCompany,
];
