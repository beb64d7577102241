/** ValidatingAdmissionPolicy: expressions that a request must meet. Texts and order are those of apiserver's `policy/validating`. */
import { RUNTIME_BUDGET, type Value } from "../../cel/index.js";
import { forbidden, StatusError } from "../../errors.js";
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "../../schema/generated/types.js";
import type { ResourceInfo } from "../../schema/resource-info.js";
import { isExempt, matchRequest } from "../matching.js";
import type { AdmissionPlugin, AdmissionReader, AdmissionRequest } from "../plugin.js";
import { reviewedRequest } from "../review.js";
import { compileConditions, evaluateConditions } from "./conditions.js";
import {
  askerFor,
  bindingsFor,
  type Compilation,
  compileExpression,
  type ExpressionInput,
  evaluate,
  OutOfBudget,
  withVariables,
} from "./expressions.js";
import { ConfigurationError, type Hook, type PolicyIndex, paramsOf } from "./index-of-policies.js";
import { compiledOnce, compileVariables, type PolicyEnvironment } from "./policy.js";

type ValidatingHook = Hook<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>;
type Evaluator = ReturnType<typeof compilePolicy>;

const LONGEST_MESSAGE = 5 * 1024;

function compilePolicy({ spec }: ValidatingAdmissionPolicy) {
  const params = spec?.paramKind !== undefined;
  const { variables, scope } = compileVariables(spec?.variables, { params, authorizer: true });
  return {
    conditions: compileConditions(spec?.matchConditions, { params, authorizer: true }),
    variables,
    validations: (spec?.validations ?? []).map((validation) => ({
      validation,
      compiled: compileExpression(validation.expression, scope, ["bool"]),
      message: validation.messageExpression
        ? compileExpression(validation.messageExpression, { ...scope, authorizer: false }, ["string"])
        : undefined,
    })),
    annotations: (spec?.auditAnnotations ?? []).map((annotation) => ({
      annotation,
      compiled: compileExpression(annotation.valueExpression, scope, ["string", "null"]),
    })),
  };
}

interface Denial {
  policy: ValidatingAdmissionPolicy;
  binding?: ValidatingAdmissionPolicyBinding;
  message: string;
  reason: string;
}

interface Decision {
  message: string;
  reason: string;
  /** True for what went wrong and no validation said: validation actions are for both. */
  deny: boolean;
}

export function validatingAdmissionPolicies(
  environment: PolicyEnvironment,
  index: PolicyIndex<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>,
): AdmissionPlugin {
  const evaluatorOf = compiledOnce(compilePolicy);

  function dispatch(request: AdmissionRequest, reader: AdmissionReader): void {
    const denials: Denial[] = [];
    for (const hook of index.hooks) visit(hook, request, reader, denials);
    const [denial] = denials;
    if (denial) throw refusal(request, denial);
  }

  function visit(
    { policy, criteria, bindings }: ValidatingHook,
    request: AdmissionRequest,
    reader: AdmissionReader,
    denials: Denial[],
  ): void {
    const { spec } = policy;
    const matched = matchRequest(criteria, request, reader, environment.equivalents);
    if (!matched) return;
    let input: Omit<ExpressionInput, "params"> | undefined;
    for (const { binding, criteria: narrower } of bindings) {
      if (narrower && !matchRequest(narrower, request, reader, environment.equivalents)) continue;
      try {
        const params = paramsOf(spec?.paramKind, binding.spec?.paramRef, request.namespace, { ...environment, reader });
        for (const param of params) {
          input ??= inputFor(request, matched, reader, environment);
          const decisions = judge(evaluatorOf(policy), { ...input, params: param }, spec?.failurePolicy);
          for (const decision of decisions) act(decision, policy, binding, request, denials);
        }
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        if (spec?.failurePolicy === "Ignore") continue;
        denials.push({ policy, binding, message: `failed to configure binding: ${error.message}`, reason: "Invalid" });
      }
    }
  }

  return {
    name: "ValidatingAdmissionPolicy",
    validate(request, reader) {
      if (index.hooks.length === 0 || isExempt(request)) return;
      dispatch(request, reader);
    },
  };
}

