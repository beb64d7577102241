/**
 * The types as OpenAPI schemas: properties with their descriptions, which are required, and the extensions that clients read (list types and keys, merge
 * keys, the kinds that a type stands for).
 */
import { readFileSync } from "node:fs";
import { listTraits } from "../overlay.js";
import type { ResourceInfo } from "../resource-info.js";
import { type FieldSchema, type FieldType, type ScalarType, typeOf } from "../schema.js";
import { publishedSchema } from "./custom-schemas.js";
import type { Dialect, Json } from "./dialect.js";
import { customListName, customName, LEAF_NAMES, openApiName } from "./names.js";

/** Descriptions by type and field; "" is the type itself. */
export type Descriptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Read anew for each document: they are large, and documents are rarely made. */
export const loadDescriptions = (): Descriptions =>
  JSON.parse(readFileSync(new URL("../generated/docs.json", import.meta.url), "utf8")) as Descriptions;

const CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";

export interface Kind {
  group: string;
  version: string;
  kind: string;
}

/** Collects the schemas that a document needs: whatever is asked for, and everything that refers to. */
export class Components {
  readonly schemas: Record<string, Json> = {};
  readonly #dialect: Dialect;
  readonly #descriptions: Descriptions;
  /** Kinds that a type stands for, by its name in the tables. */
  readonly #kinds: ReadonlyMap<string, Kind[]>;

  constructor({
    dialect,
    descriptions,
    kinds,
  }: { dialect: Dialect; descriptions: Descriptions; kinds: ReadonlyMap<string, Kind[]> }) {
    this.#dialect = dialect;
    this.#descriptions = descriptions;
    this.#kinds = kinds;
  }

