/**
 * What the strategies share: a typed way to write one down, and rules about labels and selectors that occur in many kinds.
 */
import type { StatusCause } from "../../errors.js";
import type { KubeObject } from "../../object.js";
import type { LabelSelector } from "../../schema/generated/types.js";
import type { Strategy, WriteContext } from "../strategy.js";
import { sameValue } from "./equality.js";
import { IMMUTABLE, invalidValue, named, required } from "./field.js";
import { labelValue, qualifiedName } from "./names.js";

/** A Strategy whose functions see the kind's own type. */
export interface StrategyOf<T extends KubeObject>
  extends Pick<Strategy, "hasStatusSubresource" | "keepsStatusOnCreate" | "hasGeneration"> {
  setDefaults?(draft: T): void;
  prepareForCreate?(draft: T, context: WriteContext): void;
  prepareForUpdate?(draft: T, previous: T, context: WriteContext): void;
  prepareForSubresource?(draft: T, previous: T, subresource: string, context: WriteContext): void;
  validate?(object: T, context: WriteContext, previous?: T): StatusCause[];
  validateUpdate?(object: T, previous: T, context: WriteContext): StatusCause[];
  validateStatusUpdate?(object: T, previous: T, context: WriteContext): StatusCause[];
  deleteGracePeriodSeconds?(object: T, requested: number | undefined): number;
  allocate?(draft: T, previous: T | undefined, context: WriteContext): StatusCause[];
  warnings?(object: T): string[];
}

/** The registry looks strategies up by resource, so it only ever hands an object of kind T to them. */
export const strategyOf = <T extends KubeObject>(rules: StrategyOf<T>): Strategy => rules as unknown as Strategy;

export function validateLabels(field: string, labels: Record<string, string> | undefined): StatusCause[] {
  if (!labels) return [];
  return Object.entries(labels).flatMap(([key, value]) => [
    ...named(field, key, qualifiedName(key)),
    ...named(field, value, labelValue(value)),
  ]);
}

const SELECTOR_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"];

export function validateSelector(field: string, selector: LabelSelector | undefined): StatusCause[] {
  if (!selector) return [];
  const causes = validateLabels(`${field}.matchLabels`, selector.matchLabels);
  selector.matchExpressions?.forEach((expression, index) => {
    const at = `${field}.matchExpressions[${index}]`;
    const count = expression.values?.length ?? 0;
    if (!SELECTOR_OPERATORS.includes(expression.operator))
      causes.push(invalidValue(`${at}.operator`, expression.operator, "not a valid selector operator"));
    else if (expression.operator.endsWith("In") && count === 0) {
      causes.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (!expression.operator.endsWith("In") && count > 0) {
      causes.push({
        reason: "FieldValueForbidden",
        message: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        field: `${at}.values`,
      });
    }
    causes.push(...named(`${at}.key`, expression.key, qualifiedName(expression.key)));
  });
  return causes;
}

/** `field is immutable` for each of the fields (paths below the object such as `spec.selector`) that differs. */
export function immutableFields(object: object, previous: object, fields: readonly string[]): StatusCause[] {
  return fields.flatMap((field) => {
    const now = valueAt(object, field);
    return sameValue(now, valueAt(previous, field)) ? [] : [invalidValue(field, now, IMMUTABLE)];
  });
}

export function valueAt(object: object, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}

/** A percentage such as `25%`, or undefined. */
export function percentage(value: number | string | undefined): number | undefined {
  const match = typeof value === "string" ? /^([0-9]+)%$/.exec(value) : null;
  return match ? Number(match[1]) : undefined;
}

/** Rules of an int-or-percent field such as maxSurge. */
export function validateIntOrPercent(
  field: string,
  value: number | string | undefined,
  options: { most?: number } = {},
): StatusCause[] {
  if (value === undefined) return [];
  if (typeof value === "number")
    return value < 0 ? [invalidValue(field, value, "must be greater than or equal to 0")] : [];
  const percent = percentage(value);
  if (percent === undefined) {
    return [
      invalidValue(
        field,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  }
  return options.most !== undefined && percent > options.most
    ? [invalidValue(field, value, `must not be greater than ${options.most}%`)]
    : [];
}

/** True for `0` and `0%`. */
export const isZero = (value: number | string | undefined): boolean => value === 0 || percentage(value) === 0;
