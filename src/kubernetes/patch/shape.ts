/**
 * How patches see a type: a tree of shapes made from the schema tables, one node a field, built as far as somebody walks. Everything that
 * server-side apply and strategic merge ask about a field is answered here, so that neither knows how the tables are coded.
 */
import { listTraits, overlayKeys } from "../schema/overlay.js";
import { type FieldType, typeOf } from "../schema/schema.js";
import type { JsonObject } from "./json.js";

export type Shape = LeafShape | StructShape | MapShape | ListShape;

interface Patchable {
  /** Strategic merge: any of `merge`, `replace`, `retainKeys`. */
  readonly strategies: readonly string[];
  /** Go serialises this field even when it is empty, so it counts as present on every object and no manager comes to own it as a whole. */
  readonly alwaysPresent: boolean;
}

/** A scalar, or anything that is owned and replaced as a whole without a look inside. */
export interface LeafShape extends Patchable {
  readonly kind: "leaf";
  /** What the value must be; absent where more than one sort will do (quantities, int-or-string). */
  readonly scalar?: Scalar;
}

export type Scalar = "string" | "numeric" | "boolean";

/** An object with named fields. */
export interface StructShape extends Patchable {
  readonly kind: "struct";
  readonly typeName: string;
  readonly atomic: boolean;
  /** True where fields that are not declared may be there too. */
  readonly open?: boolean;
  /** Undefined for a field that the type does not have. */
  field(name: string): Shape | undefined;
  /** All fields in the order of the wire. */
  fields(): readonly StructField[];
}

export interface StructField {
  readonly name: string;
  /** The name as an element of FieldsV1: `f:<name>`. */
  readonly element: string;
  readonly shape: Shape;
}

/** An object with free keys. */
export interface MapShape extends Patchable {
  readonly kind: "map";
  readonly atomic: boolean;
  readonly values: Shape;
}

export interface ListShape extends Patchable {
  readonly kind: "list";
  readonly listType: "atomic" | "set" | "map";
  /** What identifies an item of a `map` list for server-side apply, in alphabetical order as FieldsV1 spells it. */
  readonly keys: readonly string[];
  /** Values of absent keys, e.g. `protocol` = `TCP`. */
  readonly keyDefaults: JsonObject;
  /** What identifies an item for strategic merge. */
  readonly mergeKey?: string;
  readonly items: Shape;
}

const ORDINARY: Patchable = { strategies: [], alwaysPresent: false };
const LEAF: LeafShape = { kind: "leaf", ...ORDINARY };
const LEAVES: Readonly<Record<Scalar, LeafShape>> = {
  string: { ...LEAF, scalar: "string" },
  numeric: { ...LEAF, scalar: "numeric" },
  boolean: { ...LEAF, scalar: "boolean" },
};
const SCALARS: Readonly<Record<string, Scalar>> = {
  boolean: "boolean",
  bytes: "string",
  double: "numeric",
  int32: "numeric",
  int64: "numeric",
  microtime: "string",
  number: "numeric",
  string: "string",
  time: "string",
};

function leafOf(name: string): LeafShape {
  const scalar = SCALARS[name];
  return scalar ? LEAVES[scalar] : LEAF;
}

/** What an object without a schema is taken for: maps are granular, lists are atomic. */
const DEDUCED_MAP: MapShape = {
  kind: "map",
  atomic: false,
  ...ORDINARY,
  get values(): Shape {
    return DEDUCED_MAP;
  },
};

/** Shape of a whole object by its type's name in the schema tables; of anything at all when the name is unknown there (custom resources). */
export function shapeOf(typeName: string): Shape {
  return typeOf(typeName) ? structShape(typeName, ORDINARY, isAtomicType(typeName)) : DEDUCED_MAP;
}

/** The shape to use for a member without a declared one: deduced from its value. */
export const deducedShape: MapShape = DEDUCED_MAP;

const structs = new Map<string, StructShape>();

function structShape(typeName: string, patchable: Patchable, atomic: boolean): StructShape {
  const plain = patchable === ORDINARY;
  const cacheKey = `${typeName}${atomic ? " atomic" : ""}`;
  const known = plain ? structs.get(cacheKey) : undefined;
  if (known) return known;
  let byName: Map<string, Shape> | undefined;
  let inOrder: StructField[] | undefined;
  const shapes = (): Map<string, Shape> => {
    byName ??= new Map(
      [...(typeOf(typeName)?.fields.values() ?? [])].map(({ name, type }) => [name, fieldShape(typeName, name, type)]),
    );
    return byName;
  };
  const shape: StructShape = {
    kind: "struct",
    typeName,
    atomic,
    ...patchable,
    field: (name) => shapes().get(name),
    fields() {
      inOrder ??= [...shapes()]
        .map(([name, field]) => ({ name, element: `f:${name}`, shape: field }))
        .sort((a, b) => (a.element < b.element ? -1 : 1));
      return inOrder;
    },
  };
  if (plain) structs.set(cacheKey, shape);
  return shape;
}

