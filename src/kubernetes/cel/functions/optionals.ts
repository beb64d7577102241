/** Optional values: `optional.of`, `?.`, `orValue` and what belongs to them. The accesses `.?` and `[?]` are in interpreter.ts. */
import { CelError } from "../scalars.js";
import { ListValue, Optional, type Value } from "../values.js";
import { define, type Overload } from "./declare.js";

const isZero = (value: Value): boolean => {
  if (value === null || value === false || value === "" || value === 0n || value === 0) return true;
  return typeof value === "object" && "size" in value && value.size === 0;
};

const value = (optional: Optional): Value => {
  if (!optional.present) throw new CelError("optional.none() dereference");
  return optional.value;
};

export const optionalFunctions: readonly Overload[] = [
  define("optional.of", "(V) -> optional_type(V)", (content: Value) => Optional.of(content)),
  define("optional.ofNonZeroValue", "(V) -> optional_type(V)", (content: Value) =>
    isZero(content) ? Optional.none : Optional.of(content),
  ),
  define("optional.none", "() -> optional_type(V)", () => Optional.none),
  define("value", "optional_type(V).() -> V", value),
  define("hasValue", "optional_type(V).() -> bool", ({ present }: Optional) => present),
  define("optional.unwrap", "(list(optional_type(V))) -> list(V)", (list: ListValue) => unwrap(list)),
  define("unwrapOpt", "list(optional_type(V)).() -> list(V)", (list: ListValue) => unwrap(list)),
];

function unwrap(list: ListValue): ListValue {
  const found: Value[] = [];
  for (const item of list) if (item instanceof Optional && item.present) found.push(item.value);
  return new ListValue(found);
}
