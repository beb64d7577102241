/**
 * Type checks the expressions of ValidatingAdmissionPolicies against the kinds that their rules name, and writes into their status what does not fit. The
 * policy works all the same: these are warnings.
 */
import { compileExpression, type ExpressionScope } from "../admission/policies/expressions.js";
import { compileVariables } from "../admission/policies/policy.js";
import { builtinType } from "../cel/builtin-types.js";
import { type CelSchema, schemaType } from "../cel/schema-types.js";
import type { CelType } from "../cel/types.js";
import type { Controller } from "../controller.js";
import type { NamedRuleWithOperations, ValidatingAdmissionPolicy } from "../schema/generated/types.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import { builtinResources } from "../schema/resources.js";
import { defineController, on } from "./define-controller.js";

const RESOURCE = "validatingadmissionpolicies.admissionregistration.k8s.io";
const MOST_TYPES = 10;

/** The OpenAPI schema of a custom resource. */
export type SchemaOf = (info: ResourceInfo) => Record<string, unknown> | undefined;

const named = (choices: readonly string[] | undefined): readonly string[] =>
  choices?.some((choice) => choice.includes("*")) ? [] : (choices ?? []);

/** The kinds that the rules speak of by name; wildcards say nothing about types. */
function kindsOf(rules: readonly NamedRuleWithOperations[], served: readonly ResourceInfo[]): ResourceInfo[] {
  const found = new Set<ResourceInfo>();
  for (const rule of rules) {
    const resources = (rule.resources ?? []).filter((resource) => !/[*/]/.test(resource));
    for (const info of served) {
      const matches =
        named(rule.apiGroups).includes(info.group) &&
        named(rule.apiVersions).includes(info.version) &&
        resources.includes(info.resource);
      if (matches) found.add(info);
    }
  }
  const key = ({ group, version, kind }: ResourceInfo): string => `${group}\n${version}\n${kind}`;
  return [...found].sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, MOST_TYPES);
}

const groupVersionKind = ({ group, version, kind }: ResourceInfo): string =>
  `${group ? `${group}/` : "/"}${version}, Kind=${kind}`;

export function policyStatusController({ schemaOf }: { schemaOf: SchemaOf }): Controller {
  function typeFor(info: ResourceInfo): CelType | undefined {
    const schema = schemaOf(info);
    return schema ? schemaType(schema as CelSchema, { resource: true, name: info.kind }) : builtinType(info.type);
  }

  function warningsFor({ spec }: ValidatingAdmissionPolicy, served: readonly ResourceInfo[]) {
    const kinds = kindsOf(spec?.matchConstraints?.resourceRules ?? [], served);
    const { paramKind } = spec ?? {};
    const paramInfo = served.find(
      ({ group, version, kind }) =>
        (group ? `${group}/${version}` : version) === paramKind?.apiVersion && kind === paramKind?.kind,
    );
    const paramsType = paramInfo && typeFor(paramInfo);

    /** What does not fit, one text for all kinds; empty when everything does. */
    function check(expression: string): string {
      const found: string[] = [];
      for (const info of kinds) {
        const objectType = typeFor(info);
        if (!objectType) continue;
        const scope: ExpressionScope = { params: paramKind !== undefined, authorizer: true, objectType, paramsType };
        const compiled = compileExpression(expression, compileVariables(spec?.variables, scope).scope);
        if ("error" in compiled)
          found.push(`${groupVersionKind(info)}: ${compiled.error.replace(/^compilation failed: /, "")}\n`);
      }
      return found.join("\n");
    }

    return (spec?.validations ?? []).flatMap(({ expression, messageExpression }, i) =>
      [
        { fieldRef: `spec.validations[${i}].expression`, warning: check(expression) },
        {
          fieldRef: `spec.validations[${i}].messageExpression`,
          warning: messageExpression ? check(messageExpression) : "",
        },
      ].filter(({ warning }) => warning !== ""),
    );
  }

  return defineController({ name: "validatingadmissionpolicy-status-controller" }, ({ api, resources }) => ({
    async reconcile(name) {
      const policy = api.get<ValidatingAdmissionPolicy>(RESOURCE, { name });
      if (!policy || policy.status?.observedGeneration === policy.metadata.generation) return;
      const expressionWarnings = warningsFor(policy, resources?.() ?? builtinResources());
      await api.updateStatus<ValidatingAdmissionPolicy>(RESOURCE, {
        ...policy,
        status: {
          ...policy.status,
          observedGeneration: policy.metadata.generation,
          typeChecking: expressionWarnings.length > 0 ? { expressionWarnings } : {},
        },
      });
    },
    watches: [
      on<ValidatingAdmissionPolicy>(RESOURCE, ({ type, object }) =>
        type === "DELETED" ? undefined : object.metadata.name,
      ),
    ],
  }));
}
