/**
 * matchLabelKeys and mismatchLabelKeys of pod affinity terms and of topology spread constraints: at a pod's birth the API server turns the pod's own values
 * of these labels into requirements of the selectors, so that the scheduler knows selectors only.
 */
import type { StatusCause } from "../../errors.js";
import type {
  Affinity,
  LabelSelector,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from "../../schema/generated/types.js";
import { forbiddenField, invalidValue, named } from "./field.js";
import { qualifiedName } from "./names.js";

type Labels = Readonly<Record<string, string>>;

interface LabelKeys {
  labelSelector?: LabelSelector;
  matchLabelKeys?: string[];
  mismatchLabelKeys?: string[];
}

const requirements = (keys: readonly string[] | undefined, operator: string, labels: Labels) =>
  (keys ?? []).flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });

/** The same object where there is nothing to add. A term without a selector matches nothing, and stays so. */
function merged<T extends LabelKeys>(term: T, labels: Labels): T {
  const { labelSelector, matchLabelKeys, mismatchLabelKeys } = term;
  if (!labelSelector || (!matchLabelKeys?.length && !mismatchLabelKeys?.length)) return term;
  const added = [...requirements(matchLabelKeys, "In", labels), ...requirements(mismatchLabelKeys, "NotIn", labels)];
  if (added.length === 0) return term;
  const matchExpressions = [...(labelSelector.matchExpressions ?? []), ...added];
  return { ...term, labelSelector: { ...labelSelector, matchExpressions } };
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";

function affinityWithLabelKeys(affinity: Affinity, labels: Labels): Affinity {
  const result = { ...affinity };
  for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
    const terms = affinity[kind];
    if (!terms) continue;
    const required = terms[REQUIRED]?.map((term) => merged(term, labels));
    const preferred = terms[PREFERRED]?.map((preference) => ({
      ...preference,
      podAffinityTerm: merged(preference.podAffinityTerm, labels),
    }));
    result[kind] = {
      ...terms,
      ...(required ? { [REQUIRED]: required } : {}),
      ...(preferred ? { [PREFERRED]: preferred } : {}),
    };
  }
  return result;
}

/** The spec with the label keys in its selectors; the same object for the many pods that have none. */
export function withLabelKeys(spec: PodSpec, labels: Labels = {}): PodSpec {
  const { affinity, topologySpreadConstraints } = spec;
  const hasTerms = affinity?.podAffinity || affinity?.podAntiAffinity;
  if (!hasTerms && !topologySpreadConstraints) return spec;
  return {
    ...spec,
    ...(hasTerms ? { affinity: affinityWithLabelKeys(affinity, labels) } : {}),
    ...(topologySpreadConstraints
      ? { topologySpreadConstraints: topologySpreadConstraints.map((constraint) => merged(constraint, labels)) }
      : {}),
  };
}

function validateKeys(field: string, keys: readonly string[] | undefined, selector: unknown): StatusCause[] {
  if (!keys?.length) return [];
  if (!selector) return [forbiddenField(field, "must not be specified when labelSelector is not set")];
  return keys.flatMap((key, index) => named(`${field}[${index}]`, key, qualifiedName(key)));
}

/** Keys of matchLabelKeys that the user's own selector has as well: seen by their being there more than once, for pods come here merged. */
function repeatedKeys(field: string, { labelSelector, matchLabelKeys = [] }: LabelKeys): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  for (const { key } of labelSelector?.matchExpressions ?? []) {
    const index = matchLabelKeys.lastIndexOf(key);
    if (index >= 0 && seen.has(key))
      causes.push(invalidValue(`${field}[${index}]`, key, "exists in both matchLabelKeys and labelSelector"));
    seen.add(key);
  }
  return causes;
}

/** Rules of a pod affinity term's keys. */
export function validateTermKeys(field: string, term: Partial<PodAffinityTerm>): StatusCause[] {
  const { labelSelector, matchLabelKeys, mismatchLabelKeys } = term;
  if (!matchLabelKeys && !mismatchLabelKeys) return [];
  const causes = [
    ...validateKeys(`${field}.matchLabelKeys`, matchLabelKeys, labelSelector),
    ...validateKeys(`${field}.mismatchLabelKeys`, mismatchLabelKeys, labelSelector),
    // The path is the term's with the key's index: so it is worded upstream.
    ...repeatedKeys(field, term),
  ];
  matchLabelKeys?.forEach((key, index) => {
    if (mismatchLabelKeys?.includes(key))
      causes.push(
        invalidValue(`${field}.matchLabelKeys[${index}]`, key, "exists in both matchLabelKeys and mismatchLabelKeys"),
      );
  });
  return causes;
}

/** Rules of a topology spread constraint's keys. */
export const validateSpreadKeys = (field: string, constraint: TopologySpreadConstraint): StatusCause[] =>
  constraint.matchLabelKeys
    ? [
        ...validateKeys(`${field}.matchLabelKeys`, constraint.matchLabelKeys, constraint.labelSelector),
        ...repeatedKeys(`${field}.matchLabelKeys`, constraint),
      ]
    : [];
