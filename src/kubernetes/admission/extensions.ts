/** The plugins that users extend admission with, policies and webhooks, put together around one cluster. Until there is one of them they cost nothing. */
import type { Clock } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { ResourceCatalogue } from "../registry/catalogue.js";
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "../schema/generated/types.js";
import type { AccessAttributes } from "../security.js";
import type { AdmissionPlugin } from "./plugin.js";
import { createPolicyIndex } from "./policies/index-of-policies.js";
import { mutatingAdmissionPolicies } from "./policies/mutating.js";
import { validatingAdmissionPolicies } from "./policies/validating.js";
import { createVersions } from "./versions.js";
import type { WebhookCaller } from "./webhooks/call.js";
import { createWebhookIndex } from "./webhooks/hooks.js";
import type { WebhookOutage } from "./webhooks/outage.js";
import { mutatingWebhooks, validatingWebhooks } from "./webhooks/webhooks.js";

const GROUP = "admissionregistration.k8s.io";

export interface AdmissionExtensions {
  /** In kube-apiserver's order; they go before ResourceQuota. */
  readonly plugins: readonly AdmissionPlugin[];
  stop(): void;
}

export function createAdmissionExtensions({
  api,
  catalogue,
  clock,
  caller,
  outage,
  isAllowed,
}: {
  api: KubeApi;
  catalogue: ResourceCatalogue;
  clock: Clock;
  caller: WebhookCaller;
  outage: WebhookOutage;
  isAllowed(attributes: AccessAttributes): { allowed: boolean; reason: string };
}): AdmissionExtensions {
  const versions = createVersions(catalogue);
  const environment = { catalogue, isAllowed, ...versions };
  const validating = createPolicyIndex<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>(api, {
    policies: `validatingadmissionpolicies.${GROUP}`,
    bindings: `validatingadmissionpolicybindings.${GROUP}`,
  });
  const mutating = createPolicyIndex<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>(api, {
    policies: `mutatingadmissionpolicies.${GROUP}`,
    bindings: `mutatingadmissionpolicybindings.${GROUP}`,
  });
  const mutatingHooks = createWebhookIndex(api, `mutatingwebhookconfigurations.${GROUP}`);
  const validatingHooks = createWebhookIndex(api, `validatingwebhookconfigurations.${GROUP}`);
  const webhooks = { caller, versions, random: clock.random("webhooks"), outage, isAllowed };
  return {
    plugins: [
      mutatingAdmissionPolicies(environment, mutating),
      mutatingWebhooks(webhooks, mutatingHooks),
      validatingAdmissionPolicies(environment, validating),
      validatingWebhooks(webhooks, validatingHooks),
    ],
    stop() {
      for (const index of [validating, mutating, mutatingHooks, validatingHooks]) index.stop();
    },
  };
}
