/**
 * What a definition's schema must be: an OpenAPI v3 schema without what Kubernetes leaves out of it, and structural, so that every field has one place in
 * the tree. Upstream's rules of apiextensions/validation and apiserver/schema, with their texts.
 */
import { compileRegex } from "../cel/regex.js";
import type { StatusCause } from "../errors.js";
import { deepEqual } from "../patch/json.js";
import { forbiddenField, invalidValue, required, unsupported } from "../registry/strategies/field.js";
import type { JSONSchemaProps } from "../schema/generated/types.js";
import { extensionProblems } from "./extension-rules.js";
import { unknownFields } from "./pruning.js";
import { asSchema, structuralOf } from "./structural.js";
import { compileValueCheck, UNRELATED } from "./value-validation.js";

/** Root of the object, item of a list, or member of an object: they differ in a few texts. */
type Level = "root" | "item" | "field";

/** Everything that is wrong with a schema; `field` is its path in the definition. */
export function schemaProblems(schema: JSONSchemaProps, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (schema.nullable) causes.push(forbiddenField(`${field}.nullable`, "nullable cannot be true at the root"));
  checkVocabulary(schema, field, causes);
  checkStructure(schema, "root", field, causes);
  checkCompleteness(schema, schema, field, causes);
  if (causes.length === 0) checkDefaults(schema, field, true, causes);
  return causes;
}

/** Calls `visit` for each schema inside of another, with its path. */
function eachInner(
  schema: JSONSchemaProps,
  field: string,
  visit: (inner: JSONSchemaProps, field: string) => void,
): void {
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    visit(property, `${field}.properties[${name}]`);
  const additional = asSchema(schema.additionalProperties);
  if (additional) visit(additional, `${field}.additionalProperties`);
  const items = asSchema(schema.items);
  if (items) visit(items, `${field}.items`);
  eachNested(schema, field, visit);
}

/** As `eachInner`, for the schemas under junctors alone. */
function eachNested(
  schema: JSONSchemaProps,
  field: string,
  visit: (inner: JSONSchemaProps, field: string) => void,
): void {
  for (const junctor of ["allOf", "anyOf", "oneOf"] as const)
    for (const [index, inner] of (schema[junctor] ?? []).entries()) visit(inner, `${field}.${junctor}[${index}]`);
  if (schema.not) visit(schema.not, `${field}.not`);
}

const NOT_SUPPORTED = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] as const;
const TYPES = ["array", "boolean", "integer", "number", "object", "string"];

