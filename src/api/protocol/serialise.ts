/**
 * Writes answers by the model: members in the model's order, which is the order in which EKS serves them; undefined members and members that the
 * model does not have are left out; timestamps become seconds with a fraction. Writers are compiled once a shape, on first use, and build the JSON
 * text directly, which costs less than a second object for JSON.stringify.
 */
import { type Model, shapeOf, type Type } from "../model/model.js";

type Writer = (value: unknown) => string;

/** A function from a shape's name and a value to JSON. */
export function createSerialiser(model: Model): (shape: string, value: object) => string {
  const structures = new Map<string, Writer>();

  const structureWriter = (name: string): Writer => {
    const known = structures.get(name);
    if (known) return known;
    const writer = compileStructure(name);
    structures.set(name, writer);
    return writer;
  };

  const compileStructure = (name: string): Writer => {
    const members = Object.entries(shapeOf(model, name)).map(([member, type]) => ({
      member,
      key: `${JSON.stringify(member)}:`,
      type,
      write: undefined as Writer | undefined,
    }));
    return (value) => {
      const source = value as Record<string, unknown>;
      let text = "";
      for (const entry of members) {
        const given = source[entry.member];
        if (given === undefined) continue;
        entry.write ??= compile(entry.type);
        text += `${text === "" ? "{" : ","}${entry.key}${given === null ? "null" : entry.write(given)}`;
      }
      return text === "" ? "{}" : `${text}}`;
    };
  };

  const compile = (type: Type): Writer => {
    switch (type.type) {
      case "structure":
        return structureWriter(type.shape);
      case "timestamp":
        return (value) => String((value as number) / 1000);
      case "list": {
        const write = compile(type.of);
        return (value) => `[${(value as unknown[]).map(write).join(",")}]`;
      }
      case "map": {
        const write = compile(type.value);
        return (value) => {
          const entries = Object.entries(value as object).map(([key, item]) => `${JSON.stringify(key)}:${write(item)}`);
          return `{${entries.join(",")}}`;
        };
      }
      default:
        return JSON.stringify;
    }
  };

  return (shape, value) => structureWriter(shape)(value);
}
