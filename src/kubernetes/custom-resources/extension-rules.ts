/** The extensions that say how lists and maps are merged (`x-kubernetes-list-type` and the like): what goes with what, with upstream's texts. */
import type { StatusCause } from "../errors.js";
import { duplicate, forbiddenField, invalidValue, required, unsupported } from "../registry/strategies/field.js";
import type { JSONSchemaProps } from "../schema/generated/types.js";
import { asSchema } from "./structural.js";

const LIST_TYPES = ["atomic", "map", "set"];
const MAP_TYPES = ["atomic", "granular"];

/** What is wrong with the extensions of one schema; those of schemas inside of it are not looked at. */
export function extensionProblems(schema: JSONSchemaProps, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const listType = schema["x-kubernetes-list-type"];
  const mapType = schema["x-kubernetes-map-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const items = asSchema(schema.items);
  const typeMust = (wanted: string, extension: string): void => {
    const why = `must be ${wanted} if ${extension} is specified`;
    causes.push(schema.type ? invalidValue(`${field}.type`, schema.type, why) : required(`${field}.type`, why));
  };
  if (schema["x-kubernetes-preserve-unknown-fields"] === false)
    causes.push(invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  if (listType !== undefined) {
    if (!LIST_TYPES.includes(listType))
      causes.push(unsupported(`${field}.x-kubernetes-list-type`, listType, LIST_TYPES));
    if (schema.type !== "array") typeMust("array", "x-kubernetes-list-type");
  }
  if (mapType !== undefined) {
    if (!MAP_TYPES.includes(mapType)) causes.push(unsupported(`${field}.x-kubernetes-map-type`, mapType, MAP_TYPES));
    if (schema.type !== "object") typeMust("object", "x-kubernetes-map-type");
  }
  if (keys.length > 0 && listType !== "map") {
    const why = "must be map if x-kubernetes-list-map-keys is non-empty";
    const path = `${field}.x-kubernetes-list-type`;
    causes.push(listType === undefined ? required(path, why) : invalidValue(path, listType, why));
  }
  if (listType === "map") checkListMap(keys, items, field, causes);
  if (listType === "set" && items) checkSetItems(items, `${field}.items`, causes);
  return causes;
}

function checkListMap(
  keys: readonly string[],
  items: JSONSchemaProps | undefined,
  field: string,
  causes: StatusCause[],
): void {
  const keysField = `${field}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) causes.push(required(keysField, "must not be empty if x-kubernetes-list-type is map"));
  if (!items) {
    causes.push(required(`${field}.items`, "must have a schema if x-kubernetes-list-type is map"));
    return;
  }
  if (items.type !== "object")
    causes.push(
      invalidValue(
        `${field}.items.type`,
        items.type ?? "",
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    );
  if (items.nullable)
    causes.push(forbiddenField(`${field}.items.nullable`, "cannot be nullable when x-kubernetes-list-type is map"));
  const seen = new Set<string>();
  keys.forEach((key, index) => {
    if (seen.has(key)) causes.push(duplicate(`${keysField}[${index}]`, key));
    seen.add(key);
    const property = items.properties?.[key];
    if (!property) {
      causes.push(invalidValue(`${keysField}[${index}]`, key, `must be the name of a property of the items`));
      return;
    }
    const propertyField = `${field}.items.properties[${key}]`;
    if (property.type === "array" || property.type === "object")
      causes.push(
        invalidValue(
          `${propertyField}.type`,
          property.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (property.default === undefined && !items.required?.includes(key))
      causes.push(
        required(
          `${propertyField}.default`,
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
      );
    if (property.nullable)
      causes.push(
        forbiddenField(
          `${propertyField}.nullable`,
          "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
        ),
      );
  });
}

function checkSetItems(items: JSONSchemaProps, field: string, causes: StatusCause[]): void {
  if (items.nullable)
    causes.push(forbiddenField(`${field}.nullable`, "cannot be nullable when x-kubernetes-list-type is set"));
  const atomic = "must be atomic as item of a list with x-kubernetes-list-type=set";
  if (items.type === "array" && items["x-kubernetes-list-type"] !== "atomic")
    causes.push(
      items["x-kubernetes-list-type"] === undefined
        ? required(`${field}.x-kubernetes-list-type`, atomic)
        : invalidValue(`${field}.x-kubernetes-list-type`, items["x-kubernetes-list-type"], atomic),
    );
  if (items.type === "object" && items["x-kubernetes-map-type"] !== "atomic")
    causes.push(
      items["x-kubernetes-map-type"] === undefined
        ? required(`${field}.x-kubernetes-map-type`, atomic)
        : invalidValue(`${field}.x-kubernetes-map-type`, items["x-kubernetes-map-type"], atomic),
    );
}
