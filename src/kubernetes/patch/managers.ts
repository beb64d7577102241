/** The field managers of one object: `metadata.managedFields` read into field sets by manager, and written back in the order of the API server. */
import { formatSeconds } from "../../clock/clock.js";
import type { KubeObject } from "../object.js";
import type { ManagedFieldsEntry } from "../schema/object-meta.js";
import { typeOf } from "../schema/schema.js";
import { decodeFields, difference, type FieldSet, type MaybeFieldSet, MEMBER, union } from "./field-set.js";
import type { JsonObject } from "./json.js";
import type { Shape } from "./shape.js";
import { sharedFields } from "./shared-fields.js";

/** What is known of the objects of a type that is not in the schema tables. */
export interface PatchSchema {
  readonly shape: Shape;
  /** True where status is written through a subresource only. */
  readonly statusApart: boolean;
}

/** One manager: who, how and in which version of the API. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
}

export interface Ownership extends Manager {
  readonly fields: FieldSet;
  /** RFC 3339 with seconds. */
  readonly time?: string;
}

/** Owners by identity. An applier keeps its identity when it comes back with another apiVersion. */
export type Managers = ReadonlyMap<string, Ownership>;

export function identityOf(manager: Manager): string {
  const version = manager.operation === "Apply" ? "" : manager.apiVersion;
  return JSON.stringify([manager.name, manager.operation, version, manager.subresource]);
}

/** Reads managedFields; entries that own nothing are left out. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Map<string, Ownership> {
  const managers = new Map<string, Ownership>();
  for (const entry of entries ?? []) {
    const fields = decodeFields(entry.fieldsV1 as JsonObject | undefined);
    if (fields === undefined) continue;
    const ownership: Ownership = {
      name: entry.manager ?? "",
      operation: entry.operation ?? "Update",
      apiVersion: entry.apiVersion ?? "",
      subresource: entry.subresource ?? "",
      fields,
      ...(entry.time ? { time: entry.time } : {}),
    };
    managers.set(identityOf(ownership), ownership);
  }
  return managers;
}

/** managedFields as the API server orders them: appliers first, then by time, manager, version and subresource. Undefined when nobody owns anything. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(byWireOrder).map(
    ({ name, operation, apiVersion, subresource, time, fields }): ManagedFieldsEntry => ({
      manager: name,
      operation,
      apiVersion,
      ...(time ? { time } : {}),
      fieldsType: "FieldsV1",
      fieldsV1: sharedFields(fields) as Record<string, unknown>,
      ...(subresource ? { subresource } : {}),
    }),
  );
}

const byWireOrder = (a: Ownership, b: Ownership): number =>
  compareText(a.operation, b.operation) ||
  compareText(a.time ?? "", b.time ?? "") ||
  compareText(a.name, b.name) ||
  compareText(a.apiVersion, b.apiVersion) ||
  compareText(a.subresource, b.subresource);

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Replaces what a manager owns; a manager that owns nothing any more is forgotten. */
export function setFields(
  managers: Map<string, Ownership>,
  identity: string,
  ownership: Ownership,
  fields: MaybeFieldSet,
): void {
  if (fields === undefined) managers.delete(identity);
  else if (fields !== ownership.fields) managers.set(identity, { ...ownership, fields });
}

/** Update entries that may stand on one object; the oldest above it are merged into one per version. */
const MAX_UPDATE_MANAGERS = 10;
const OLD_UPDATES = "ancient-changes";

/** Merges the oldest update entries of a version into `ancient-changes` until at most ten are left, where versions allow. */
export function capUpdateManagers(managers: Map<string, Ownership>): void {
  const updates = [...managers].filter(([, ownership]) => ownership.operation === "Update");
  let excess = updates.length - MAX_UPDATE_MANAGERS;
  if (excess <= 0) return;
  updates.sort(([idA, a], [idB, b]) => compareText(a.time ?? "", b.time ?? "") || compareText(idA, idB));
  const firstOfVersion = new Map<string, string>();
  for (const [identity, ownership] of updates) {
    if (excess <= 0) return;
    const first = firstOfVersion.get(ownership.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(ownership.apiVersion, identity);
      continue;
    }
    const bucket: Manager = {
      name: OLD_UPDATES,
      operation: "Update",
      apiVersion: ownership.apiVersion,
      subresource: "",
    };
    const bucketId = identityOf(bucket);
    const gathered = managers.get(bucketId) ?? managers.get(first);
    managers.delete(first);
    managers.delete(identity);
    const fields = union(gathered?.fields, ownership.fields) ?? ownership.fields;
    managers.set(bucketId, { ...bucket, fields, ...(ownership.time ? { time: ownership.time } : {}) });
    firstOfVersion.set(ownership.apiVersion, bucketId);
    excess--;
  }
}

const METADATA: FieldSet = {
  ".": MEMBER,
  "f:name": MEMBER,
  "f:namespace": MEMBER,
  "f:creationTimestamp": MEMBER,
  "f:selfLink": MEMBER,
  "f:uid": MEMBER,
  "f:clusterName": MEMBER,
  "f:generation": MEMBER,
  "f:managedFields": MEMBER,
  "f:resourceVersion": MEMBER,
};

/** What identifies an object or belongs to the server: nobody ever owns it. */
const NEVER_OWNED: FieldSet = { "f:apiVersion": MEMBER, "f:kind": MEMBER, "f:metadata": METADATA };

export const withoutServerFields = (fields: MaybeFieldSet): MaybeFieldSet => difference(fields, NEVER_OWNED);

/**
 * Fields that a write through this subresource cannot change, so that it neither owns nor loses them: `status` on the main resource, `spec` on
 * `/status`. Paths below are included.
 */
export function ignoredFields(typeName: string, subresource: string, schema?: PatchSchema): MaybeFieldSet {
  if (subresource === "status") return SPEC;
  if (subresource !== "") return undefined;
  if (schema) return schema.statusApart ? STATUS : undefined;
  const type = typeOf(typeName);
  return type?.fields.has("status") && type.fields.has("metadata") ? STATUS : undefined;
}

const SPEC: FieldSet = { "f:spec": MEMBER };
const STATUS: FieldSet = { "f:status": MEMBER };

/** The object as ownership sees it: without the book-keeping itself. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

export const timeOf = (nowMs: number): string => formatSeconds(nowMs);
