/**
 * CEL, the Common Expression Language, as Kubernetes has it: in validation rules of custom resources, in admission policies and in match conditions of
 * webhooks. Everything here is synchronous; only the regular expressions load a library, when the first one is used.
 *
 *     const compiled = compile("self.replicas <= 5", { variables: { self: schemaType(schema) } });
 *     if ("error" in compiled) refuse(compiled.error);
 *     else compiled.program.evaluate({ self: fromJson(object, type) });
 */
import { check } from "./checker.js";
import { estimateCost } from "./estimate.js";
import { type Bindings, plan } from "./interpreter.js";
import { CelIssue, formatIssue } from "./lexer.js";
import type { Node } from "./nodes.js";
import { parse } from "./parser.js";
import { CelError } from "./scalars.js";
import type { CelType, ObjectType } from "./types.js";
import type { Value } from "./values.js";

export { equal } from "./comparison.js";
export type { Bindings } from "./interpreter.js";
export { toJson } from "./json.js";
export { CelBudgetError, CelError, Duration, Timestamp, Uint } from "./scalars.js";
export * from "./types.js";
export {
  BuiltObject,
  fromJson,
  LazyMap,
  ListValue,
  MapValue,
  ObjectValue,
  Opaque,
  Optional,
  toText,
  type Value,
} from "./values.js";

/** What one expression may cost. */
const PER_CALL_LIMIT = 1_000_000;
/** What all expressions of one object, policy or set of match conditions may cost together. */
export const RUNTIME_BUDGET = 10_000_000;
export const MATCH_CONDITIONS_BUDGET = 2_500_000;

export interface CelEnvironment {
  /** By name; what is not here is undeclared. `DYN` where nothing is known of the type. Names may have dots. */
  readonly variables: Readonly<Record<string, CelType>>;
  /** Types that can be written as `Name{field: value}`. */
  structType?(name: string): ObjectType | undefined;
}

/** An amount of cost that several evaluations share. */
export interface Budget {
  remaining: number;
}

export interface Program {
  readonly expression: string;
  /** What evaluation gives, as far as it is known. */
  readonly type: CelType;
  /** True when the expression speaks of this variable. */
  mentions(variable: string): boolean;
  /** The most that it may cost, by the sizes that the types allow. */
  estimatedCost(): number;
  /**
   * Throws CelError when evaluation fails and CelBudgetError when it costs more than one call may, or more than is left of `budget`, which pays for it.
   */
  evaluate(bindings: Bindings, budget?: Budget): Value;
}

export type Compiled = { program: Program } | { error: string };

/** What is beyond the machine (numbers, texts, depth) is a failure of the expression, not of the server. */
function guarded<T>(evaluate: () => T): T {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof RangeError) throw new CelError(error.message);
    throw error;
  }
}

/** The cause of failure is in the form of cel-go: `ERROR: <input>:1:6: undefined field 'x'` with the line and a pointer; one for each issue. */
export function compile(expression: string, environment: CelEnvironment): Compiled {
  let root: Node;
  try {
    root = parse(expression);
  } catch (error) {
    if (error instanceof CelIssue) return { error: formatIssue(expression, error) };
    throw error;
  }
  const result = check(root, {
    variables: new Map(Object.entries(environment.variables)),
    structType: environment.structType,
  });
  if ("issues" in result) return { error: result.issues.map((issue) => formatIssue(expression, issue)).join("\n") };
  const { checked } = result;
  const run = plan(root, checked);
  return {
    program: {
      expression,
      type: checked.type,
      mentions: (variable) => {
        for (const named of checked.names.values()) if ("variable" in named && named.variable === variable) return true;
        return false;
      },
      estimatedCost: () => estimateCost(root, checked),
      evaluate(bindings, budget) {
        const limit = Math.min(PER_CALL_LIMIT, budget?.remaining ?? PER_CALL_LIMIT);
        const { value, cost } = guarded(() => run(bindings, limit));
        if (budget) budget.remaining -= cost;
        return value;
      },
    },
  };
}
