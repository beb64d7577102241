/** The fields by which a definition lets its objects be selected, beside their names. */
import type { KubeObject } from "../object.js";
import { isObject, memberOf } from "../patch/json.js";
import type { CustomResourceDefinitionVersion } from "../schema/generated/types.js";

/** Readers by the name that selectors use: `.spec.color` is selected as `spec.color`. Absent fields read as the empty text. */
export function selectableFieldsOf({
  selectableFields = [],
}: CustomResourceDefinitionVersion): Readonly<Record<string, (object: KubeObject) => string>> {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      const steps = jsonPath.split(".").slice(1);
      return [steps.join("."), (object: KubeObject) => textAt(object, steps)];
    }),
  );
}

function textAt(object: KubeObject, steps: readonly string[]): string {
  let value: unknown = object;
  for (const step of steps) value = isObject(value) ? memberOf(value, step) : undefined;
  return value === undefined || value === null ? "" : String(value);
}
