/** Access policies: the list of them, and which ones an access entry has. */
import {
  associatePolicy,
  checkAccessScope,
  checkNotServiceLinked,
  disassociatePolicy,
} from "../../domain/eks/access-entry-rules.js";
import { ACCESS_POLICIES, accessPolicyArn } from "../../domain/eks/access-policies.js";
import { findAccessEntry } from "./access-entries.js";
import type { EksOperations } from "./context.js";
import { pageFrom, pageOf } from "./paging.js";
import { associatedPolicyView } from "./views/access.js";

export const accessPolicies = {
  ListAccessPolicies(input, context) {
    const { keys, nextToken } = pageOf(context, ["ListAccessPolicies"], input, (page) =>
      pageFrom(ACCESS_POLICIES, page),
    );
    const { region } = context.scope;
    const shown = ACCESS_POLICIES.filter((name) => keys.includes(name));
    return { accessPolicies: shown.map((name) => ({ name, arn: accessPolicyArn(region, name) })), nextToken };
  },

  AssociateAccessPolicy(input, context) {
    const { state, scope, clock } = context;
    const { clusterName, principalArn, policyArn } = input;
    checkNotServiceLinked(principalArn, "InvalidParameterException");
    const accessScope = checkAccessScope(input.accessScope);
    const found = findAccessEntry(context, input);
    const { entry, policy } = associatePolicy(found.entry, policyArn, accessScope, {
      nowMs: clock.now(),
      region: scope.region,
    });
    state.accessEntries.put(entry);
    return { clusterName, principalArn, associatedAccessPolicy: associatedPolicyView(policy) };
  },

  DisassociateAccessPolicy(input, context) {
    checkNotServiceLinked(input.principalArn, "InvalidRequestException");
    const { entry } = findAccessEntry(context, input);
    context.state.accessEntries.put(disassociatePolicy(entry, input.policyArn));
    return {};
  },

  ListAssociatedAccessPolicies(input, context) {
    const { clusterName, principalArn } = input;
    const { entry } = findAccessEntry(context, input);
    const arns = entry.policies.map((policy) => policy.policyArn);
    const { keys, nextToken } = pageOf(context, ["ListAssociatedAccessPolicies", entry.arn], input, (page) =>
      pageFrom(arns, page),
    );
    const shown = entry.policies.filter((policy) => keys.includes(policy.policyArn));
    return { clusterName, principalArn, associatedAccessPolicies: shown.map(associatedPolicyView), nextToken };
  },
} satisfies Partial<EksOperations>;
