/**
 * The checks of values that an OpenAPI schema asks for, compiled into functions once per schema, with the API server's texts. What an update leaves as it
 * was is not judged again (ratcheting): an object that became invalid when its schema changed can still be changed elsewhere.
 */
import { compileRegex } from "../cel/regex.js";
import type { StatusCause } from "../errors.js";
import { deepEqual, isObject, memberOf } from "../patch/json.js";
import { invalidValue, required, tooLong, tooMany, unsupported } from "../registry/strategies/field.js";
import type { JSONSchemaProps } from "../schema/generated/types.js";
import { formatCheck } from "./formats.js";
import { at, type Place, placeText } from "./paths.js";
import { asSchema } from "./structural.js";

/** Stands for the old value where there is none that belongs to the new one. */
export const UNRELATED: unique symbol = Symbol("unrelated");

/** Judges a value and all below it; complaints go into `causes`. `old` is the value before the change, or UNRELATED. */
export type ValueCheck = (value: unknown, place: Place | undefined, causes: StatusCause[], old: unknown) => void;

type OwnCheck = (value: unknown, place: Place | undefined, causes: StatusCause[]) => void;

/** Compiles a schema, structural or not: what stands under a junctor is a schema of checks alone. */
export function compileValueCheck(schema: JSONSchemaProps): ValueCheck {
  const types = typesOf(schema);
  const checks = [typeCheck(schema, types), ...CHECKS.map((make) => make(schema))].filter(
    (check) => check !== undefined,
  );
  const members = memberChecks(schema);
  const items = itemChecks(schema);
  const { nullable } = schema;
  return (value, place, causes, old) => {
    if (old !== UNRELATED && deepEqual(value, old)) return;
    if (value === null && nullable) return;
    const before = causes.length;
    for (const check of checks) {
      check(value, place, causes);
      // A value of another type is judged no further.
      if (check === checks[0] && causes.length > before) return;
    }
    if (Array.isArray(value)) items?.(value, place, causes, old);
    else if (members && isObject(value)) members(value, place, causes, old);
  };
}

const typesOf = (schema: JSONSchemaProps): readonly string[] =>
  schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : schema.type ? [schema.type] : [];

/** What a JSON value is in the words of OpenAPI. */
function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** Which is not an `Invalid value` in the eyes of the rules that run later: expressions are not evaluated over values of wrong types. */
const typeInvalid = (place: Place | undefined, shown: unknown, types: string, found: string): StatusCause => {
  const field = placeText(place);
  return {
    reason: "FieldValueTypeInvalid",
    message: `Invalid value: ${JSON.stringify(shown)}: ${field} in body must be of type ${types}: ${JSON.stringify(found)}`,
    field: field || "<nil>",
  };
};

function typeCheck({ format }: JSONSchemaProps, types: readonly string[]): OwnCheck {
  const wanted = types.join(",");
  const check = format === undefined ? undefined : formatCheck(format);
  return (value, place, causes) => {
    const found = typeOf(value);
    const fits = types.length === 0 || types.includes(found) || (found === "integer" && types.includes("number"));
    if (!fits) causes.push(typeInvalid(place, found, wanted, found));
    else if (check && typeof value === "string" && !check(value)) {
      causes.push(typeInvalid(place, value, format as string, value));
    }
  };
}

const say = (place: Place | undefined, value: unknown, complaint: string): StatusCause => {
  const field = placeText(place);
  return invalidValue(field || "<nil>", value, `${field} in body ${complaint}`);
};

const lengthOf = (text: string): number => {
  let length = 0;
  for (const _ of text) length++;
  return length;
};

