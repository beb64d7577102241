/** HorizontalPodAutoscalers. Stored as autoscaling/v2; conversion.ts shows them as v1. */
import type { StatusCause } from "../../errors.js";
import type {
  V2CrossVersionObjectReference,
  V2HorizontalPodAutoscaler,
  V2HPAScalingRules,
  V2MetricSpec,
  V2MetricTarget,
} from "../../schema/generated/types.js";
import { isQuantity, parseQuantity } from "../quantity.js";
import { withDefaults, withField } from "./defaulting.js";
import { forbiddenField, invalidValue, oneOf, required, requiredOneOf } from "./field.js";
import { QUANTITY_TEXT } from "./resource-validation.js";
import { strategyOf } from "./rules.js";

const DEFAULT_METRICS: V2MetricSpec[] = [
  { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
];
const SCALE_UP: V2HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};
const SCALE_DOWN: V2HPAScalingRules = {
  selectPolicy: "Max",
  policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
};
const SOURCES: Readonly<Record<string, keyof V2MetricSpec>> = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
};

function validateReference(at: string, reference: V2CrossVersionObjectReference | undefined): StatusCause[] {
  return [...(reference?.kind ? [] : [required(`${at}.kind`)]), ...(reference?.name ? [] : [required(`${at}.name`)])];
}

/** What a target may be, by type of metric; the words are upstream's for a target that is none of it. */
const TARGETS: Readonly<Record<string, { fields: readonly (keyof V2MetricTarget)[]; words: string }>> = {
  ContainerResource: {
    fields: ["averageUtilization", "averageValue"],
    words: "must set either a target raw value or a target utilization",
  },
  External: {
    fields: ["value", "averageValue"],
    words: "must set either a target value for metric or a per-pod target",
  },
  Object: { fields: ["value", "averageValue"], words: "must set either a target value or averageValue" },
  Pods: { fields: ["averageValue"], words: "must specify a positive target averageValue" },
  Resource: {
    fields: ["averageUtilization", "averageValue"],
    words: "must set either a target raw value or a target utilization",
  },
};

function validateTarget(at: string, type: string, target: V2MetricTarget | undefined): StatusCause[] {
  if (!target) return [required(at)];
  const causes = requiredOneOf(`${at}.type`, target.type, ["Utilization", "Value", "AverageValue"]);
  const { fields = [], words = "" } = TARGETS[type] ?? {};
  const given = fields.filter((field) => target[field] !== undefined);
  if (given.length === 0) causes.push(required(`${at}.${fields[0]}`, words));
  if (target.averageUtilization !== undefined && target.averageUtilization < 1)
    causes.push(invalidValue(`${at}.averageUtilization`, target.averageUtilization, "must be greater than 0"));
  for (const field of ["value", "averageValue"] as const) {
    const amount = target[field];
    if (amount === undefined) continue;
    if (!isQuantity(amount)) causes.push(invalidValue(`${at}.${field}`, amount, QUANTITY_TEXT));
    else if (parseQuantity(amount).value <= 0n) causes.push(invalidValue(`${at}.${field}`, amount, "must be positive"));
  }
  if (given.length > 1 && fields.includes("averageUtilization"))
    causes.push(forbiddenField(`${at}.averageValue`, "may not set both a target raw value and a target utilization"));
  return causes;
}

function validateMetric(at: string, metric: V2MetricSpec): StatusCause[] {
  const causes = requiredOneOf(`${at}.type`, metric.type, Object.keys(SOURCES));
  const source = SOURCES[metric.type];
  if (!source) return causes;
  const content = metric[source] as
    | { name?: string; container?: string; metric?: { name?: string }; target?: V2MetricTarget }
    | undefined;
  if (!content)
    return [...causes, required(`${at}.${source}`, "must populate information for the given metric source")];
  const others = Object.values(SOURCES).filter((other) => other !== source && metric[other] !== undefined);
  for (const other of others) {
    const why = `must populate the given metric source only`;
    causes.push(forbiddenField(`${at}.${other}`, why));
  }
  const inside = `${at}.${source}`;
  if (metric.type === "Resource" || metric.type === "ContainerResource") {
    if (!content.name) causes.push(required(`${inside}.name`, "must specify a resource name"));
    if (metric.type === "ContainerResource" && !content.container)
      causes.push(required(`${inside}.container`, "must specify a container"));
  } else if (!content.metric?.name) causes.push(required(`${inside}.metric.name`));
  if (metric.type === "Object")
    causes.push(...validateReference(`${inside}.describedObject`, metric.object?.describedObject));
  return [...causes, ...validateTarget(`${inside}.target`, metric.type, content.target)];
}

