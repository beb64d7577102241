/** Single values of the built-in types: what JSON value each may be, the spelling in which it is stored, its zero value and its name in Go. */
import { canonicalQuantity, isQuantity } from "../registry/quantity.js";
import type { ScalarType } from "../schema/schema.js";

/** A value that the type cannot hold. The message is the one that Go's decoder gives. */
export class DecodeError extends Error {
  constructor(
    message: string,
    /** The same where no text was decoded, but a map turned into a struct. */
    readonly unconvertible = message,
  ) {
    super(message);
    this.name = "DecodeError";
  }
}

export const ZERO_VALUES: Readonly<Record<ScalarType, unknown>> = {
  string: "",
  bytes: "",
  int32: 0,
  int64: 0,
  double: 0,
  number: 0,
  boolean: false,
  time: null,
  microtime: null,
  "int-or-string": 0,
  quantity: "0",
  any: null,
};

type Refusal = () => DecodeError;

/** For each scalar: the value as stored, or the refusal thrown. */
export const SCALARS: Readonly<Record<ScalarType, (value: unknown, refusal: Refusal) => unknown>> = {
  string: expectString,
  boolean: (value, refusal) => {
    if (typeof value !== "boolean") throw refusal();
    return value;
  },
  bytes: (value, refusal) => {
    const at = illegalBase64At(expectString(value, refusal));
    if (at >= 0) throw new DecodeError(`illegal base64 data at input byte ${at}`);
    return value;
  },
  int32: (value, refusal) => {
    if (!Number.isInteger(value) || (value as number) < -(2 ** 31) || (value as number) >= 2 ** 31) throw refusal();
    return value;
  },
  int64: (value, refusal) => {
    if (!Number.isInteger(value)) throw refusal();
    return value;
  },
  double: expectNumber,
  number: expectNumber,
  time: (value, refusal) =>
    normalTime(expectString(value, refusal), SECONDS, (date) => `${date.toISOString().slice(0, 19)}Z`),
  microtime: (value, refusal) => {
    const text = expectString(value, refusal);
    // A Date holds milliseconds only: the digits beyond are kept as text.
    const fraction = (/\.(\d+)/.exec(text)?.[1] ?? "").padEnd(6, "0").slice(0, 6);
    return normalTime(text, MICROSECONDS, (date) => `${date.toISOString().slice(0, 19)}.${fraction}Z`);
  },
  "int-or-string": (value, refusal) => {
    if (typeof value !== "string" && !Number.isInteger(value)) throw refusal();
    return value;
  },
  quantity: (value) => {
    const canonical = canonicalQuantity(String(value));
    if (PLAIN_QUANTITY.test(canonical) || isQuantity(canonical)) return canonical;
    throw new DecodeError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  },
  any: (value) => value,
};

/** Nearly all canonical quantities: these need no exact parsing to be known for one. */
const PLAIN_QUANTITY = /^\d{1,15}(?:[mkMGTPE]|[KMGTPE]i)?$/;

function expectString(value: unknown, refusal: Refusal): string {
  if (typeof value !== "string") throw refusal();
  return value;
}

function expectNumber(value: unknown, refusal: Refusal): number {
  if (typeof value !== "number") throw refusal();
  return value;
}

const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const MICROSECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** UTC in the type's own precision, as Go prints what it has parsed. */
function normalTime(text: string, normal: RegExp, print: (date: Date) => string): string {
  const date = RFC3339.test(text) ? new Date(text) : undefined;
  if (!date || Number.isNaN(date.getTime())) {
    throw new DecodeError(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`,
    );
  }
  return normal.test(text) ? text : print(date);
}

/** Offset of the first byte that standard base64 with padding does not allow; -1 when there is none. Line breaks are allowed, as in Go. */
function illegalBase64At(text: string): number {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return -1;
  const compact = text.replace(/[\r\n]/g, "");
  if (compact !== text && illegalBase64At(compact) < 0) return -1;
  const odd = /[^A-Za-z0-9+/\r\n]/.exec(text);
  return odd ? odd.index : text.length;
}

export const GO_SCALARS: Readonly<Record<ScalarType, string>> = {
  string: "string",
  bytes: "[]uint8",
  int32: "int32",
  int64: "int64",
  double: "float64",
  number: "float64",
  boolean: "bool",
  time: "v1.Time",
  microtime: "v1.MicroTime",
  // Whatever is no text is decoded as a number.
  "int-or-string": "int32",
  quantity: "resource.Quantity",
  any: "runtime.RawExtension",
};