/** The checks beside that of the type, in upstream's order. Each is undefined where the schema does not ask for it. */
const CHECKS: readonly ((schema: JSONSchemaProps) => OwnCheck | undefined)[] = [
  ({ allOf }) => allOf && everyOf(allOf.map(compileValueCheck)),
  ({ anyOf }) => anyOf && someOf(anyOf.map(compileValueCheck)),
  ({ oneOf }) => oneOf && exactlyOneOf(oneOf.map(compileValueCheck)),
  ({ not }) => not && noneOf(compileValueCheck(not)),
  ({ maxLength }) =>
    maxLength === undefined
      ? undefined
      : (value, place, causes) => {
          if (typeof value === "string" && value.length > maxLength && lengthOf(value) > maxLength)
            causes.push(tooLong(placeText(place), maxLength));
        },
  ({ minLength }) =>
    minLength === undefined
      ? undefined
      : (value, place, causes) => {
          if (typeof value === "string" && lengthOf(value) < minLength)
            causes.push(say(place, value, `should be at least ${minLength} chars long`));
        },
  ({ pattern, maxLength, minLength }) =>
    pattern === undefined ? undefined : patternCheck(pattern, minLength, maxLength),
  ({ multipleOf }) =>
    multipleOf === undefined
      ? undefined
      : (value, place, causes) => {
          if (typeof value === "number" && !isMultiple(value, multipleOf))
            causes.push(say(place, value, `should be a multiple of ${multipleOf}`));
        },
  ({ maximum, exclusiveMaximum }) =>
    maximum === undefined
      ? undefined
      : (value, place, causes) => {
          if (typeof value === "number" && (exclusiveMaximum ? value >= maximum : value > maximum))
            causes.push(say(place, value, `should be less than ${exclusiveMaximum ? "" : "or equal to "}${maximum}`));
        },
  ({ minimum, exclusiveMinimum }) =>
    minimum === undefined
      ? undefined
      : (value, place, causes) => {
          if (typeof value === "number" && (exclusiveMinimum ? value <= minimum : value < minimum))
            causes.push(
              say(place, value, `should be greater than ${exclusiveMinimum ? "" : "or equal to "}${minimum}`),
            );
        },
  ({ minItems }) =>
    minItems === undefined
      ? undefined
      : (value, place, causes) => {
          if (Array.isArray(value) && value.length < minItems)
            causes.push(say(place, value.length, `should have at least ${minItems} items`));
        },
  ({ maxItems }) =>
    maxItems === undefined
      ? undefined
      : (value, place, causes) => {
          if (Array.isArray(value) && value.length > maxItems)
            causes.push(tooMany(placeText(place), value.length, maxItems));
        },
  ({ enum: choices }) =>
    choices === undefined
      ? undefined
      : (value, place, causes) => {
          if (choices.some((choice) => deepEqual(choice, value))) return;
          const shown = choices.map((choice) => (typeof choice === "string" ? choice : JSON.stringify(choice)));
          causes.push(unsupported(placeText(place), value, shown));
        },
  ({ minProperties }) =>
    minProperties === undefined
      ? undefined
      : (value, place, causes) => {
          if (isObject(value) && Object.keys(value).length < minProperties)
            causes.push(say(place, Object.keys(value).length, `should have at least ${minProperties} properties`));
        },
  ({ maxProperties }) =>
    maxProperties === undefined
      ? undefined
      : (value, place, causes) => {
          if (isObject(value) && Object.keys(value).length > maxProperties)
            causes.push(tooMany(placeText(place), Object.keys(value).length, maxProperties));
        },
  ({ required: names }) =>
    names === undefined
      ? undefined
      : (value, place, causes) => {
          if (!isObject(value)) return;
          for (const name of names)
            if (memberOf(value, name) === undefined) causes.push(required(placeText(at(place, name))));
        },
];

/** Floating-point remainders of decimal fractions are off by a little: 0.3 is a multiple of 0.1. */
function isMultiple(value: number, factor: number): boolean {
  if (factor === 0) return true;
  const quotient = value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
}

/** Upstream looks no further than the length of what is too long or too short. */
function patternCheck(pattern: string, shortest = 0, longest = Number.POSITIVE_INFINITY): OwnCheck {
  return (value, place, causes) => {
    if (typeof value !== "string") return;
    const length = lengthOf(value);
    if (length >= shortest && length <= longest && !compileRegex(pattern).test(value))
      causes.push(say(place, value, `should match '${pattern}'`));
  };
}

