import type { KubeObject } from "../object.js";
import type { ResourceInfo } from "../schema/resource-info.js";

/** How `kubectl get` shows objects, bound to what the request asked for. */
export interface TableOptions {
  includeObject: "None" | "Metadata" | "Object";
  revision: number;
  nowMs: number;
  continue?: string;
  remainingItemCount?: number;
}

const COLUMNS = [
  { name: "Name", type: "string", format: "name", description: "Name must be unique within a namespace.", priority: 0 },
  { name: "Created At", type: "date", format: "", description: "CreationTimestamp of the object.", priority: 0 },
];

/** The table of kinds without printers of their own: names and times of creation. */
export function toTable({
  objects,
  includeObject,
  revision,
  continue: token,
  remainingItemCount,
}: TableOptions & { info: ResourceInfo; objects: readonly KubeObject[] }): object {
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: String(revision), continue: token, remainingItemCount },
    columnDefinitions: COLUMNS,
    rows: objects.map((object) => ({
      cells: [object.metadata.name, object.metadata.creationTimestamp],
      ...(includeObject === "None"
        ? {}
        : {
            object:
              includeObject === "Object"
                ? object
                : { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata },
          }),
    })),
  };
}
