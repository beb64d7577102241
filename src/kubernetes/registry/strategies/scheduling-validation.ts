/** Rules of what steers scheduling: tolerations, affinities, topology spread. */
import type { StatusCause } from "../../errors.js";
import type {
  Affinity,
  NodeSelector,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from "../../schema/generated/types.js";
import { duplicate, invalidValue, named, oneOf, required, requiredOneOf } from "./field.js";
import { validateSpreadKeys, validateTermKeys } from "./label-keys.js";
import { labelValue, qualifiedName } from "./names.js";
import { validateSelector } from "./rules.js";

export const TAINT_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const NODE_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

export function validateTolerations(field: string, tolerations: readonly Toleration[] | undefined): StatusCause[] {
  return (tolerations ?? []).flatMap((toleration, index) => {
    const at = `${field}[${index}]`;
    const { key, operator, value, effect, tolerationSeconds } = toleration;
    const causes = key ? named(`${at}.key`, key, qualifiedName(key)) : [];
    if (!key && operator !== "Exists") {
      causes.push(
        invalidValue(
          `${at}.operator`,
          operator ?? "",
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (tolerationSeconds !== undefined && effect !== "NoExecute") {
      causes.push(
        invalidValue(`${at}.effect`, effect ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      );
    }
    if (operator === "Exists" && value)
      causes.push(invalidValue(`${at}.operator`, operator, "value must be empty when `operator` is 'Exists'"));
    if (operator === undefined || operator === "" || operator === "Equal")
      causes.push(...named(`${at}.operator`, value ?? "", labelValue(value ?? "")));
    else causes.push(...oneOf(`${at}.operator`, operator, ["Equal", "Exists"]));
    return effect ? [...causes, ...oneOf(`${at}.effect`, effect, TAINT_EFFECTS)] : causes;
  });
}

function validateNodeTerm(field: string, term: NodeSelectorTerm): StatusCause[] {
  const causes = (term.matchExpressions ?? []).flatMap((expression, index) => {
    const at = `${field}.matchExpressions[${index}]`;
    const { key, operator, values = [] } = expression;
    const wrong = named(`${at}.key`, key, qualifiedName(key));
    if (!NODE_OPERATORS.includes(operator))
      wrong.push(invalidValue(`${at}.operator`, operator, "not a valid selector operator"));
    else if ((operator === "In" || operator === "NotIn") && values.length === 0) {
      wrong.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if ((operator === "Gt" || operator === "Lt") && values.length !== 1) {
      wrong.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
    return wrong;
  });
  term.matchFields?.forEach((expression, index) => {
    const at = `${field}.matchFields[${index}]`;
    if (expression.key !== "metadata.name")
      causes.push(invalidValue(`${at}.key`, expression.key, "not a valid field selector key"));
  });
  return causes;
}

export function validateNodeSelector(field: string, selector: NodeSelector): StatusCause[] {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [required(`${field}.nodeSelectorTerms`, "must have at least one node selector term")];
  return terms.flatMap((term, index) => validateNodeTerm(`${field}.nodeSelectorTerms[${index}]`, term));
}

const validateWeight = (field: string, weight: number): StatusCause[] =>
  weight < 1 || weight > 100 ? [invalidValue(field, weight, "must be in the range 1-100")] : [];

function validatePodTerm(field: string, term: Partial<PodAffinityTerm>): StatusCause[] {
  return [
    ...validateSelector(`${field}.labelSelector`, term.labelSelector),
    ...validateSelector(`${field}.namespaceSelector`, term.namespaceSelector),
    ...(term.topologyKey
      ? named(`${field}.topologyKey`, term.topologyKey, qualifiedName(term.topologyKey))
      : [required(`${field}.topologyKey`, "can not be empty")]),
    ...validateTermKeys(field, term),
  ];
}

export function validateAffinity(field: string, affinity: Affinity | undefined): StatusCause[] {
  if (!affinity) return [];
  const causes: StatusCause[] = [];
  const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
  const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";
  if (affinity.nodeAffinity) {
    const at = `${field}.nodeAffinity`;
    const must = affinity.nodeAffinity[REQUIRED];
    if (must) causes.push(...validateNodeSelector(`${at}.${REQUIRED}`, must));
    affinity.nodeAffinity[PREFERRED]?.forEach((term, index) => {
      const path = `${at}.${PREFERRED}[${index}]`;
      causes.push(
        ...validateWeight(`${path}.weight`, term.weight),
        ...validateNodeTerm(`${path}.preference`, term.preference ?? {}),
      );
    });
  }
  for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
    const at = `${field}.${kind}`;
    affinity[kind]?.[REQUIRED]?.forEach((term, index) => {
      causes.push(...validatePodTerm(`${at}.${REQUIRED}[${index}]`, term));
    });
    affinity[kind]?.[PREFERRED]?.forEach((term, index) => {
      const path = `${at}.${PREFERRED}[${index}]`;
      causes.push(
        ...validateWeight(`${path}.weight`, term.weight),
        ...validatePodTerm(`${path}.podAffinityTerm`, term.podAffinityTerm ?? {}),
      );
    });
  }
  return causes;
}

export function validateSpread(
  field: string,
  constraints: readonly TopologySpreadConstraint[] | undefined,
): StatusCause[] {
  const seen = new Set<string>();
  return (constraints ?? []).flatMap((constraint, index) => {
    const at = `${field}[${index}]`;
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    const causes = maxSkew > 0 ? [] : [invalidValue(`${at}.maxSkew`, maxSkew, "must be greater than zero")];
    causes.push(
      ...(topologyKey
        ? named(`${at}.topologyKey`, topologyKey, qualifiedName(topologyKey))
        : [required(`${at}.topologyKey`, "can not be empty")]),
    );
    causes.push(...requiredOneOf(`${at}.whenUnsatisfiable`, whenUnsatisfiable, ["DoNotSchedule", "ScheduleAnyway"]));
    const pair = `${topologyKey}, ${whenUnsatisfiable}`;
    if (seen.has(pair)) causes.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${pair}}`));
    seen.add(pair);
    if (minDomains !== undefined) {
      if (minDomains <= 0) causes.push(invalidValue(`${at}.minDomains`, minDomains, "must be greater than zero"));
      if (whenUnsatisfiable !== "DoNotSchedule") {
        causes.push(
          invalidValue(
            `${at}.minDomains`,
            minDomains,
            "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
          ),
        );
      }
    }
    for (const policy of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const)
      causes.push(...oneOf(`${at}.${policy}`, constraint[policy], ["Honor", "Ignore"]));
    causes.push(...validateSpreadKeys(at, constraint));
    return [...causes, ...validateSelector(`${at}.labelSelector`, constraint.labelSelector)];
  });
}
