import type { LabelSelector, LabelSelectorRequirement } from "../schema/generated/types.js";

/** Label selectors in their structured form (`matchLabels`, `matchExpressions`), as inside specs. The string form of requests is the registry's. */
export type LabelMatcher = (labels: Readonly<Record<string, string>> | undefined) => boolean;

const NO_LABELS: Readonly<Record<string, string>> = {};

const OPERATORS: Readonly<Record<string, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

const requirementMatches = (labels: Readonly<Record<string, string>>, requirement: LabelSelectorRequirement): boolean =>
  OPERATORS[requirement.operator]?.(labels[requirement.key], requirement.values ?? []) ?? false;

const compiled = new WeakMap<object, LabelMatcher>();

/**
 * How `metav1.LabelSelectorAsSelector` reads a selector: absent matches nothing, empty matches everything. Compiled once a selector object, which is
 * immutable as part of a stored object.
 */
export function matcherOf(selector: LabelSelector | undefined): LabelMatcher {
  if (!selector) return () => false;
  const known = compiled.get(selector);
  if (known) return known;
  const pairs = Object.entries(selector.matchLabels ?? {});
  const expressions = selector.matchExpressions ?? [];
  const matcher: LabelMatcher = (labels = NO_LABELS) => {
    for (const [key, value] of pairs) if (labels[key] !== value) return false;
    for (const expression of expressions) if (!requirementMatches(labels, expression)) return false;
    return true;
  };
  compiled.set(selector, matcher);
  return matcher;
}

/** Selectors that are a plain map (Services, ReplicationControllers): absent and empty match nothing. */
export function matcherOfMap(map: Readonly<Record<string, string>> | undefined): LabelMatcher {
  if (!map) return () => false;
  const known = compiled.get(map);
  if (known) return known;
  const pairs = Object.entries(map);
  const matcher: LabelMatcher = (labels = NO_LABELS) =>
    pairs.length > 0 && pairs.every(([key, value]) => labels[key] === value);
  compiled.set(map, matcher);
  return matcher;
}

export const isEmptySelector = (selector: LabelSelector | undefined): boolean =>
  !selector || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);
