/** What is wrong with the expressions of a definition's schemas, found when the definition is written. */
import type { StatusCause } from "../errors.js";
import { deepEqual } from "../patch/json.js";
import { forbiddenField, invalidValue, required, unsupported } from "../registry/strategies/field.js";
import type { CustomResourceDefinition, JSONSchemaProps, ValidationRule } from "../schema/generated/types.js";
import { compileRules, type RuleProgram } from "./rule-programs.js";
import { type StructuralNode, structuralOf } from "./structural.js";

const REASONS = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const LONGEST_MESSAGE = 2_048;

/** What one expression may be estimated to cost over a whole object, and all of a schema's together. */
const RULE_LIMIT = 10_000_000;
const SCHEMA_LIMIT = 100_000_000;
/**
 * Estimates here are coarser than upstream's. A definition that works there must not be refused here, so only what exceeds the limits by far is refused.
 */
const SLACK = 10;
const MAX_REQUEST_BYTES = 3 * 1024 * 1024;

export function ruleProblems(
  definition: CustomResourceDefinition,
  previous: CustomResourceDefinition | undefined,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const { versions } = definition.spec;
  const schemas = versions.map(({ schema }) => schema?.openAPIV3Schema);
  const one = schemas.every((schema) => deepEqual(schema, schemas[0]));
  const known = new Set(previous?.spec.versions.flatMap(({ schema }) => expressionsOf(schema?.openAPIV3Schema)));
  schemas.forEach((schema, index) => {
    if (!schema || (one && index > 0)) return;
    const field = one ? "spec.validation.openAPIV3Schema" : `spec.versions[${index}].schema.openAPIV3Schema`;
    const root = structuralOf(schema);
    if (!root.has.rules) return;
    const walk: Walk = { causes, known, total: 0 };
    visit(walk, root, field, { times: 1, bounded: true, correlatable: true, whole: true });
    if (walk.total > SCHEMA_LIMIT * SLACK)
      causes.push(
        forbiddenField(
          field,
          costText(
            "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema",
            walk.total,
            SCHEMA_LIMIT,
          ),
        ),
      );
  });
  return causes;
}

function expressionsOf(schema: JSONSchemaProps | undefined): string[] {
  if (!schema) return [];
  const found: string[] = [];
  const collect = (node: StructuralNode): void => {
    if (!node.has.rules) return;
    for (const { rule } of node.rules) found.push(rule);
    for (const inner of innerOf(node)) collect(inner);
  };
  collect(structuralOf(schema));
  return found;
}

const innerOf = (node: StructuralNode): StructuralNode[] => [
  ...node.properties.values(),
  ...(node.additional ? [node.additional] : []),
  ...(node.items ? [node.items] : []),
];

interface Walk {
  readonly causes: StatusCause[];
  /** Expressions that were there before: they stay, whatever they cost. */
  readonly known: ReadonlySet<string>;
  total: number;
}

interface Where {
  /** How often a value can stand at this place in one object. */
  readonly times: number;
  /** False below lists and maps without a limit. */
  readonly bounded: boolean;
  /** True where an old value can be found for a new one. */
  readonly correlatable: boolean;
  readonly whole: boolean;
}

function visit(walk: Walk, node: StructuralNode, field: string, where: Where): void {
  if (!node.has.rules) return;
  compileRules(node, where.whole).forEach((program, index) => {
    check(walk, node, program, `${field}.x-kubernetes-validations[${index}]`, where);
  });
  for (const [name, property] of node.properties)
    visit(walk, property, `${field}.properties[${name}]`, {
      ...where,
      correlatable: where.correlatable && node.mapType !== "atomic",
      whole: false,
    });
  const { items, additional } = node;
  if (items)
    visit(walk, items, `${field}.items`, {
      ...times(where, node.schema.maxItems),
      correlatable: where.correlatable && node.listType === "map",
      whole: false,
    });
  if (additional)
    visit(walk, additional, `${field}.additionalProperties`, {
      ...times(where, node.schema.maxProperties),
      correlatable: where.correlatable && node.mapType !== "atomic",
      whole: false,
    });
}

