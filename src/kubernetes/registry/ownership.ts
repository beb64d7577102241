import type { WriteOptions } from "../api.js";
import type { KubeObject } from "../object.js";
import { type PatchSchema, updateManagedFields } from "../patch/index.js";
import type { ResourceEntry } from "./catalogue.js";
import type { Caller } from "./machinery.js";

/** What patches need to know of a custom resource, of which the schema tables know nothing; undefined for built-in ones. */
export const patchSchemaOf = ({ definition, hasStatus }: ResourceEntry): PatchSchema | undefined =>
  definition && { shape: definition.shape(), statusApart: hasStatus };

/** Records in `after` (the registry's own draft) which fields this write took, unless the caller's writes are not tracked. */
export function recordOwnership({
  entry,
  caller,
  options,
  before,
  after,
  nowMs,
}: {
  entry: ResourceEntry;
  caller: Caller;
  options: WriteOptions;
  before: KubeObject | undefined;
  after: KubeObject;
  nowMs: number;
}): void {
  if (!caller.tracksOwnership) return;
  const managedFields = updateManagedFields({
    typeName: entry.info.type,
    schema: patchSchemaOf(entry),
    before,
    after,
    manager: options.fieldManager ?? caller.fieldManager,
    operation: "Update",
    apiVersion: entry.apiVersion,
    subresource: options.subresource,
    nowMs,
  });
  if (managedFields) after.metadata.managedFields = managedFields;
  else delete after.metadata.managedFields;
}
