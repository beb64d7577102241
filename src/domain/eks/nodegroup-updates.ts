/** UpdateNodegroupConfig and UpdateNodegroupVersion: what a request changes of a node group, and what the Update says of it. */
import { minorOf } from "../catalogue/index.js";
import type { ClusterRecord, NodegroupRecord, NodegroupTaint, ScalingConfig } from "../model.js";
import { updateParams } from "./cluster-updates.js";
import { checkLabels, checkTaints } from "./node-labels.js";
import { type LaunchTemplate, taintsOf } from "./nodegroup-rules.js";
import {
  checkNodeRepair,
  checkScaling,
  type NodeRepair,
  type UpdateBehaviour,
  updateBehaviour,
  type WarmPool,
  warmPool,
} from "./nodegroup-settings.js";
import { chooseRelease } from "./nodegroup-versions.js";
import { invalidParameter, noChangesNeeded } from "./refusals.js";

type Taint = { key?: string; value?: string; effect?: string };

export interface NodegroupConfigChange {
  labels?: { addOrUpdateLabels?: Record<string, string>; removeLabels?: string[] };
  taints?: { addOrUpdateTaints?: Taint[]; removeTaints?: Taint[] };
  scalingConfig?: Partial<ScalingConfig>;
  updateConfig?: UpdateBehaviour;
  nodeRepairConfig?: NodeRepair;
  warmPoolConfig?: WarmPool;
}

/** The members of the row that get new values; each is complete. */
export type NodegroupChanges = Partial<
  Pick<NodegroupRecord, "scalingConfig" | "labels" | "taints" | "updateConfig" | "nodeRepairConfig" | "warmPoolConfig">
>;

type Params = Record<string, unknown>;
type Part = (nodegroup: NodegroupRecord, request: NodegroupConfigChange) => [changes: NodegroupChanges, params: Params];

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const NOTHING: [NodegroupChanges, Params] = [{}, {}];

/** Each part of a request by itself: what it changes, and its parameters. A part that changes nothing gives neither. */
const PARTS: readonly Part[] = [
  (nodegroup, { scalingConfig: asked }) => {
    if (!asked) return NOTHING;
    const present = nodegroup.scalingConfig;
    const scalingConfig = {
      minSize: asked.minSize ?? present.minSize,
      maxSize: asked.maxSize ?? present.maxSize,
      desiredSize: asked.desiredSize ?? present.desiredSize,
    };
    checkScaling(scalingConfig, "update");
    if (same(scalingConfig, present)) return NOTHING;
    const changed = (size: keyof ScalingConfig): number | undefined =>
      scalingConfig[size] === present[size] ? undefined : scalingConfig[size];
    return [
      { scalingConfig },
      { MinSize: changed("minSize"), MaxSize: changed("maxSize"), DesiredSize: changed("desiredSize") },
    ];
  },
  (nodegroup, { labels: asked }) => {
    const { addOrUpdateLabels: add = {}, removeLabels: remove = [] } = asked ?? {};
    checkLabels(add);
    const kept = Object.entries(nodegroup.labels).filter(([key]) => !remove.includes(key));
    const labels = { ...Object.fromEntries(kept), ...add };
    const entries = (record: Record<string, string>): [string, string][] => Object.entries(record).sort();
    if (same(entries(labels), entries(nodegroup.labels))) return NOTHING;
    return [
      { labels },
      {
        LabelsToAdd: Object.keys(add).length > 0 ? add : undefined,
        LabelsToRemove: remove.length > 0 ? remove : undefined,
      },
    ];
  },
  (nodegroup, { taints: asked }) => {
    const add = taintsOf(asked?.addOrUpdateTaints);
    const remove = taintsOf(asked?.removeTaints);
    // Kubernetes tells taints apart by key and effect.
    const id = ({ key, effect }: NodegroupTaint): string => `${key}:${effect}`;
    const gone = new Set([...add, ...remove].map(id));
    const taints = [...nodegroup.taints.filter((taint) => !gone.has(id(taint))), ...add];
    checkTaints(taints);
    const list = (of: readonly NodegroupTaint[]): string[] =>
      of.map(({ key, value = "", effect }) => `${key}=${value}:${effect}`).sort();
    if (same(list(taints), list(nodegroup.taints))) return NOTHING;
    return [
      { taints },
      { TaintsToAdd: add.length > 0 ? add : undefined, TaintsToRemove: remove.length > 0 ? remove : undefined },
    ];
  },
  (nodegroup, { updateConfig: asked }) => {
    if (!asked) return NOTHING;
    const kept = asked.maxUnavailable === undefined && asked.maxUnavailablePercentage === undefined;
    const updateConfig = updateBehaviour(kept ? { ...nodegroup.updateConfig, ...asked } : asked);
    if (same(updateConfig, nodegroup.updateConfig)) return NOTHING;
    return [
      { updateConfig },
      {
        MaxUnavailable: asked.maxUnavailable,
        MaxUnavailablePercentage: asked.maxUnavailablePercentage,
        UpdateStrategy: asked.updateStrategy,
      },
    ];
  },
  (nodegroup, { nodeRepairConfig: asked }) => {
    if (!asked) return NOTHING;
    const nodeRepairConfig = { ...nodegroup.nodeRepairConfig, ...asked };
    checkNodeRepair(nodeRepairConfig);
    if (same(nodeRepairConfig, nodegroup.nodeRepairConfig)) return NOTHING;
    const { enabled, ...rest } = asked;
    return [
      { nodeRepairConfig },
      { NodeRepairEnabled: enabled, NodeRepairConfig: Object.keys(rest).length > 0 ? asked : undefined },
    ];
  },
  (nodegroup, { warmPoolConfig: asked }) => {
    if (!asked) return NOTHING;
    const warmPoolConfig = { ...warmPool({ ...nodegroup.warmPoolConfig, ...asked }, nodegroup) };
    if (same(warmPoolConfig, nodegroup.warmPoolConfig)) return NOTHING;
    return [
      { warmPoolConfig },
      {
        WarmPoolEnabled: asked.enabled,
        WarmPoolMinSize: asked.minSize,
        WarmPoolMaxGroupPreparedCapacity: asked.maxGroupPreparedCapacity,
        WarmPoolState: asked.poolState,
        WarmPoolReuseOnScaleIn: asked.reuseOnScaleIn,
      },
    ];
  },
];

