/**
 * Checks decoded requests against the model. A value of the wrong JSON type stops the request at once (SerializationException); broken rules are
 * collected and answered together, in the sentence that AWS services use: `2 validation errors detected: Value 'x' at 'name' failed to satisfy
 * constraint: ...`. Checkers are compiled once a shape, on first use.
 */
import { DomainError } from "../../domain/errors.js";
import { type Member, type Model, shapeOf, type Type } from "../model/model.js";

/** Returns the value as behaviour sees it: unknown members and nulls dropped. Adds a sentence to `failures` for each broken rule. */
type Checker = (value: unknown, path: string, failures: string[]) => unknown;

const JSON_KIND: Record<string, string> = {
  string: "a string",
  integer: "an integer",
  boolean: "true or false",
  timestamp: "a number of seconds",
  list: "a list",
  map: "an object",
  structure: "an object",
};

/** A function from a shape's name to its compiled check, which throws InvalidParameterException (BadRequestException where tags are dealt with) or SerializationException. */
export function createValidator(model: Model): (shape: string, value: unknown) => unknown {
  const structures = new Map<string, Checker>();

  /** Looked up late, so that shapes may contain themselves. */
  const structureChecker = (name: string): Checker => {
    const known = structures.get(name);
    if (known) return known;
    const checker = compileStructure(name);
    structures.set(name, checker);
    return checker;
  };

  const compileStructure = (name: string): Checker => {
    const members = Object.entries(shapeOf(model, name)).map(([member, type]) => ({
      member,
      required: type.required === true,
      check: undefined as Checker | undefined,
      type,
    }));
    return (value, path, failures) => {
      const source = asRecord(value, path);
      const result: Record<string, unknown> = {};
      for (const entry of members) {
        const given = source[entry.member];
        if (given !== undefined && given !== null) {
          entry.check ??= compile(entry.type);
          result[entry.member] = entry.check(given, path === "" ? entry.member : `${path}.${entry.member}`, failures);
        } else if (entry.required) {
          const at = path === "" ? entry.member : `${path}.${entry.member}`;
          failures.push(`Value null at '${at}' failed to satisfy constraint: Member must not be null`);
        }
      }
      return result;
    };
  };

  const compile = (type: Type & Member): Checker => {
    switch (type.type) {
      case "structure":
        return (value, path, failures) => structureChecker(type.shape)(value, path, failures);
      case "list":
        return compileList(type);
      case "map":
        return compileMap(type);
      default:
        return compileScalar(type);
    }
  };

  const compileList = (type: Type & { type: "list" }): Checker => {
    const size = sizeRules(type);
    const inner =
      type.of.type === "structure" || type.of.type === "list" || type.of.type === "map" ? compile(type.of) : undefined;
    const rules = scalarRules(type.of);
    return (value, path, failures) => {
      if (!Array.isArray(value)) throw wrongType("list", path);
      fail(failures, size(value.length), path, value);
      if (inner) return value.map((item, index) => inner(item, `${path}.${index + 1}.member`, failures));
      for (const item of value) checkScalarType(type.of, item, path);
      if (value.some((item) => rules(item).length > 0)) {
        const told = [...new Set(value.flatMap((item) => rules(item)))];
        failures.push(failure(path, value, `Member must satisfy constraint: [${told.join(", ")}]`));
      }
      return value;
    };
  };

  const compileMap = (type: Type & { type: "map" }): Checker => {
    const size = sizeRules(type);
    const keyRules = scalarRules(type.key);
    const valueRules = scalarRules(type.value);
    const inner = isScalar(type.value) ? undefined : compile(type.value);
    return (value, path, failures) => {
      const entries = Object.entries(asRecord(value, path)).filter(([, item]) => item !== null);
      fail(failures, size(entries.length), path, value);
      const badKeys = [...new Set(entries.flatMap(([key]) => keyRules(key)))];
      if (badKeys.length > 0) {
        failures.push(failure(path, value, `Map keys must satisfy constraint: [${badKeys.join(", ")}]`));
      }
      if (inner)
        return Object.fromEntries(entries.map(([key, item]) => [key, inner(item, `${path}.${key}`, failures)]));
      for (const [, item] of entries) checkScalarType(type.value, item, path);
      const badValues = [...new Set(entries.flatMap(([, item]) => valueRules(item)))];
      if (badValues.length > 0) {
        failures.push(failure(path, value, `Map value must satisfy constraint: [${badValues.join(", ")}]`));
      }
      return Object.fromEntries(entries);
    };
  };

  const compileScalar = (type: Type & Member): Checker => {
    // A label that is empty is no label: AWS answers as if every label had a minimal length of 1.
    const rules = scalarRules(type.in === "path" && type.min === undefined ? { ...type, min: 1 } : type);
    return (value, path, failures) => {
      checkScalarType(type, value, path);
      fail(failures, rules(value), path, value);
      return value;
    };
  };

  /** The rules that a string or number breaks, as AWS words them. */
  const scalarRules = (type: Type): ((value: unknown) => string[]) => {
    if (type.type === "integer") return (value) => boundRules("value", type, value as number);
    if (type.type !== "string") return () => [];
    const pattern = type.pattern === undefined ? undefined : new RegExp(`^(?:${type.pattern})$`, "u");
    const values = type.enum === undefined ? undefined : model.enums[type.enum];
    const known = values && new Set(values);
    return (value) => {
      const text = value as string;
      const broken = sizeRules(type)(text.length);
      if (pattern && !pattern.test(text))
        broken.push(`Member must satisfy regular expression pattern: ${type.pattern}`);
      if (known && !known.has(text)) broken.push(`Member must satisfy enum value set: [${values.join(", ")}]`);
      return broken;
    };
  };

  return (shape, value) => {
    const failures: string[] = [];
    const result = structureChecker(shape)(value, "", failures);
    if (failures.length > 0) throw new DomainError(refusalOf(shape), summary(failures));
    return result;
  };
}

