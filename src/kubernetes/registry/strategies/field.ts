/**
 * Field errors as apimachinery's `field` package words them. A path is the JSON path of the field (`spec.containers[0].name`); the text never repeats
 * it, because `invalid()` in errors.ts puts it in front.
 */
import type { StatusCause } from "../../errors.js";

/** How a value is shown inside a message: strings quoted, everything else as JSON. */
const shown = (value: unknown): string => (value === undefined ? "null" : JSON.stringify(value));

export const required = (field: string, detail = ""): StatusCause => ({
  reason: "FieldValueRequired",
  message: detail ? `Required value: ${detail}` : "Required value",
  field,
});

export const invalidValue = (field: string, value: unknown, detail: string): StatusCause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${shown(value)}: ${detail}`,
  field,
});

export const unsupported = (field: string, value: unknown, supported: readonly string[]): StatusCause => ({
  reason: "FieldValueNotSupported",
  message: `Unsupported value: ${shown(value)}: supported values: ${supported.map((choice) => `"${choice}"`).join(", ")}`,
  field,
});

export const duplicate = (field: string, value: unknown): StatusCause => ({
  reason: "FieldValueDuplicate",
  message: `Duplicate value: ${shown(value)}`,
  field,
});

export const forbiddenField = (field: string, detail: string): StatusCause => ({
  reason: "FieldValueForbidden",
  message: `Forbidden: ${detail}`,
  field,
});

export const notFoundValue = (field: string, value: unknown): StatusCause => ({
  reason: "FieldValueNotFound",
  message: `Not found: ${shown(value)}`,
  field,
});

export const tooLong = (field: string, maxBytes: number): StatusCause => ({
  reason: "FieldValueTooLong",
  message: `Too long: may not be more than ${maxBytes} bytes`,
  field,
});

export const tooMany = (field: string, actual: number, most: number): StatusCause => ({
  reason: "FieldValueTooMany",
  message: `Too many: ${actual}: must have at most ${most} items`,
  field,
});

/** The text of a field that may never change. */
export const IMMUTABLE = "field is immutable";

/** `Unsupported value` unless the value is one of the choices; absence is someone else's matter. */
export function oneOf(field: string, value: unknown, choices: readonly string[]): StatusCause[] {
  return value === undefined || choices.includes(value as string) ? [] : [unsupported(field, value, choices)];
}

/** `Required value` for what is absent or empty, else `Unsupported value` unless it is one of the choices. */
export function requiredOneOf(field: string, value: unknown, choices: readonly string[]): StatusCause[] {
  return value === undefined || value === "" ? [required(field)] : oneOf(field, value, choices);
}

export function nonNegative(field: string, value: number | undefined): StatusCause[] {
  return value !== undefined && value < 0 ? [invalidValue(field, value, "must be greater than or equal to 0")] : [];
}

export function inRange(field: string, value: number | undefined, least: number, most: number): StatusCause[] {
  return value !== undefined && (value < least || value > most)
    ? [invalidValue(field, value, `must be between ${least} and ${most}, inclusive`)]
    : [];
}

/** One `Invalid value` for each complaint of a name rule of names.ts. */
export function named(field: string, value: string, complaints: readonly string[]): StatusCause[] {
  return complaints.length === 0 ? [] : complaints.map((complaint) => invalidValue(field, value, complaint));
}
