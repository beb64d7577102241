import type { WriteOptions } from "../api.js";
import { badRequest, conflict, foreignError, invalid, notFound, STALE_OBJECT } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import { deepEqual } from "../patch/json.js";
import type { ResourceEntry } from "./catalogue.js";
import { endsWithThisWrite } from "./deletion.js";
import { admit, type Caller, find, type Machinery, writeContext } from "./machinery.js";
import { keepMetadata, validateMetadata, validateMetadataUpdate } from "./metadata.js";
import { recordOwnership } from "./ownership.js";
import { IMMUTABLE, invalidValue } from "./strategies/field.js";
import type { WriteContext } from "./strategy.js";

/** How often a change is tried again when another write came in between while admission was waiting. */
const ATTEMPTS = 5;

export interface Change {
  entry: ResourceEntry;
  key: ObjectKey;
  options: WriteOptions;
  /**
   * Gives the wanted state, made from the present one without changing it. For the main resource it must be a deep copy, because defaulting and
   * admission write to it; for a subresource only the parts that change need to be new.
   */
  change(current: KubeObject): KubeObject;
  /** True for what a patch made of the present object. */
  patched?: boolean;
  /** True when `change` has settled managedFields itself (server-side apply). */
  ownershipSettled?: boolean;
}

/**
 * Changes an existing object: all of update, patch, apply and the subresources that write go through here. Writes nothing, and tells nobody, when the
 * result equals the present state. An object on its way out goes when its last finalizer does.
 */
export async function changeObject(machinery: Machinery, caller: Caller, change: Change): Promise<KubeObject> {
  const { entry, key, options } = change;
  const { info, strategy } = entry;
  for (let attempt = 1; ; attempt++) {
    machinery.assertAvailable();
    const stored = find(machinery, entry, key);
    if (!stored) throw notFound(info.group, info.resource, key.name);
    const preparing = entry.definition?.prepare([stored]);
    if (preparing) await preparing;
    const current = entry.definition ? entry.definition.view(stored) : stored;
    const context = writeContext(machinery, caller.user);
    const next = change.change(current);
    if (next === current) return current;
    if (next.metadata === current.metadata) next.metadata = { ...current.metadata };
    checkIdentity(entry, current, next, change.patched === true);
    prepare(entry, options.subresource, current, next, context);

    const request = {
      operation: "UPDATE" as const,
      info,
      subresource: options.subresource,
      namespace: current.metadata.namespace,
      name: current.metadata.name,
      user: caller.user,
      dryRun: options.dryRun ?? false,
      warn: caller.warn,
      patient: caller.patient,
      object: next,
      previous: current,
    };
    const admitting = admit(machinery, "admit", request);
    if (admitting) await admitting;
    if (options.subresource === undefined && machinery.admission.length > 0) strategy.setDefaults?.(next);
    validate(entry, options.subresource, current, next, context);
    const validating = admit(machinery, "validate", request);
    if (validating) await validating;
    if ((preparing || admitting || validating) && find(machinery, entry, key) !== stored) {
      if (attempt < ATTEMPTS) continue;
      throw conflict(info.group, info.resource, key.name, STALE_OBJECT);
    }

    if (options.subresource === undefined) {
      const refused = strategy.allocate?.(next, current, context);
      if (refused?.length) throw invalid(info.group, info.kind, key.name, refused);
    }
    if (change.ownershipSettled) {
      if (shareUnchanged(next, current)) return current;
    } else if (settleOwnership(entry, caller, options, current, next, context.nowMs)) return current;
    if (options.dryRun) return next;
    const converting = entry.definition ? entry.definition.toStorage(next) : next;
    const written = converting instanceof Promise ? await converting : converting;
    if (converting instanceof Promise && find(machinery, entry, key) !== stored) {
      if (attempt < ATTEMPTS) continue;
      throw conflict(info.group, info.resource, key.name, STALE_OBJECT);
    }
    if (endsWithThisWrite(entry, written)) return machinery.store.remove(entry.storage, written);
    return machinery.store.put(entry.storage, written);
  }
}

/**
 * Brings managedFields up to date. True when the write changes nothing: a write that changes no field changes no owner either, unless the client sent
 * managedFields of its own, which is how owners are reset.
 */
function settleOwnership(
  entry: ResourceEntry,
  caller: Caller,
  options: WriteOptions,
  current: KubeObject,
  next: KubeObject,
  nowMs: number,
): boolean {
  const sent = next.metadata.managedFields;
  const present = current.metadata.managedFields;
  if (present) next.metadata.managedFields = present;
  else delete next.metadata.managedFields;
  const same = shareUnchanged(next, current);
  if (!caller.tracksOwnership) return same;
  if (same && (sent === undefined || deepEqual(sent, present))) return true;
  if (sent) next.metadata.managedFields = sent;
  else delete next.metadata.managedFields;
  recordOwnership({ entry, caller, options, before: current, after: next, nowMs });
  return same && deepEqual(next.metadata.managedFields, present);
}

