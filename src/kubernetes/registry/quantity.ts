/**
 * Kubernetes resource quantities (`100m`, `1.5Gi`, `2e3`): exact arithmetic in nano units, the canonical spelling that the API server stores, and
 * memoised plain numbers for the scheduler. Rules: apimachinery `pkg/api/resource`.
 */

export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

export interface Quantity {
  /** The amount in units of 10^-9; finer amounts are rounded away from zero. */
  value: bigint;
  format: QuantityFormat;
}

/** Thrown for texts that are no quantity; the message is the API server's. */
export class QuantityError extends Error {
  constructor() {
    super("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    this.name = "QuantityError";
  }
}

const NANO = 1_000_000_000n;
const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_SHIFTS: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const DECIMAL_SUFFIXES = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"] as const;
const BINARY_SUFFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] as const;
/** Largest exponent worth computing: anything above overflows every use of it. */
const MAX_EXPONENT = 60;

const divideAwayFromZero = (dividend: bigint, divisor: bigint): bigint => {
  const quotient = dividend / divisor;
  const rest = dividend % divisor;
  if (rest === 0n) return quotient;
  return dividend < 0n ? quotient - 1n : quotient + 1n;
};

/** @throws QuantityError */
export function parseQuantity(text: string | number): Quantity {
  const match = SYNTAX.exec(String(text));
  if (!match) throw new QuantityError();
  const [, sign, whole = "", fraction = "", suffix = ""] = match;
  if (whole === "" && fraction === "") throw new QuantityError();
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const shift = BINARY_SHIFTS[suffix];
  if (shift !== undefined) {
    return { value: divideAwayFromZero((digits << shift) * NANO, 10n ** BigInt(fraction.length)), format: "BinarySI" };
  }
  const plain = DECIMAL_EXPONENTS[suffix];
  const exponent = (plain ?? Number(suffix.slice(1))) + 9 - fraction.length;
  if (Math.abs(exponent) > MAX_EXPONENT + fraction.length) throw new QuantityError();
  const value = exponent >= 0 ? digits * 10n ** BigInt(exponent) : divideAwayFromZero(digits, 10n ** BigInt(-exponent));
  return { value, format: plain === undefined ? "DecimalExponent" : "DecimalSI" };
}

export function isQuantity(text: unknown): boolean {
  if (typeof text !== "string" && typeof text !== "number") return false;
  try {
    parseQuantity(text);
    return true;
  } catch {
    return false;
  }
}

/** The canonical spelling: no fraction, the largest suffix that leaves a whole number. Binary amounts under 1024 are spelt in decimal. */
export function formatQuantity({ value, format }: Quantity): string {
  if (value === 0n) return "0";
  const whole = value % NANO === 0n;
  const binary = format === "BinarySI" && whole && (value >= 1024n * NANO || value <= -1024n * NANO);
  let amount = binary ? value / NANO : value;
  let step = 0;
  const [factor, suffixes] = binary ? ([1024n, BINARY_SUFFIXES] as const) : ([1000n, DECIMAL_SUFFIXES] as const);
  while (step < suffixes.length - 1 && amount % factor === 0n) {
    amount /= factor;
    step++;
  }
  if (format !== "DecimalExponent") return `${amount}${suffixes[step]}`;
  const exponent = step * 3 - 9;
  return exponent === 0 ? `${amount}` : `${amount}e${exponent}`;
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: string | number, b: string | number): number {
  const left = parseQuantity(a).value;
  const right = parseQuantity(b).value;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The canonical sum; it takes the format of `a`, or of `b` when `a` is zero, as upstream's Add does. */
export function addQuantities(a: string | number, b: string | number): string {
  const left = parseQuantity(a);
  const right = parseQuantity(b);
  return formatQuantity({ value: left.value + right.value, format: left.value === 0n ? right.format : left.format });
}

/** The canonical difference; formats as in addQuantities. */
export function subtractQuantities(a: string | number, b: string | number): string {
  const left = parseQuantity(a);
  const right = parseQuantity(b);
  return formatQuantity({ value: left.value - right.value, format: left.value === 0n ? right.format : left.format });
}

/** Results by text: clusters use a few hundred spellings over and over. Emptied when an odd client sends endless new ones. */
const MEMO_LIMIT = 20_000;
function memoised<T>(compute: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const hit = known.get(text);
    if (hit !== undefined) return hit;
    const result = compute(text);
    if (known.size >= MEMO_LIMIT) known.clear();
    known.set(text, result);
    return result;
  };
}

/** Thousandths, rounded up: how CPU is counted. Throws QuantityError. */
export const quantityToMilli: (text: string) => number = memoised((text) =>
  Number(divideAwayFromZero(parseQuantity(text).value, 1_000_000n)),
);

/** Whole units, rounded up: how bytes and counts are counted. Throws QuantityError. */
export const quantityToNumber: (text: string) => number = memoised((text) =>
  Number(divideAwayFromZero(parseQuantity(text).value, NANO)),
);

/** The canonical spelling of a text, or the text as it is when it is no quantity (validation reports that). */
export const canonicalQuantity: (text: string) => string = memoised((text) =>
  isQuantity(text) ? formatQuantity(parseQuantity(text)) : text,
);
