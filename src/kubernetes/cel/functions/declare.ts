/** How functions are declared: a name, a signature in the notation of cel-go's messages, what it does and what it costs. */

import { sizeOf } from "../comparison.js";
import { type CelType, parseType, splitArguments } from "../types.js";
import type { Value } from "../values.js";

export interface Overload {
  readonly name: string;
  /** True for `receiver.name(...)`; the receiver is then the first parameter. */
  readonly member: boolean;
  readonly params: readonly CelType[];
  readonly result: CelType;
  call(...args: Value[]): Value;
  /** In cel-go's units; 1 unless given. */
  cost?(args: readonly Value[], result: Value): number;
}

type Implementation = (...args: never[]) => Value;
type Cost = (args: readonly Value[], result: Value) => number;

/** `define("startsWith", "string.(string) -> bool", ...)`; without a receiver `(string) -> bool`. */
export function define(name: string, signature: string, call: Implementation, cost?: Cost): Overload {
  const [head = "", result = "dyn"] = signature.split(" -> ");
  const dot = head.indexOf(".(");
  const receiver = dot >= 0 ? [head.slice(0, dot)] : [];
  const params = splitArguments(head.slice(dot >= 0 ? dot + 2 : 1, -1));
  return {
    name,
    member: dot >= 0,
    params: [...receiver, ...params].map(parseType),
    result: parseType(result),
    call: call as unknown as Overload["call"],
    ...(cost ? { cost } : {}),
  };
}

/** Reading a string costs a tenth of its length. */
const PER_CHARACTER = 0.1;

/** Goes over its first argument once. */
export const traversal: Cost = ([first]) => Math.ceil(sizeOf(first ?? null) * PER_CHARACTER);
/** Goes over its first argument and makes something as large as the result. */
export const traversalAndResult: Cost = ([first], result) =>
  Math.ceil((sizeOf(first ?? null) + sizeOf(result)) * PER_CHARACTER);
/** Goes over every item of its first argument. */
export const everyItem: Cost = ([first]) => sizeOf(first ?? null);
/** Compares every item of one with every item of the other. */
export const everyPair: Cost = ([first, second]) => sizeOf(first ?? null) * sizeOf(second ?? null);
/** RE2 goes over the text once; a longer pattern costs more. */
export const regexCost: Cost = ([text, pattern]) =>
  Math.ceil((1 + sizeOf(text ?? null)) * PER_CHARACTER) * Math.ceil(sizeOf(pattern ?? null) * 0.25);
