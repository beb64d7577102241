/**
 * The expressions of a schema (`x-kubernetes-validations`) over one object: each is evaluated where it stands, with `self` and, for transition rules,
 * `oldSelf`. All of them share one budget. What an update leaves as it was is not judged again, except by transition rules.
 */
import { type Budget, CelBudgetError, CelError, fromJson, Optional, RUNTIME_BUDGET, type Value } from "../cel/index.js";
import type { StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import { deepEqual, isObject } from "../patch/json.js";
import { duplicate, forbiddenField, invalidValue, required } from "../registry/strategies/field.js";
import type { ValidationRule } from "../schema/generated/types.js";
import { at, type Place, placeText } from "./paths.js";
import { compileRules, type RuleProgram, typeOfNode } from "./rule-programs.js";
import { memberNode, type StructuralNode } from "./structural.js";
import { counterparts, UNRELATED } from "./value-validation.js";

/** Evaluates the rules of a schema over an object and, for transition rules, its previous state. `found` is what other rules have said already. */
export type RuleCheck = (
  object: KubeObject,
  previous: KubeObject | undefined,
  found: readonly StatusCause[],
) => StatusCause[];

/** Faults after which expressions are not evaluated: their types may be wrong, or their sizes without bounds. */
const BLOCKING = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

const LONGEST_MESSAGE = 5 * 1024;

/** The rules of a schema, compiled when the first object is judged. */
export function rulesOf(root: () => StructuralNode): RuleCheck {
  const programs = new WeakMap<StructuralNode, RuleProgram[]>();
  const programsOf = (node: StructuralNode, whole: boolean): RuleProgram[] => {
    let compiled = programs.get(node);
    if (!compiled) {
      compiled = compileRules(node, whole);
      programs.set(node, compiled);
    }
    return compiled;
  };
  return (object, previous, found) => {
    const node = root();
    if (!node.has.rules) return [];
    if (found.some(({ reason }) => reason !== undefined && BLOCKING.has(reason)))
      return [
        invalidValue(
          "<nil>",
          null,
          "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        ),
      ];
    const walk: Walk = { causes: [], budget: { remaining: RUNTIME_BUDGET }, programsOf, spent: false };
    visit(walk, node, object, previous ?? UNRELATED, undefined, false, true);
    return walk.causes;
  };
}

interface Walk {
  readonly causes: StatusCause[];
  readonly budget: Budget;
  /** True once the budget is spent: nothing more is evaluated. */
  spent: boolean;
  programsOf(node: StructuralNode, whole: boolean): RuleProgram[];
}

/** `inUnchanged`: something around this place, that has a counterpart in the old object, is as it was. */
function visit(
  walk: Walk,
  node: StructuralNode,
  value: unknown,
  old: unknown,
  place: Place | undefined,
  inUnchanged: boolean,
  whole = false,
): void {
  if (!node.has.rules || value === null || value === undefined || walk.spent) return;
  const unchanged = old === UNRELATED ? inUnchanged : inUnchanged || deepEqual(value, old);
  for (const rule of walk.programsOf(node, whole)) {
    evaluate(walk, node, rule, value, old, place, unchanged, whole);
    if (walk.spent) return;
  }
  if (Array.isArray(value)) {
    const { items } = node;
    if (!items) return;
    const before = Array.isArray(old) && node.listType === "map" ? counterparts(old, node.mapKeys) : undefined;
    for (const [index, item] of value.entries())
      visit(walk, items, item, before?.(item) ?? UNRELATED, at(place, index), unchanged);
    return;
  }
  if (!isObject(value)) return;
  const before = isObject(old) && node.mapType !== "atomic" ? old : undefined;
  for (const name in value) {
    const member = memberNode(node, name);
    if (!member) continue;
    const was = before && Object.hasOwn(before, name) ? before[name] : UNRELATED;
    const step: Place = node.properties.has(name) ? at(place, name) : { parent: place, step: name, key: true };
    visit(walk, member, value[name], was, step, unchanged);
  }
}

function evaluate(
  walk: Walk,
  node: StructuralNode,
  { rule, program, problem, message, usesOldSelf }: RuleProgram,
  value: unknown,
  old: unknown,
  place: Place | undefined,
  unchanged: boolean,
  whole: boolean,
): void {
  const hasOld = old !== UNRELATED && old !== undefined && old !== null;
  // Transition rules need two states, unless they say that they can do with one.
  if (usesOldSelf && !hasOld && !rule.optionalOldSelf) return;
  if (!usesOldSelf && unchanged) return;
  const shownType = node.type || "object";
  const complain = (detail: string, field = placeText(place)): void => {
    walk.causes.push(causeOf(rule.reason, field || "<nil>", shownType, value, detail));
  };
  const fail = (detail: string): void =>
    void walk.causes.push(invalidValue(placeText(place) || "<nil>", shownType, detail));
  if (!program || problem) {
    fail(`rule compile error: ${problem}`);
    return;
  }
  const type = typeOfNode(node, whole);
  const oldSelf = (): Value => {
    if (rule.optionalOldSelf) return hasOld ? Optional.of(fromJson(old, type)) : Optional.none;
    return fromJson(old, type);
  };
  try {
    const bindings = { self: fromJson(value, type), oldSelf };
    if (program.evaluate(bindings, walk.budget) === true) return;
    const said = message && messageText(() => message.evaluate(bindings, walk.budget));
    complain(said || rule.message?.trim() || `failed rule: ${rule.rule.trim()}`, fieldOf(rule, place));
  } catch (error) {
    if (error instanceof CelBudgetError) {
      fail(
        walk.budget.remaining <= 0
          ? "validation failed due to running out of cost budget, no further validation rules will be run"
          : `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`,
      );
      walk.spent = true;
    } else if (error instanceof CelError) fail(errorText(error, rule));
    else throw error;
  }
}

const ruleText = (rule: ValidationRule): string => (rule.message || rule.rule).trim();

const errorText = ({ message }: CelError, rule: ValidationRule): string =>
  message.startsWith("no such overload")
    ? `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`
    : `${message} evaluating rule: ${ruleText(rule)}`;

/** What a message expression says; undefined when it fails or says nothing fit for a message. */
function messageText(evaluate: () => Value): string | undefined {
  try {
    const said = evaluate();
    const text = typeof said === "string" ? said.trim() : "";
    return text === "" || text.includes("\n") || Buffer.byteLength(text) > LONGEST_MESSAGE ? undefined : text;
  } catch (error) {
    if (error instanceof CelError) return undefined;
    throw error;
  }
}

/** A rule may name the place below its own that is to blame. */
function fieldOf({ fieldPath }: ValidationRule, place: Place | undefined): string {
  const own = placeText(place);
  if (!fieldPath) return own;
  const below = fieldPath.replace(/\['((?:[^'\\]|\\.)*)'\]/g, "[$1]");
  return own ? own + below : below.replace(/^\./, "");
}

/** Single values are shown, objects and lists are not. */
function causeOf(reason: string | undefined, field: string, type: string, value: unknown, detail: string): StatusCause {
  const isLarge = type === "object" || type === "array";
  switch (reason) {
    case "FieldValueForbidden":
      return forbiddenField(field, detail);
    case "FieldValueRequired":
      return required(field, detail);
    case "FieldValueDuplicate":
      return isLarge
        ? { reason, message: `Duplicate value: ${detail}`, field }
        : { ...duplicate(field, value), message: `${duplicate(field, value).message}: ${detail}` };
    default:
      return isLarge
        ? { reason: "FieldValueInvalid", message: `Invalid value: ${detail}`, field }
        : invalidValue(field, value, detail);
  }
}
