import type { ObjectMeta } from "./schema/object-meta.js";

/**
 * Any Kubernetes object as stored. Stored objects are immutable: never write to one that came from the store, build a changed copy.
 * `metadata.resourceVersion` is the global revision of its last write.
 */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** An object on its way into the API server: metadata may lack what the server fills in. */
export type Draft<T> = Omit<T, "metadata" | "apiVersion" | "kind"> & {
  apiVersion?: string;
  kind?: string;
  metadata: Partial<ObjectMeta>;
};

/** A resource by its plural name and group, as `kubectl` spells it: `pods`, `deployments.apps`, `leases.coordination.k8s.io`. */
export type ResourceName = string;

export interface ObjectKey {
  /** Absent for cluster-scoped resources. */
  namespace?: string;
  name: string;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of work queues and maps. */
export function keyOf(object: { metadata: { namespace?: string; name?: string } }): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name ?? ""}` : (name ?? "");
}

export function parseKey(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