const times = (where: Where, most: number | undefined): Where =>
  most === undefined
    ? { ...where, bounded: false, times: Math.min(where.times, MAX_REQUEST_BYTES) }
    : { ...where, times: where.times * most };

function check(walk: Walk, node: StructuralNode, program: RuleProgram, field: string, where: Where): void {
  const { causes } = walk;
  const { rule, problem, messageProblem, usesOldSelf } = program;
  const { message, reason, fieldPath } = rule;
  if (!rule.rule?.trim()) {
    causes.push(required(`${field}.rule`, "rule is not specified"));
    return;
  }
  if (problem) causes.push(invalidValue(`${field}.rule`, rule, problem));
  if (messageProblem) causes.push(invalidValue(`${field}.messageExpression`, rule, messageProblem));
  checkMessage(rule, field, causes);
  if (message !== undefined && Buffer.byteLength(message) > LONGEST_MESSAGE)
    causes.push(
      invalidValue(`${field}.message`, `${message.slice(0, 10)}...`, "must have a maximum length of 2048 characters"),
    );
  if (reason !== undefined && !REASONS.includes(reason)) causes.push(unsupported(`${field}.reason`, reason, REASONS));
  if (fieldPath !== undefined && !leadsSomewhere(node, fieldPath))
    causes.push(
      invalidValue(`${field}.fieldPath`, fieldPath, "fieldPath must be a valid path: does not refer to a valid field"),
    );
  if (usesOldSelf && !where.correlatable)
    causes.push(
      invalidValue(
        `${field}.rule`,
        rule.rule,
        `oldSelf cannot be used on the uncorrelatable portion of the schema within ${field.replace(/\.x-kubernetes-validations.*$/, "")}`,
      ),
    );
  if (rule.optionalOldSelf !== undefined && !usesOldSelf)
    causes.push(
      invalidValue(
        `${field}.optionalOldSelf`,
        rule.optionalOldSelf,
        "option optionalOldSelf is only allowed for rules that use oldSelf",
      ),
    );
  if (problem || walk.known.has(rule.rule)) return;
  const cost = (program.program?.estimatedCost() ?? 0) * howOften(node, where);
  walk.total += cost;
  if (cost > RULE_LIMIT * SLACK)
    causes.push(forbiddenField(`${field}.rule`, costText("estimated rule cost", cost, RULE_LIMIT)));
}

function checkMessage({ rule, message }: ValidationRule, field: string, causes: StatusCause[]): void {
  const lines = (text: string): boolean => text.trim().includes("\n");
  if (message !== undefined && message !== "" && !message.trim())
    causes.push(invalidValue(`${field}.message`, message, "message must be non-empty if specified"));
  else if (message && lines(message))
    causes.push(invalidValue(`${field}.message`, message, "message must not contain line breaks"));
  if (!message && lines(rule))
    causes.push(required(`${field}.message`, "message must be specified if rule contains line breaks"));
}

/** A list or map without a limit holds what fits into a request. */
function howOften(node: StructuralNode, { times: most, bounded }: Where): number {
  if (bounded) return most;
  const smallest = node.type === "object" || node.type === "array" || node.type === "string" ? 2 : 1;
  return Math.floor(MAX_REQUEST_BYTES / (smallest + 1));
}

function leadsSomewhere(node: StructuralNode, path: string): boolean {
  const steps = [...path.matchAll(/\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/g)];
  if (steps.length === 0 || steps.map(([text]) => text).join("") !== path) return false;
  let found: StructuralNode | undefined = node;
  for (const [, named, quoted] of steps) found = found?.properties.get(named ?? quoted ?? "") ?? found?.additional;
  return found !== undefined;
}

function costText(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? "more than 100x" : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
