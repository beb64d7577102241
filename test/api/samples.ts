/** Inputs made from the model alone: some that keep every rule, and for each rule one that breaks it. */
import type { OperationName } from "../../src/api/model/generated/operations.js";
import { type Member, model, shapeOf, type Type } from "../../src/api/model/model.js";

type Input = Record<string, unknown>;

/** A value that keeps a type's rules: any. */
export function sample(type: Type): unknown {
  switch (type.type) {
    case "list":
      return Array.from({ length: Math.max(1, type.min ?? 1) }, () => sample(type.of));
    case "map":
      return Object.fromEntries(
        Array.from({ length: Math.max(1, type.min ?? 1) }, (_, n) => [`key${n}`, sample(type.value)]),
      );
    case "structure":
      return Object.fromEntries(
        Object.entries(shapeOf(model(), type.shape)).flatMap(([name, member]) =>
          member.required ? [[name, sample(member)]] : [],
        ),
      );
    case "integer":
      return type.min ?? 1;
    case "boolean":
      return true;
    case "timestamp":
      return 1;
    default:
      return type.enum ? model().enums[type.enum]?.[0] : "x".repeat(Math.max(1, type.min ?? 1));
  }
}

/** The least that an operation takes. */
export const leastInput = (operation: OperationName): Input =>
  sample({ type: "structure", shape: model().operations[operation].input }) as Input;

export interface Violation {
  /** Such as `scalingConfig.maxSize`. */
  path: string;
  rule: string;
  input: Input;
  /** Words that the refusal must have. */
  words: string;
}

interface Broken {
  rule: string;
  value: unknown;
  words: string;
}

const length = (what: "less" | "greater", bound: number): string =>
  `Member must have length ${what} than or equal to ${bound}`;

/** Values that break one rule of a type each. */
function brokenValues(type: Type & Member): Broken[] {
  const { min, max } = type;
  const broken: Broken[] = [];
  const add = (rule: string, value: unknown, words: string): void => void broken.push({ rule, value, words });
  switch (type.type) {
    case "integer": {
      const bound = "Member must have value";
      if (min !== undefined) add("min", min - 1, `${bound} greater than or equal to ${min}`);
      if (max !== undefined) add("max", max + 1, `${bound} less than or equal to ${max}`);
      break;
    }
    case "string":
      if (max !== undefined) add("max", "x".repeat(max + 1), length("less", max));
      // An empty label is another path.
      if (min !== undefined && min > 0 && type.in !== "path") add("min", "x".repeat(min - 1), length("greater", min));
      if (type.pattern !== undefined) add("pattern", "-x", `pattern: ${type.pattern}`);
      if (type.enum !== undefined) add("enum", "bogus", "Member must satisfy enum value set: [");
      break;
    case "list": {
      const items = (count: number): unknown[] => Array.from({ length: count }, () => sample(type.of));
      if (max !== undefined) add("max", items(max + 1), length("less", max));
      // A list in the query that has no items is not there.
      if (min !== undefined && min > 0 && type.in !== "query") add("min", items(min - 1), length("greater", min));
      for (const { rule, value, words } of brokenValues(type.of)) add(`items: ${rule}`, [value], words);
      break;
    }
    case "map": {
      const entries = (count: number): Input =>
        Object.fromEntries(Array.from({ length: count }, (_, n) => [`key${n}`, sample(type.value)]));
      if (max !== undefined) add("max", entries(max + 1), length("less", max));
      if (min !== undefined && min > 0) add("min", entries(min - 1), length("greater", min));
      for (const { rule, value, words } of brokenValues(type.key)) {
        add(`keys: ${rule}`, { [String(value)]: sample(type.value) }, words);
      }
      for (const { rule, value, words } of brokenValues(type.value)) add(`values: ${rule}`, { key: value }, words);
      break;
    }
    default:
  }
  return broken;
}

const WRONG_TYPES: Partial<Record<Type["type"], unknown>> = {
  string: 1,
  integer: "one",
  boolean: "yes",
  list: {},
  map: [],
  structure: "x",
};

/** Everything wrong that can be said about members of a structure and what is inside of them, each alone. */
function broken(shape: string, within: readonly string[], depth = 0): (Broken & { path: string })[] {
  return Object.entries(shapeOf(model(), shape)).flatMap(([name, type]) => {
    const path = [...within, name].join(".");
    const found = brokenValues(type);
    if (type.in === undefined && type.type in WRONG_TYPES) {
      found.push({ rule: "type", value: WRONG_TYPES[type.type], words: `'${path}' must be` });
    }
    if (type.required && type.in === undefined) {
      found.push({ rule: "required", value: undefined, words: `Value null at '${path}' failed` });
    }
    const here = found.map((entry) => ({ ...entry, path }));
    // Items are counted from 1 in the messages of AWS.
    const [inner, place] =
      type.type === "list" ? [type.of, [...within, name, "1", "member"]] : [type as Type, [...within, name]];
    return inner.type === "structure" && depth < 5 ? [...here, ...broken(inner.shape, place, depth + 1)] : here;
  });
}

/** `input` with the value at a path, and on the way there the least that structures take. */
function withValue(input: Input, shape: string, [name = "", ...rest]: readonly string[], value: unknown): Input {
  if (rest.length === 0) return { ...input, [name]: value };
  const type = shapeOf(model(), shape)[name];
  if (type?.type === "list" && type.of.type === "structure") {
    return { ...input, [name]: [withValue(sample(type.of) as Input, type.of.shape, rest.slice(2), value)] };
  }
  if (type?.type !== "structure") throw new Error(`${shape}.${name} is no structure`);
  const inner = (input[name] ?? sample(type)) as Input;
  return { ...input, [name]: withValue(inner, type.shape, rest, value) };
}

/** One input for each rule of an operation's input, which breaks that rule and no other. */
export function violations(operation: OperationName): Violation[] {
  const shape = model().operations[operation].input;
  return broken(shape, []).map(({ path, rule, value, words }) => ({
    path,
    rule,
    words,
    input: withValue(leastInput(operation), shape, path.split("."), value),
  }));
}

export interface Call {
  method: string;
  path: string;
  body?: string;
}

/** The request of an operation as a client sends it. */
export function requestOf(operation: OperationName, input: Input): Call {
  const { method, uri, input: shape } = model().operations[operation];
  const members = shapeOf(model(), shape);
  const path = uri.replace(/\{(\w+)\}/g, (_, label: string) => encodeURIComponent(String(input[label] ?? "")));
  const query = new URLSearchParams();
  const body: Input = {};
  for (const [name, value] of Object.entries(input)) {
    const member = members[name] as Member;
    if (member.in === "query") {
      if (value !== undefined) for (const item of [value].flat()) query.append(member.as ?? name, String(item));
    } else if (member.in !== "path") body[name] = value;
  }
  const search = query.size > 0 ? `?${query}` : "";
  return { method, path: path + search, ...(method === "GET" ? {} : { body: JSON.stringify(body) }) };
}
