/** Pods: what a pod is given at birth, what of it may change, and how long it takes to go. */
import { formatSeconds } from "../../../clock/clock.js";
import type { StatusCause } from "../../errors.js";
import type { Container, Pod, PodSpec, PodTemplate, Toleration } from "../../schema/generated/types.js";
import { sameValue } from "./equality.js";
import { forbiddenField, IMMUTABLE, invalidValue } from "./field.js";
import { withLabelKeys } from "./label-keys.js";
import { defaultPodOnly, defaultTemplate } from "./pod-defaults.js";
import { qosClass } from "./pod-qos.js";
import { validatePodSpec, validateTemplate } from "./pod-validation.js";
import { strategyOf } from "./rules.js";

const UPDATE_TEXT =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** Node labels that Kubernetes renamed, with the release that deprecated them. */
const RENAMED_NODE_LABELS: Readonly<Record<string, readonly [since: string, now: string]>> = {
  "beta.kubernetes.io/arch": ["v1.14", "kubernetes.io/arch"],
  "beta.kubernetes.io/os": ["v1.14", "kubernetes.io/os"],
  "beta.kubernetes.io/instance-type": ["v1.17", "node.kubernetes.io/instance-type"],
  "failure-domain.beta.kubernetes.io/region": ["v1.17", "topology.kubernetes.io/region"],
  "failure-domain.beta.kubernetes.io/zone": ["v1.17", "topology.kubernetes.io/zone"],
};

const withImagesOf = (containers: Container[] | undefined, source: Container[] | undefined): Container[] | undefined =>
  containers?.map((container, index) => ({ ...container, image: source?.[index]?.image }));

/** A side of an update with everything that may change taken from `previous`: where the two sides still differ, a field may not change. */
function comparable(spec: PodSpec, previous: PodSpec): PodSpec {
  const gated = (previous.schedulingGates?.length ?? 0) > 0;
  const grace = previous.terminationGracePeriodSeconds;
  return {
    ...spec,
    containers: withImagesOf(spec.containers, previous.containers) ?? [],
    initContainers: withImagesOf(spec.initContainers, previous.initContainers),
    activeDeadlineSeconds: previous.activeDeadlineSeconds,
    tolerations: previous.tolerations,
    schedulingGates: previous.schedulingGates,
    ...(spec.terminationGracePeriodSeconds === 1 && (grace ?? 0) < 0 ? { terminationGracePeriodSeconds: grace } : {}),
    // A pod held back by a scheduling gate may still have its placement narrowed.
    ...(gated ? { nodeSelector: previous.nodeSelector, affinity: previous.affinity } : {}),
  };
}

