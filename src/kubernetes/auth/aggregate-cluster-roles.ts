/** Fills ClusterRoles that have an aggregationRule with the rules of the ClusterRoles their selectors choose (upstream: clusterroleaggregation). */

import type { Controller } from "../controller.js";
import { defineController, on } from "../controllers/define-controller.js";
import { keyOf } from "../object.js";
import { sameValue } from "../registry/strategies/equality.js";
import { matcherOf } from "../runtime/label-selector.js";
import type { ClusterRole, PolicyRule } from "../schema/generated/types.js";
import { CLUSTER_ROLES } from "./rbac.js";

/** The rules a role should have: those of every role it chooses, in order of name, each once. Undefined for roles that do not aggregate. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] | undefined {
  const matchers = role.aggregationRule?.clusterRoleSelectors?.map(matcherOf);
  if (!matchers) return undefined;
  const chosen = all.filter(
    (other) => other.metadata.name !== role.metadata.name && matchers.some((matches) => matches(other.metadata.labels)),
  );
  const rules: PolicyRule[] = [];
  for (const other of [...chosen].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    for (const rule of other.rules ?? []) if (!rules.some((present) => sameValue(present, rule))) rules.push(rule);
  }
  return rules;
}

export const aggregateClusterRoles: Controller = defineController(
  { name: "clusterrole-aggregation-controller" },
  ({ api }) => ({
    watches: [
      // Any role may be a part of any aggregated one.
      on<ClusterRole>(CLUSTER_ROLES, () =>
        api
          .list<ClusterRole>(CLUSTER_ROLES)
          .filter(({ aggregationRule }) => aggregationRule)
          .map(keyOf),
      ),
    ],
    async reconcile(name) {
      const role = api.get<ClusterRole>(CLUSTER_ROLES, { name });
      const rules = role && aggregatedRules(role, api.list<ClusterRole>(CLUSTER_ROLES));
      if (!role || !rules || sameValue(rules, role.rules)) return;
      await api.update<ClusterRole>(CLUSTER_ROLES, { ...role, rules });
    },
  }),
);
