/**
 * Nobody hands out more than he has: writes of roles need every permission that the role gives (or the verb `escalate` on it), writes of bindings every
 * permission of the bound role (or the verb `bind` on it). Upstream does this in the registry of the rbac group; here it is an admission plugin.
 */
import type { AdmissionPlugin } from "../admission/plugin.js";
import type { UserInfo } from "../api.js";
import { forbidden, notFound } from "../errors.js";
import { sameValue } from "../registry/strategies/equality.js";
import type { ClusterRole, PolicyRule, RoleBinding } from "../schema/generated/types.js";
import type { AccessAttributes } from "../security.js";
import { MASTERS, type RbacAuthorizer } from "./rbac.js";
import { describeRule, uncovered } from "./rules.js";

const GROUP = "rbac.authorization.k8s.io";

export interface EscalationDependencies {
  rbac: Pick<RbacAuthorizer, "rulesFor" | "rulesOf">;
  /** Asks the whole chain of authorizers, RBAC included. */
  isAllowed(attributes: AccessAttributes): boolean;
}

const refusal = (user: UserInfo, missing: readonly PolicyRule[]): string => {
  const groups = user.groups.map((group) => JSON.stringify(group)).join(" ");
  return `user ${JSON.stringify(user.username)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(describeRule).join("\n")}`;
};

export function rbacEscalation({ rbac, isAllowed }: EscalationDependencies): AdmissionPlugin {
  const hasVerb = (
    user: UserInfo,
    verb: string,
    resource: string,
    namespace: string | undefined,
    name: string,
  ): boolean => isAllowed({ user, verb, resource: { group: GROUP, version: "v1", resource, namespace, name } });

  return {
    name: "RBACEscalation",
    validate({ operation, info, subresource, object, previous, user, name, namespace }) {
      if (info.group !== GROUP || subresource || !object || (operation !== "CREATE" && operation !== "UPDATE")) return;
      if (user.groups.includes(MASTERS)) return;
      const missing = (rules: readonly PolicyRule[]): PolicyRule[] => uncovered(rbac.rulesFor(user, namespace), rules);

      if (info.resource === "roles" || info.resource === "clusterroles") {
        const role = object as ClusterRole;
        const before = previous as ClusterRole | undefined;
        if (before && sameValue(role.rules, before.rules) && sameValue(role.aggregationRule, before.aggregationRule))
          return;
        if (hasVerb(user, "escalate", info.resource, namespace, name)) return;
        // An aggregated role may come to hold anything.
        const wanted = [
          ...(role.rules ?? []),
          ...(role.aggregationRule ? [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }] : []),
        ];
        const lacking = missing(wanted);
        if (lacking.length > 0) throw forbidden(GROUP, info.resource, name, refusal(user, lacking));
        return;
      }
      const binding = object as RoleBinding;
      const before = previous as RoleBinding | undefined;
      if (before && sameValue(binding.subjects, before.subjects) && sameValue(binding.roleRef, before.roleRef)) return;
      const { roleRef } = binding;
      const bound = roleRef.kind === "ClusterRole" ? "clusterroles" : "roles";
      if (hasVerb(user, "bind", bound, namespace, roleRef.name)) return;
      const rules = rbac.rulesOf(roleRef, namespace);
      if (!rules) throw notFound(GROUP, bound, roleRef.name);
      const lacking = missing(rules);
      if (lacking.length > 0) throw forbidden(GROUP, info.resource, name, refusal(user, lacking));
    },
  };
}
