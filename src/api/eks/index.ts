/** Every operation of EKS that behaves, by name. The compiler checks names, inputs and outputs against the model. */
import { accessEntries } from "./access-entries.js";
import { accessPolicies } from "./access-policies.js";
import { addons } from "./addons.js";
import { capabilities } from "./capabilities.js";
import { certificateAuthorities } from "./certificate-authorities.js";
import { clusters } from "./clusters.js";
import type { EksOperations } from "./context.js";
import { fargateProfiles } from "./fargate-profiles.js";
import { identityProviderConfigs } from "./identity-provider-configs.js";
import { insights } from "./insights.js";
import { nodegroups } from "./nodegroups.js";
import { podIdentityAssociations } from "./pod-identity-associations.js";
import { registrations } from "./registrations.js";
import { subscriptions } from "./subscriptions.js";
import { tags } from "./tags.js";
import { updates } from "./updates.js";
import { versions } from "./versions.js";

export { createCaller } from "./call.js";
export type { EksConfig, EksOperations, OperationContext, WorkKind } from "./context.js";

export const operations = {
  ...clusters,
  ...nodegroups,
  ...addons,
  ...updates,
  ...tags,
  ...versions,
  ...accessEntries,
  ...accessPolicies,
  ...podIdentityAssociations,
  ...identityProviderConfigs,
  ...fargateProfiles,
  ...capabilities,
  ...certificateAuthorities,
  ...insights,
  ...registrations,
  ...subscriptions,
} satisfies Partial<EksOperations>;
