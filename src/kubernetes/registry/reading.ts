import type { ListOptions } from "../api.js";
import type { KubeObject } from "../object.js";
import type { PageOptions } from "../store/table.js";
import type { ResourceEntry } from "./catalogue.js";
import { type FieldSelector, parseFieldSelector } from "./field-selectors.js";
import { type Machinery, shown } from "./machinery.js";
import { type LabelPredicate, parseLabelSelector } from "./selectors.js";

/** What a list or watch selects. */
export interface Selection {
  /** All namespaces when absent. */
  namespace?: string;
  /** Absent when everything matches, so that nobody asks. */
  matches?: (object: KubeObject) => boolean;
  field?: FieldSelector;
}

/** Throws 400 for selectors that cannot be parsed. */
export function parseSelection(
  entry: ResourceEntry,
  { namespace, labelSelector, fieldSelector }: ListOptions,
): Selection {
  const labels: LabelPredicate | undefined = labelSelector ? parseLabelSelector(labelSelector) : undefined;
  const field = fieldSelector ? parseFieldSelector(entry.storage, fieldSelector, entry.definition) : undefined;
  if (!labels && !field) return { namespace };
  return {
    namespace,
    field,
    matches: (object) => (!labels || labels(object.metadata.labels)) && (!field || field.matches(object)),
  };
}

/** The present objects of a selection as a read shows them, in key order (in order of binding when one node's pods are asked for). */
export function select(machinery: Machinery, entry: ResourceEntry, selection: Selection): readonly KubeObject[] {
  const selected = selectStored(machinery, entry, selection);
  return machinery.readHooks.has(entry.storage) ? selected.map((object) => shown(machinery, entry, object)) : selected;
}

/** As `select`, but the very objects of the store: for the cluster's own components, which list by the thousand and need no computed heartbeats. */
export function selectStored(machinery: Machinery, entry: ResourceEntry, selection: Selection): readonly KubeObject[] {
  const { field, matches } = selection;
  const namespace = selection.namespace ?? (entry.info.namespaced ? field?.namespace : undefined);
  const objects = candidates(machinery, entry, namespace, field);
  return matches
    ? objects.filter(
        (object) => (namespace === undefined || object.metadata.namespace === namespace) && matches(object),
      )
    : objects;
}

/** As `select` of everything in a namespace or everywhere, but a page only; undefined where the objects are not the store's. */
export function selectPage(
  machinery: Machinery,
  entry: ResourceEntry,
  options: PageOptions,
): { objects: readonly KubeObject[]; remaining: number } | undefined {
  if (entry.source) return undefined;
  const page = machinery.store.page(entry.storage, options);
  if (!machinery.readHooks.has(entry.storage)) return page;
  return { ...page, objects: page.objects.map((object) => shown(machinery, entry, object)) };
}

function candidates(
  { store }: Machinery,
  entry: ResourceEntry,
  namespace: string | undefined,
  field: FieldSelector | undefined,
): readonly KubeObject[] {
  if (entry.source) return entry.source.list(namespace);
  if (field?.name && (namespace !== undefined || !entry.info.namespaced)) {
    const object = store.get(entry.storage, namespace, field.name);
    return object ? [object] : [];
  }
  if (field?.nodeName) return store.byIndex(entry.storage, "node", field.nodeName);
  return store.list(entry.storage, namespace);
}
