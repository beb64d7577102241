/** The four kinds of PATCH and the ownership of fields. All functions are pure: inputs are never changed, results share what did not change. */

export { cloneJson, deepEqual } from "./json.js";
export { applyJsonPatch } from "./json-patch.js";
export { type UpdateRequest, updateManagedFields } from "./managed-fields.js";
export type { PatchSchema } from "./managers.js";
export { applyMergePatch } from "./merge-patch.js";
export { type ApplyRequest, type ApplyResult, applyServerSide } from "./server-side-apply.js";
export { applyStrategicMergePatch } from "./strategic-merge-patch.js";
