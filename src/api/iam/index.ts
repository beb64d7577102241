/** IAM: every operation that behaves, by name. The compiler checks names, inputs and outputs against the model. */
import type { Operations } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { attachedPolicies } from "./attached-policies.js";
import { instanceProfiles } from "./instance-profiles.js";
import { managedPolicies } from "./managed-policies.js";
import { oidcProviders } from "./oidc-providers.js";
import { roles } from "./roles.js";
import { simulation } from "./simulate.js";
import { tagging } from "./tagging.js";
import { users } from "./users.js";

export const iamOperations = {
  ...users,
  ...roles,
  ...attachedPolicies,
  ...managedPolicies,
  ...instanceProfiles,
  ...oidcProviders,
  ...tagging,
  ...simulation,
  ListAccountAliases: () => ({ AccountAliases: [], IsTruncated: false }),
} satisfies QueryOperations<Operations<QueryContext>>;
