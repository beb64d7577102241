import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from "../schema/generated/types.js";

/** Which nodes a pod may be on: `nodeSelector` and the required part of node affinity, as component-helpers' nodeaffinity judges them. */

const INTEGER = /^-?\d+$/;

const compareIntegers = (value: string | undefined, bound: string | undefined, greater: boolean): boolean => {
  if (value === undefined || bound === undefined || !INTEGER.test(value) || !INTEGER.test(bound)) return false;
  return greater ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
};

const OPERATORS: Readonly<Record<string, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
  Gt: (value, values) => compareIntegers(value, values[0], true),
  Lt: (value, values) => compareIntegers(value, values[0], false),
};

const matches = (value: string | undefined, requirement: NodeSelectorRequirement): boolean =>
  OPERATORS[requirement.operator]?.(value, requirement.values ?? []) ?? false;

/** A term is the AND of its requirements; an empty term matches nothing. */
export function nodeMatchesTerm(node: Node, term: NodeSelectorTerm): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressions.every((requirement) => matches(node.metadata.labels?.[requirement.key], requirement)) &&
    // metadata.name is the only field that validation lets through.
    fields.every((requirement) => requirement.key === "metadata.name" && matches(node.metadata.name, requirement))
  );
}

/** True when the node satisfies the pod's nodeSelector and its required node affinity (an OR of terms). */
export function nodeMatchesPodAffinity(node: Node, spec: Pick<PodSpec, "nodeSelector" | "affinity">): boolean {
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {}))
    if (node.metadata.labels?.[key] !== value) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some((term) => nodeMatchesTerm(node, term));
}
