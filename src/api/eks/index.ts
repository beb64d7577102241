/** Every operation of EKS that behaves, by name. The compiler checks names, inputs and outputs against the model. */
import { clusters } from "./clusters.js";
import type { EksOperations } from "./context.js";
import { nodegroups } from "./nodegroups.js";
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
  ...updates,
  ...tags,
  ...versions,
  ...registrations,
  ...subscriptions,
} satisfies Partial<EksOperations>;
