import type { Draft, KubeObject, ObjectKey, ResourceName } from "./object.js";

/** Who makes a request. In-process components carry the user a real cluster would show, e.g. `system:serviceaccount:kube-system:deployment-controller`. */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface WriteOptions {
  /** Name under which written fields are owned in managedFields; default: the client's own. */
  fieldManager?: string;
  /** Everything is done except the write itself. */
  dryRun?: boolean;
  fieldValidation?: "Ignore" | "Warn" | "Strict";
  /** `status`, `scale`, `binding`, `eviction`, ...; absent for the main resource. */
  subresource?: string;
}

export interface DeleteOptions extends WriteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Orphan" | "Background" | "Foreground";
  preconditions?: { uid?: string; resourceVersion?: string };
}

export interface ListOptions {
  namespace?: string;
  /** Kubernetes selector syntax: `a=b,c in (d,e),!f`. */
  labelSelector?: string;
  /** `metadata.name=x,spec.nodeName!=y`; only the labels that the resource supports, else 400. */
  fieldSelector?: string;
}

export type PatchType = "json" | "merge" | "strategic" | "apply";

export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: "ADDED" | "MODIFIED" | "DELETED";
  /** For DELETED: the last state, with the revision of the deletion. */
  object: T;
  /** State before a MODIFIED. */
  previous?: T;
}

/** Names of the store's secondary indexes. */
export type IndexName = "node" | "ownerUid";

/**
 * The API server from inside the process: the same registry, admission, defaulting, validation, ownership and events as over HTTPS, without
 * authentication and authorisation. Reads are synchronous from the store. A write happens, and its watchers hear of it, before the returned promise
 * resolves; most writes happen synchronously within the call. Refusals reject with StatusError.
 */
export interface KubeApi {
  get<T extends KubeObject>(resource: ResourceName, key: ObjectKey): T | undefined;
  list<T extends KubeObject>(resource: ResourceName, options?: ListOptions): readonly T[];
  /** Objects whose indexed value equals `value`: `node` = spec.nodeName of pods; `ownerUid` = uid of any owner reference. */
  byIndex<T extends KubeObject>(resource: ResourceName, index: IndexName, value: string): readonly T[];
  create<T extends KubeObject>(resource: ResourceName, object: Draft<T>, options?: WriteOptions): Promise<T>;
  /** Full replacement. Without metadata.resourceVersion the write is unconditional; with it, a stale one rejects with Conflict. */
  update<T extends KubeObject>(resource: ResourceName, object: T, options?: WriteOptions): Promise<T>;
  /** Replacement of the status alone. Nothing is written, and no event is sent, when it equals the present one. */
  updateStatus<T extends KubeObject>(resource: ResourceName, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: ResourceName,
    key: ObjectKey,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions & { force?: boolean },
  ): Promise<T>;
  /** Server-side apply of `object` under `options.fieldManager`. */
  apply<T extends KubeObject>(
    resource: ResourceName,
    object: Draft<T>,
    options?: WriteOptions & { force?: boolean },
  ): Promise<T>;
  /** The object as it was when it went, or as it is now when finalizers or a grace period hold it. Rejects with NotFound. */
  delete<T extends KubeObject>(resource: ResourceName, key: ObjectKey, options?: DeleteOptions): Promise<T>;
  /**
   * Calls `handler` with ADDED for every present object (synchronously, before this returns), then for every later event as it happens, inside the write.
   * Handlers must be short and must not write: they put keys into work queues. `changesOnly`: not the present objects.
   */
  watch<T extends KubeObject>(
    resource: ResourceName,
    handler: (event: WatchEvent<T>) => void,
    options?: { changesOnly?: boolean },
  ): () => void;
  /** The same server as another user and field manager. */
  as(user: UserInfo, fieldManager: string): KubeApi;
  /** Present revision of the store. */
  readonly revision: number;
}
