/** Match conditions: expressions that must all hold before a policy is evaluated or a webhook called. */
import { MATCH_CONDITIONS_BUDGET } from "../../cel/index.js";
import type { MatchCondition } from "../../schema/generated/types.js";
import { type Compilation, compileExpression, type ExpressionScope, evaluate, OutOfBudget } from "./expressions.js";

export interface CompiledConditions {
  readonly conditions: readonly { condition: MatchCondition; compiled: Compilation }[];
}

export const compileConditions = (
  conditions: readonly MatchCondition[] | undefined,
  scope: ExpressionScope,
): CompiledConditions => ({
  conditions: (conditions ?? []).map((condition) => ({
    condition,
    compiled: compileExpression(condition.expression.trim(), scope, ["bool"]),
  })),
});

/** `error`: nobody says no, but not everybody could be asked; only where the failure policy is to fail. */
export type ConditionOutcome = { matches: boolean } | { error: string };

export function evaluateConditions(
  { conditions }: CompiledConditions,
  bindings: () => Parameters<typeof evaluate>[2],
  failurePolicy: string | undefined,
): ConditionOutcome {
  if (conditions.length === 0) return { matches: true };
  const budget = { remaining: MATCH_CONDITIONS_BUDGET };
  const bound = bindings();
  const errors: string[] = [];
  try {
    for (const { condition, compiled } of conditions) {
      const outcome = evaluate(condition.expression, compiled, bound, budget);
      if ("error" in outcome) errors.push(outcome.error);
      else if (outcome.value === false) return { matches: false };
    }
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error;
    errors.push(error.message);
  }
  if (errors.length === 0) return { matches: true };
  if (failurePolicy === "Ignore") return { matches: false };
  return { error: errors.length === 1 ? (errors[0] as string) : `[${errors.join(", ")}]` };
}
