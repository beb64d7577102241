/** Kubernetes' two spellings of selectors, label selectors and node selector terms, as the requirements that both come down to. */
import type { Requirement } from "../../../domain/auto-mode/requirements.js";
import type { Term } from "./facts.js";

export interface LabelSelector {
  matchLabels?: Readonly<Record<string, string>>;
  matchExpressions?: readonly Requirement[];
}

export interface NodeSelectorTerm {
  matchExpressions?: readonly Requirement[];
  matchFields?: readonly Requirement[];
}

const equals = (key: string, value: string): Requirement => ({ key, operator: "In", values: [value] });

/** An empty selector means everything. One that is absent means nothing, or something else again: that is the caller's affair. */
export const selectorTerm = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector): Term => [
  ...Object.entries(matchLabels).map(([key, value]) => equals(key, value)),
  ...matchExpressions,
];

/** What is absent means nothing. */
export const NOTHING: Term = [{ key: "metadata.name", operator: "In", values: [] }];

/** Labels and fields alike: nodes carry their name as `metadata.name`, the only field there is. A term without requirements is met by no node. */
export const termsOf = (terms: readonly NodeSelectorTerm[]): Term[] =>
  terms.map(({ matchExpressions = [], matchFields = [] }) => {
    const term = [...matchExpressions, ...matchFields];
    return term.length > 0 ? term : NOTHING;
  });

/** `matchLabelKeys`: as the pod itself has them. */
export const withLabelKeys = (
  term: Term,
  keys: readonly string[] = [],
  labels: Readonly<Record<string, string>>,
): Term => [
  ...term,
  ...keys.flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [equals(key, value)];
  }),
];