export function inputFor(
  request: AdmissionRequest,
  matched: ResourceInfo,
  reader: AdmissionReader,
  environment: PolicyEnvironment,
): Omit<ExpressionInput, "params"> {
  const isNamespace = request.info.group === "" && request.info.resource === "namespaces";
  const sent = environment.sent(request);
  const convert = (object: AdmissionRequest["object"]) => object && environment.convert(object, request.info, matched);
  return {
    request: reviewedRequest(request, matched, sent.object),
    object: convert(sent.object),
    previous: convert(sent.previous),
    namespace: request.namespace && !isNamespace ? reader.get("namespaces", { name: request.namespace }) : undefined,
    asker: askerFor(request.user, environment.isAllowed),
  };
}

function judge(evaluator: Evaluator, input: ExpressionInput, failurePolicy: string | undefined): Decision[] {
  const failed = (message: string): Decision => ({ message, reason: "Invalid", deny: failurePolicy !== "Ignore" });
  const plain = bindingsFor(input);
  const conditions = evaluateConditions(evaluator.conditions, () => plain, failurePolicy);
  if ("error" in conditions) return [failed(conditions.error)];
  if (!conditions.matches) return [];
  const budget = { remaining: RUNTIME_BUDGET };
  const bindings = withVariables(plain, evaluator.variables, budget);
  try {
    const decisions: Decision[] = [];
    for (const { validation, compiled, message } of evaluator.validations) {
      const outcome = evaluate(validation.expression, compiled, bindings, budget);
      if ("error" in outcome) decisions.push(failed(outcome.error));
      else if (outcome.value !== true) {
        const said = message && messageOf(validation.messageExpression ?? "", message, bindings, budget);
        const text = said || validation.message?.trim() || `failed expression: ${validation.expression.trim()}`;
        decisions.push({ message: text, reason: validation.reason || "Invalid", deny: true });
      }
    }
    for (const { annotation, compiled } of evaluator.annotations) {
      const outcome = evaluate(annotation.valueExpression, compiled, bindings, budget);
      // There is no audit log here that the values could go to; what fails still refuses.
      if ("error" in outcome) decisions.push(failed(outcome.error));
    }
    return decisions;
  } catch (error) {
    if (error instanceof OutOfBudget) return [failed(error.message)];
    throw error;
  }
}

/** Empty when the expression gives no usable message. */
function messageOf(
  expression: string,
  compiled: Compilation,
  bindings: Parameters<typeof evaluate>[2],
  budget: { remaining: number },
): string {
  const outcome = evaluate(expression, compiled, bindings, budget);
  const value: Value = "value" in outcome ? outcome.value : null;
  const text = typeof value === "string" ? value.trim() : "";
  return text.length > LONGEST_MESSAGE || text.includes("\n") ? "" : text;
}

function act(
  { message, reason, deny }: Decision,
  policy: ValidatingAdmissionPolicy,
  binding: ValidatingAdmissionPolicyBinding,
  request: AdmissionRequest,
  denials: Denial[],
): void {
  if (!deny) return;
  for (const action of binding.spec?.validationActions ?? []) {
    if (action === "Deny") denials.push({ policy, binding, message, reason });
    else if (action === "Warn")
      request.warn?.(
        `Validation failed for ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}': ${message}`,
      );
  }
}

const CODES: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  Forbidden: 403,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

function refusal({ info, name }: AdmissionRequest, { policy, binding, message, reason }: Denial): StatusError {
  const bound = binding ? ` with binding '${binding.metadata.name}'` : "";
  const text = `ValidatingAdmissionPolicy '${policy.metadata.name}'${bound} denied request: ${message}`;
  const base = forbidden(info.group, info.resource, name, text);
  return new StatusError(CODES[reason] ?? 403, reason, base.message, { ...base.details, causes: [{ message: text }] });
}
