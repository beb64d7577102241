/** Configurations of admission webhooks. */
import type { Webhook } from "../../admission/webhooks/hooks.js";
import type { StatusCause } from "../../errors.js";
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from "../../schema/generated/types.js";
import type { Strategy } from "../strategy.js";
import {
  defaultRules,
  FAILURE_POLICIES,
  MATCH_POLICIES,
  validateClient,
  validateConditions,
  validateRule,
} from "./admission-rules.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { duplicate, invalidValue, named, oneOf, required, unsupported } from "./field.js";
import { dns1035Label, dnsSubdomain } from "./names.js";
import { strategyOf, validateSelector } from "./rules.js";

const REVIEW_VERSIONS = ["v1", "v1beta1"];
const NO_SIDE_EFFECTS = ["None", "NoneOnDryRun"];

function defaultWebhook(webhook: Webhook, mutating: boolean): Webhook {
  const result = defaultRules(
    withDefaults(webhook, {
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
      ...(mutating ? { reinvocationPolicy: "Never" } : {}),
    }),
  );
  const service = result.clientConfig?.service;
  return service
    ? withField(result, "clientConfig", { ...result.clientConfig, service: withDefaults(service, { port: 443 }) })
    : result;
}

function validateName(at: string, name: string | undefined): StatusCause[] {
  if (!name) return [required(at)];
  const complaints = named(at, name, dnsSubdomain(name));
  if (complaints.length > 0) return complaints;
  return name.split(".").length < 3
    ? [invalidValue(at, name, "should be a domain with at least three segments separated by dots")]
    : [];
}

function validateReviewVersions(at: string, versions: readonly string[] | undefined): StatusCause[] {
  if (!versions?.length) return [required(at, `must specify one of ${REVIEW_VERSIONS.join(", ")}`)];
  const causes = versions.flatMap((version, i) =>
    versions.indexOf(version) < i
      ? [invalidValue(`${at}[${i}]`, version, "duplicate version")]
      : named(`${at}[${i}]`, version, dns1035Label(version)),
  );
  return versions.some((version) => REVIEW_VERSIONS.includes(version))
    ? causes
    : [...causes, invalidValue(at, versions, `must include at least one of ${REVIEW_VERSIONS.join(", ")}`)];
}

function validateWebhook(at: string, webhook: Webhook): StatusCause[] {
  const { sideEffects, timeoutSeconds } = webhook;
  return [
    ...validateName(`${at}.name`, webhook.name),
    ...(webhook.rules ?? []).flatMap((rule, i) => validateRule(`${at}.rules[${i}]`, rule)),
    ...oneOf(`${at}.failurePolicy`, webhook.failurePolicy, FAILURE_POLICIES),
    ...oneOf(`${at}.matchPolicy`, webhook.matchPolicy, MATCH_POLICIES),
    ...(sideEffects
      ? NO_SIDE_EFFECTS.includes(sideEffects)
        ? []
        : [unsupported(`${at}.sideEffects`, sideEffects, NO_SIDE_EFFECTS)]
      : [required(`${at}.sideEffects`, `must specify one of ${NO_SIDE_EFFECTS.join(", ")}`)]),
    ...(timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)
      ? [invalidValue(`${at}.timeoutSeconds`, timeoutSeconds, "the timeout value must be between 1 and 30 seconds")]
      : []),
    ...validateSelector(`${at}.namespaceSelector`, webhook.namespaceSelector),
    ...validateSelector(`${at}.objectSelector`, webhook.objectSelector),
    ...oneOf(`${at}.reinvocationPolicy`, webhook.reinvocationPolicy, ["IfNeeded", "Never"]),
    ...validateClient(`${at}.clientConfig`, webhook.clientConfig ?? {}),
    ...validateConditions(`${at}.matchConditions`, webhook.matchConditions, { params: false, authorizer: true }),
    ...validateReviewVersions(`${at}.admissionReviewVersions`, webhook.admissionReviewVersions),
  ];
}

function webhookConfigurations(mutating: boolean): Strategy {
  return strategyOf<MutatingWebhookConfiguration | ValidatingWebhookConfiguration>({
    setDefaults(configuration) {
      const webhooks = mapItems(configuration.webhooks as Webhook[] | undefined, (webhook) =>
        defaultWebhook(webhook, mutating),
      );
      if (webhooks) configuration.webhooks = webhooks;
    },
    validate({ webhooks = [] }) {
      const names = new Set<string>();
      return webhooks.flatMap((webhook, index) => {
        const causes = validateWebhook(`webhooks[${index}]`, webhook as Webhook);
        if (names.has(webhook.name)) causes.push(duplicate(`webhooks[${index}].name`, webhook.name));
        names.add(webhook.name);
        return causes;
      });
    },
  });
}

export const mutatingWebhookConfigurations = webhookConfigurations(true);
export const validatingWebhookConfigurations = webhookConfigurations(false);
