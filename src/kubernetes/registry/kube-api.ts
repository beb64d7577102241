import type { DeleteOptions, KubeApi, UserInfo, WatchEvent, WriteOptions } from "../api.js";
import { methodNotAllowed } from "../errors.js";
import type { Draft, KubeObject, ObjectKey } from "../object.js";
import { cloneJson } from "../patch/json.js";
import type { Binding } from "./binding.js";
import type { ResourceEntry } from "./catalogue.js";
import { createObject } from "./create.js";
import { deleteObject } from "./deletion.js";
import { type Caller, entryOf, find, type Machinery, shown } from "./machinery.js";
import { applyObject, patchObject } from "./patching.js";
import { parseSelection, selectStored } from "./reading.js";
import type { Scale } from "./scale.js";
import { bindPod, evictPod, replaceScale, TAKEN_OVER } from "./subresources.js";
import { changeObject } from "./update.js";

/**
 * The API server as the cluster's own components call it. Their writes go through everything that a client's do, except authentication, authorisation
 * and the tracking of field owners (unless they name a field manager).
 */
export function createKubeApi(machinery: Machinery, caller: Caller): KubeApi {
  const { store } = machinery;
  /** A component that names a manager wants its fields owned. */
  const as = (options: WriteOptions | undefined): Caller =>
    options?.fieldManager ? { ...caller, fieldManager: options.fieldManager, tracksOwnership: true } : caller;
  const entry = (resource: string): ResourceEntry => entryOf(machinery, resource);

  async function update(resource: string, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    const target = entry(resource);
    if (options.subresource === "scale")
      return replaceScale(machinery, target, as(options), object.metadata, object as Scale, options);
    const takeOver = options.subresource === undefined ? undefined : TAKEN_OVER[options.subresource];
    if (options.subresource !== undefined && !takeOver) throw methodNotAllowed();
    return changeObject(machinery, as(options), {
      entry: target,
      key: object.metadata,
      options,
      change: (current) => (takeOver ? takeOver(current, object) : cloneJson(object)),
    });
  }

  return {
    get revision() {
      return store.revision;
    },
    get: (<T extends KubeObject>(resource: string, key: ObjectKey): T | undefined => {
      const target = entry(resource);
      const object = find(machinery, target, key);
      return (object && shown(machinery, target, object)) as T | undefined;
    }) as KubeApi["get"],
    list: (<T extends KubeObject>(resource: string, options = {}): readonly T[] => {
      const target = entry(resource);
      return selectStored(machinery, target, parseSelection(target, options)) as readonly T[];
    }) as KubeApi["list"],
    byIndex: <T extends KubeObject>(resource: string, index: "node" | "ownerUid", value: string) =>
      store.byIndex(resource, index, value) as readonly T[],
    async create<T extends KubeObject>(resource: string, object: Draft<T>, options: WriteOptions = {}): Promise<T> {
      const target = entry(resource);
      const draft = object as unknown as KubeObject;
      if (options.subresource === "binding")
        return (await bindPod(machinery, as(options), draft as Binding, options)) as T;
      if (options.subresource === "eviction")
        return (await evictPod(machinery, as(options), draft, options)) as unknown as T;
      if (options.subresource !== undefined) throw methodNotAllowed();
      return (await createObject(machinery, target, as(options), cloneJson(draft), options)) as T;
    },
    update: async <T extends KubeObject>(resource: string, object: T, options: WriteOptions = {}) =>
      (await update(resource, object, options)) as T,
    updateStatus: async <T extends KubeObject>(resource: string, object: T, options: WriteOptions = {}) =>
      (await update(resource, object, { ...options, subresource: "status" })) as T,
    patch: async <T extends KubeObject>(
      resource: string,
      key: ObjectKey,
      type: Parameters<KubeApi["patch"]>[2],
      patch: unknown,
      options: WriteOptions & { force?: boolean } = {},
    ) => (await patchObject(machinery, entry(resource), as(options), key, type, patch, options)).object as T,
    apply: async <T extends KubeObject>(
      resource: string,
      object: Draft<T>,
      options: WriteOptions & { force?: boolean } = {},
    ) => {
      const applied = object as unknown as KubeObject;
      const owner: Caller = { ...as(options), tracksOwnership: true };
      return (await applyObject(machinery, entry(resource), owner, applied.metadata, applied, options)).object as T;
    },
    delete: async <T extends KubeObject>(resource: string, key: ObjectKey, options: DeleteOptions = {}) =>
      (await deleteObject(machinery, entry(resource), as(options), key, options)).object as T,
    watch<T extends KubeObject>(
      resource: string,
      handler: (event: WatchEvent<T>) => void,
      options: { changesOnly?: boolean } = {},
    ): () => void {
      const { storage } = entry(resource);
      const typed = handler as (event: WatchEvent) => void;
      if (!options.changesOnly) for (const object of store.list(storage)) typed({ type: "ADDED", object });
      return store.subscribe(storage, typed);
    },
    as: (user: UserInfo, fieldManager: string) =>
      createKubeApi(machinery, { user, fieldManager, tracksOwnership: false }),
  };
}