/** The tagging operations have a family of errors of their own; the model gives them neither this nor ResourceNotFoundException. */
const TAGGING = new Set(["TagResourceRequest", "UntagResourceRequest", "ListTagsForResourceRequest"]);

const refusalOf = (shape: string): "BadRequestException" | "InvalidParameterException" =>
  TAGGING.has(shape) ? "BadRequestException" : "InvalidParameterException";

const isScalar = (type: Type): boolean => type.type !== "structure" && type.type !== "list" && type.type !== "map";

function boundRules(what: "value" | "length", type: Type, size: number): string[] {
  const broken: string[] = [];
  if (type.max !== undefined && size > type.max)
    broken.push(`Member must have ${what} less than or equal to ${type.max}`);
  if (type.min !== undefined && size < type.min)
    broken.push(`Member must have ${what} greater than or equal to ${type.min}`);
  return broken;
}

const sizeRules =
  (type: Type) =>
  (size: number): string[] =>
    boundRules("length", type, size);

function checkScalarType(type: Type, value: unknown, path: string): void {
  const fits =
    type.type === "document" ||
    (type.type === "integer" && Number.isInteger(value)) ||
    (type.type === "timestamp" && typeof value === "number") ||
    (type.type === "string" && typeof value === "string") ||
    (type.type === "boolean" && typeof value === "boolean");
  if (!fits) throw wrongType(type.type, path);
}

function asRecord(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongType("structure", path);
  return value as Record<string, unknown>;
}

const wrongType = (type: string, path: string): DomainError =>
  new DomainError(
    "SerializationException",
    `${path === "" ? "The request body" : `'${path}'`} must be ${JSON_KIND[type] ?? type}`,
  );

function fail(failures: string[], broken: readonly string[], path: string, value: unknown): void {
  for (const rule of broken) failures.push(failure(path, value, rule));
}

const failure = (path: string, value: unknown, rule: string): string =>
  `Value '${show(value)}' at '${path}' failed to satisfy constraint: ${rule}`;

/** Values as AWS prints them: `[a, b]`, `{k=v}`. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${key}=${show(item)}`)
      .join(", ")}}`;
  }
  return String(value);
}

const summary = (failures: readonly string[]): string =>
  `${failures.length} validation error${failures.length === 1 ? "" : "s"} detected: ${failures.join("; ")}`;
