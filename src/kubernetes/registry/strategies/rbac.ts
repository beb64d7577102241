/** Roles, ClusterRoles and their bindings. Who may write them is judged in auth/escalation.ts. */
import type { StatusCause } from "../../errors.js";
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RbacSubject,
  Role,
  RoleBinding,
} from "../../schema/generated/types.js";
import type { Strategy } from "../strategy.js";
import { mapItems, withDefaults } from "./defaulting.js";
import { sameValue } from "./equality.js";
import { invalidValue, required, unsupported } from "./field.js";
import { strategyOf, validateSelector } from "./rules.js";

const GROUP = "rbac.authorization.k8s.io";

function validateRules(rules: readonly PolicyRule[] | null | undefined, namespaced: boolean): StatusCause[] {
  return (rules ?? []).flatMap((rule, index) => {
    const at = `rules[${index}]`;
    const causes = rule.verbs?.length ? [] : [required(`${at}.verbs`, "verbs must contain at least one value")];
    if (rule.nonResourceURLs?.length) {
      if (namespaced)
        causes.push(
          invalidValue(
            `${at}.nonResourceURLs`,
            rule.nonResourceURLs,
            "namespaced rules cannot apply to non-resource URLs",
          ),
        );
      if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length) {
        causes.push(
          invalidValue(
            `${at}.nonResourceURLs`,
            rule.nonResourceURLs,
            "rules cannot apply to both regular resources and non-resource URLs",
          ),
        );
      }
      return causes;
    }
    if (!rule.apiGroups?.length)
      causes.push(required(`${at}.apiGroups`, "resource rules must supply at least one api group"));
    if (!rule.resources?.length)
      causes.push(required(`${at}.resources`, "resource rules must supply at least one resource"));
    return causes;
  });
}

function roleStrategy(namespaced: boolean): Strategy {
  return strategyOf<Role & ClusterRole>({
    validate: ({ rules, aggregationRule }) => [
      ...validateRules(rules, namespaced),
      ...(aggregationRule?.clusterRoleSelectors ?? []).flatMap((selector, index) =>
        validateSelector(`aggregationRule.clusterRoleSelectors[${index}]`, selector),
      ),
      ...(aggregationRule && !aggregationRule.clusterRoleSelectors?.length
        ? [
            required(
              "aggregationRule.clusterRoleSelectors",
              "at least one clusterRoleSelector required if aggregationRule is non-nil",
            ),
          ]
        : []),
    ],
  });
}

const SUBJECT_KINDS = ["ServiceAccount", "User", "Group"];

/** Inside a namespace a service account without one is of that namespace. */
function validateSubject(at: string, subject: RbacSubject, namespaced: boolean): StatusCause[] {
  const causes = subject.name ? [] : [required(`${at}.name`)];
  if (!SUBJECT_KINDS.includes(subject.kind)) return [...causes, unsupported(`${at}.kind`, subject.kind, SUBJECT_KINDS)];
  const group = subject.kind === "ServiceAccount" ? "" : GROUP;
  if ((subject.apiGroup ?? "") !== group) causes.push(unsupported(`${at}.apiGroup`, subject.apiGroup ?? "", [group]));
  if (subject.kind === "ServiceAccount" && !subject.namespace && !namespaced) causes.push(required(`${at}.namespace`));
  return causes;
}

function bindingStrategy(roleKinds: readonly string[], namespaced: boolean): Strategy {
  return strategyOf<RoleBinding & ClusterRoleBinding>({
    setDefaults(binding) {
      if (binding.roleRef) binding.roleRef = withDefaults(binding.roleRef, { apiGroup: GROUP });
      const subjects = mapItems(binding.subjects, (subject) =>
        subject.kind === "ServiceAccount" ? subject : withDefaults(subject, { apiGroup: GROUP }),
      );
      if (subjects) binding.subjects = subjects;
    },
    validate({ roleRef, subjects = [] }) {
      const causes: StatusCause[] = [];
      if (!roleRef) return [required("roleRef")];
      if (roleRef.apiGroup !== GROUP) causes.push(unsupported("roleRef.apiGroup", roleRef.apiGroup ?? "", [GROUP]));
      if (!roleKinds.includes(roleRef.kind)) causes.push(unsupported("roleRef.kind", roleRef.kind ?? "", roleKinds));
      if (!roleRef.name) causes.push(required("roleRef.name"));
      return [
        ...causes,
        ...(subjects ?? []).flatMap((subject, index) => validateSubject(`subjects[${index}]`, subject, namespaced)),
      ];
    },
    validateUpdate: ({ roleRef }, before) =>
      sameValue(roleRef, before.roleRef) ? [] : [invalidValue("roleRef", roleRef, "cannot change roleRef")],
  });
}

export const roles = roleStrategy(true);
export const clusterRoles = roleStrategy(false);
export const roleBindings = bindingStrategy(["Role", "ClusterRole"], true);
export const clusterRoleBindings = bindingStrategy(["ClusterRole"], false);
