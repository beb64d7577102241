/** Admission policies and their bindings: what apiserver's `admissionregistration/validation` holds them to. */

import type { ExpressionScope } from "../../admission/policies/expressions.js";
import { compileVariables, expressionOf } from "../../admission/policies/policy.js";
import type { StatusCause } from "../../errors.js";
import type {
  MatchCondition,
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from "../../schema/generated/types.js";
import {
  defaultMatch,
  FAILURE_POLICIES,
  validateConditions,
  validateExpression,
  validateMatch,
} from "./admission-rules.js";
import { defined, withDefaults, withField } from "./defaulting.js";
import { duplicate, forbiddenField, invalidValue, named, required, requiredOneOf, unsupported } from "./field.js";
import { dns1035Label, dnsSubdomain, qualifiedName } from "./names.js";
import { strategyOf, validateSelector } from "./rules.js";

const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const ACTIONS = ["Audit", "Deny", "Warn"];
const MOST_ANNOTATIONS = 20;
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

interface PolicySpec {
  failurePolicy?: string;
  matchConditions?: MatchCondition[];
  matchConstraints?: MatchResources;
  paramKind?: ParamKind;
  variables?: Variable[];
}

function defaultPolicy<T extends PolicySpec>(spec: T): T {
  const result = withDefaults<PolicySpec>(spec, { failurePolicy: "Fail" });
  return withField(result, "matchConstraints", defaultMatch(result.matchConstraints)) as T;
}

function validateParamKind(at: string, { apiVersion = "", kind = "" }: ParamKind): StatusCause[] {
  const parts = apiVersion.split("/");
  const version = parts.at(-1) ?? "";
  const causes: StatusCause[] = [];
  if (apiVersion === "") causes.push(required(`${at}.apiVersion`));
  else if (parts.length > 2)
    causes.push(invalidValue(`${at}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    if (parts.length === 2 && parts[0])
      causes.push(...named(`${at}.apiVersion`, parts[0], [dnsSubdomain(parts[0]).join(",")].filter(Boolean)));
    if (version === "") causes.push(invalidValue(`${at}.apiVersion`, apiVersion, "version must be specified"));
    else causes.push(...named(`${at}.apiVersion`, version, [dns1035Label(version).join(",")].filter(Boolean)));
  }
  if (kind === "") causes.push(required(`${at}.kind`));
  else {
    const complaints = dns1035Label(kind.toLowerCase());
    if (complaints.length > 0)
      causes.push(
        invalidValue(`${at}.kind`, kind, `may have mixed case, but should otherwise match: ${complaints.join(",")}`),
      );
  }
  return causes;
}

function validateVariables(variables: readonly Variable[] | undefined, scope: ExpressionScope): StatusCause[] {
  const { variables: compiled } = compileVariables(variables, scope);
  return (variables ?? []).flatMap(({ name, expression }, i) => {
    const at = `spec.variables[${i}]`;
    const causes: StatusCause[] = [];
    if (!name?.trim()) causes.push(required(`${at}.name`, "name is not specified"));
    else if (!IDENTIFIER.test(name) || RESERVED.has(name))
      causes.push(invalidValue(`${at}.name`, name, "name is not a valid CEL identifier"));
    const result = compiled[i]?.compiled;
    if (!expression?.trim()) causes.push(required(`${at}.expression`, "expression is not specified"));
    else if (result && "error" in result) causes.push(invalidValue(`${at}.expression`, expression, result.error));
    return causes;
  });
}

/** The rules for all policies; what `validate` says with the scope of the policy's expressions comes last. */
function validatePolicy(
  spec: PolicySpec | undefined,
  patches: boolean,
  validate: (scope: ExpressionScope) => StatusCause[],
): StatusCause[] {
  const params = spec?.paramKind !== undefined;
  const scope: ExpressionScope = { params, authorizer: true, ...(patches ? { patches } : {}) };
  const { scope: whole } = compileVariables(spec?.variables, scope);
  return [
    ...requiredOneOf("spec.failurePolicy", spec?.failurePolicy, FAILURE_POLICIES),
    ...(spec?.paramKind ? validateParamKind("spec.paramKind", spec.paramKind) : []),
    ...(spec?.matchConstraints
      ? validateMatch("spec.matchConstraints", spec.matchConstraints)
      : [required("spec.matchConstraints")]),
    ...(spec?.matchConstraints && !spec.matchConstraints.resourceRules?.length
      ? [required("spec.matchConstraints.resourceRules")]
      : []),
    ...validateConditions("spec.matchConditions", spec?.matchConditions, { params, authorizer: true }),
    ...validateVariables(spec?.variables, scope),
    ...validate(whole),
  ];
}

function validateValidation(at: string, validation: Validation, scope: ExpressionScope): StatusCause[] {
  const { expression, message = "", messageExpression = "", reason } = validation;
  const causes = expression?.trim()
    ? validateExpression(`${at}.expression`, expression, scope, ["bool"])
    : [required(`${at}.expression`, "expression is not specified")];
  if (messageExpression !== "") {
    const field = `${at}.messageExpression`;
    causes.push(
      ...(messageExpression.trim() === ""
        ? [invalidValue(field, messageExpression, "must be non-empty if specified")]
        : validateExpression(field, messageExpression, { ...scope, authorizer: false }, ["string"])),
    );
  }
  if (message !== "" && message.trim() === "")
    causes.push(invalidValue(`${at}.message`, message, "message must be non-empty if specified"));
  else if (/[\n\r]/.test(message.trim()))
    causes.push(invalidValue(`${at}.message`, message, "message must not contain line breaks"));
  if (reason !== undefined && !REASONS.includes(reason)) causes.push(unsupported(`${at}.reason`, reason, REASONS));
  return causes;
}

function validateAnnotations(policy: ValidatingAdmissionPolicy, scope: ExpressionScope): StatusCause[] {
  const annotations = policy.spec?.auditAnnotations ?? [];
  const at = "spec.auditAnnotations";
  const keys = new Set<string>();
  return [
    ...(annotations.length > MOST_ANNOTATIONS
      ? [invalidValue(at, annotations, `must not have more than ${MOST_ANNOTATIONS} auditAnnotations`)]
      : []),
    ...annotations.flatMap(({ key, valueExpression }, i) => {
      const causes = named(
        `${at}[${i}].key`,
        `${policy.metadata.name}/${key}`,
        qualifiedName(`${policy.metadata.name}/${key}`),
      );
      causes.push(
        ...(valueExpression?.trim()
          ? validateExpression(`${at}[${i}].valueExpression`, valueExpression.trim(), scope, ["string", "null"])
          : [required(`${at}[${i}].valueExpression`, "valueExpression is not specified")]),
      );
      if (keys.has(key)) causes.push(duplicate(`${at}[${i}].key`, key));
      keys.add(key);
      return causes;
    }),
  ];
}

const NOTHING_TO_DO = "validations or auditAnnotations must contain at least one item";

export const validatingAdmissionPolicies = strategyOf<ValidatingAdmissionPolicy>({
  setDefaults(policy) {
    if (policy.spec) policy.spec = defined(defaultPolicy(policy.spec));
  },
  validate: (policy) =>
    validatePolicy(policy.spec, false, (scope) => {
      const { validations, auditAnnotations } = policy.spec ?? {};
      if (!validations?.length && !auditAnnotations?.length)
        return [required("spec.validations", NOTHING_TO_DO), required("spec.auditAnnotations", NOTHING_TO_DO)];
      return [
        ...(validations ?? []).flatMap((validation, i) =>
          validateValidation(`spec.validations[${i}]`, validation, scope),
        ),
        ...validateAnnotations(policy, scope),
      ];
    }),
});

function validateMutation(at: string, mutation: Mutation, scope: ExpressionScope): StatusCause[] {
  const { patchType, jsonPatch, applyConfiguration } = mutation;
  if (!patchType) return [required(`${at}.patchType`)];
  if (patchType !== "ApplyConfiguration" && patchType !== "JSONPatch")
    return [unsupported(`${at}.patchType`, patchType, ["ApplyConfiguration", "JSONPatch"])];
  const [field, other] =
    patchType === "JSONPatch" ? ["jsonPatch", "applyConfiguration"] : ["applyConfiguration", "jsonPatch"];
  const { expression, returns } = expressionOf(mutation);
  const causes = (patchType === "JSONPatch" ? applyConfiguration : jsonPatch)
    ? [forbiddenField(`${at}.${other}`, `may not be specified when patchType is ${patchType}`)]
    : [];
  if (!(patchType === "JSONPatch" ? jsonPatch : applyConfiguration))
    return [...causes, required(`${at}.${field}`, `must be specified when patchType is ${patchType}`)];
  if (!expression.trim()) return [...causes, required(`${at}.${field}.expression`, "expression is not specified")];
  return [...causes, ...validateExpression(`${at}.${field}.expression`, expression, scope, [returns])];
}

export const mutatingAdmissionPolicies = strategyOf<MutatingAdmissionPolicy>({
  hasGeneration: true,
  setDefaults(policy) {
    if (policy.spec) policy.spec = defined(defaultPolicy(policy.spec));
  },
  validate: ({ spec }) =>
    validatePolicy(spec, true, (scope) => [
      ...(spec?.mutations?.length ? [] : [required("spec.mutations", "mutations must contain at least one item")]),
      ...(spec?.mutations ?? []).flatMap((mutation, i) => validateMutation(`spec.mutations[${i}]`, mutation, scope)),
      ...requiredOneOf("spec.reinvocationPolicy", spec?.reinvocationPolicy, ["IfNeeded", "Never"]),
    ]),
});

function validateParamRef(at: string, ref: ParamRef | undefined): StatusCause[] {
  if (!ref) return [];
  const exclusive = "name and selector are mutually exclusive";
  return [
    ...(ref.name && ref.selector
      ? [forbiddenField(`${at}.name`, exclusive), forbiddenField(`${at}.selector`, exclusive)]
      : []),
    ...validateSelector(`${at}.selector`, ref.selector),
    ...(ref.name || ref.selector ? [] : [required(at, "one of name or selector must be specified")]),
    ...requiredOneOf(`${at}.parameterNotFoundAction`, ref.parameterNotFoundAction, ["Deny", "Allow"]),
  ];
}

interface BindingSpec {
  policyName?: string;
  matchResources?: MatchResources;
  paramRef?: ParamRef;
}

function validateBinding(spec: BindingSpec | undefined): StatusCause[] {
  return [
    ...(spec?.policyName
      ? named("spec.policyName", spec.policyName, dnsSubdomain(spec.policyName))
      : [required("spec.policyName")]),
    ...validateParamRef("spec.paramRef", spec?.paramRef),
    ...validateMatch("spec.matchResources", spec?.matchResources),
  ];
}

function validateActions(actions: readonly string[] | undefined): StatusCause[] {
  const at = "spec.validationActions";
  if (!actions?.length) return [required(at, "at least one validation action is required")];
  return [
    ...actions.flatMap((action, i) => [
      ...(ACTIONS.includes(action) ? [] : [unsupported(`${at}[${i}]`, action, ACTIONS)]),
      ...(actions.indexOf(action) < i ? [duplicate(`${at}[${i}]`, action)] : []),
    ]),
    ...(actions.includes("Deny") && actions.includes("Warn")
      ? [
          invalidValue(
            at,
            actions,
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
          ),
        ]
      : []),
  ];
}

const defaultBinding = <T extends BindingSpec>(spec: T): T =>
  defined(withField(spec as BindingSpec, "matchResources", defaultMatch(spec.matchResources))) as T;

export const validatingAdmissionPolicyBindings = strategyOf<ValidatingAdmissionPolicyBinding>({
  hasGeneration: true,
  setDefaults(binding) {
    if (binding.spec) binding.spec = defaultBinding(binding.spec);
  },
  validate: ({ spec }) => [...validateBinding(spec), ...validateActions(spec?.validationActions)],
});

export const mutatingAdmissionPolicyBindings = strategyOf<MutatingAdmissionPolicyBinding>({
  hasGeneration: true,
  setDefaults(binding) {
    if (binding.spec) binding.spec = defaultBinding(binding.spec);
  },
  validate: ({ spec }) => validateBinding(spec),
});
