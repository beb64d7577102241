/** The expressions of a schema (`x-kubernetes-validations`) over one object. */
import type { StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { StructuralNode } from "./structural.js";

/** Evaluates the rules of a schema over an object and, for transition rules, its previous state. `found` is what other rules have said already. */
export type RuleCheck = (
  object: KubeObject,
  previous: KubeObject | undefined,
  found: readonly StatusCause[],
) => StatusCause[];

export function rulesOf(_root: () => StructuralNode): RuleCheck {
  return () => [];
}
