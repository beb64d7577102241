/** The variables that expressions of admission policies and match conditions may use, and how such expressions are compiled and evaluated. */

import type { UserInfo } from "../../api.js";
import {
  type Asker,
  AUTHORIZER,
  authorizerValue,
  type Question,
  RESOURCE_CHECK,
  requestResourceValue,
} from "../../cel/functions/authorizer.js";
import {
  type Bindings,
  BOOL,
  type Budget,
  CelBudgetError,
  CelError,
  type CelType,
  compile,
  DYN,
  formatType,
  fromJson,
  INT,
  LazyMap,
  listOf,
  mapOf,
  type ObjectType,
  objectOf,
  opaque,
  type Program,
  RUNTIME_BUDGET,
  STRING,
  TIMESTAMP,
  type Value,
} from "../../cel/index.js";
import type { KubeObject } from "../../object.js";
import type { AccessAttributes } from "../../security.js";
import type { ReviewedRequest } from "../review.js";

const KIND = objectOf("kubernetes.GroupVersionKind", { group: STRING, version: STRING, kind: STRING });
const RESOURCE = objectOf("kubernetes.GroupVersionResource", { group: STRING, version: STRING, resource: STRING });
const USER_INFO = objectOf("kubernetes.UserInfo", {
  username: STRING,
  uid: STRING,
  groups: listOf(STRING),
  extra: mapOf(STRING, listOf(STRING)),
});
const REQUEST = objectOf("kubernetes.AdmissionRequest", {
  kind: KIND,
  resource: RESOURCE,
  subResource: STRING,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: USER_INFO,
  dryRun: BOOL,
  options: DYN,
});
const NAMESPACE = objectOf("kubernetes.Namespace", {
  metadata: objectOf("kubernetes.NamespaceMetadata", {
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: mapOf(STRING, STRING),
    annotations: mapOf(STRING, STRING),
    UID: STRING,
    creationTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIMESTAMP,
    generation: INT,
    resourceVersion: STRING,
    finalizers: listOf(STRING),
  }),
  spec: objectOf("kubernetes.NamespaceSpec", { finalizers: listOf(STRING) }),
  status: objectOf("kubernetes.NamespaceStatus", {
    conditions: listOf(
      objectOf("kubernetes.NamespaceCondition", {
        status: STRING,
        type: STRING,
        lastTransitionTime: TIMESTAMP,
        message: STRING,
        reason: STRING,
      }),
    ),
    phase: STRING,
  }),
});

/** Which variables there are beside `object`, `oldObject`, `request` and `namespaceObject`. */
export interface ExpressionScope {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** The policy's own variables, as far as they are declared. */
  readonly variables?: ReadonlyMap<string, CelType>;
  /** True where `Object{...}` and `JSONPatch{...}` can be written. */
  readonly patches?: boolean;
  /** Types for the type checker; everything goes otherwise. */
  readonly objectType?: CelType;
  readonly paramsType?: CelType;
}

const PATCH_OPERATION = objectOf("JSONPatch", { op: STRING, path: STRING, from: STRING, value: DYN });

/** `Object`, `Object.spec`, ...: every field may be there; what is built is checked when it is applied. */
export function patchType(name: string): ObjectType | undefined {
  if (name === "JSONPatch") return PATCH_OPERATION;
  if (name !== "Object" && !name.startsWith("Object.")) return undefined;
  return { kind: "object", name, field: (field) => ({ json: field, type: DYN }) };
}

export type Compilation = { program: Program } | { error: string };

/** `returns`: what the expression must evaluate to; anything unless given. */
export function compileExpression(
  expression: string,
  scope: ExpressionScope,
  returns: readonly string[] = [],
): Compilation {
  const { variables } = scope;
  const declared: Record<string, CelType> = {
    object: scope.objectType ?? DYN,
    oldObject: scope.objectType ?? DYN,
    request: REQUEST,
    namespaceObject: NAMESPACE,
  };
  if (scope.params) declared.params = scope.paramsType ?? DYN;
  if (scope.authorizer) {
    declared.authorizer = opaque(AUTHORIZER);
    declared["authorizer.requestResource"] = opaque(RESOURCE_CHECK);
  }
  if (variables) {
    declared.variables = {
      kind: "object",
      name: "kubernetes.variables",
      field: (name) => {
        const type = variables.get(name);
        return type && { json: name, type };
      },
    };
  }
  const compiled = compile(expression, {
    variables: declared,
    ...(scope.patches ? { structType: patchType } : {}),
  });
  if ("error" in compiled) return { error: `compilation failed: ${compiled.error}` };
  const type = formatType(compiled.program.type);
  if (returns.length === 0 || returns.includes(type)) return compiled;
  const wanted = returns.length === 1 ? returns[0] : `one of [${returns.join(" ")}]`;
  return { error: `must evaluate to ${wanted} but got ${type}` };
}

