/** Which Kubernetes version a cluster may move to: the next minor, or within a week of an upgrade back to the one before. */
import {
  type ClusterVersion,
  clusterVersion,
  isOffered,
  minorOf,
  platformVersionAt,
  supportStatus,
} from "../catalogue/index.js";
import { DomainError } from "../errors.js";
import type { ClusterRecord, NodegroupRecord, UpdateRecord } from "../model.js";
import { invalidParameter } from "./refusals.js";

/** Kubelets may be this many minors older than the API server; 1.24 and older may be two. */
export const kubeletLag = (minor: number): number => (minor >= 25 ? 3 : 2);

const ROLLBACK_WINDOW_MS = 7 * 86_400_000;

/** How long the nodes of an Auto Mode cluster may take to go back, in minutes; a request without one gets the default. */
const ROLLBACK_TIMEOUT_MINUTES = { least: 120, most: 10_080, default: 720 };

/** Until when the nodes that EKS manages have to have gone back. Throws InvalidParameterException. */
export function rollbackDeadlineMs(timeoutMinutes: number | undefined, nowMs: number): number {
  const { least, most, default: usual } = ROLLBACK_TIMEOUT_MINUTES;
  const minutes = timeoutMinutes ?? usual;
  if (minutes < least || minutes > most) {
    throw invalidParameter(`rollbackConfig.timeoutMinutes must be from ${least} to ${most}`);
  }
  return nowMs + minutes * 60_000;
}

/** Version of the nodes that Auto Mode launches: while a roll-back is under way already the one it leads to, as kubelets are never newer than the API. */
export const autoNodeVersion = (cluster: ClusterRecord, inProgress: UpdateRecord | undefined): string =>
  inProgress?.type === "VersionRollback" ? String(inProgress.plan.version) : cluster.version;

export interface VersionPlan {
  type: "VersionUpdate" | "VersionRollback";
  version: string;
  platformVersion: string;
}

/**
 * `updates` are the cluster's own, oldest first. Throws InvalidParameterException for any step that EKS does not take and while node groups lag too far
 * behind.
 */
export function planVersionUpdate(options: {
  cluster: ClusterRecord;
  target: string;
  nodegroups: readonly NodegroupRecord[];
  updates: readonly UpdateRecord[];
  nowMs: number;
}): VersionPlan {
  const { cluster, target, nodegroups, updates, nowMs } = options;
  const known = clusterVersion(target);
  if (!known || !isOffered(known, nowMs)) throw invalidParameter(`unsupported Kubernetes version ${target}`);
  const step = minorOf(target) - minorOf(cluster.version);
  if (step === 1) {
    refuseLaggards(
      cluster,
      nodegroups.filter(({ version }) => minorOf(target) - minorOf(version) > kubeletLag(minorOf(version))),
    );
    return { type: "VersionUpdate", version: target, platformVersion: newestPlatform(known, nowMs) };
  }
  if (step !== -1 || !mayRollBack(cluster, updates, nowMs)) {
    throw invalidParameter(`Unsupported Kubernetes minor version update from ${cluster.version} to ${target}`);
  }
  return planRollback(cluster, known, nodegroups, nowMs);
}

/** Whether the last thing that changed the cluster's version was an upgrade less than a week ago. */
export function mayRollBack(cluster: ClusterRecord, updates: readonly UpdateRecord[], nowMs: number): boolean {
  const last = updates.findLast(({ type, status }) => /^Version/.test(type) && status === "Successful");
  return (
    last?.type === "VersionUpdate" &&
    // The version that support has ended of is not to be had again.
    last.plan.automatic !== "end of extended support" &&
    last.plan.version === cluster.version &&
    nowMs - (last.finishedAtMs ?? last.createdAtMs) <= ROLLBACK_WINDOW_MS
  );
}

function planRollback(
  cluster: ClusterRecord,
  target: ClusterVersion,
  nodegroups: readonly NodegroupRecord[],
  nowMs: number,
): VersionPlan {
  // Kubelets are never newer than the API server, so node groups go back first.
  const newer = nodegroups.filter(({ version }) => minorOf(version) > minorOf(target.version));
  if (newer.length > 0) {
    throw refusal(
      cluster,
      `Nodegroups ${names(newer)} must be rolled back to version ${target.version} before rolling back cluster version`,
    );
  }
  if (supportStatus(target, nowMs) !== "STANDARD_SUPPORT" && cluster.upgradePolicy.supportType !== "EXTENDED") {
    throw refusal(
      cluster,
      `Kubernetes version ${target.version} is in extended support; set the cluster's upgrade policy to EXTENDED before rolling back`,
    );
  }
  return { type: "VersionRollback", version: target.version, platformVersion: newestPlatform(target, nowMs) };
}

function refuseLaggards(cluster: ClusterRecord, laggards: readonly NodegroupRecord[]): void {
  if (laggards.length === 0) return;
  throw refusal(
    cluster,
    `Nodegroups ${names(laggards)} must be updated to match cluster version ${cluster.version} before updating cluster version`,
  );
}

const newestPlatform = ({ version, platformVersion }: ClusterVersion, nowMs: number): string =>
  platformVersionAt(version, nowMs)?.platformVersion ?? platformVersion;

const names = (nodegroups: readonly NodegroupRecord[]): string => nodegroups.map(({ name }) => name).join(",");

const refusal = (cluster: ClusterRecord, message: string): DomainError =>
  new DomainError("InvalidParameterException", message, { clusterName: cluster.name });
