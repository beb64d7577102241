/** Labels and selectors as text. */
import type { LabelSelector } from "../schema/generated/types.js";

/** `a=b,c=d` in order of keys; `<none>` for no labels. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).sort(byKey);
  return pairs.length > 0 ? pairs.map(([key, value]) => `${key}=${value}`).join(",") : "<none>";
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

const OPERATORS: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in (${values})`,
  NotIn: (key, values) => `${key} notin (${values})`,
  Exists: (key) => key,
  DoesNotExist: (key) => `!${key}`,
};

/** A selector in the syntax of requests, in order of keys: `app=web,tier in (a,b),!canary`; empty when it selects everything. */
export function selectorText(selector: LabelSelector | undefined): string {
  const terms: [string, string][] = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => [
    key,
    `${key}=${value}`,
  ]);
  for (const { key, operator, values } of selector?.matchExpressions ?? []) {
    const write = OPERATORS[operator];
    if (!write) return "<invalid>";
    terms.push([key, write(key, [...(values ?? [])].sort().join(","))]);
  }
  return terms
    .sort(byKey)
    .map(([, term]) => term)
    .join(",");
}

export const selectorOrNone = (selector: LabelSelector | undefined): string => selectorText(selector) || "<none>";
