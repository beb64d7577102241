/** What is wrong with the expressions of a definition's schemas, found when the definition is written. */
import type { StatusCause } from "../errors.js";
import type { CustomResourceDefinition } from "../schema/generated/types.js";

export function ruleProblems(
  _definition: CustomResourceDefinition,
  _previous: CustomResourceDefinition | undefined,
): StatusCause[] {
  return [];
}
