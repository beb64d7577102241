/** How many replicas a workload needs when nobody says: what its disruption budgets keep available, or one. */
import { matches } from "./match.js";
import { type LabelSelector, selectorTerm } from "./selectors.js";

export interface BudgetObject {
  metadata: { name: string; namespace?: string };
  spec: { minAvailable?: number | string; maxUnavailable?: number | string; selector?: LabelSelector };
}

/** The strictest of the budgets that select pods with these labels counts; without one, a single replica is enough. */
export function minimumOf(
  wanted: number,
  labels: Readonly<Record<string, string>>,
  budgets: readonly BudgetObject[],
): number {
  const kept = budgets
    .filter(({ spec }) => spec.selector !== undefined && matches(selectorTerm(spec.selector), labels))
    .map(({ spec }) => keptBy(spec, wanted));
  return kept.length === 0 ? Math.min(1, wanted) : Math.max(0, Math.min(wanted, Math.max(...kept)));
}

export const keptBy = (
  { minAvailable, maxUnavailable }: { minAvailable?: number | string; maxUnavailable?: number | string },
  wanted: number,
): number => (minAvailable === undefined ? wanted - share(maxUnavailable ?? 0, wanted) : share(minAvailable, wanted));

/** As the disruption controller does: shares are rounded up. */
const share = (value: number | string, of: number): number =>
  typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) * of) / 100);
