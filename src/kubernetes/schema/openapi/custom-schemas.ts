/**
 * Schemas of custom resources as documents publish them. Version 3 says all of it; version 2 leaves out what its readers cannot cope with: junctors, null,
 * and the insides of what may hold unknown fields. The rules are those of upstream's publishing controller.
 */
import type { ResourceInfo } from "../resource-info.js";
import type { Dialect, Json } from "./dialect.js";

const isSchema = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const preserves = (schema: Json): boolean => schema["x-kubernetes-preserve-unknown-fields"] === true;

const EMBEDDED_DESCRIPTIONS = {
  apiVersion:
    "apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
  kind: "kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
};

/** The schema of a custom kind. `head` gives the properties that every object has. */
export function publishedSchema(dialect: Dialect, info: ResourceInfo, schema: Json | undefined, head: Json): Json {
  const { group, version, kind, selectableFields } = info;
  const extensions = {
    ...(selectableFields?.length
      ? { "x-kubernetes-selectable-fields": selectableFields.map((fieldPath) => ({ fieldPath })) }
      : {}),
    "x-kubernetes-group-version-kind": [{ group, version, kind }],
  };
  // Readers of version 2 would refuse whatever is not listed, so nothing is.
  if (!schema || (dialect.version === 2 && preserves(schema))) return { type: "object", ...extensions };
  const own = convert(dialect, schema, head);
  return {
    ...own,
    type: "object",
    properties: { ...(isSchema(own.properties) ? own.properties : {}), ...head },
    ...extensions,
  };
}

function convert(dialect: Dialect, schema: Json, head: Json): Json {
  const own = dialect.version === 2 ? forVersion2(schema) : { ...schema };
  const inner = (value: unknown): unknown => (isSchema(value) ? convert(dialect, value, head) : value);
  if (isSchema(own.properties))
    own.properties = Object.fromEntries(Object.entries(own.properties).map(([name, value]) => [name, inner(value)]));
  if (own.items !== undefined) own.items = inner(own.items);
  if (own.additionalProperties !== undefined) own.additionalProperties = inner(own.additionalProperties);
  const hidden = dialect.version === 2 && preserves(schema);
  return schema["x-kubernetes-embedded-resource"] === true && !hidden ? withHead(own, head) : own;
}

function withHead(schema: Json, head: Json): Json {
  const described = Object.fromEntries(
    Object.entries(EMBEDDED_DESCRIPTIONS).map(([name, description]) => [
      name,
      { ...(head[name] as Json), description },
    ]),
  );
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : [];
  return {
    ...schema,
    properties: { ...(isSchema(schema.properties) ? schema.properties : {}), ...head, ...described },
    required: [...required, ...["kind", "apiVersion"].filter((name) => !required.includes(name))],
  };
}

const JUNCTORS = ["allOf", "anyOf", "oneOf", "not"];

function forVersion2(schema: Json): Json {
  const own: Json = { ...schema };
  for (const junctor of JUNCTORS) delete own[junctor];
  if (schema.nullable === true) {
    for (const name of ["type", "nullable", "items", "properties"]) delete own[name];
  }
  if (preserves(schema)) {
    delete own.items;
    delete own.properties;
    if (own.type === "object") delete own.type;
  }
  if (own.type === "array" && own.items === undefined) delete own.type;
  const { properties, additionalProperties, required } = own;
  if (isSchema(properties) && Array.isArray(required)) {
    const needed = required.filter((name) => !isNullable(properties[String(name)]));
    if (needed.length < required.length) own.required = needed;
    if (needed.length === 0) delete own.required;
  }
  if (isNullable(additionalProperties)) delete own.required;
  return own;
}

const isNullable = (schema: unknown): boolean => isSchema(schema) && schema.nullable === true;
