/**
 * What an expression may cost at most, before it is ever evaluated: lists, maps and strings count as large as their types allow. Coarser than cel-go's
 * estimator, but of the same order: nested loops over unbounded lists are found out.
 */
import type { Checked } from "./checker.js";
import type { Node } from "./nodes.js";
import type { CelType } from "./types.js";

/** Kubernetes takes no request larger than this; nothing inside can have more characters. */
const MAX_REQUEST_BYTES = 3 * 1024 * 1024;
const PER_CHARACTER = 0.1;
const REGEX = 0.25;

/** The most that `size()` of a value of this type can be. */
export function largest(type: CelType): number {
  switch (type.kind) {
    case "string":
    case "bytes":
    case "list":
    case "map":
      return type.max ?? MAX_REQUEST_BYTES;
    case "dyn":
    case "param":
      return MAX_REQUEST_BYTES;
    default:
      return 1;
  }
}

const GOES_OVER_TEXT = new Set(
  [
    "contains indexOf lastIndexOf lowerAscii upperAscii replace split substring trim join format isQuantity quantity url isURL ip isIP cidr isCIDR semver isSemver".split(
      " ",
    ),
  ].flat(),
);
/** Functions whose result has at most as many characters or items as what they are called on. */
const NOT_LARGER_THAN_TARGET = new Set(
  "substring trim lowerAscii upperAscii charAt find findAll split string filter slice distinct sort reverse".split(" "),
);
const GOES_OVER_ITEMS = new Set(["min", "max", "sum", "isSorted"]);

export function estimateCost(root: Node, checked: Checked): number {
  function size(node: Node): number {
    const most = largest(checked.typeOf(node));
    if (node.node === "const") return typeof node.value === "string" ? node.value.length : most;
    if (node.node !== "call") return most;
    const [first, second, third] = node.target ? [node.target, ...node.args] : node.args;
    if (node.name === "_?_:_" && second && third) return Math.max(size(second), size(third));
    if (node.name === "_+_" && first && second) return Math.min(most, size(first) + size(second));
    return first && NOT_LARGER_THAN_TARGET.has(node.name) ? Math.min(most, size(first)) : most;
  }

  function call(name: string, args: readonly Node[]): number {
    const [first, second] = args;
    const a = first ? size(first) : 1;
    const b = second ? size(second) : 1;
    switch (name) {
      case "matches":
      case "find":
      case "findAll":
        return Math.ceil((1 + a) * PER_CHARACTER) * Math.ceil(Math.min(b, a) * REGEX + 1);
      case "startsWith":
      case "endsWith":
        return Math.ceil(b * PER_CHARACTER);
      case "_==_":
      case "_!=_":
      case "_<_":
      case "_<=_":
      case "_>_":
      case "_>=_":
        return Math.max(1, Math.ceil(Math.min(a, b) * PER_CHARACTER));
      case "@in":
        return second && checked.typeOf(second).kind === "map" ? 1 : b;
      case "_+_":
        return Math.max(1, Math.ceil((a + b) * PER_CHARACTER));
      case "sets.contains":
      case "sets.equivalent":
      case "sets.intersects":
      case "contains":
        return name === "contains" ? Math.ceil(a * PER_CHARACTER) : a * b;
      default:
        if (GOES_OVER_ITEMS.has(name)) return a;
        return GOES_OVER_TEXT.has(name) ? Math.ceil(a * PER_CHARACTER) : 1;
    }
  }

  function visit(node: Node): number {
    switch (node.node) {
      case "const":
        return 0;
      case "ident":
        return 1;
      case "select":
        return 1 + (checked.names.has(node) ? 0 : visit(node.operand));
      case "list":
        return 10 + node.elements.reduce((sum, { value }) => sum + visit(value), 0);
      case "map":
        return 30 + node.entries.reduce((sum, { key, value }) => sum + visit(key) + visit(value), 0);
      case "struct":
        return 40 + node.fields.reduce((sum, { value }) => sum + visit(value), 0);
      case "bind":
        return visit(node.value) + visit(node.body);
      case "optMap":
        return visit(node.target) + visit(node.body);
      case "comprehension": {
        const each = visit(node.body) + (node.filter ? visit(node.filter) : 0) + 3;
        return visit(node.range) + size(node.range) * each;
      }
      case "call": {
        const known = checked.calls.get(node);
        const args = known?.args ?? (node.target ? [node.target, ...node.args] : node.args);
        const inside = args.map(visit);
        if (node.name === "_?_:_") {
          const [condition = 0, yes = 0, no = 0] = inside;
          return 1 + condition + Math.max(yes, no);
        }
        const name = known?.overloads[0]?.name ?? node.name;
        return inside.reduce((sum, cost) => sum + cost, 0) + call(name, args);
      }
    }
  }
  return visit(root);
}