/** Throws InvalidParameterException for what EKS would not change, which includes changes of nothing. */
export function planNodegroupConfig(
  nodegroup: NodegroupRecord,
  request: NodegroupConfigChange,
): { changes: NodegroupChanges; params: { type: string; value: string }[] } {
  const parts = PARTS.map((part) => part(nodegroup, request));
  const changes: NodegroupChanges = Object.assign({}, ...parts.map(([change]) => change));
  if (Object.keys(changes).length === 0) throw noChangesNeeded("node group config");
  return { changes, params: updateParams(Object.assign({}, ...parts.map(([, params]) => params))) };
}

export interface NodegroupVersionChange {
  version?: string;
  releaseVersion?: string;
  launchTemplate?: LaunchTemplate;
  force?: boolean;
}

export interface NodegroupVersionPlan extends Record<string, unknown> {
  version: string;
  releaseVersion: string;
  force: boolean;
  launchTemplate?: LaunchTemplate;
}

/**
 * Where an update of a node group's version leads. It may go to the cluster's version or stay at its own; `rollbackTo` is the version that the cluster
 * may still be rolled back to, which node groups have to reach first.
 */
export function planNodegroupVersion(options: {
  cluster: ClusterRecord;
  nodegroup: NodegroupRecord;
  request: NodegroupVersionChange;
  rollbackTo?: string | undefined;
}): { plan: NodegroupVersionPlan; params: { type: string; value: string }[] } {
  const { cluster, nodegroup, request } = options;
  const launchTemplate = request.launchTemplate && nextTemplate(nodegroup, request.launchTemplate);
  const custom = nodegroup.amiType === "CUSTOM";
  if (custom && request.version !== undefined) {
    throw invalidParameter("You cannot specify the field kubernetesVersion when using custom AMIs");
  }
  if (custom && request.releaseVersion !== undefined) {
    throw invalidParameter("You cannot specify the field releaseVersion when using custom AMIs");
  }
  // A release version says which Kubernetes version it is of; alone it may mean the cluster's.
  const releaseMinor = /^(1\.\d+)[.-]/.exec(request.releaseVersion ?? "")?.[1];
  const version = request.version ?? (releaseMinor === cluster.version ? cluster.version : nodegroup.version);
  if (
    ![cluster.version, nodegroup.version, options.rollbackTo].includes(version) ||
    minorOf(version) > minorOf(cluster.version)
  ) {
    throw invalidParameter(
      `Nodegroup Kubernetes version should be equal to Cluster kubernetes version ${cluster.version} or NodeGroup kubernetes version ${nodegroup.version}`,
    );
  }
  const template = launchTemplate ?? nodegroup.launchTemplate;
  const releaseVersion = chooseRelease({
    version,
    amiType: nodegroup.amiType,
    asked: request.releaseVersion,
    launchTemplate: `${template?.id ?? template?.name} ${template?.version ?? "1"}`,
  });
  const named = request.version !== undefined && request.releaseVersion !== undefined;
  if (named && !launchTemplate && version === nodegroup.version && releaseVersion === nodegroup.releaseVersion) {
    throw noChangesNeeded("node group version");
  }
  return {
    plan: { version, releaseVersion, force: request.force ?? false, ...(launchTemplate ? { launchTemplate } : {}) },
    params: updateParams({
      Version: version,
      ReleaseVersion: releaseVersion,
      LaunchTemplateName: launchTemplate && (launchTemplate.name ?? launchTemplate.id),
      LaunchTemplateVersion: launchTemplate?.version,
    }),
  };
}

/** A node group keeps its launch template for life; only the template's version changes. */
function nextTemplate(nodegroup: NodegroupRecord, asked: LaunchTemplate): LaunchTemplate {
  const present = nodegroup.launchTemplate;
  if (!present) {
    throw invalidParameter("A launch template cannot be specified for a node group that was created without one");
  }
  if (asked.id && asked.name) {
    throw invalidParameter("Either provide launch template ID or launch template name in the request.");
  }
  if (
    (asked.id && present.id && asked.id !== present.id) ||
    (asked.name && present.name && asked.name !== present.name)
  ) {
    throw invalidParameter("The launch template of a node group cannot be changed, only its version");
  }
  return { ...present, version: asked.version ?? present.version ?? "1" };
}
