/** Insights of a cluster: what EKS has found about its readiness for the next version, and when it looked. */

export type InsightCategory = "UPGRADE_READINESS" | "MISCONFIGURATION" | "ROLLBACK_READINESS";
export type InsightStatusValue = "PASSING" | "WARNING" | "ERROR" | "UNKNOWN";

export interface InsightVerdict {
  status: InsightStatusValue;
  reason: string;
}

export interface InsightResource {
  insightStatus?: InsightVerdict;
  kubernetesResourceUri?: string;
  arn?: string;
}

export interface DeprecationDetail {
  /** e.g. `/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas`. */
  usage: string;
  replacedWith?: string;
  stopServingVersion: string;
  startServingReplacementVersion?: string;
  clientStats: { userAgent: string; numberOfRequestsLast30Days: number; lastRequestTime: number }[];
}

export interface InsightSummary {
  deprecationDetails?: DeprecationDetail[];
  addonCompatibilityDetails?: { name: string; compatibleVersions: string[] }[];
}

export interface InsightRecord {
  clusterId: string;
  id: string;
  name: string;
  category: InsightCategory;
  kubernetesVersion: string;
  description: string;
  recommendation: string;
  additionalInfo: Record<string, string>;
  verdict: InsightVerdict;
  resources: InsightResource[];
  summary: InsightSummary;
  lastRefreshMs: number;
  lastTransitionMs: number;
}

/** An API that a version of Kubernetes, such as `1.32`, does not serve any more. */
export interface RemovedApi {
  usage: string;
  removedIn: string;
  replacedWith?: string;
  replacedSince?: string;
}

/** Requests of one client for one such API. */
export interface DeprecatedUse {
  usage: string;
  userAgent: string;
  count: number;
  lastMs: number;
}

/** What a cluster's insights are made from, besides its rows. */
export interface UpgradeFacts {
  nodes: readonly { name: string; kubeletVersion: string }[];
  /** Version in the image of the kube-proxy DaemonSet; absent when there is none. */
  kubeProxyVersion?: string;
  removedApis: readonly RemovedApi[];
  /** What the API server has been asked for since it was started, at `sinceMs`. */
  deprecatedUses: readonly DeprecatedUse[];
  sinceMs: number;
}

/** How the looking itself goes: one a cluster. */
export interface InsightsCheckRecord {
  clusterId: string;
  /** The last refresh that somebody asked for. */
  refresh?: {
    status: "IN_PROGRESS" | "COMPLETED" | "FAILED";
    message: string;
    startedAtMs: number;
    endedAtMs?: number;
  };
  /** When EKS last looked, and which version the cluster had. */
  checkedAtMs?: number;
  checkedVersion?: string;
  /** Seen by this API server and those before it, over the last 30 days. */
  deprecatedUses: (DeprecatedUse & { sinceMs: number })[];
}

/** EKS looks again every day, whether or not anyone asks. */
export const INSIGHTS_REFRESH_EVERY_MS = 86_400_000;
/** Use of deprecated APIs counts for 30 days. */
export const DEPRECATED_USE_COUNTS_MS = 30 * 86_400_000;
