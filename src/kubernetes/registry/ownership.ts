import type { WriteOptions } from "../api.js";
import type { KubeObject } from "../object.js";
import { updateManagedFields } from "../patch/index.js";
import type { ResourceEntry } from "./catalogue.js";
import type { Caller } from "./machinery.js";

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