function checkIdentity(entry: ResourceEntry, current: KubeObject, next: KubeObject, patched: boolean): void {
  const { info } = entry;
  const { name, namespace, uid, resourceVersion } = next.metadata;
  if (name && name !== current.metadata.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`);
  }
  if (namespace && namespace !== current.metadata.namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (uid && uid !== current.metadata.uid && patched) {
    // What a patch makes of an object is still the same object: the uid is no precondition, but a field.
    const cause = invalidValue("metadata.uid", uid, IMMUTABLE);
    throw invalid(info.group, info.kind, current.metadata.name, [cause, cause]);
  }
  if (uid && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(info.group, info.resource, current.metadata.name, why);
  }
  if (resourceVersion && !/^\d+$/.test(resourceVersion))
    throw foreignError(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  if (resourceVersion && resourceVersion !== "0" && resourceVersion !== current.metadata.resourceVersion) {
    throw conflict(info.group, info.resource, current.metadata.name, STALE_OBJECT);
  }
}

/**
 * Replaces what did not change by the present object's own parts, so that the revisions of an object share memory. True when nothing changed at all.
 */
function shareUnchanged(next: Record<string, unknown>, current: Record<string, unknown>): boolean {
  let same = true;
  for (const field in next) {
    const value = next[field];
    const before = current[field];
    if (value === before) continue;
    // Metadata itself stays apart, because the store writes the new resourceVersion into it.
    if (field === "metadata")
      same = shareUnchanged(value as Record<string, unknown>, before as Record<string, unknown>) && same;
    else if (deepEqual(value, before)) next[field] = before;
    else same = false;
  }
  for (const field in current) if (current[field] !== undefined && next[field] === undefined) same = false;
  return same;
}

/** Subresources that bring new parts of a spec, which need their defaults and must be valid. */
const CHANGES_SPEC = new Set(["ephemeralcontainers", "resize"]);

/** Members of an object that are not its desired state. */
const NOT_DESIRED = new Set(["apiVersion", "kind", "metadata", "status"]);

function sameDesiredState(a: KubeObject, b: KubeObject): boolean {
  for (const field in a) if (!NOT_DESIRED.has(field) && !deepEqual(a[field], b[field])) return false;
  for (const field in b) if (!NOT_DESIRED.has(field) && b[field] !== undefined && a[field] === undefined) return false;
  return true;
}

/** Puts back what this kind of write may not change, then lets the kind's own rules look. */
function prepare(
  entry: ResourceEntry,
  subresource: string | undefined,
  current: KubeObject,
  next: KubeObject,
  context: WriteContext,
): void {
  const { info, strategy } = entry;
  next.apiVersion = entry.apiVersion;
  next.kind = info.kind;
  keepMetadata(next, current);
  if (subresource === "status") {
    for (const field in next) if (!NOT_DESIRED.has(field)) delete next[field];
    for (const field in current) if (!NOT_DESIRED.has(field)) next[field] = current[field];
    keepMetadataOfStatusWrite(entry, next, current);
    strategy.prepareForSubresource?.(next, current, subresource, context);
    return;
  }
  if (subresource !== undefined) {
    // Scale, binding and the like change only what they are for.
    if (CHANGES_SPEC.has(subresource)) strategy.setDefaults?.(next);
    strategy.prepareForSubresource?.(next, current, subresource, context);
    if (subresource !== "binding") raiseGeneration(entry, next, current);
    return;
  }
  if (entry.hasStatus) {
    if (current.status === undefined) delete next.status;
    else next.status = current.status;
  }
  strategy.setDefaults?.(next);
  strategy.prepareForUpdate?.(next, current, context);
  raiseGeneration(entry, next, current);
}

function raiseGeneration(entry: ResourceEntry, next: KubeObject, current: KubeObject): void {
  const same =
    sameDesiredState(next, current) && (!entry.strategy.countsStatusChanges || deepEqual(next.status, current.status));
  if (entry.hasGeneration && !same) next.metadata.generation = (current.metadata.generation ?? 0) + 1;
}

/** Groups whose kinds take labels and annotations with a status write; upstream resets all metadata for custom resources and the machinery's own kinds. */
const LABELLED_BY_STATUS: ReadonlySet<string> = new Set([
  "",
  "apps",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "storage.k8s.io",
]);

/** A status write leaves owners and finalizers alone; labels and annotations pass where upstream lets them (a Deployment keeps its labels). */
function keepMetadataOfStatusWrite(entry: ResourceEntry, next: KubeObject, current: KubeObject): void {
  const { labels, annotations, managedFields } = next.metadata;
  next.metadata = { ...current.metadata, managedFields };
  if (!LABELLED_BY_STATUS.has(entry.info.group)) return;
  if (labels && entry.storage !== "deployments.apps") next.metadata.labels = labels;
  if (annotations) next.metadata.annotations = annotations;
}

function validate(
  entry: ResourceEntry,
  subresource: string | undefined,
  current: KubeObject,
  next: KubeObject,
  context: WriteContext,
): void {
  const { info, strategy } = entry;
  const causes = [];
  if (subresource === "status" || subresource === "approval")
    causes.push(...(strategy.validateStatusUpdate?.(next, current, context) ?? []));
  else {
    causes.push(...validateMetadata(next, entry), ...validateMetadataUpdate(next, current));
    if (subresource === undefined || CHANGES_SPEC.has(subresource))
      causes.push(...(strategy.validate?.(next, context, current) ?? []));
    // These rules judge what may change through the main resource; what a subresource changes, the subresource itself has judged.
    if (subresource === undefined) causes.push(...(strategy.validateUpdate?.(next, current, context) ?? []));
  }
  if (causes.length > 0) throw invalid(info.group, info.kind, current.metadata.name, causes);
}
