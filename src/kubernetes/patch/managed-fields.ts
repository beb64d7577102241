/** Who owns which field after a write: ownership moves of updates (everything but apply), shared with server-side apply. */
import { LRUCache } from "lru-cache";
import type { KubeObject } from "../object.js";
import type { ManagedFieldsEntry } from "../schema/object-meta.js";
import { compareObjects, type Difference } from "./compare.js";
import {
  difference,
  type FieldSet,
  intersection,
  isWellFormed,
  type MaybeFieldSet,
  recursiveDifference,
  union,
} from "./field-set.js";
import { isEmptyObject, isObject, type JsonObject } from "./json.js";
import {
  capUpdateManagers,
  identityOf,
  ignoredFields,
  type Manager,
  type Managers,
  type Ownership,
  type PatchSchema,
  readManagers,
  setFields,
  timeOf,
  withoutManagedFields,
  withoutServerFields,
  writeManagers,
} from "./managers.js";
import { outlineOf } from "./outline.js";
import { shapeOf } from "./shape.js";
import { sharedFields } from "./shared-fields.js";

export interface UpdateRequest {
  /** Name of the object's type in the schema tables; an unknown one is taken as a custom resource. */
  typeName: string;
  /** For types that are not in the tables; without it, objects are taken as they come. */
  schema?: PatchSchema | undefined;
  /** The stored object; absent on create. */
  before?: KubeObject;
  /** The object as it is about to be written. Its managedFields are the client's word: taken over, reset when empty, or absent. */
  after: KubeObject;
  /** Field manager; empty counts as `unknown`. */
  manager: string;
  operation: "Update";
  apiVersion: string;
  subresource?: string;
  nowMs: number;
}

/**
 * The managedFields of `after`: the writer comes to own what it added or changed, and everybody loses what is gone. Undefined when nobody owns
 * anything. Unchanged entries are shared with `before`.
 */
export function updateManagedFields(request: UpdateRequest): ManagedFieldsEntry[] | undefined {
  const { typeName, schema, before, after, apiVersion, subresource = "" } = request;
  const sent = entriesToStartFrom(before, after, subresource);
  if (before === undefined && sent === undefined) return ownersOfNew(request);
  const found = compareObjects(
    schema?.shape ?? shapeOf(typeName),
    before && (withoutManagedFields(before) as JsonObject),
    withoutManagedFields(after) as JsonObject,
  );
  if (found.changed === undefined && found.removed === undefined) return sent?.length ? [...sent] : undefined;

  const writer: Manager = { name: request.manager || "unknown", operation: "Update", apiVersion, subresource };
  const identity = identityOf(writer);
  const managers = readManagers(sent);
  const ignored = ignoredFields(typeName, subresource, schema);
  const changes = exclude(found, ignored);
  dispossess(managers, changes, identity);

  const own = managers.get(identity);
  const claimed = withoutServerFields(changes.changed);
  const fields = union(difference(own?.fields, changes.removed), claimed);
  if (fields === undefined) managers.delete(identity);
  else if (claimed !== undefined || fields !== own?.fields) {
    managers.set(identity, { ...writer, fields, time: timeOf(request.nowMs) });
  }
  capUpdateManagers(managers);
  return writeManagers(managers);
}

/** Sets of fields of new objects by type and outline. Forgetting one costs working it out again. */
const fieldsOfNew = new LRUCache<string, FieldSet>({ max: 500 });

/** The managedFields of an object that comes without any: all that it has is its creator's. */
function ownersOfNew(request: UpdateRequest): ManagedFieldsEntry[] | undefined {
  const { typeName, schema, after, manager, operation, apiVersion, subresource = "", nowMs } = request;
  const shape = schema?.shape ?? shapeOf(typeName);
  const object = withoutManagedFields(after) as JsonObject;
  const key = `${typeName} ${subresource} ${outlineOf(shape, object)}`;
  let fields = fieldsOfNew.get(key);
  if (fields === undefined) {
    const ignored = ignoredFields(typeName, subresource, schema);
    const { changed } = exclude(compareObjects(shape, undefined, object), ignored);
    const claimed = withoutServerFields(changed);
    if (claimed === undefined) return undefined;
    fields = sharedFields(claimed);
    fieldsOfNew.set(key, fields);
  }
  const writer = { name: manager || "unknown", operation, apiVersion, subresource };
  return writeManagers(new Map([[identityOf(writer), { ...writer, fields, time: timeOf(nowMs) }]]));
}

/**
 * Clients may edit managedFields of the main resource directly: a list that says something replaces the stored one, an empty list or one empty entry
 * forgets all owners, and an absent or unreadable one changes nothing (it comes from clients that do not know the field).
 */
function entriesToStartFrom(
  before: KubeObject | undefined,
  after: KubeObject,
  subresource: string,
): readonly ManagedFieldsEntry[] | undefined {
  const stored = before?.metadata.managedFields;
  const sent = after.metadata.managedFields;
  if (subresource !== "" || sent === undefined || sent === stored) return stored;
  const [first] = sent;
  if (first === undefined || (sent.length === 1 && isEmptyObject(first))) return undefined;
  // As upstream, a list that cannot be read counts as absent.
  const readable = sent.every(
    (entry) => isObject(entry) && (entry.fieldsV1 === undefined || isWellFormed(entry.fieldsV1)),
  );
  return readable && sent.some((entry) => entry.fieldsV1 !== undefined) ? sent : stored;
}

/** A difference without the fields that the write cannot touch. */
export const exclude = (found: Difference, ignored: MaybeFieldSet): Difference => ({
  changed: recursiveDifference(found.changed, ignored),
  removed: recursiveDifference(found.removed, ignored),
});

/** Takes changed and removed fields from every manager but the writer. */
export function dispossess(managers: Map<string, Ownership>, changes: Difference, writer: string): void {
  for (const [identity, ownership] of managers) {
    if (identity === writer) continue;
    setFields(
      managers,
      identity,
      ownership,
      difference(difference(ownership.fields, changes.changed), changes.removed),
    );
  }
}

export interface Conflict {
  manager: Manager;
  fields: NonNullable<MaybeFieldSet>;
}

/** Managers beside the writer that own something which the write changes. */
export function conflictsOf(managers: Managers, changes: Difference, writer: string): Conflict[] {
  const conflicts: Conflict[] = [];
  for (const [identity, ownership] of managers) {
    if (identity === writer) continue;
    const fields = intersection(ownership.fields, changes.changed);
    if (fields !== undefined) conflicts.push({ manager: ownership, fields });
  }
  return conflicts;
}
