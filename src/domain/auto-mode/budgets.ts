/** Disruption budgets of node pools: how many of their nodes may be given up at a time. Source: Karpenter's documentation on disruption. */

/** Reasons as they are written in budgets. */
export type DisruptionReason = "Underutilized" | "Empty" | "Drifted";

export interface Budget {
  /** A number of nodes, or a share of them such as `10%`. */
  nodes: string;
  /** All reasons unless some are named. */
  reasons?: readonly string[];
}

/** Of pools that name no budget. */
const DEFAULT_BUDGETS: readonly Budget[] = [{ nodes: "10%" }];

/**
 * How many more nodes may be given up for a reason now: the tightest of the budgets that are active. `budgets` undefined: the pool names none; none of them
 * active: there is no limit. Nodes that are going or not Ready count against it; a share is rounded up.
 */
export function allowedDisruptions(
  budgets: readonly Budget[] | undefined,
  reason: DisruptionReason,
  pool: { total: number; disrupted: number },
): number {
  const limits = (budgets ?? DEFAULT_BUDGETS)
    .filter(({ reasons = [] }) => reasons.length === 0 || reasons.includes(reason))
    .map(({ nodes }) => nodesOf(nodes, pool.total));
  return Math.max(0, Math.min(Number.POSITIVE_INFINITY, ...limits) - pool.disrupted);
}

/** What cannot be read allows nothing: better no disruption than too many. */
function nodesOf(text: string, total: number): number {
  const [, number = "0", percent = ""] = /^(\d+)(%?)$/.exec(text) ?? [];
  return percent === "" ? Number(number) : Math.ceil((total * Number(number)) / 100);
}
