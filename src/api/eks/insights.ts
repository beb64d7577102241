/** Insights: what EKS has found when it last looked at a cluster, and looking again on demand. */
import { blockingInsights } from "../../domain/eks/insights.js";
import { checkActive } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { InsightRecord } from "../../domain/insights.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { Insight, InsightSummary } from "../model/generated/operations.js";
import { type EksOperations, type OperationContext, scheduleWork } from "./context.js";
import { findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";

function summaryView(insight: InsightRecord): InsightSummary {
  return {
    id: insight.id,
    name: insight.name,
    category: insight.category,
    kubernetesVersion: insight.kubernetesVersion,
    lastRefreshTime: insight.lastRefreshMs,
    lastTransitionTime: insight.lastTransitionMs,
    description: insight.description,
    insightStatus: insight.verdict,
  };
}

const insightView = (insight: InsightRecord): Insight => ({
  ...summaryView(insight),
  recommendation: insight.recommendation,
  additionalInfo: insight.additionalInfo,
  resources: insight.resources,
  categorySpecificSummary: insight.summary,
});

/** An absent or empty list of wanted values wants them all. */
const wants = (wanted: readonly string[] | undefined, value: string): boolean =>
  wanted === undefined || wanted.length === 0 || wanted.includes(value);

/**
 * Refuses an upgrade that insights speak against, with InvalidStateException. EKS itself has this gate and keeps it open; eksim closes it on demand.
 */
export function checkInsights(
  { state, config }: OperationContext,
  cluster: ClusterRecord,
  version: string,
  force: boolean | undefined,
): void {
  if (!config.enforceInsights || force) return;
  const blocking = blockingInsights(state.insights.list(cluster.id), version);
  if (blocking.length === 0) return;
  throw new DomainError(
    "InvalidStateException",
    `Amazon EKS detected upgrade readiness issues: ${blocking.map(({ name }) => name).join(", ")}. Call the ListInsights API to view detected upgrade blocking issues. Pass the force flag when updating to override upgrade readiness errors.`,
    { clusterName: cluster.name },
  );
}

export const insights = {
  ListInsights(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const { categories, kubernetesVersions, statuses } = input.filter ?? {};
    const found = context.state.insights
      .list(cluster.id)
      .filter(
        ({ category, kubernetesVersion, verdict }) =>
          wants(categories, category) &&
          wants(kubernetesVersions, kubernetesVersion) &&
          wants(statuses, verdict.status),
      );
    const { keys, nextToken } = pageOf(
      context,
      ["ListInsights", cluster.id, categories, kubernetesVersions, statuses],
      input,
      ({ after = "", limit }) =>
        found
          .map(({ id }) => id)
          .filter((id) => id > after)
          .slice(0, limit),
    );
    return { insights: found.filter(({ id }) => keys.includes(id)).map(summaryView), nextToken };
  },

  DescribeInsight(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const insight = context.state.insights.get(cluster.id, input.id);
    if (!insight) {
      throw new DomainError("ResourceNotFoundException", `No insight found for ID: ${input.id}.`, {
        clusterName: cluster.name,
      });
    }
    return { insight: insightView(insight) };
  },

  StartInsightsRefresh(input, context) {
    const { state, clock } = context;
    const cluster = findCluster(context, input.clusterName);
    checkActive(cluster);
    const check = state.insightsChecks.get(cluster.id, cluster.id) ?? { clusterId: cluster.id, deprecatedUses: [] };
    if (check.refresh?.status === "IN_PROGRESS") {
      throw new DomainError("InvalidRequestException", "An insights refresh is already in progress.", {
        clusterName: cluster.name,
      });
    }
    const refresh = {
      status: "IN_PROGRESS" as const,
      message: "Insights refresh is in progress.",
      startedAtMs: clock.now(),
    };
    state.insightsChecks.put({ ...check, refresh });
    scheduleWork(context, "insights", cluster.id);
    return { message: refresh.message, status: refresh.status };
  },

  DescribeInsightsRefresh(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const refresh = context.state.insightsChecks.get(cluster.id, cluster.id)?.refresh;
    if (!refresh) {
      throw new DomainError("ResourceNotFoundException", `No insights refresh found for cluster: ${cluster.name}.`, {
        clusterName: cluster.name,
      });
    }
    const { message, status, startedAtMs, endedAtMs } = refresh;
    return { message, status, startedAt: startedAtMs, endedAt: endedAtMs };
  },
} satisfies Partial<EksOperations>;
