import { canonicalJson } from "../runtime/hash.js";
import { type LabelMatcher, matcherOf } from "../runtime/label-selector.js";
import type { LabelSelector } from "../schema/generated/types.js";
import type { NodeInfo } from "./node-info.js";
import type { PodInfo, PodSetSpec } from "./pod-info.js";

/**
 * "The pods that this selector picks", counted by node. Topology spread and pod affinity ask for such counts for every pod they place; counting
 * afresh would walk over all pods of the cluster each time. So a set that somebody asked for is kept up to date as pods come and go, and a new
 * pod is only held against the sets that could want it: those filed under its namespace and one of its labels.
 */
export interface PodSet {
  /** Equal for equal selectors. */
  readonly id: string;
  readonly matches: (pod: PodInfo) => boolean;
  readonly living: boolean;
  /** Where to file it: `namespace` `key=value`, or undefined when only trying tells. */
  readonly shelves: readonly string[] | undefined;
}

export type PodCounts = ReadonlyMap<NodeInfo, number>;

export interface PodSets {
  make(spec: PodSetSpec): PodSet;
  /** Matching pods by node; nodes without any are absent. */
  count(set: PodSet): PodCounts;
  added(pod: PodInfo, node: NodeInfo): void;
  removed(pod: PodInfo, node: NodeInfo): void;
  nodeRemoved(node: NodeInfo): void;
  /** Labels of a namespace changed: what depends on them is counted afresh when asked for. */
  namespacesChanged(): void;
}

export interface PodSetsOptions {
  /** Every placed pod, for the first count of a set. */
  pods: () => Iterable<readonly [PodInfo, NodeInfo]>;
  namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined;
}

/** Sets kept up to date at most; the one not asked for the longest goes first. */
const MAX_SETS = 4096;

interface Kept {
  readonly set: PodSet;
  readonly counts: Map<NodeInfo, number>;
}

/** One `key=value` that every matching pod carries, if the selectors have any. */
function anchorOf(selectors: readonly (LabelSelector | undefined)[]): string | undefined {
  for (const selector of selectors) {
    for (const key in selector?.matchLabels) return `${key}=${selector.matchLabels[key]}`;
    for (const { key, operator, values } of selector?.matchExpressions ?? [])
      if (operator === "In" && values?.length === 1) return `${key}=${values[0]}`;
  }
  return undefined;
}

export function createPodSets({ pods, namespaceLabels }: PodSetsOptions): PodSets {
  const made = new Map<string, PodSet>();
  const kept = new Map<string, Kept>();
  const shelves = new Map<string, Set<Kept>>();
  /** Sets that no shelf can hold: tried for every pod. */
  const loose = new Set<Kept>();

  const make = (spec: PodSetSpec): PodSet => {
    const id = canonicalJson(spec);
    const known = made.get(id);
    if (known) return known;
    const matchers: LabelMatcher[] = spec.selectors.map(matcherOf);
    const names = new Set(spec.namespaces);
    const namespaceMatcher = spec.namespaceSelector ? matcherOf(spec.namespaceSelector) : undefined;
    const inNamespace = (namespace: string): boolean =>
      names.has(namespace) || (namespaceMatcher?.(namespaceLabels(namespace) ?? {}) ?? false);
    const anchor = namespaceMatcher ? undefined : anchorOf(spec.selectors);
    const living = spec.living ?? false;
    const set: PodSet = {
      id,
      living,
      matches: (pod) =>
        !(living && pod.terminating) && inNamespace(pod.namespace) && matchers.every((matches) => matches(pod.labels)),
      shelves: anchor === undefined ? undefined : spec.namespaces.map((namespace) => `${namespace} ${anchor}`),
    };
    if (made.size >= 4 * MAX_SETS) made.clear();
    made.set(id, set);
    return set;
  };

  const file = (entry: Kept): void => {
    if (!entry.set.shelves) loose.add(entry);
    for (const shelf of entry.set.shelves ?? []) {
      const entries = shelves.get(shelf);
      if (entries) entries.add(entry);
      else shelves.set(shelf, new Set([entry]));
    }
  };

  const drop = (entry: Kept): void => {
    kept.delete(entry.set.id);
    loose.delete(entry);
    for (const shelf of entry.set.shelves ?? []) {
      const entries = shelves.get(shelf);
      entries?.delete(entry);
      if (entries?.size === 0) shelves.delete(shelf);
    }
  };

  const change = (counts: Map<NodeInfo, number>, node: NodeInfo, by: 1 | -1): void => {
    const count = (counts.get(node) ?? 0) + by;
    if (count > 0) counts.set(node, count);
    else counts.delete(node);
  };

  const changeMatching = (pod: PodInfo, node: NodeInfo, by: 1 | -1): void => {
    for (const entry of loose) if (entry.set.matches(pod)) change(entry.counts, node, by);
    if (shelves.size === 0) return;
    for (const key in pod.labels) {
      const entries = shelves.get(`${pod.namespace} ${key}=${pod.labels[key]}`);
      if (entries) for (const entry of entries) if (entry.set.matches(pod)) change(entry.counts, node, by);
    }
  };

  return {
    make,
    count(set) {
      const known = kept.get(set.id);
      if (known) {
        kept.delete(set.id);
        kept.set(set.id, known);
        return known.counts;
      }
      const entry: Kept = { set, counts: new Map() };
      for (const [pod, node] of pods()) if (set.matches(pod)) change(entry.counts, node, 1);
      kept.set(set.id, entry);
      file(entry);
      if (kept.size > MAX_SETS) drop(kept.values().next().value as Kept);
      return entry.counts;
    },
    added: (pod, node) => changeMatching(pod, node, 1),
    removed: (pod, node) => changeMatching(pod, node, -1),
    nodeRemoved(node) {
      for (const entry of kept.values()) entry.counts.delete(node);
    },
    namespacesChanged() {
      for (const entry of [...loose]) drop(entry);
    },
  };
}