const MOST_WINDOW_SECONDS = 3600;
const MOST_PERIOD_SECONDS = 1800;

function validateRules(at: string, rules: V2HPAScalingRules | undefined): StatusCause[] {
  if (!rules) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const causes: StatusCause[] = [];
  if (window !== undefined && window < 0)
    causes.push(invalidValue(`${at}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  if (window !== undefined && window > MOST_WINDOW_SECONDS) {
    const why = `must be less than or equal to ${MOST_WINDOW_SECONDS}`;
    causes.push(invalidValue(`${at}.stabilizationWindowSeconds`, window, why));
  }
  causes.push(...oneOf(`${at}.selectPolicy`, selectPolicy, ["Disabled", "Max", "Min"]));
  if (tolerance !== undefined && !isQuantity(tolerance))
    causes.push(invalidValue(`${at}.tolerance`, tolerance, QUANTITY_TEXT));
  if (policies.length === 0) causes.push(required(`${at}.policies`, "must specify at least one Policy"));
  policies.forEach((policy, index) => {
    const path = `${at}.policies[${index}]`;
    causes.push(...requiredOneOf(`${path}.type`, policy.type, ["Percent", "Pods"]));
    if (!(policy.value > 0)) causes.push(invalidValue(`${path}.value`, policy.value, "must be greater than zero"));
    const { periodSeconds: period } = policy;
    if (!(period > 0)) causes.push(invalidValue(`${path}.periodSeconds`, period, "must be greater than zero"));
    else if (period > MOST_PERIOD_SECONDS)
      causes.push(
        invalidValue(`${path}.periodSeconds`, period, `must be less than or equal to ${MOST_PERIOD_SECONDS}`),
      );
  });
  return causes;
}

export const horizontalPodAutoscalers = strategyOf<V2HorizontalPodAutoscaler>({
  setDefaults(autoscaler) {
    if (!autoscaler.spec) return;
    let spec = withDefaults(autoscaler.spec, { minReplicas: 1 });
    if (!spec.metrics?.length) spec = { ...spec, metrics: DEFAULT_METRICS };
    if (spec.behavior) {
      let behavior = spec.behavior;
      behavior = withField(behavior, "scaleUp", withDefaults(behavior.scaleUp ?? {}, SCALE_UP));
      behavior = withField(behavior, "scaleDown", withDefaults(behavior.scaleDown ?? {}, SCALE_DOWN));
      spec = withField(spec, "behavior", behavior);
    }
    autoscaler.spec = spec;
  },
  prepareForCreate(autoscaler) {
    autoscaler.status = { desiredReplicas: 0, currentMetrics: [] };
  },
  validate({ spec }) {
    if (!spec) return [required("spec")];
    const causes: StatusCause[] = [];
    const { minReplicas = 1, maxReplicas, scaleTargetRef } = spec;
    if (minReplicas < 1)
      causes.push(invalidValue("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
    if (!(maxReplicas > 0)) causes.push(invalidValue("spec.maxReplicas", maxReplicas ?? 0, "must be greater than 0"));
    else if (maxReplicas < minReplicas)
      causes.push(invalidValue("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
    causes.push(...validateReference("spec.scaleTargetRef", scaleTargetRef));
    spec.metrics?.forEach((metric, index) => {
      causes.push(...validateMetric(`spec.metrics[${index}]`, metric));
    });
    causes.push(
      ...validateRules("spec.behavior.scaleUp", spec.behavior?.scaleUp),
      ...validateRules("spec.behavior.scaleDown", spec.behavior?.scaleDown),
    );
    return causes;
  },
});
