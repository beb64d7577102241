import type { PatchType, WriteOptions } from "../api.js";
import { badRequest, conflict, methodNotAllowed, notFound } from "../errors.js";
import type { Draft, KubeObject, ObjectKey } from "../object.js";
import {
  applyJsonPatch,
  applyMergePatch,
  applyServerSide,
  applyStrategicMergePatch,
  cloneJson,
} from "../patch/index.js";
import type { ResourceEntry } from "./catalogue.js";
import { createObject } from "./create.js";
import { type Caller, find, type Machinery, storedEntry } from "./machinery.js";
import { patchSchemaOf } from "./ownership.js";
import { onlyReplicas, type Scale, scaleOf, withScale } from "./scale.js";
import { TAKEN_OVER } from "./subresources.js";
import { changeObject } from "./update.js";

export interface PatchOptions extends WriteOptions {
  force?: boolean;
  /** Looks at the patched document as at any body from outside (types, unknown fields). */
  check?(document: KubeObject): KubeObject;
}

export interface Patched {
  object: KubeObject;
  /** True when an apply found nothing and created the object. */
  created: boolean;
}

/** The document a patch speaks about, and how it goes back into the stored object. */
interface View {
  type: string;
  show(current: KubeObject): KubeObject;
  takeBack(current: KubeObject, document: KubeObject): KubeObject;
}

function viewOf(entry: ResourceEntry, subresource: string | undefined): View {
  const { conversion } = entry;
  const { type } = entry.info;
  // Converted objects have members that are undefined, which plain JSON has not.
  const show = (current: KubeObject): KubeObject => (conversion ? cloneJson(conversion.fromStorage(current)) : current);
  const store = (document: KubeObject): KubeObject => (conversion ? conversion.toStorage(document) : document);
  if (subresource === undefined) return { type, show, takeBack: (_current, document) => cloneJson(store(document)) };
  if (subresource === "scale")
    return {
      type: "Scale",
      show: (current) => scaleOf(current, entry.definition?.scale),
      takeBack: (current, document) => withScale(current, document as Scale, entry.definition?.scale),
    };
  const takeOver = TAKEN_OVER[subresource];
  if (!takeOver) throw methodNotAllowed();
  return { type, show, takeBack: (current, document) => takeOver(current, store(document)) };
}

/** Patches an object or one of its subresources; for `apply`, `patch` is the applied configuration. */
export async function patchObject(
  machinery: Machinery,
  entry: ResourceEntry,
  caller: Caller,
  key: ObjectKey,
  type: PatchType,
  patch: unknown,
  options: PatchOptions,
): Promise<Patched> {
  if (type === "apply") return applyObject(machinery, entry, caller, key, patch as KubeObject, options);
  const view = viewOf(entry, options.subresource);
  const object = await changeObject(machinery, caller, {
    entry: storedEntry(machinery, entry),
    key,
    options,
    patched: true,
    change: (current) => {
      const before = view.show(current);
      const patched = patchedBy(type, view.type, before, patch);
      return view.takeBack(current, options.check ? options.check(patched) : patched);
    },
  });
  if (options.subresource !== "scale") return { object, created: false };
  const { definition } = entry;
  const preparing = definition?.prepare([object]);
  if (preparing) await preparing;
  return { object: scaleOf(definition ? definition.view(object) : object, definition?.scale), created: false };
}

function patchedBy(
  type: Exclude<PatchType, "apply">,
  typeName: string,
  document: KubeObject,
  patch: unknown,
): KubeObject {
  if (type === "json") return applyJsonPatch(document, patch);
  if (type === "merge") return applyMergePatch(document, patch);
  return applyStrategicMergePatch(typeName, document, patch);
}

