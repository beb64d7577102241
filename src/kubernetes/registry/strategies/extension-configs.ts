/**
 * Objects that extend or steer the API server: webhook and policy configurations, API services, priority and fairness, certificate requests. None of
 * them is called or enforced yet, of which not-simulated.ts warns.
 */
import { formatSeconds } from "../../../clock/clock.js";
import type { StatusCause } from "../../errors.js";
import type {
  APIService,
  FlowSchema,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  PriorityLevelConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../schema/generated/types.js";
import type { Strategy } from "../strategy.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { duplicate, inRange, invalidValue, named, oneOf, required, requiredOneOf } from "./field.js";
import { dnsSubdomain } from "./names.js";
import { strategyOf } from "./rules.js";

type Webhook = MutatingWebhook & ValidatingWebhook;

function defaultWebhook(webhook: Webhook, mutating: boolean): Webhook {
  let result = withDefaults(webhook, {
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
    ...(mutating ? { reinvocationPolicy: "Never" } : {}),
  });
  result = withField(
    result,
    "rules",
    mapItems(result.rules, (rule) => withDefaults(rule, { scope: "*" })),
  );
  const service = result.clientConfig?.service;
  return service
    ? withField(result, "clientConfig", { ...result.clientConfig, service: withDefaults(service, { port: 443 }) })
    : result;
}

function validateWebhook(at: string, webhook: Webhook): StatusCause[] {
  const causes = webhook.name
    ? named(`${at}.name`, webhook.name, dnsSubdomain(webhook.name))
    : [required(`${at}.name`)];
  if (webhook.name && webhook.name.split(".").length < 3) {
    causes.push(
      invalidValue(`${at}.name`, webhook.name, "should be a domain with at least three segments separated by dots"),
    );
  }
  if (!webhook.admissionReviewVersions?.length) {
    causes.push(required(`${at}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  }
  causes.push(...requiredOneOf(`${at}.sideEffects`, webhook.sideEffects, ["None", "NoneOnDryRun"]));
  causes.push(...oneOf(`${at}.failurePolicy`, webhook.failurePolicy, ["Fail", "Ignore"]));
  causes.push(...oneOf(`${at}.matchPolicy`, webhook.matchPolicy, ["Equivalent", "Exact"]));
  causes.push(...oneOf(`${at}.reinvocationPolicy`, webhook.reinvocationPolicy, ["IfNeeded", "Never"]));
  if (webhook.timeoutSeconds !== undefined && (webhook.timeoutSeconds < 1 || webhook.timeoutSeconds > 30)) {
    causes.push(
      invalidValue(
        `${at}.timeoutSeconds`,
        webhook.timeoutSeconds,
        `the timeout value must be between 1 and 30 seconds`,
      ),
    );
  }
  const { url, service } = webhook.clientConfig ?? {};
  if (Boolean(url) === Boolean(service))
    causes.push(required(`${at}.clientConfig`, "exactly one of url or service is required"));
  return causes;
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

const matchDefaults = { matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} };

export const validatingAdmissionPolicies = strategyOf<ValidatingAdmissionPolicy>({
  setDefaults(policy) {
    if (!policy.spec) return;
    let spec = withDefaults(policy.spec, { failurePolicy: "Fail" });
    if (spec.matchConstraints) {
      let match = withDefaults(spec.matchConstraints, matchDefaults);
      match = withField(
        match,
        "resourceRules",
        mapItems(match.resourceRules, (rule) => withDefaults(rule, { scope: "*" })),
      );
      spec = withField(spec, "matchConstraints", match);
    }
    policy.spec = spec;
  },
  validate: ({ spec }) => [
    ...(spec?.matchConstraints ? [] : [required("spec.matchConstraints")]),
    ...(spec?.validations?.length || spec?.auditAnnotations?.length
      ? []
      : [required("spec.validations", "validations or auditAnnotations must contain at least one item")]),
    ...oneOf("spec.failurePolicy", spec?.failurePolicy, ["Fail", "Ignore"]),
  ],
});

export const validatingAdmissionPolicyBindings = strategyOf<ValidatingAdmissionPolicyBinding>({
  validate: ({ spec }) => [
    ...(spec?.policyName ? [] : [required("spec.policyName")]),
    ...(spec?.validationActions?.length
      ? []
      : [required("spec.validationActions", "at least one validation action is required")]),
  ],
});

export const apiServices = strategyOf<APIService>({
  setDefaults(service) {
    if (service.spec?.service)
      service.spec = withField(service.spec, "service", withDefaults(service.spec.service, { port: 443 }));
  },
  prepareForCreate(service, { nowMs }) {
    // What this API server serves itself is there at once.
    const local = {
      type: "Available",
      status: "True",
      reason: "Local",
      message: "Local APIServices are always available",
      lastTransitionTime: formatSeconds(nowMs),
    };
    service.status = service.spec?.service ? {} : { conditions: [local] };
  },
  validate({ metadata, spec }) {
    const expected = `${spec?.version}.${spec?.group ?? ""}`;
    return metadata.name === expected
      ? []
      : [invalidValue("metadata.name", metadata.name, `must be \`spec.version+"."+spec.group\`: "${expected}"`)];
  },
});

export const flowSchemas = strategyOf<FlowSchema>({
  setDefaults(schema) {
    if (schema.spec) schema.spec = withDefaults(schema.spec, { matchingPrecedence: 1000 });
  },
  // Upstream's config controller says this; nothing else of priority and fairness is simulated.
  prepareForCreate(schema, context) {
    const name = schema.spec?.priorityLevelConfiguration?.name ?? "";
    const found = context.get("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", { name }) !== undefined;
    const text = `This FlowSchema references the PriorityLevelConfiguration object named "${name}" `;
    schema.status = {
      conditions: [
        {
          type: "Dangling",
          status: found ? "False" : "True",
          reason: found ? "Found" : "NotFound",
          message: `${text}${found ? "and it exists" : "but there is no such object"}`,
          lastTransitionTime: formatSeconds(context.nowMs),
        },
      ],
    };
  },
  validate: ({ spec }) => [
    ...(spec?.priorityLevelConfiguration?.name
      ? []
      : [required("spec.priorityLevelConfiguration.name", "must reference a priority level")]),
    ...inRange("spec.matchingPrecedence", spec?.matchingPrecedence, 1, 10_000),
  ],
});

export const priorityLevelConfigurations = strategyOf<PriorityLevelConfiguration>({
  setDefaults(level) {
    if (!level.spec) return;
    if (level.spec.limited) {
      const limited = withDefaults(level.spec.limited, {
        nominalConcurrencyShares: 30,
        lendablePercent: 0,
        limitResponse: { type: "Reject" },
      });
      let response = limited.limitResponse ?? { type: "Reject" };
      if (response.type === "Queue")
        response = withField(
          response,
          "queuing",
          withDefaults(response.queuing ?? {}, { queues: 64, handSize: 8, queueLengthLimit: 50 }),
        );
      level.spec = withField(level.spec, "limited", withField(limited, "limitResponse", response));
    }
    if (level.spec.exempt)
      level.spec = withField(
        level.spec,
        "exempt",
        withDefaults(level.spec.exempt, { nominalConcurrencyShares: 0, lendablePercent: 0 }),
      );
  },
  validate({ spec }) {
    const causes = requiredOneOf("spec.type", spec?.type, ["Exempt", "Limited"]);
    return spec?.type === "Limited" && !spec.limited
      ? [...causes, required("spec.limited", "must not be empty when type is Limited")]
      : causes;
  },
});
