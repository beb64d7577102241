import type { Uint } from "./scalars.js";

/** The tree of an expression. */

interface At {
  readonly pos: number;
}

export interface ConstNode extends At {
  readonly node: "const";
  readonly value: null | boolean | bigint | number | string | Uint8Array | Uint;
}

export interface IdentNode extends At {
  readonly node: "ident";
  readonly name: string;
}

export interface SelectNode extends At {
  readonly node: "select";
  readonly operand: Node;
  readonly field: string;
  /** For `has()`. */
  readonly test: boolean;
  /** `.?` */
  readonly optional: boolean;
}

export interface CallNode extends At {
  readonly node: "call";
  /** `_+_` and the like for operators. */
  readonly name: string;
  readonly target?: Node;
  readonly args: readonly Node[];
}

export interface ListNode extends At {
  readonly node: "list";
  readonly elements: readonly { value: Node; optional: boolean }[];
}

export interface MapNode extends At {
  readonly node: "map";
  readonly entries: readonly { key: Node; value: Node; optional: boolean }[];
}

export interface StructNode extends At {
  readonly node: "struct";
  readonly type: string;
  readonly fields: readonly { name: string; value: Node; optional: boolean; pos: number }[];
}

export type ComprehensionKind =
  | "all"
  | "exists"
  | "existsOne"
  | "map"
  | "filter"
  | "transformList"
  | "transformMap"
  | "transformMapEntry";

export interface ComprehensionNode extends At {
  readonly node: "comprehension";
  readonly kind: ComprehensionKind;
  readonly range: Node;
  /** One variable, or two: index and item, key and value. */
  readonly variables: readonly string[];
  readonly filter?: Node;
  readonly body: Node;
}

/** `cel.bind(name, value, body)` */
export interface BindNode extends At {
  readonly node: "bind";
  readonly variable: string;
  readonly value: Node;
  readonly body: Node;
}

/** `optional.optMap(name, body)` and `optFlatMap` */
export interface OptMapNode extends At {
  readonly node: "optMap";
  readonly flat: boolean;
  readonly target: Node;
  readonly variable: string;
  readonly body: Node;
}

export type Node =
  | ConstNode
  | IdentNode
  | SelectNode
  | CallNode
  | ListNode
  | MapNode
  | StructNode
  | ComprehensionNode
  | BindNode
  | OptMapNode;