function validateTolerationAdditions(
  now: readonly Toleration[] = [],
  before: readonly Toleration[] = [],
): StatusCause[] {
  const kept = before.every((toleration) =>
    now.some((other) =>
      sameValue({ ...other, tolerationSeconds: undefined }, { ...toleration, tolerationSeconds: undefined }),
    ),
  );
  return kept
    ? []
    : [forbiddenField("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
}

/** Top-level fields of the spec that differ, for the end of the message. */
const changedFields = (spec: PodSpec, previous: PodSpec): string[] =>
  [...new Set([...Object.keys(spec), ...Object.keys(previous)])].filter(
    (field) => !sameValue(spec[field as keyof PodSpec], previous[field as keyof PodSpec]),
  );

function validateSpecUpdate(spec: PodSpec, previous: PodSpec): StatusCause[] {
  if (spec === previous) return [];
  const causes: StatusCause[] = [];
  for (const list of ["containers", "initContainers"] as const) {
    if ((spec[list]?.length ?? 0) === (previous[list]?.length ?? 0)) continue;
    return [forbiddenField(`spec.${list}`, "pod updates may not add or remove containers")];
  }
  const deadline = spec.activeDeadlineSeconds;
  const oldDeadline = previous.activeDeadlineSeconds;
  if (deadline === undefined && oldDeadline !== undefined) {
    causes.push(
      invalidValue("spec.activeDeadlineSeconds", null, "must not update from a positive integer to nil value"),
    );
  } else if (deadline !== undefined && oldDeadline !== undefined && deadline > oldDeadline) {
    causes.push(invalidValue("spec.activeDeadlineSeconds", deadline, "must be less than or equal to previous value"));
  }
  causes.push(...validateTolerationAdditions(spec.tolerations, previous.tolerations));
  for (const gate of spec.schedulingGates ?? []) {
    if (previous.schedulingGates?.some(({ name }) => name === gate.name)) continue;
    causes.push(
      forbiddenField("spec.schedulingGates", `only deletion is allowed, but found new scheduling gate '${gate.name}'`),
    );
  }
  const now = comparable(spec, previous);
  const before = comparable(previous, previous);
  if (!sameValue(now, before))
    causes.push(forbiddenField("spec", `${UPDATE_TEXT}\n  changed: ${changedFields(now, before).join(", ")}`));
  return causes;
}

/** Resources change through the resize subresource alone; what has been asked for once stays asked for, and the pod keeps its class. */
function validateResize(pod: Pod, previous: Pod): StatusCause[] {
  if (!pod.spec || !previous.spec || pod.spec === previous.spec) return [];
  const causes: StatusCause[] = [];
  const before = previous.status?.qosClass;
  const now = qosClass(pod.spec);
  if (before && now !== before)
    causes.push(invalidValue("spec", now, "Pod QOS Class may not change as a result of resizing"));
  pod.spec.containers?.forEach((container, index) => {
    const old = previous.spec?.containers.find(({ name }) => name === container.name)?.resources;
    for (const kind of ["requests", "limits"] as const)
      if (Object.keys(old?.[kind] ?? {}).some((name) => container.resources?.[kind]?.[name] === undefined))
        causes.push(
          forbiddenField(`spec.containers[${index}].resources.${kind}`, `resource ${kind} cannot be removed`),
        );
  });
  return causes;
}

export const pods = strategyOf<Pod>({
  setDefaults(pod) {
    if (pod.spec) pod.spec = defaultPodOnly(pod.spec);
    // Pods of old may have asked for a negative grace: they get the shortest.
    if ((pod.spec?.terminationGracePeriodSeconds ?? 0) < 0)
      pod.spec = { ...(pod.spec as PodSpec), terminationGracePeriodSeconds: 1 };
  },
  prepareForCreate(pod, context) {
    pod.status = { phase: "Pending" };
    if (pod.spec) pod.spec = withLabelKeys(pod.spec, pod.metadata.labels);
    if (!pod.spec?.schedulingGates?.length) return;
    pod.status.conditions = [
      {
        type: "PodScheduled",
        status: "False",
        reason: "SchedulingGated",
        message: "Scheduling is blocked due to non-empty scheduling gates",
        lastTransitionTime: formatSeconds(context.nowMs),
      },
    ];
  },
  validate(pod, _context, previous) {
    const causes = validatePodSpec("spec", pod.spec);
    if (previous) causes.push(...validateResize(pod, previous));
    if (pod.spec?.nodeName && pod.spec.schedulingGates?.length) {
      causes.push(forbiddenField("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
    }
    return causes;
  },
  validateUpdate(pod, previous) {
    return pod.spec && previous.spec ? validateSpecUpdate(pod.spec, previous.spec) : [];
  },
  validateStatusUpdate(pod, previous) {
    const now = pod.status?.qosClass;
    const before = previous.status?.qosClass;
    return before && now && now !== before ? [invalidValue("status.qosClass", now, IMMUTABLE)] : [];
  },
  // The quality of service follows the resources as admission leaves them, so it is told last.
  allocate(pod, previous) {
    if (!previous && pod.spec) {
      if (pod.spec.ephemeralContainers?.length)
        return [forbiddenField("spec.ephemeralContainers", "cannot be set on create")];
      pod.status = { ...pod.status, qosClass: qosClass(pod.spec) };
    }
    return [];
  },
  deleteGracePeriodSeconds(pod, requested) {
    // Nothing runs yet, or nothing runs any more: nothing to wait for.
    if (!pod.spec?.nodeName || pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed") return 0;
    const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 30;
    return seconds < 0 ? 1 : seconds;
  },
  warnings(pod) {
    return Object.keys(pod.spec?.nodeSelector ?? {}).flatMap((label) => {
      const renamed = RENAMED_NODE_LABELS[label];
      return renamed
        ? [`spec.nodeSelector[${label}]: deprecated since ${renamed[0]}; use "${renamed[1]}" instead`]
        : [];
    });
  },
});

export const podTemplates = strategyOf<PodTemplate>({
  setDefaults(object) {
    if (object.template) object.template = defaultTemplate(object.template);
  },
  validate: (object) =>
    validateTemplate("template", object.template, { restartPolicies: ["Always", "OnFailure", "Never"] }),
});
