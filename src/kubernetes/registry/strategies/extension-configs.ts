/** Objects that extend or steer the API server: API services, priority and fairness. The latter is not enforced, of which not-simulated.ts warns. */
import { formatSeconds } from "../../../clock/clock.js";
import type { APIService, FlowSchema, PriorityLevelConfiguration } from "../../schema/generated/types.js";
import { withDefaults, withField } from "./defaulting.js";
import { inRange, invalidValue, required, requiredOneOf } from "./field.js";
import { strategyOf } from "./rules.js";

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
    const { service, caBundle, insecureSkipTLSVerify, groupPriorityMinimum = 0, versionPriority = 0 } = spec ?? {};
    const causes =
      metadata.name === expected
        ? []
        : [invalidValue("metadata.name", metadata.name, `must be \`spec.version+"."+spec.group\`: "${expected}"`)];
    if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000)
      causes.push(
        invalidValue("spec.groupPriorityMinimum", groupPriorityMinimum, "must be positive and less than 20000"),
      );
    if (versionPriority <= 0 || versionPriority > 1000)
      causes.push(invalidValue("spec.versionPriority", versionPriority, "must be positive and less than 1000"));
    if (!service) {
      if (caBundle)
        causes.push(
          invalidValue("spec.caBundle", `${caBundle.length} bytes`, "local APIServices may not have a caBundle"),
        );
      if (insecureSkipTLSVerify)
        causes.push(
          invalidValue("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"),
        );
      return causes;
    }
    if (!service.namespace) causes.push(required("spec.service.namespace"));
    if (!service.name) causes.push(required("spec.service.name"));
    if (insecureSkipTLSVerify && caBundle)
      causes.push(invalidValue("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
    return causes;
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