  /** Adds a built-in type and what it refers to; returns its name in the document. */
  add(typeName: string): string {
    const name = openApiName(typeName);
    if (this.schemas[name]) return name;
    const schema = typeOf(typeName);
    if (!schema) throw new Error(`the schema lacks ${typeName}`);
    // Entered before its properties are made: types may contain themselves.
    const component: Json = { type: "object" };
    this.schemas[name] = component;
    const descriptions = this.#descriptions[typeName] ?? {};
    const fields = [...schema.fields.values()];
    const required = fields.filter((field) => field.required).map((field) => field.name);
    const kinds = this.#kinds.get(typeName);
    Object.assign(component, {
      ...(descriptions[""] ? { description: descriptions[""] } : {}),
      properties: Object.fromEntries(
        fields.map((field) => [field.name, this.#property(typeName, field, descriptions[field.name])]),
      ),
      ...(required.length > 0 ? { required } : {}),
      ...(kinds ? { "x-kubernetes-group-version-kind": kinds } : {}),
    });
    return name;
  }

  /** Adds a custom kind and its list; returns the name of the kind. `schema` is what its definition says of it, if anything. */
  addCustom(info: ResourceInfo, schema: Json | undefined): string {
    const name = customName(info);
    if (this.schemas[name]) return name;
    const { group, version, kind, listKind, resource } = info;
    // Every kind is described alike there.
    const { apiVersion, kind: kindText } = this.#descriptions.Pod ?? {};
    const head = (metadata: string, description: string): Json => ({
      apiVersion: { type: "string", ...(apiVersion ? { description: apiVersion } : {}) },
      kind: { type: "string", ...(kindText ? { description: kindText } : {}) },
      metadata: this.#dialect.refProperty(metadata, { description }),
    });
    this.schemas[name] = publishedSchema(
      this.#dialect,
      info,
      schema,
      head(this.add("ObjectMeta"), `Standard object's metadata. More info: ${CONVENTIONS}#metadata`),
    );
    this.schemas[customListName(info)] = {
      description: `${listKind} is a list of ${kind}`,
      type: "object",
      required: ["items"],
      properties: {
        ...head(this.add("ListMeta"), `Standard list metadata. More info: ${CONVENTIONS}#types-kinds`),
        items: {
          description: `List of ${resource}. More info: ${CONVENTIONS}`,
          type: "array",
          items: this.#dialect.ref(name),
        },
      },
      "x-kubernetes-group-version-kind": [{ group, version, kind: listKind }],
    };
    return name;
  }

  /** Adds a type that has a name but no fields. */
  addLeaf(leaf: keyof typeof LEAF_NAMES): string {
    const name = LEAF_NAMES[leaf];
    this.schemas[name] ??= { ...LEAF_SCHEMAS[leaf](this.#dialect) };
    return name;
  }

  #property(typeName: string, field: FieldSchema, description: string | undefined): Json {
    const extra = { ...(description ? { description } : {}), ...extensions(typeName, field) };
    const leaf = this.#leafOf(typeName, field.type);
    if (leaf) return this.#dialect.refProperty(this.addLeaf(leaf), extra);
    if (field.type.kind === "ref") return this.#dialect.refProperty(this.add(field.type.ref), extra);
    return { ...extra, ...this.#value(typeName, field.type) };
  }

  #value(typeName: string, type: FieldType): Json {
    const leaf = this.#leafOf(typeName, type);
    if (leaf) return this.#dialect.ref(this.addLeaf(leaf));
    switch (type.kind) {
      case "ref":
        return this.#dialect.ref(this.add(type.ref));
      case "list":
        return { type: "array", items: this.#value(typeName, type.item) };
      case "map":
        return { type: "object", additionalProperties: this.#value(typeName, type.value) };
      case "scalar":
        return PLAIN_SCALARS[type.scalar] ?? {};
    }
  }

  #leafOf(typeName: string, type: FieldType): keyof typeof LEAF_NAMES | undefined {
    if (type.kind !== "scalar") return undefined;
    if (type.scalar !== "any") return type.scalar in LEAF_NAMES ? (type.scalar as keyof typeof LEAF_NAMES) : undefined;
    if (typeName === "ManagedFieldsEntry") return "fields";
    // Members of JSON schemas hold any JSON value, not only objects: they are described by nothing.
    return typeName === "JSONSchemaProps" ? undefined : "raw";
  }
}

const PLAIN_SCALARS: Partial<Record<ScalarType, Json>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  bytes: { type: "string", format: "byte" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  number: { type: "number", format: "double" },
};

const LEAF_SCHEMAS: Readonly<Record<keyof typeof LEAF_NAMES, (dialect: Dialect) => Json>> = {
  quantity: (dialect) => ({
    description:
      "A fixed-point number with an optional suffix, such as 100m, 1.5Gi or 2e3, stored in its canonical spelling.",
    ...dialect.either(undefined, ["string", "number"]),
  }),
  "int-or-string": (dialect) => ({
    description: "A number or a string, such as a port or a percentage.",
    ...dialect.either("int-or-string", ["integer", "string"]),
  }),
  time: () => ({ description: "A time in RFC 3339 with whole seconds.", type: "string", format: "date-time" }),
  microtime: () => ({ description: "A time in RFC 3339 with microseconds.", type: "string", format: "date-time" }),
  fields: () => ({ description: "A set of fields in the trie form of server-side apply.", type: "object" }),
  patch: () => ({ description: "A patch to the body of the request.", type: "object" }),
  raw: () => ({ description: "An arbitrary object.", type: "object" }),
};

/** What the overlay knows of a field, under the names that clients read. */
function extensions(typeName: string, { name, type }: FieldSchema): Json {
  const traits = listTraits(typeName, name);
  return {
    ...(type.kind === "list" ? { "x-kubernetes-list-type": traits.listType } : {}),
    ...(traits.mapKeys.length > 0 ? { "x-kubernetes-list-map-keys": traits.mapKeys } : {}),
    ...(traits.mapType === "atomic" ? { "x-kubernetes-map-type": "atomic" } : {}),
    ...(traits.patchStrategy.length > 0 ? { "x-kubernetes-patch-strategy": traits.patchStrategy.join(",") } : {}),
    ...(traits.patchMergeKey ? { "x-kubernetes-patch-merge-key": traits.patchMergeKey } : {}),
  };
}
