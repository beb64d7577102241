/** Insights: EKS looks at a cluster every day, after it got another version, and when somebody asks. */
import { BackendError } from "../backends/backend.js";
import { minorOf } from "../domain/catalogue/index.js";
import { findings, type InsightInput, insightId } from "../domain/eks/insights.js";
import { mayRollBack } from "../domain/eks/version-rules.js";
import {
  DEPRECATED_USE_COUNTS_MS,
  INSIGHTS_REFRESH_EVERY_MS,
  type InsightRecord,
  type InsightsCheckRecord,
  type UpgradeFacts,
} from "../domain/insights.js";
import type { ClusterRecord, UpdateRecord } from "../domain/model.js";
import { emit, type ReconcileContext } from "./context.js";

export async function reconcileInsights(context: ReconcileContext, clusterId: string): Promise<void> {
  const { state, clock, profile } = context;
  const cluster = state.clusters.byId(clusterId);
  if (!cluster || !context.isAttached(clusterId) || cluster.status === "CREATING" || cluster.status === "DELETING")
    return;
  const check = state.insightsChecks.get(clusterId, clusterId) ?? { clusterId, deprecatedUses: [] };
  const dueMs = dueOf(check, cluster, profile.insightsRefreshMs);
  if (clock.now() < dueMs) return context.schedule("insights", clusterId, dueMs);
  try {
    const facts = await context.backendOf(cluster).upgradeFacts?.(clusterId);
    if (facts) state.transaction(() => putDown(context, cluster, facts));
    else finish(context, clusterId, "FAILED", "The cluster's backend cannot tell what insights are made from.");
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    finish(context, clusterId, "FAILED", `The cluster could not be looked at: ${error.message}.`);
  }
  context.schedule("insights", clusterId, clock.now() + INSIGHTS_REFRESH_EVERY_MS);
}

/** When EKS looks next. */
function dueOf(check: InsightsCheckRecord, cluster: ClusterRecord, refreshMs: number): number {
  const { refresh, checkedAtMs, checkedVersion } = check;
  if (checkedAtMs === undefined || checkedVersion !== cluster.version) return 0;
  const dailyMs = checkedAtMs + INSIGHTS_REFRESH_EVERY_MS;
  return refresh?.status === "IN_PROGRESS" ? Math.min(dailyMs, refresh.startedAtMs + refreshMs) : dailyMs;
}

/** What was seen replaces what was known; what somebody asked for has ended. */
function finish(
  { state, clock }: ReconcileContext,
  clusterId: string,
  status: "COMPLETED" | "FAILED",
  message: string,
  seen: Partial<InsightsCheckRecord> = {},
): void {
  const check = state.insightsChecks.get(clusterId, clusterId) ?? { clusterId, deprecatedUses: [] };
  const { refresh } = check;
  state.insightsChecks.put({
    ...check,
    ...seen,
    // A look that failed was a look: the next one is a day later.
    checkedAtMs: clock.now(),
    ...(refresh?.status === "IN_PROGRESS" ? { refresh: { ...refresh, status, message, endedAtMs: clock.now() } } : {}),
  });
}

function putDown(context: ReconcileContext, cluster: ClusterRecord, facts: UpgradeFacts): void {
  const { state, clock } = context;
  const check = state.insightsChecks.get(cluster.id, cluster.id);
  const deprecatedUses = mergedUses(check?.deprecatedUses ?? [], facts, clock.now());
  const mayGoBack = mayRollBack(cluster, updatesOf(context, cluster), clock.now());
  const input: InsightInput = {
    ...facts,
    deprecatedUses,
    cluster,
    addons: state.addons.list(cluster.id),
    ...(mayGoBack ? { rollbackTo: `1.${minorOf(cluster.version) - 1}` } : {}),
  };
  const present = new Map(state.insights.list(cluster.id).map((insight) => [insight.id, insight]));
  for (const finding of findings(input)) {
    const id = insightId(cluster.id, finding);
    const before = present.get(id);
    present.delete(id);
    const changed = before?.verdict.status !== finding.verdict.status;
    const insight: InsightRecord = {
      ...finding,
      clusterId: cluster.id,
      id,
      lastRefreshMs: clock.now(),
      lastTransitionMs: changed ? clock.now() : before.lastTransitionMs,
    };
    state.insights.put(insight);
    if (changed && (before || finding.verdict.status !== "PASSING")) tell(context, cluster, insight);
  }
  // Those about versions that the cluster has reached, or cannot go back to any more.
  for (const id of present.keys()) state.insights.remove(cluster.id, id);
  finish(context, cluster.id, "COMPLETED", "Insights refresh completed successfully.", {
    checkedVersion: cluster.version,
    deprecatedUses,
  });
}

function tell(context: ReconcileContext, cluster: ClusterRecord, { name, verdict }: InsightRecord): void {
  emit(context, cluster, {
    source: "cluster",
    type: "InsightStatusChanged",
    subject: name,
    message: `The insight "${name}" of cluster ${cluster.name} is ${verdict.status}: ${verdict.reason}`,
  });
}

const updatesOf = ({ state }: ReconcileContext, { id }: ClusterRecord): UpdateRecord[] =>
  state.updates
    .ids(id, {}, { limit: Number.MAX_SAFE_INTEGER })
    .flatMap((updateId) => state.updates.get(id, updateId) ?? []);

/** What this API server has counted, and those before it whose counts still matter. */
function mergedUses(
  known: InsightsCheckRecord["deprecatedUses"],
  { deprecatedUses, sinceMs }: UpgradeFacts,
  nowMs: number,
): InsightsCheckRecord["deprecatedUses"] {
  const isCountedOn = (use: InsightsCheckRecord["deprecatedUses"][number]): boolean =>
    use.sinceMs === sinceMs &&
    deprecatedUses.some(({ usage, userAgent }) => usage === use.usage && userAgent === use.userAgent);
  const earlier = known.filter((use) => !isCountedOn(use));
  return [...earlier, ...deprecatedUses.map((use) => ({ ...use, sinceMs }))].filter(
    ({ lastMs }) => nowMs - lastMs <= DEPRECATED_USE_COUNTS_MS,
  );
}
