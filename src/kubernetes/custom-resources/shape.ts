/** A structural schema as patches see it: which lists have keys, which maps are replaced whole. */
import { type ListShape, type MapShape, type Shape, type StructShape, shapeOf } from "../patch/shape.js";
import type { StructuralNode } from "./structural.js";

const PLAIN = { strategies: [], alwaysPresent: false } as const;
const LEAF: Shape = { kind: "leaf", ...PLAIN };

const shapes = new WeakMap<StructuralNode, Shape>();

/** The shape of a whole custom object. */
export const rootShape = (node: StructuralNode): Shape => {
  let shape = shapes.get(node);
  if (!shape) {
    shape = structShape(node, true);
    shapes.set(node, shape);
  }
  return shape;
};

function shapeOfNode(node: StructuralNode): Shape {
  if (node.items) return listShape(node, node.items);
  if (node.additional) return mapShape(node, node.additional);
  if (node.embedded || node.properties.size > 0) return structShape(node, node.embedded);
  // Nothing is known of what is inside: it is looked at as it comes.
  if (node.type === "object" || node.preserve) return OPEN;
  return LEAF;
}

/** An object of which no field is declared, but any may be there. */
const OPEN: StructShape = {
  kind: "struct",
  typeName: "",
  atomic: false,
  open: true,
  ...PLAIN,
  field: () => undefined,
  fields: () => [],
};

function structShape(node: StructuralNode, whole: boolean): StructShape {
  let byName: Map<string, Shape> | undefined;
  const known = (): Map<string, Shape> => {
    if (byName) return byName;
    byName = new Map([...node.properties].map(([name, property]) => [name, shapeOfNode(property)]));
    if (whole) {
      byName.set("apiVersion", LEAF);
      byName.set("kind", LEAF);
      byName.set("metadata", METADATA());
    }
    return byName;
  };
  let inOrder: { name: string; element: string; shape: Shape }[] | undefined;
  return {
    kind: "struct",
    typeName: "",
    atomic: node.mapType === "atomic",
    open: node.preserve,
    ...PLAIN,
    field: (name) => known().get(name),
    fields() {
      inOrder ??= [...known()]
        .map(([name, shape]) => ({ name, element: `f:${name}`, shape }))
        .sort((a, b) => (a.element < b.element ? -1 : 1));
      return inOrder;
    },
  };
}

/** Go writes the metadata of every object, even when it is empty. */
const METADATA = (): Shape => ({ ...shapeOf("ObjectMeta"), alwaysPresent: true });

const mapShape = (node: StructuralNode, values: StructuralNode): MapShape => ({
  kind: "map",
  atomic: node.mapType === "atomic",
  values: shapeOfNode(values),
  ...PLAIN,
});

function listShape(node: StructuralNode, items: StructuralNode): ListShape {
  const keyDefaults = Object.fromEntries(
    node.mapKeys.flatMap((key) => {
      const value = items.properties.get(key)?.defaultValue;
      return value === undefined ? [] : [[key, value]];
    }),
  );
  return {
    kind: "list",
    listType: node.listType ?? "atomic",
    keys: [...node.mapKeys].sort(),
    keyDefaults,
    items: shapeOfNode(items),
    ...PLAIN,
  };
}