/** Everything that the expressions of one request can look at. */
export interface ExpressionInput {
  readonly request: ReviewedRequest;
  readonly object: KubeObject | undefined;
  readonly previous: KubeObject | undefined;
  readonly namespace: KubeObject | undefined;
  readonly params?: KubeObject | undefined;
  readonly asker?: Asker;
}

const exposedNamespace = (namespace: KubeObject): Record<string, unknown> => ({
  ...namespace,
  metadata: { ...namespace.metadata, UID: namespace.metadata.uid },
});

const jsonValue = (object: KubeObject | undefined): Value => (object ? fromJson(object, DYN) : null);

export function bindingsFor(input: ExpressionInput): Bindings {
  const { request, asker, namespace } = input;
  const { resource, subResource, name } = request;
  return {
    object: () => jsonValue(input.object),
    oldObject: () => jsonValue(input.previous),
    request: () => fromJson(request, REQUEST),
    namespaceObject: () => (namespace ? fromJson(exposedNamespace(namespace), NAMESPACE) : null),
    params: () => jsonValue(input.params),
    ...(asker
      ? {
          authorizer: () => authorizerValue(asker),
          "authorizer.requestResource": () =>
            requestResourceValue(asker, {
              group: resource.group,
              resource: resource.resource,
              ...(subResource ? { subresource: subResource } : {}),
              ...(request.namespace ? { namespace: request.namespace } : {}),
              ...(name ? { name } : {}),
            }),
        }
      : {}),
  };
}

/** The bindings with a policy's variables: each is evaluated when it is first used, and charged to the budget. */
export function withVariables(
  bindings: Bindings,
  variables: readonly { name: string; compiled: Compilation }[],
  budget: Budget,
): Bindings {
  if (variables.length === 0) return bindings;
  const fields = new Map<string, () => Value>();
  const all: Bindings = { ...bindings, variables: () => lazy };
  const lazy = new LazyMap(fields);
  for (const { name, compiled } of variables) {
    fields.set(name, () => {
      if ("error" in compiled) throw new CelError(`composited variable "${name}" fails to compile: ${compiled.error}`);
      try {
        return compiled.program.evaluate(all, budget);
      } catch (error) {
        if (error instanceof CelError)
          throw new CelError(`composited variable "${name}" fails to evaluate: ${error.message}`);
        throw error;
      }
    });
  }
  return all;
}

/** The shared budget is spent: what is left is not looked at any more. */
export class OutOfBudget extends Error {
  constructor() {
    super("validation failed due to running out of cost budget, no further validation rules will be run");
    this.name = "OutOfBudget";
  }
}

export type Outcome = { value: Value } | { error: string };

/** Throws OutOfBudget. */
export function evaluate(expression: string, compiled: Compilation, bindings: Bindings, budget: Budget): Outcome {
  if ("error" in compiled) return { error: `compilation error: ${compiled.error}` };
  const before = budget.remaining;
  try {
    return { value: compiled.program.evaluate(bindings, budget) };
  } catch (error) {
    if (error instanceof CelBudgetError && before < RUNTIME_BUDGET / 10) throw new OutOfBudget();
    if (error instanceof CelError || error instanceof CelBudgetError)
      return { error: `expression '${expression}' resulted in error: ${error.message}` };
    throw error;
  }
}

/** Asks the cluster's authorizers for the user of a request, or for a service account. */
export function askerFor(
  user: UserInfo,
  isAllowed: (attributes: AccessAttributes) => { allowed: boolean; reason: string },
): Asker {
  return {
    ask({ serviceAccount, verb, path, group = "", resource = "", ...rest }: Question) {
      const who = serviceAccount ? serviceAccountUser(serviceAccount) : user;
      if (path !== undefined) return isAllowed({ user: who, verb, path });
      return isAllowed({ user: who, verb, resource: { group, version: "*", resource, ...rest } });
    },
  };
}

const serviceAccountUser = ({ namespace, name }: { namespace: string; name: string }): UserInfo => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});
