/**
 * MutatingAdmissionPolicy: expressions that change an object, by an apply configuration or by JSON patch operations. Texts and order are those of
 * apiserver's `policy/mutating`.
 */
import { BuiltObject, ListValue, RUNTIME_BUDGET, toJson, type Value } from "../../cel/index.js";
import { forbidden, isStatusError, StatusError } from "../../errors.js";
import type { KubeObject } from "../../object.js";
import { appliedProblems } from "../../patch/apply-check.js";
import { applyJsonPatch, cloneJson, deepEqual } from "../../patch/index.js";
import { type Shape, shapeOf } from "../../patch/shape.js";
import { overlay } from "../../patch/structured-merge.js";
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
} from "../../schema/generated/types.js";
import type { ResourceInfo } from "../../schema/resource-info.js";
import { isExempt, matchRequest } from "../matching.js";
import type { AdmissionPlugin, AdmissionReader, AdmissionRequest } from "../plugin.js";
import { beginRound, type Round } from "../reinvocation.js";
import { replaceContents } from "../review.js";
import { compileConditions, evaluateConditions } from "./conditions.js";
import {
  bindingsFor,
  type Compilation,
  compileExpression,
  type ExpressionInput,
  evaluate,
  OutOfBudget,
  withVariables,
} from "./expressions.js";
import { ConfigurationError, type Hook, type PolicyIndex, paramsOf } from "./index-of-policies.js";
import { compiledOnce, compileVariables, expressionOf, type PolicyEnvironment } from "./policy.js";
import { inputFor } from "./validating.js";

type MutatingHook = Hook<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>;
type Evaluator = ReturnType<typeof compilePolicy>;

const PLUGIN = "MutatingAdmissionPolicy";

function compilePolicy({ spec }: MutatingAdmissionPolicy) {
  const params = spec?.paramKind !== undefined;
  const { variables, scope } = compileVariables(spec?.variables, { params, authorizer: true, patches: true });
  return {
    conditions: compileConditions(spec?.matchConditions, { params, authorizer: true }),
    variables,
    mutations: (spec?.mutations ?? []).map((mutation) => {
      const { expression, returns } = expressionOf(mutation);
      return { mutation, expression, compiled: compileExpression(expression, scope, [returns]) };
    }),
  };
}

/** Why a mutation could not be made. */
class MutationError extends Error {}

interface Failure {
  policy: MutatingAdmissionPolicy;
  binding: MutatingAdmissionPolicyBinding;
  message: string;
}

export function mutatingAdmissionPolicies(
  environment: PolicyEnvironment,
  index: PolicyIndex<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>,
): AdmissionPlugin {
  const evaluatorOf = compiledOnce(compilePolicy);

  function visit(
    { policy, criteria, bindings }: MutatingHook,
    request: AdmissionRequest,
    reader: AdmissionReader,
    round: Round,
    failures: Failure[],
  ): void {
    const { spec } = policy;
    const matched = matchRequest(criteria, request, reader, environment.equivalents);
    if (!matched) return;
    for (const { binding, criteria: narrower } of bindings) {
      if (narrower && !matchRequest(narrower, request, reader, environment.equivalents)) continue;
      const fail = (message: string): void => {
        if (spec?.failurePolicy !== "Ignore") failures.push({ policy, binding, message });
      };
      try {
        const params = paramsOf(spec?.paramKind, binding.spec?.paramRef, request.namespace, { ...environment, reader });
        for (const param of params) invoke(policy, binding, param, request, matched, reader, round, fail);
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        fail(`failed to configure binding: ${error.message}`);
      }
    }
  }

  function invoke(
    policy: MutatingAdmissionPolicy,
    binding: MutatingAdmissionPolicyBinding,
    params: KubeObject | undefined,
    request: AdmissionRequest,
    matched: ResourceInfo,
    reader: AdmissionReader,
    round: Round,
    fail: (message: string) => void,
  ): void {
    const { metadata, spec } = policy;
    const evaluator = evaluatorOf(policy);
    const input = { ...inputFor(request, matched, reader, environment), params };
    const conditions = evaluateConditions(evaluator.conditions, () => bindingsFor(input), spec?.failurePolicy);
    if ("error" in conditions) {
      fail(conditions.error);
      return;
    }
    if (!conditions.matches) return;
    const key = [metadata.name, binding.metadata.name, params?.metadata.namespace, params?.metadata.name].join("/");
    if (!round.shouldRun(key)) return;
    // A Scale is a view: there is nothing that a mutation could stay in.
    if (!input.object || input.object.kind !== request.object?.kind) return;
    let object = input.object;
    for (const { mutation, expression, compiled } of evaluator.mutations) {
      try {
        object = mutate(mutation, expression, compiled, { ...input, object }, evaluator, shapeFor(matched));
      } catch (error) {
        if (!(error instanceof MutationError)) throw error;
        fail(error.message);
      }
    }
    if (!deepEqual(object, input.object)) {
      const { object: draft, info } = request;
      const made = environment.pruned(environment.convert(object, matched, info), info);
      if (draft) replaceContents(draft, cloneJson(made));
      round.changed();
    }
    round.ran(key, spec?.reinvocationPolicy === "IfNeeded");
  }

  const shapeFor = (info: ResourceInfo): Shape =>
    environment.catalogue.byPath(info.group, info.version, info.resource)?.definition?.shape() ?? shapeOf(info.type);

  return {
    name: PLUGIN,
    admit(request, reader) {
      if (index.hooks.length === 0 || isExempt(request) || request.operation === "CONNECT") return;
      const failures: Failure[] = [];
      const round = beginRound(PLUGIN, request);
      for (const hook of index.hooks) visit(hook, request, reader, round, failures);
      round.end();
      const [first] = failures;
      if (first) throw refusal(request, failures);
    },
  };
}

