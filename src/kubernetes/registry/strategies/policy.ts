/** PodDisruptionBudgets and PriorityClasses. */
import type { StatusCause } from "../../errors.js";
import type { PodDisruptionBudget, PriorityClass } from "../../schema/generated/types.js";
import { forbiddenField, invalidValue, nonNegative, oneOf } from "./field.js";
import { immutableFields, strategyOf, validateIntOrPercent, validateSelector } from "./rules.js";

/** Largest value a user's PriorityClass may have; above are the system's. */
const HIGHEST_USER_PRIORITY = 1_000_000_000;

/** The classes every cluster has. */
export const SYSTEM_PRIORITY_CLASSES: Readonly<Record<string, { value: number; description: string }>> = {
  "system-cluster-critical": {
    value: 2_000_000_000,
    description:
      "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  },
  "system-node-critical": {
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
};

export const podDisruptionBudgets = strategyOf<PodDisruptionBudget>({
  validate({ spec }) {
    const causes: StatusCause[] = [];
    if (spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      causes.push(
        invalidValue(
          "spec",
          { minAvailable: spec.minAvailable, maxUnavailable: spec.maxUnavailable },
          "minAvailable and maxUnavailable cannot be both set",
        ),
      );
    }
    return [
      ...causes,
      ...validateIntOrPercent("spec.minAvailable", spec?.minAvailable, { most: 100 }),
      ...validateIntOrPercent("spec.maxUnavailable", spec?.maxUnavailable, { most: 100 }),
      ...oneOf("spec.unhealthyPodEvictionPolicy", spec?.unhealthyPodEvictionPolicy, ["AlwaysAllow", "IfHealthyBudget"]),
      ...validateSelector("spec.selector", spec?.selector),
    ];
  },
  validateStatusUpdate: ({ status }) =>
    (["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const).flatMap((count) =>
      nonNegative(`status.${count}`, status?.[count]),
    ),
});

export const priorityClasses = strategyOf<PriorityClass>({
  setDefaults(priorityClass) {
    priorityClass.preemptionPolicy ??= "PreemptLowerPriority";
    priorityClass.value ??= 0;
  },
  validate({ metadata, value = 0, preemptionPolicy, globalDefault }) {
    const causes = oneOf("preemptionPolicy", preemptionPolicy, ["Never", "PreemptLowerPriority"]);
    if (metadata.name.startsWith("system-")) {
      const known = SYSTEM_PRIORITY_CLASSES[metadata.name];
      if (known?.value !== value || globalDefault) {
        causes.push(
          forbiddenField(
            "metadata.name",
            "priority class names with 'system-' prefix are reserved for system use only",
          ),
        );
      }
    } else if (value > HIGHEST_USER_PRIORITY) {
      causes.push(
        forbiddenField("value", `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`),
      );
    }
    return causes;
  },
  validateUpdate: (now, before) => [
    ...((now.value ?? 0) === (before.value ?? 0) ? [] : [forbiddenField("value", "may not be changed in an update.")]),
    ...immutableFields(now, before, ["preemptionPolicy"]),
  ],
});
