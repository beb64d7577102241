/** Holds what operations answer against the model, before the serialiser leaves out what does not belong. */
import { type EksOperations, operations } from "../../src/api/eks/index.js";
import type { OperationName } from "../../src/api/model/generated/operations.js";
import { model, shapeOf, type Type } from "../../src/api/model/model.js";

const KINDS: Partial<Record<Type["type"], (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === "boolean",
  timestamp: (value) => typeof value === "number" && value > 0,
  list: Array.isArray,
};

/** Where EKS itself leaves its model: `status` of versions carries the values of `versionStatus`. */
const EKS_SAYS_SO = /^DescribeClusterVersions\.clusterVersions\[\d+\]\.status may not be "[A-Z_]+"$/;

/** What is wrong with a value of a type, by path. */
export function misfits(type: Type, value: unknown, path: string): string[] {
  if (value === undefined || type.type === "document") return [];
  const fits = KINDS[type.type] ?? ((candidate: unknown) => typeof candidate === "object" && !Array.isArray(candidate));
  if (value === null || !fits(value)) return [`${path} must be of type ${type.type}, not ${JSON.stringify(value)}`];
  switch (type.type) {
    case "list":
      return (value as unknown[]).flatMap((item, index) => misfits(type.of, item, `${path}[${index}]`));
    case "map":
      return Object.entries(value).flatMap(([key, item]) => misfits(type.value, item, `${path}.${key}`));
    case "structure": {
      const members = shapeOf(model(), type.shape);
      return Object.entries(value).flatMap(([name, item]) => {
        const member = members[name];
        return member ? misfits(member, item, `${path}.${name}`) : [`${path} has no member ${name}`];
      });
    }
    default: {
      const values = type.enum === undefined ? undefined : model().enums[type.enum];
      return values && !values.includes(value as string) ? [`${path} may not be ${JSON.stringify(value)}`] : [];
    }
  }
}

/** The real operations; an answer that does not fit its shape is a bug, and so a ServerException. */
export function checkedOperations(): Partial<EksOperations> {
  const table = operations as Record<string, (input: object, context: object) => object>;
  return Object.fromEntries(
    Object.entries(table).map(([name, operation]) => [
      name,
      (input: object, context: object): object => {
        const answer = operation(input, context);
        const { output } = model().operations[name as OperationName];
        const wrong = misfits({ type: "structure", shape: output }, answer, name).filter(
          (text) => !EKS_SAYS_SO.test(text),
        );
        if (wrong.length > 0) throw new Error(`the answer does not fit its shape: ${wrong.join("; ")}`);
        return answer;
      },
    ]),
  );
}
