import type { PatchType, WriteOptions } from "../api.js";
import { methodNotAllowed, StatusError } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import { cloneJson } from "../patch/json.js";
import { applyJsonPatch } from "../patch/json-patch.js";
import { applyMergePatch } from "../patch/merge-patch.js";
import type { ResourceEntry } from "./catalogue.js";
import type { Caller, Machinery } from "./machinery.js";
import { type Scale, scaleOf, withScale } from "./scale.js";
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
  const { conversion = { fromStorage: (object: KubeObject) => object, toStorage: (object: KubeObject) => object } } =
    entry;
  const type = entry.info.type;
  if (subresource === undefined) {
    return {
      type,
      show: conversion.fromStorage,
      takeBack: (_current, document) => cloneJson(conversion.toStorage(document)),
    };
  }
  if (subresource === "scale")
    return { type: "Scale", show: scaleOf, takeBack: (current, document) => withScale(current, document as Scale) };
  const takeOver = TAKEN_OVER[subresource];
  if (!takeOver) throw methodNotAllowed();
  return {
    type,
    show: conversion.fromStorage,
    takeBack: (current, document) => takeOver(current, conversion.toStorage(document)),
  };
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
    entry,
    key,
    options,
    change: (current) => {
      const before = view.show(current);
      const patched = patchedBy(type, view.type, before, patch);
      return view.takeBack(current, options.check ? options.check(patched) : patched);
    },
  });
  return { object: options.subresource === "scale" ? scaleOf(object) : object, created: false };
}

function patchedBy(
  type: Exclude<PatchType, "apply">,
  _typeName: string,
  document: KubeObject,
  patch: unknown,
): KubeObject {
  if (type === "json") return applyJsonPatch(document, patch);
  if (type === "merge") return applyMergePatch(document, patch);
  throw new StatusError(501, "NotImplemented", "strategic merge patches are not supported yet");
}

export async function applyObject(
  _machinery: Machinery,
  _entry: ResourceEntry,
  _caller: Caller,
  _key: ObjectKey,
  _applied: KubeObject,
  _options: PatchOptions,
): Promise<Patched> {
  throw new StatusError(501, "NotImplemented", "server-side apply is not supported yet");
}