/** Server-side apply under the caller's field manager; creates what is not there. */
export async function applyObject(
  machinery: Machinery,
  entry: ResourceEntry,
  caller: Caller,
  key: ObjectKey,
  applied: Draft<KubeObject>,
  options: PatchOptions,
): Promise<Patched> {
  const { subresource } = options;
  if (subresource === "scale") return applyScale(machinery, entry, caller, key, applied, options);
  const view = viewOf(entry, subresource);
  const { namespace, name } = key;
  const request = {
    typeName: view.type,
    schema: patchSchemaOf(entry),
    applied: { ...applied, metadata: { ...applied.metadata, ...(namespace ? { namespace } : {}), name } },
    stated: applied.metadata ?? {},
    manager: options.fieldManager ?? caller.fieldManager,
    force: options.force,
    apiVersion: entry.apiVersion,
    kind: entry.info.kind,
    subresource,
    nowMs: machinery.clock.now(),
  };
  const checked = (document: KubeObject): KubeObject => (options.check ? options.check(document) : document);
  const target = { namespace: key.namespace, name: key.name };
  if (!find(machinery, entry, target)) {
    if (subresource !== undefined) throw notFound(entry.info.group, entry.info.resource, key.name);
    if (applied.metadata.uid) {
      throw conflict(
        entry.info.group,
        entry.info.resource,
        key.name,
        `uid mismatch: the provided object specified uid ${applied.metadata.uid}, and no existing object was found`,
      );
    }
    const draft = cloneJson(checked(applyServerSide(request).object));
    const stored = entry.conversion ? entry.conversion.toStorage(draft) : draft;
    return {
      object: await createObject(machinery, storedEntry(machinery, entry), caller, stored, {
        ...options,
        ownershipSettled: true,
      }),
      created: true,
    };
  }
  const object = await changeObject(machinery, caller, {
    entry: storedEntry(machinery, entry),
    key: target,
    options,
    ownershipSettled: true,
    change: (current) => {
      const result = applyServerSide({ ...request, live: view.show(current) });
      return result.changed ? view.takeBack(current, checked(result.object)) : current;
    },
  });
  return { object, created: false };
}

const SCALE_VERSION = "autoscaling/v1";

/** An applied Scale is an applied object that says nothing but its replicas: the fields that come to be owned are the object's own. */
async function applyScale(
  machinery: Machinery,
  entry: ResourceEntry,
  caller: Caller,
  key: ObjectKey,
  applied: Draft<KubeObject>,
  options: PatchOptions,
): Promise<Patched> {
  const { group, resource, kind, type } = entry.info;
  const current = find(machinery, entry, key);
  if (!current) throw notFound(group, resource, key.name);
  if (applied.apiVersion !== SCALE_VERSION) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${applied.apiVersion ?? ""}, expected: ${SCALE_VERSION}`,
    );
  }
  const { definition } = entry;
  const paths = definition?.scale;
  const replicas = (applied.spec as Partial<Scale["spec"]> | undefined)?.replicas;
  const request = {
    typeName: type,
    schema: patchSchemaOf(entry),
    applied: {
      apiVersion: entry.apiVersion,
      kind,
      metadata: { name: key.name, namespace: key.namespace },
      ...onlyReplicas(replicas, paths),
    } as Draft<KubeObject>,
    manager: options.fieldManager ?? caller.fieldManager,
    force: options.force,
    apiVersion: entry.apiVersion,
    subresource: "scale",
    nowMs: machinery.clock.now(),
  };
  const object = await changeObject(machinery, caller, {
    entry,
    key,
    options,
    ownershipSettled: true,
    change: (live) => {
      const { object: merged, changed } = applyServerSide({ ...request, live });
      if (!changed) return live;
      return {
        ...withScale(live, { ...scaleOf(merged, paths), metadata: applied.metadata } as Scale, paths),
        metadata: { ...merged.metadata, ...preconditions(applied) },
      };
    },
  });
  const preparing = definition?.prepare([object]);
  if (preparing) await preparing;
  return { object: scaleOf(definition ? definition.view(object) : object, paths), created: false };
}

/** What an applied document demands of the present object. */
const preconditions = ({ metadata: { uid, resourceVersion } }: Draft<KubeObject>): object => ({
  ...(uid ? { uid } : {}),
  resourceVersion: resourceVersion ?? "",
});
