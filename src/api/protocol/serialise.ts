/**
 * Writes answers by the model: members in the model's order, which is the order in which EKS serves them; undefined members and members that the
 * model does not have are left out; timestamps become seconds with a fraction. Compiled once a shape, on first use.
 */
import { type Model, shapeOf, type Type } from "../model/model.js";

/** Makes of a value what JSON.stringify writes as the wire has it. */
type Shaper = (value: unknown) => unknown;

/** A function from a shape's name and a value to JSON. */
export function createSerialiser(model: Model): (shape: string, value: object) => string {
  const structures = new Map<string, Shaper>();

  const structureShaper = (name: string): Shaper => {
    const known = structures.get(name);
    if (known) return known;
    const shaper = compileStructure(name);
    structures.set(name, shaper);
    return shaper;
  };

  const compileStructure = (name: string): Shaper => {
    const members = Object.entries(shapeOf(model, name));
    const names = members.map(([member]) => member);
    let shapers: (Shaper | undefined)[] | undefined;
    return (value) => {
      // Late, so that shapes may contain themselves.
      shapers ??= members.map(([, type]) => compile(type));
      const source = value as Record<string, unknown>;
      const result: Record<string, unknown> = {};
      for (let index = 0; index < names.length; index++) {
        const member = names[index] as string;
        const given = source[member];
        if (given === undefined) continue;
        const shape = shapers[index];
        result[member] = shape === undefined || given === null ? given : shape(given);
      }
      return result;
    };
  };

  /** Undefined when values of the type are written as they are. */
  const compile = (type: Type): Shaper | undefined => {
    switch (type.type) {
      case "structure":
        return structureShaper(type.shape);
      case "timestamp":
        return (value) => (value as number) / 1000;
      case "list": {
        const shape = compile(type.of);
        return shape && ((value) => (value as unknown[]).map(shape));
      }
      case "map": {
        const shape = compile(type.value);
        return (
          shape &&
          ((value) => Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, shape(item)])))
        );
      }
      default:
        return undefined;
    }
  };

  return (shape, value) => JSON.stringify(structureShaper(shape)(value));
}
