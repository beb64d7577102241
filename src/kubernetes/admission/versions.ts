/** The versions in which the same objects are served, and their conversion for whoever speaks of another version than the request. */
import { internalError } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { ResourceCatalogue, ResourceEntry } from "../registry/catalogue.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import { pruneAndCheck } from "../wire/prune.js";
import { DecodeError } from "../wire/scalars.js";
import type { AdmissionRequest } from "./plugin.js";
import { wireObjects } from "./review.js";

export interface Versions {
  /** The other versions of a resource. */
  equivalents(info: ResourceInfo): readonly ResourceInfo[];
  /** The object as another version shows it. Throws when a conversion webhook would have to be asked first. */
  convert(object: KubeObject, from: ResourceInfo, to: ResourceInfo): KubeObject;
  /** The objects of a request as its kind has them, in its own version. */
  sent(request: AdmissionRequest): { object: KubeObject | undefined; previous: KubeObject | undefined };
  /** What a policy or webhook made of an object, without what its type does not know. Throws StatusError for values of a wrong type. */
  pruned(object: KubeObject, info: ResourceInfo): KubeObject;
  /** The same as `convert`, asking conversion webhooks. */
  converted(object: KubeObject, from: ResourceInfo, to: ResourceInfo): Promise<KubeObject>;
}

const NONE: readonly ResourceInfo[] = [];

export function createVersions(catalogue: ResourceCatalogue): Versions {
  let generation = -1;
  let byStorage = new Map<string, ResourceInfo[]>();

  const entryOf = ({ group, version, resource }: ResourceInfo): ResourceEntry | undefined =>
    catalogue.byPath(group, version, resource);

  function refresh(): void {
    if (generation === catalogue.generation) return;
    generation = catalogue.generation;
    byStorage = new Map();
    for (const info of catalogue.infos()) {
      const storage = entryOf(info)?.storage;
      if (storage === undefined) continue;
      const known = byStorage.get(storage);
      if (known) known.push(info);
      else byStorage.set(storage, [info]);
    }
  }

  function stored(object: KubeObject, entry: ResourceEntry): KubeObject | Promise<KubeObject> {
    if (entry.definition) return entry.definition.toStorage(object);
    return entry.conversion ? entry.conversion.toStorage(object) : object;
  }

  function shown(object: KubeObject, entry: ResourceEntry): KubeObject {
    if (entry.definition) return entry.definition.view(object);
    return entry.conversion ? entry.conversion.fromStorage(object) : object;
  }

  return {
    equivalents(info) {
      refresh();
      const storage = entryOf(info)?.storage;
      const all = storage === undefined ? undefined : byStorage.get(storage);
      return !all || all.length < 2 ? NONE : all.filter((other) => other !== info);
    },
    convert(object, from, to) {
      const [source, target] = [entryOf(from), entryOf(to)];
      if (from === to || !source || !target || object.kind !== from.kind) return object;
      const middle = stored(object, source);
      if (middle instanceof Promise) throw new Error(`${from.resource} cannot be converted without a webhook`);
      return shown(middle, target);
    },
    sent: (request) =>
      wireObjects(request, request.subresource === "scale" ? entryOf(request.info)?.definition?.scale : undefined),
    pruned(object, info) {
      // Subresources may have a kind of their own.
      if (object.kind !== info.kind) return object;
      const definition = entryOf(info)?.definition;
      try {
        const { object: known } = definition ? definition.prune(object) : pruneAndCheck(info.type, object);
        return known as KubeObject;
      } catch (error) {
        if (error instanceof DecodeError) throw internalError(error.message);
        throw error;
      }
    },
    async converted(object, from, to) {
      const [source, target] = [entryOf(from), entryOf(to)];
      if (from === to || !source || !target || object.kind !== from.kind) return object;
      const middle = await stored(object, source);
      await target.definition?.prepare([middle]);
      return shown(middle, target);
    },
  };
}
