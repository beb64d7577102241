/** The expressions of one place of a schema, compiled: rules and the expressions that make their messages. */
import { BOOL, type CelType, compile, optionalOf, type Program, STRING } from "../cel/index.js";
import { type CelSchema, schemaType } from "../cel/schema-types.js";
import type { ValidationRule } from "../schema/generated/types.js";
import type { StructuralNode } from "./structural.js";

export interface RuleProgram {
  readonly rule: ValidationRule;
  readonly program?: Program;
  /** Why the rule does not compile, or is not of the right type. */
  readonly problem?: string;
  readonly message?: Program;
  readonly messageProblem?: string;
  /** True for transition rules: they speak of the value before the change. */
  readonly usesOldSelf: boolean;
}

/** The type of the values of a place. `whole`: the root of an object, where apiVersion, kind and metadata are. */
export const typeOfNode = (node: StructuralNode, whole: boolean): CelType =>
  schemaType(node.schema as CelSchema, { resource: whole || node.embedded });

/** Compiles what stands at a place; nothing below it. */
export function compileRules(node: StructuralNode, whole: boolean): RuleProgram[] {
  if (node.rules.length === 0) return [];
  const self = typeOfNode(node, whole);
  return node.rules.map((rule) => {
    if (!rule.rule) return { rule, problem: "rule is not specified", usesOldSelf: false };
    const variables = { self, oldSelf: rule.optionalOldSelf ? optionalOf(self) : self };
    const compiled = compile(rule.rule, { variables });
    const message = rule.messageExpression ? compile(rule.messageExpression, { variables }) : undefined;
    const program = "program" in compiled ? compiled.program : undefined;
    const messageProgram = message && "program" in message ? message.program : undefined;
    return {
      rule,
      program,
      problem:
        "error" in compiled
          ? `compilation failed: ${compiled.error}`
          : mismatch(compiled.program, BOOL, "cel expression must evaluate to a bool"),
      message: messageProgram,
      messageProblem:
        message === undefined
          ? undefined
          : "error" in message
            ? `messageExpression compilation failed: ${message.error}`
            : mismatch(message.program, STRING, "messageExpression must evaluate to a string"),
      usesOldSelf: (program?.mentions("oldSelf") ?? false) || (messageProgram?.mentions("oldSelf") ?? false),
    };
  });
}

const mismatch = ({ type }: Program, wanted: CelType, why: string): string | undefined =>
  type.kind === wanted.kind || type.kind === "dyn" ? undefined : why;