function mutate(
  mutation: Mutation,
  expression: string,
  compiled: Compilation,
  input: ExpressionInput & { object: KubeObject },
  evaluator: Evaluator,
  shape: Shape,
): KubeObject {
  const budget = { remaining: RUNTIME_BUDGET };
  let value: Value;
  try {
    const bindings = withVariables(bindingsFor(input), evaluator.variables, budget);
    const outcome = evaluate(expression, compiled, bindings, budget);
    if ("error" in outcome) throw new MutationError(outcome.error);
    value = outcome.value;
  } catch (error) {
    if (error instanceof OutOfBudget) throw new MutationError(error.message);
    throw error;
  }
  return mutation.patchType === "JSONPatch" ? patched(input.object, value) : applied(input.object, value, shape);
}

/** The types that are written must be those of the places where they stand: `Object.spec{...}` only as the value of `spec`. */
function checkTypeNames(value: Value, path: string): void {
  if (value instanceof ListValue) {
    for (const item of value) checkTypeNames(item, path);
    return;
  }
  if (!(value instanceof BuiltObject)) return;
  if (value.type.name !== path)
    throw new MutationError(
      `type mismatch: unexpected type name "${value.type.name}", expected "${path}", which matches field name path from root Object type`,
    );
  for (const [field, content] of value.fields) checkTypeNames(content, `${path}.${field}`);
}

function applied(object: KubeObject, value: Value, shape: Shape): KubeObject {
  checkTypeNames(value, "Object");
  const configuration = toJson(value) as Record<string, unknown>;
  const problems = appliedProblems(shape, configuration);
  if (problems.length > 0)
    throw new MutationError(
      `error applying patch: failed to convert patch object to typed object: ${problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`}`,
    );
  const atomics = atomicPaths(shape, configuration, "");
  if (atomics.length > 0)
    throw new MutationError(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(", ")}`,
    );
  return overlay(shape, object, configuration) as KubeObject;
}

/** Places in the value that are replaced as a whole: what is not repeated there would be lost. */
function atomicPaths(shape: Shape | undefined, value: unknown, path: string): string[] {
  if (!shape) return [];
  if (Array.isArray(value)) {
    if (shape.kind !== "list") return [];
    const own = shape.listType === "atomic" ? [path] : [];
    return [...own, ...value.flatMap((item, i) => atomicPaths(shape.items, item, `${path}[${i}]`))];
  }
  if (typeof value !== "object" || value === null || (shape.kind !== "struct" && shape.kind !== "map")) return [];
  return [
    ...(shape.atomic ? [path] : []),
    ...Object.entries(value).flatMap(([name, member]) =>
      atomicPaths(shape.kind === "struct" ? shape.field(name) : shape.values, member, `${path}.${name}`),
    ),
  ];
}

function patched(object: KubeObject, value: Value): KubeObject {
  if (!(value instanceof ListValue))
    throw new MutationError("type mismatch: JSONPatchType.expression should evaluate to array");
  const operations = [...value].map((operation) => {
    if (!(operation instanceof BuiltObject))
      throw new MutationError("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch");
    return toJson(operation);
  });
  try {
    return applyJsonPatch(object, operations);
  } catch (error) {
    if (!isStatusError(error)) throw error;
    const why = error.details?.causes?.[0]?.message ?? error.message;
    // A test that fails means that the patch is not for this object.
    if (why.includes("testing value failed")) return object;
    throw new MutationError(`JSONPath: ${why}`);
  }
}

function refusal({ info, name }: AdmissionRequest, failures: readonly Failure[]): StatusError {
  const texts = failures.map(
    ({ policy, binding, message }) =>
      `policy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${message}`,
  );
  const base = forbidden(info.group, info.resource, name, "");
  return new StatusError(base.code, "Invalid", texts[0] ?? "", {
    ...base.details,
    causes: texts.map((message) => ({ message })),
  });
}