/** Complaints of junctors stand for the whole object, and name the place in their text. */
const junctor = (place: Place | undefined, complaint: string): StatusCause =>
  invalidValue("<nil>", "", `${JSON.stringify(placeText(place))} ${complaint}`);

const complaintsOf = (check: ValueCheck, value: unknown, place: Place | undefined): StatusCause[] => {
  const causes: StatusCause[] = [];
  check(value, place, causes, UNRELATED);
  return causes;
};

/** The alternative that came closest: the one with the fewest complaints. */
const fewest = (attempts: readonly StatusCause[][]): StatusCause[] =>
  attempts.reduce<StatusCause[]>(
    (best, attempt) => (best.length === 0 || attempt.length < best.length ? attempt : best),
    [],
  );

const everyOf =
  (checks: readonly ValueCheck[]): OwnCheck =>
  (value, place, causes) => {
    const attempts = checks.map((check) => complaintsOf(check, value, place));
    for (const complaints of attempts) causes.push(...complaints);
    const failed = attempts.filter((complaints) => complaints.length > 0).length;
    if (failed > 0)
      causes.push(
        junctor(place, `must validate all the schemas (allOf)${failed === checks.length ? ". None validated" : ""}`),
      );
  };

const someOf =
  (checks: readonly ValueCheck[]): OwnCheck =>
  (value, place, causes) => {
    const attempts: StatusCause[][] = [];
    for (const check of checks) {
      const complaints = complaintsOf(check, value, place);
      if (complaints.length === 0) return;
      attempts.push(complaints);
    }
    causes.push(junctor(place, "must validate at least one schema (anyOf)"), ...fewest(attempts));
  };

const exactlyOneOf =
  (checks: readonly ValueCheck[]): OwnCheck =>
  (value, place, causes) => {
    const attempts = checks.map((check) => complaintsOf(check, value, place));
    const valid = attempts.filter((complaints) => complaints.length === 0).length;
    if (valid === 1) return;
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    causes.push(junctor(place, `must validate one and only one schema (oneOf). ${found}`));
    if (valid === 0) causes.push(...fewest(attempts));
  };

const noneOf =
  (check: ValueCheck): OwnCheck =>
  (value, place, causes) => {
    if (complaintsOf(check, value, place).length === 0)
      causes.push(junctor(place, "must not validate the schema (not)"));
  };

function memberChecks(schema: JSONSchemaProps): ValueCheck | undefined {
  const properties = new Map(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, compileValueCheck(property)]),
  );
  const inner = asSchema(schema.additionalProperties);
  const additional = inner && compileValueCheck(inner);
  if (properties.size === 0 && !additional) return undefined;
  return (value, place, causes, old) => {
    const object = value as Record<string, unknown>;
    const before = isObject(old) ? old : undefined;
    for (const name in object) {
      const member = object[name];
      const check = properties.get(name) ?? additional;
      if (!check || member === undefined) continue;
      const was = before && Object.hasOwn(before, name) ? before[name] : UNRELATED;
      check(member, at(place, name), causes, was);
    }
  };
}

function itemChecks(schema: JSONSchemaProps): ValueCheck | undefined {
  const inner = asSchema(schema.items);
  if (!inner) return undefined;
  const check = compileValueCheck(inner);
  const keys = schema["x-kubernetes-list-type"] === "map" ? (schema["x-kubernetes-list-map-keys"] ?? []) : [];
  return (value, place, causes, old) => {
    const list = value as unknown[];
    const before = Array.isArray(old) ? counterparts(old, keys) : undefined;
    list.forEach((item, index) => {
      check(item, at(place, index), causes, before?.(item) ?? UNRELATED);
    });
  };
}

/** Finds the item of an old list that is the same as one of the new: only lists with keys tell. */
export function counterparts(
  list: readonly unknown[],
  keys: readonly string[],
): ((item: unknown) => unknown) | undefined {
  if (keys.length === 0) return undefined;
  const identity = (item: unknown): string | undefined =>
    isObject(item) ? JSON.stringify(keys.map((key) => memberOf(item, key) ?? null)) : undefined;
  const byIdentity = new Map(list.map((item) => [identity(item), item]));
  return (item) => byIdentity.get(identity(item));
}
