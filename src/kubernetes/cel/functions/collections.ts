/** Kubernetes' functions on lists, and the sets extension. */
import { compare, equal } from "../comparison.js";
import { CelError, Duration, Uint } from "../scalars.js";
import type { ListValue, Value } from "../values.js";
import { define, everyItem, everyPair, type Overload } from "./declare.js";

const COMPARABLE = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];
const SUMMABLE = ["int", "uint", "double", "duration"];
const MAX_INT = 2n ** 63n - 1n;

function order(a: Value, b: Value): number {
  const found = compare(a, b);
  if (found === undefined) throw new CelError("no such overload");
  return found;
}

function isSorted(list: ListValue): boolean {
  for (let i = 1; i < list.size; i++) if (order(list.at(i - 1), list.at(i)) > 0) return false;
  return true;
}

function extreme(list: ListValue, name: string, better: (difference: number) => boolean): Value {
  if (list.size === 0) throw new CelError(`${name} called on empty list`);
  let best = list.at(0);
  for (let i = 1; i < list.size; i++) if (better(order(list.at(i), best))) best = list.at(i);
  return best;
}

function sum(list: ListValue, type: string): Value {
  let total = 0n;
  if (type === "double") return [...list].reduce((all: number, item) => all + (item as number), 0);
  for (const item of list)
    total += item instanceof Uint ? item.value : item instanceof Duration ? item.nanos : (item as bigint);
  if (total > MAX_INT * (type === "uint" ? 2n : 1n) + 1n) throw new CelError("integer overflow");
  return type === "uint" ? new Uint(total) : type === "duration" ? new Duration(total) : total;
}

function indexOf(list: ListValue, wanted: Value, last: boolean): bigint {
  const step = last ? -1 : 1;
  for (let i = last ? list.size - 1 : 0; i >= 0 && i < list.size; i += step)
    if (equal(list.at(i), wanted)) return BigInt(i);
  return -1n;
}

const includes = (list: ListValue, wanted: Value): boolean => indexOf(list, wanted, false) >= 0n;
const containsAll = (list: ListValue, others: ListValue): boolean => [...others].every((item) => includes(list, item));

export const collectionFunctions: readonly Overload[] = [
  ...COMPARABLE.flatMap((type) => [
    define("isSorted", `list(${type}).() -> bool`, isSorted, everyItem),
    define("min", `list(${type}).() -> ${type}`, (list: ListValue) => extreme(list, "min", (d) => d < 0), everyItem),
    define("max", `list(${type}).() -> ${type}`, (list: ListValue) => extreme(list, "max", (d) => d > 0), everyItem),
  ]),
  ...SUMMABLE.map((type) =>
    define("sum", `list(${type}).() -> ${type}`, (list: ListValue) => sum(list, type), everyItem),
  ),
  define("indexOf", "list(T).(T) -> int", (list: ListValue, item: Value) => indexOf(list, item, false), everyItem),
  define("lastIndexOf", "list(T).(T) -> int", (list: ListValue, item: Value) => indexOf(list, item, true), everyItem),
  define("sets.contains", "(list(T), list(T)) -> bool", containsAll, everyPair),
  define(
    "sets.equivalent",
    "(list(T), list(T)) -> bool",
    (a: ListValue, b: ListValue) => containsAll(a, b) && containsAll(b, a),
    everyPair,
  ),
  define(
    "sets.intersects",
    "(list(T), list(T)) -> bool",
    (a: ListValue, b: ListValue) => [...b].some((item) => includes(a, item)),
    everyPair,
  ),
];