function checkVocabulary(schema: JSONSchemaProps, field: string, causes: StatusCause[]): void {
  const forbid = (name: string, why: string): void => void causes.push(forbiddenField(`${field}.${name}`, why));
  for (const name of NOT_SUPPORTED) if (schema[name] !== undefined) forbid(name, `${name} is not supported`);
  if (schema.type === "null") forbid("type", "type cannot be set to null, use nullable as an alternative");
  else if (schema.type !== undefined && schema.type !== "" && !TYPES.includes(schema.type))
    causes.push(unsupported(`${field}.type`, schema.type, TYPES));
  if (schema.uniqueItems)
    forbid("uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
  if (Array.isArray(schema.items)) forbid("items", "items must be a schema object and not an array");
  if (schema.additionalProperties !== undefined) {
    const closed = schema.additionalProperties === false;
    if (schema.properties && (closed || asSchema(schema.additionalProperties)))
      forbid("additionalProperties", "additionalProperties and properties are mutual exclusive");
    else if (closed) forbid("additionalProperties", "additionalProperties cannot be set to false");
  }
  causes.push(...extensionProblems(schema, field));
  eachInner(schema, field, (inner, path) => checkVocabulary(inner, path, causes));
}

const EMPTY_TYPE: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

/** The invariants of structural schemas. */
function checkStructure(schema: JSONSchemaProps, level: Level, field: string, causes: StatusCause[]): void {
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  const preserve = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const items = asSchema(schema.items);
  if (schema.type === "array" && !items) causes.push(required(`${field}.items`, "must be specified"));
  if (items) checkStructure(items, "item", `${field}.items`, causes);
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    checkStructure(property, "field", `${field}.properties[${name}]`, causes);
  if (schema.additionalProperties !== undefined) {
    if (level === "root") causes.push(forbiddenField(`${field}.additionalProperties`, "must not be used at the root"));
    if (embedded)
      causes.push(
        forbiddenField(`${field}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"),
      );
    const additional = asSchema(schema.additionalProperties);
    if (additional) checkStructure(additional, "field", `${field}.additionalProperties`, causes);
  }
  if (intOrString) {
    const why = "must be false if x-kubernetes-int-or-string is true";
    if (preserve) causes.push(invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, true, why));
    if (embedded) causes.push(invalidValue(`${field}.x-kubernetes-embedded-resource`, true, why));
    if (schema.type)
      causes.push(forbiddenField(`${field}.type`, "must be empty if x-kubernetes-int-or-string is true"));
  }
  if (embedded && schema.type !== "object") {
    const why = "must be object if x-kubernetes-embedded-resource is true";
    causes.push(schema.type ? invalidValue(`${field}.type`, schema.type, why) : required(`${field}.type`, why));
  } else if (!schema.type && !intOrString && !preserve) causes.push(required(`${field}.type`, EMPTY_TYPE[level]));
  if (level === "root" && schema.type && schema.type !== "object")
    causes.push(invalidValue(`${field}.type`, schema.type, "must be object at the root"));
  if (embedded && !preserve && Object.keys(schema.properties ?? {}).length === 0)
    causes.push(
      required(
        `${field}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  if (level === "root" || embedded) checkHead(schema, level, field, causes);
  if (schema.pattern) checkPattern(schema.pattern, field, causes);
  checkJunctors(schema, intOrString, field, causes);
}

function checkHead(schema: JSONSchemaProps, level: Level, field: string, causes: StatusCause[]): void {
  for (const name of ["kind", "apiVersion"]) {
    const property = schema.properties?.[name];
    if (property && property.type !== "string")
      causes.push(invalidValue(`${field}.properties[${name}].type`, property.type ?? "", "must be string"));
  }
  const metadata = schema.properties?.metadata;
  if (!metadata) return;
  const at = `${field}.properties[metadata]`;
  if (metadata.type !== "object") causes.push(invalidValue(`${at}.type`, metadata.type ?? "", "must be object"));
  if (level !== "root") return;
  const { type: _, description: __, default: ___, properties = {}, ...others } = metadata;
  const more = Object.keys(properties).some((name) => name !== "name" && name !== "generateName");
  if (more || Object.keys(others).length > 0)
    causes.push(
      forbiddenField(
        at,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    );
}

function checkPattern(pattern: string, field: string, causes: StatusCause[]): void {
  try {
    compileRegex(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    causes.push(invalidValue(`${field}.pattern`, pattern, `must be a valid regular expression, but isn't: ${reason}`));
  }
}

/** The one way in which types may stand under a junctor: the two of int-or-string. */
const INT_OR_STRING = [{ type: "integer" }, { type: "string" }];

function checkJunctors(schema: JSONSchemaProps, intOrString: boolean, field: string, causes: StatusCause[]): void {
  const spared = (list: readonly JSONSchemaProps[] | undefined): boolean =>
    intOrString && list !== undefined && deepEqual(list, INT_OR_STRING);
  eachNested(schema, field, (inner, path) => {
    if (path.startsWith(`${field}.anyOf[`) && spared(schema.anyOf)) return;
    if (path === `${field}.allOf[0]` && spared(inner.anyOf)) return;
    checkNested(inner, path, causes);
  });
}

const FORBIDDEN_UNDER_JUNCTORS: readonly [keyof JSONSchemaProps, string][] = [
  ["type", "must be empty to be structural"],
  ["additionalProperties", "must be undefined to be structural"],
  ["default", "must be undefined to be structural"],
  ["title", "must be empty to be structural"],
  ["description", "must be empty to be structural"],
  ["nullable", "must be false to be structural"],
  ["externalDocs", "must be undefined to be structural"],
  ["x-kubernetes-preserve-unknown-fields", "must be false to be structural"],
  ["x-kubernetes-embedded-resource", "must be false to be structural"],
  ["x-kubernetes-int-or-string", "must be false to be structural"],
  ["x-kubernetes-list-map-keys", "must be empty to be structural"],
  ["x-kubernetes-list-type", "must be undefined to be structural"],
  ["x-kubernetes-map-type", "must be undefined to be structural"],
  ["x-kubernetes-validations", "must be empty to be structural"],
];

function checkNested(schema: JSONSchemaProps, field: string, causes: StatusCause[]): void {
  for (const [name, why] of FORBIDDEN_UNDER_JUNCTORS) {
    const value = schema[name];
    if (value !== undefined && value !== "" && value !== false) causes.push(forbiddenField(`${field}.${name}`, why));
  }
  if (schema.pattern) checkPattern(schema.pattern, field, causes);
  if (schema.properties?.metadata)
    causes.push(forbiddenField(`${field}.properties[metadata]`, "must not be specified in a nested context"));
  eachInner(schema, field, (inner, path) => checkNested(inner, path, causes));
}

/** What junctors speak of must exist outside of them. */
function checkCompleteness(
  schema: JSONSchemaProps,
  spine: JSONSchemaProps,
  field: string,
  causes: StatusCause[],
): void {
  eachNested(schema, field, (inner) => checkSpecified(inner, spine, field, causes));
  for (const [name, property] of Object.entries(spine.properties ?? {}))
    if (schema === spine) checkCompleteness(property, property, `${field}.properties[${name}]`, causes);
  const items = asSchema(spine.items);
  if (schema === spine && items) checkCompleteness(items, items, `${field}.items`, causes);
  const additional = asSchema(spine.additionalProperties);
  if (schema === spine && additional)
    checkCompleteness(additional, additional, `${field}.additionalProperties`, causes);
}

function checkSpecified(nested: JSONSchemaProps, spine: JSONSchemaProps, field: string, causes: StatusCause[]): void {
  for (const [name, inner] of Object.entries(nested.properties ?? {})) {
    const path = `${field}.properties[${name}]`;
    const outer = spine.properties?.[name];
    if (outer) checkSpecified(inner, outer, path, causes);
    else if (!causes.some((cause) => cause.field === path))
      causes.push(required(path, `because it is defined in ${path}`));
  }
  const items = asSchema(nested.items);
  const outerItems = asSchema(spine.items);
  if (items && outerItems) checkSpecified(items, outerItems, `${field}.items`, causes);
  else if (items) causes.push(required(`${field}.items`, `because it is defined in ${field}.items`));
  eachNested(nested, field, (inner) => checkSpecified(inner, spine, field, causes));
}

/** Defaults must be valid by their own schema, and without fields that pruning would drop. */
function checkDefaults(schema: JSONSchemaProps, field: string, root: boolean, causes: StatusCause[]): void {
  const { default: value } = schema;
  if (value !== undefined) {
    const path = `${field}.default`;
    if (root) causes.push(forbiddenField(path, "must not be set at the root"));
    else {
      const found: StatusCause[] = [];
      compileValueCheck(schema)(value, undefined, found, UNRELATED);
      for (const cause of found) {
        const inner =
          cause.field === undefined || cause.field === "<nil>" || cause.field === "" ? "" : joined(cause.field);
        causes.push({ ...cause, field: `${path}${inner}` });
      }
      const unknown = unknownFields(structuralOf(schema), value);
      if (unknown.length > 0) causes.push(invalidValue(path, value, "must not have unknown fields"));
    }
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (root && name === "metadata") continue;
    checkDefaults(property, `${field}.properties[${name}]`, false, causes);
  }
  const items = asSchema(schema.items);
  if (items) checkDefaults(items, `${field}.items`, false, causes);
  const additional = asSchema(schema.additionalProperties);
  if (additional) checkDefaults(additional, `${field}.additionalProperties`, false, causes);
}

const joined = (path: string): string => (path.startsWith("[") ? path : `.${path}`);
