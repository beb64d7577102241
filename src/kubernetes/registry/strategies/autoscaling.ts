/** HorizontalPodAutoscalers. Stored as autoscaling/v2; conversion.ts shows them as v1. */
import type { StatusCause } from "../../errors.js";
import type { V2HorizontalPodAutoscaler, V2HPAScalingRules, V2MetricSpec } from "../../schema/generated/types.js";
import { withDefaults, withField } from "./defaulting.js";
import { invalidValue, required, requiredOneOf } from "./field.js";
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
    if (!scaleTargetRef?.kind) causes.push(required("spec.scaleTargetRef.kind"));
    if (!scaleTargetRef?.name) causes.push(required("spec.scaleTargetRef.name"));
    spec.metrics?.forEach((metric, index) => {
      const at = `spec.metrics[${index}]`;
      causes.push(...requiredOneOf(`${at}.type`, metric.type, Object.keys(SOURCES)));
      const source = SOURCES[metric.type];
      if (source && !metric[source])
        causes.push(required(`${at}.${source}`, `must populate information for the given metric source`));
    });
    return causes;
  },
});