function fieldShape(typeName: string, name: string, type: FieldType): Shape {
  const traits = listTraits(typeName, name);
  const alwaysPresent = isAlwaysPresent(typeName, name, type);
  const patchable: Patchable =
    traits.patchStrategy.length > 0 || alwaysPresent ? { strategies: traits.patchStrategy, alwaysPresent } : ORDINARY;
  const atomic = traits.mapType === "atomic";
  switch (type.kind) {
    case "scalar":
      return patchable === ORDINARY ? leafOf(type.scalar) : { ...leafOf(type.scalar), ...patchable };
    case "ref":
      return structShape(type.ref, patchable, atomic);
    case "map":
      return { kind: "map", atomic, values: valueShape(type.value), ...patchable };
    case "list":
      return {
        kind: "list",
        listType: traits.listType,
        keys: [...traits.mapKeys].sort(),
        keyDefaults: keyDefaultsOf(type.item, traits.mapKeys),
        ...(traits.patchMergeKey ? { mergeKey: traits.patchMergeKey } : {}),
        items: valueShape(type.item),
        ...patchable,
      };
  }
}

/** Shape of what a list or map holds. */
function valueShape(type: FieldType): Shape {
  switch (type.kind) {
    case "scalar":
      return leafOf(type.scalar);
    case "ref":
      return structShape(type.ref, ORDINARY, isAtomicType(type.ref));
    case "map":
      return { kind: "map", atomic: false, values: valueShape(type.value), ...ORDINARY };
    case "list":
      return { kind: "list", listType: "atomic", keys: [], keyDefaults: {}, items: valueShape(type.item), ...ORDINARY };
  }
}

let atomicTypes: ReadonlySet<string> | undefined;

/** Types marked atomic themselves: their overlay key is the bare name of the type. */
function isAtomicType(typeName: string): boolean {
  atomicTypes ??= new Set(overlayKeys().filter((key) => !key.includes(".")));
  return atomicTypes.has(typeName);
}

/** Defaults of fields that serve as list keys: an item without the field is the same item as one that spells the default. */
const KEY_DEFAULTS: Readonly<Record<string, JsonObject>> = {
  ContainerPort: { protocol: "TCP" },
  ServicePort: { protocol: "TCP" },
};

/** Beside these, a key that has to be there is empty by default: validation is who minds. */
function keyDefaultsOf(item: FieldType, keys: readonly string[]): JsonObject {
  if (item.kind !== "ref") return {};
  const defaults: JsonObject = {};
  for (const key of keys) {
    const field = typeOf(item.ref)?.fields.get(key);
    if (field?.required && field.type.kind === "scalar") defaults[key] = field.type.scalar === "string" ? "" : 0;
  }
  return { ...defaults, ...KEY_DEFAULTS[item.ref] };
}

/**
 * Fields that Go embeds by value (or as a slice without omitempty) all the way from the object's root, by `Type.field`. `metadata`, `spec` and
 * `status` structs are so in every type but the few optional ones, which do not matter here: nobody owns a spec without owning something inside.
 */
const EMBEDDED = new Set([
  "CronJobSpec.jobTemplate",
  "CustomResourceDefinitionStatus.acceptedNames",
  "DaemonSetSpec.template",
  "DaemonSetSpec.updateStrategy",
  "DeploymentSpec.strategy",
  "DeploymentSpec.template",
  "EndpointSlice.endpoints",
  "EndpointSlice.ports",
  "IngressStatus.loadBalancer",
  "JobSpec.template",
  "NetworkPolicySpec.podSelector",
  "NodeStatus.daemonEndpoints",
  "NodeDaemonEndpoints.kubeletEndpoint",
  "NodeStatus.nodeInfo",
  "PersistentVolumeClaimSpec.resources",
  "PodSpec.containers",
  "ServiceStatus.loadBalancer",
  "StatefulSetSpec.template",
  "StatefulSetSpec.updateStrategy",
]);

function isAlwaysPresent(typeName: string, name: string, type: FieldType): boolean {
  if (type.kind === "ref" && (name === "metadata" || name === "spec" || name === "status")) return true;
  return EMBEDDED.has(`${typeName}.${name}`);
}
