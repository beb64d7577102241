import type { KubeApi, WatchEvent } from "../api.js";
import { isStatusError } from "../errors.js";
import { type KubeObject, keyOf, parseKey } from "../object.js";
import { orAbsent } from "../runtime/absent.js";
import type { LabelMatcher } from "../runtime/label-selector.js";
import { controlledBy, controllerOf, controllerReference } from "../runtime/owners.js";

/**
 * Which objects belong to a controller: those it owns and that its selector matches. Objects of its own that the selector no longer matches are
 * released, matching ones that nobody controls are adopted (upstream's ControllerRefManager).
 */
export interface Claim<T extends KubeObject> {
  api: KubeApi;
  resource: string;
  owner: KubeObject;
  matches: LabelMatcher;
  orphans: OrphanIndex;
  /** Whether an orphan may be adopted, beside matching. */
  adoptable?(object: T): boolean;
  /** Put on what is adopted, and taken off what is released. */
  finalizer?: string;
}

/** The claimed objects, in store order with the adopted ones last. */
export async function claim<T extends KubeObject>(request: Claim<T>): Promise<T[]> {
  const { api, resource, owner, matches, orphans, adoptable, finalizer } = request;
  const { namespace } = owner.metadata;
  const dying = owner.metadata.deletionTimestamp !== undefined;
  const claimed: T[] = [];
  for (const object of controlledBy<T>(api, resource, owner)) {
    if (matches(object.metadata.labels)) claimed.push(object);
    else if (!dying) await release(api, resource, owner, object, finalizer);
  }
  if (dying) return claimed;
  for (const key of orphans.in(namespace)) {
    const object = api.get<T>(resource, parseKey(key));
    if (!object || object.metadata.deletionTimestamp || !matches(object.metadata.labels)) continue;
    if (adoptable && !adoptable(object)) continue;
    const ownerReferences = [...(object.metadata.ownerReferences ?? []), controllerReference(owner)];
    const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
    const adopted = await rewrite(api, resource, object, {
      ownerReferences,
      ...(finalizer ? { finalizers: [...others, finalizer] } : {}),
    });
    if (adopted) claimed.push(adopted);
  }
  return claimed;
}

async function release<T extends KubeObject>(
  api: KubeApi,
  resource: string,
  owner: KubeObject,
  object: T,
  finalizer: string | undefined,
): Promise<void> {
  const { ownerReferences, finalizers } = object.metadata;
  await rewrite(api, resource, object, {
    ownerReferences: orAbsent(ownerReferences?.filter((reference) => reference.uid !== owner.metadata.uid)),
    finalizers: orAbsent(finalizers?.filter((name) => name !== finalizer)),
  });
}

/** The object with other owners; undefined when it went or changed meanwhile (its event brings us back). */
async function rewrite<T extends KubeObject>(
  api: KubeApi,
  resource: string,
  object: T,
  change: Partial<Pick<T["metadata"], "ownerReferences" | "finalizers">>,
): Promise<T | undefined> {
  try {
    return await api.update<T>(resource, { ...object, metadata: { ...object.metadata, ...change } });
  } catch (error) {
    if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict")) return undefined;
    throw error;
  }
}

/** The objects of one resource that nobody controls, by namespace: few, so that looking for some to adopt costs nothing. */
export interface OrphanIndex {
  /** To be called with every event of the resource. */
  observe(event: WatchEvent): void;
  in(namespace: string | undefined): readonly string[];
}

export function createOrphanIndex(): OrphanIndex {
  const byNamespace = new Map<string, Set<string>>();
  return {
    observe({ type, object }) {
      const namespace = object.metadata.namespace ?? "";
      if (type !== "DELETED" && !controllerOf(object)) {
        const keys = byNamespace.get(namespace) ?? new Set();
        byNamespace.set(namespace, keys.add(keyOf(object)));
        return;
      }
      const keys = byNamespace.get(namespace);
      if (keys?.delete(keyOf(object)) && keys.size === 0) byNamespace.delete(namespace);
    },
    in: (namespace) => [...(byNamespace.get(namespace ?? "") ?? [])],
  };
}

/**
 * Keys of the owners that an event of an owned object concerns: its controller of `kind`, the one it had before, and for an orphan every owner in
 * `resource` whose selector would adopt it.
 */
export function ownerKeys<O extends KubeObject>(
  api: KubeApi,
  event: WatchEvent,
  owner: { resource: string; kind: string; matches(owner: O): LabelMatcher },
): string[] {
  const { object, previous } = event;
  const namespace = object.metadata.namespace;
  const inNamespace = (name: string): string => (namespace ? `${namespace}/${name}` : name);
  const keys: string[] = [];
  const before = previous && controllerOf(previous);
  const now = controllerOf(object);
  if (now?.kind === owner.kind) keys.push(inNamespace(now.name));
  if (before && before.uid !== now?.uid && before.kind === owner.kind) keys.push(inNamespace(before.name));
  const changed = !previous || before !== undefined || previous.metadata.labels !== object.metadata.labels;
  if (!now && event.type !== "DELETED" && changed) {
    for (const candidate of api.list<O>(owner.resource, { namespace })) {
      if (owner.matches(candidate)(object.metadata.labels)) keys.push(keyOf(candidate));
    }
  }
  return keys;
}
