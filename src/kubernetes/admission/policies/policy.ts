/** What validating and mutating policies have in common: what they ask of the cluster, and their variables. */
import { type CelType, DYN } from "../../cel/index.js";
import type { KubeObject } from "../../object.js";
import type { ResourceCatalogue } from "../../registry/catalogue.js";
import type { Mutation, Variable } from "../../schema/generated/types.js";
import type { ResourceInfo } from "../../schema/resource-info.js";
import type { AccessAttributes } from "../../security.js";
import type { Equivalents } from "../matching.js";
import type { AdmissionRequest } from "../plugin.js";
import { type Compilation, compileExpression, type ExpressionScope } from "./expressions.js";

export interface PolicyEnvironment {
  readonly catalogue: ResourceCatalogue;
  readonly equivalents: Equivalents;
  /** The object as another version shows it. */
  convert(object: KubeObject, from: ResourceInfo, to: ResourceInfo): KubeObject;
  /** The objects of a request as its kind has them. */
  sent(request: AdmissionRequest): { object: KubeObject | undefined; previous: KubeObject | undefined };
  /** What a policy made of an object, without what its type does not know. */
  pruned(object: KubeObject, info: ResourceInfo): KubeObject;
  isAllowed(attributes: AccessAttributes): { allowed: boolean; reason: string };
}

/** A policy's compiled expressions, made when first needed and kept as long as that revision of the policy. */
export function compiledOnce<Policy extends object, Compiled>(
  compile: (policy: Policy) => Compiled,
): (policy: Policy) => Compiled {
  const known = new WeakMap<Policy, Compiled>();
  return (policy) => {
    let compiled = known.get(policy);
    if (compiled === undefined) {
      compiled = compile(policy);
      known.set(policy, compiled);
    }
    return compiled;
  };
}

/** Variables in their order: each may use those before it. `scope` is for the expressions that may use them all. */
export function compileVariables(
  variables: readonly Variable[] | undefined,
  scope: ExpressionScope,
): { variables: readonly { name: string; compiled: Compilation }[]; scope: ExpressionScope } {
  if (!variables?.length) return { variables: [], scope };
  const types = new Map<string, CelType>();
  const compiled = variables.map(({ name, expression }) => {
    const made = compileExpression(expression, { ...scope, variables: new Map(types) });
    types.set(name, "program" in made ? made.program.type : DYN);
    return { name, compiled: made };
  });
  return { variables: compiled, scope: { ...scope, variables: types } };
}

/** The expression of a mutation, and the type that it must evaluate to. */
export const expressionOf = (mutation: Mutation): { expression: string; returns: string } =>
  mutation.patchType === "JSONPatch"
    ? { expression: mutation.jsonPatch?.expression ?? "", returns: "list(JSONPatch)" }
    : { expression: mutation.applyConfiguration?.expression ?? "", returns: "Object" };
