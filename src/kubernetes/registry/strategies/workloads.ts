/** The apps group and ReplicationControllers: controllers of pods made from a template. */
import type { StatusCause } from "../../errors.js";
import { matcherOfMap } from "../../runtime/label-selector.js";
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  PersistentVolumeClaim,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from "../../schema/generated/types.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { sameValue } from "./equality.js";
import { forbiddenField, IMMUTABLE, invalidValue, nonNegative, oneOf, required, requiredOneOf } from "./field.js";
import { defaultTemplate } from "./pod-defaults.js";
import { validateTemplate, validateTemplateSelector } from "./pod-validation.js";
import {
  immutableFields,
  isZero,
  strategyOf,
  validateIntOrPercent,
  validateLabels,
  validateSelector,
} from "./rules.js";
import { defaultClaimSpec, validateClaimSpec } from "./storage.js";

const ALWAYS = ["Always"];

interface TemplatedSpec {
  replicas?: number;
  minReadySeconds?: number;
  revisionHistoryLimit?: number;
  selector: { matchLabels?: Record<string, string> };
  template?: Deployment["spec"] extends { template: infer T } | undefined ? T : never;
}

/** The rules that all of them share. */
function validateTemplated(kind: string, spec: Partial<TemplatedSpec> = {}): StatusCause[] {
  return [
    ...nonNegative("spec.replicas", spec.replicas),
    ...nonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
    ...validateSelector("spec.selector", spec.selector),
    ...validateTemplateSelector("spec", kind, spec.selector, spec.template),
    ...validateTemplate("spec.template", spec.template, { restartPolicies: ALWAYS, noDeadlineFor: kind }),
  ];
}

const withTemplateDefaults = <S extends { template?: TemplatedSpec["template"] }>(spec: S): S =>
  spec.template ? withField(spec, "template", defaultTemplate(spec.template)) : spec;

/** Surge and unavailability of a rolling update: one of them must leave room to move. */
function validateRollingUpdate(
  field: string,
  update: { maxSurge?: number | string; maxUnavailable?: number | string } | undefined,
): StatusCause[] {
  if (!update) return [];
  const { maxSurge, maxUnavailable } = update;
  const causes = [
    ...validateIntOrPercent(`${field}.maxUnavailable`, maxUnavailable, { most: 100 }),
    ...validateIntOrPercent(`${field}.maxSurge`, maxSurge),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    causes.push(invalidValue(`${field}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  }
  return causes;
}

export const deployments = strategyOf<Deployment>({
  setDefaults(deployment) {
    if (!deployment.spec) return;
    let spec = withDefaults(withTemplateDefaults(deployment.spec), {
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: {},
    });
    let strategy = withDefaults(spec.strategy ?? {}, { type: "RollingUpdate" });
    if (strategy.type === "RollingUpdate") {
      const rollingUpdate = withDefaults(strategy.rollingUpdate ?? {}, { maxUnavailable: "25%", maxSurge: "25%" });
      strategy = withField(strategy, "rollingUpdate", rollingUpdate);
    }
    spec = withField(spec, "strategy", strategy);
    deployment.spec = spec;
  },
  validate({ spec }) {
    const causes = validateTemplated("deployment", spec);
    if (!spec) return causes;
    const { strategy } = spec;
    causes.push(...requiredOneOf("spec.strategy.type", strategy?.type, ["Recreate", "RollingUpdate"]));
    if (strategy?.type === "Recreate" && strategy.rollingUpdate) {
      causes.push(
        forbiddenField("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"),
      );
    }
    if (strategy?.type === "RollingUpdate")
      causes.push(...validateRollingUpdate("spec.strategy.rollingUpdate", strategy.rollingUpdate));
    const deadline = spec.progressDeadlineSeconds;
    causes.push(...nonNegative("spec.progressDeadlineSeconds", deadline));
    if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
      causes.push(invalidValue("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
    }
    return causes;
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.selector"]),
});

export const replicaSets = strategyOf<ReplicaSet>({
  setDefaults(set) {
    if (set.spec) set.spec = withDefaults(withTemplateDefaults(set.spec), { replicas: 1 });
  },
  validate: ({ spec }) => validateTemplated("replicaset", spec),
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.selector"]),
});

/** Every change of a DaemonSet's template counts up this annotation, a relic that clients still show. */
const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

export const daemonSets = strategyOf<DaemonSet>({
  setDefaults(set) {
    if (!set.spec) return;
    const spec = withDefaults(withTemplateDefaults(set.spec), { revisionHistoryLimit: 10, updateStrategy: {} });
    let strategy = withDefaults(spec.updateStrategy ?? {}, { type: "RollingUpdate" });
    if (strategy.type === "RollingUpdate") {
      strategy = withField(
        strategy,
        "rollingUpdate",
        withDefaults(strategy.rollingUpdate ?? {}, { maxUnavailable: 1, maxSurge: 0 }),
      );
    }
    set.spec = withField(spec, "updateStrategy", strategy);
  },
  prepareForCreate(set) {
    set.metadata.annotations = { ...set.metadata.annotations, [TEMPLATE_GENERATION]: "1" };
  },
  prepareForUpdate(set, previous) {
    const before = Number(previous.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
    const changed = !sameValue(set.spec?.template, previous.spec?.template);
    set.metadata.annotations = {
      ...set.metadata.annotations,
      [TEMPLATE_GENERATION]: String(changed ? before + 1 : before),
    };
  },
  validate({ spec }) {
    const strategy = spec?.updateStrategy;
    return [
      ...validateTemplated("daemonset", spec),
      ...requiredOneOf("spec.updateStrategy.type", strategy?.type, ["RollingUpdate", "OnDelete"]),
      ...(strategy?.type === "RollingUpdate"
        ? validateRollingUpdate("spec.updateStrategy.rollingUpdate", strategy.rollingUpdate)
        : []),
      // A node has room for a pod more or for a pod less, not for both.
      ...(!isZero(strategy?.rollingUpdate?.maxSurge) &&
      strategy?.rollingUpdate?.maxSurge !== undefined &&
      !isZero(strategy.rollingUpdate.maxUnavailable)
        ? [
            invalidValue(
              "spec.updateStrategy.rollingUpdate.maxSurge",
              strategy.rollingUpdate.maxSurge,
              "may not be set when maxUnavailable is non-zero",
            ),
          ]
        : []),
    ];
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.selector"]),
});

const SET_MUTABLE = new Set([
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
]);
const SET_UPDATE_TEXT =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

function defaultClaimTemplate(claim: PersistentVolumeClaim): PersistentVolumeClaim {
  const named = withDefaults(claim, { apiVersion: "v1", kind: "PersistentVolumeClaim", status: { phase: "Pending" } });
  return named.spec ? withField(named, "spec", defaultClaimSpec(named.spec)) : named;
}

/** The set's pods have a volume for each of its claims, in place of one of the same name: containers may mount them. */
function withClaimVolumes(spec: NonNullable<StatefulSet["spec"]>): NonNullable<StatefulSet["spec"]> {
  const claims = (spec.volumeClaimTemplates ?? []).flatMap(({ metadata }) => (metadata?.name ? [metadata.name] : []));
  if (claims.length === 0 || !spec.template?.spec) return spec;
  const own = (spec.template.spec.volumes ?? []).filter(({ name }) => !claims.includes(name));
  const volumes = [...own, ...claims.map((name) => ({ name, emptyDir: {} }))];
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, volumes } } };
}

export const statefulSets = strategyOf<StatefulSet>({
  setDefaults(set) {
    if (!set.spec) return;
    let spec = withDefaults(withTemplateDefaults(set.spec), {
      replicas: 1,
      podManagementPolicy: "OrderedReady",
      revisionHistoryLimit: 10,
      updateStrategy: {},
      persistentVolumeClaimRetentionPolicy: {},
    });
    let strategy = withDefaults(spec.updateStrategy ?? {}, { type: "RollingUpdate" });
    if (strategy.type === "RollingUpdate") {
      strategy = withField(strategy, "rollingUpdate", withDefaults(strategy.rollingUpdate ?? {}, { partition: 0 }));
    }
    spec = withField(spec, "updateStrategy", strategy);
    const retention = withDefaults(spec.persistentVolumeClaimRetentionPolicy ?? {}, {
      whenDeleted: "Retain",
      whenScaled: "Retain",
    });
    spec = withField(spec, "persistentVolumeClaimRetentionPolicy", retention);
    set.spec = withField(spec, "volumeClaimTemplates", mapItems(spec.volumeClaimTemplates, defaultClaimTemplate));
  },
  validate({ spec }) {
    const strategy = spec?.updateStrategy;
    const retention = spec?.persistentVolumeClaimRetentionPolicy;
    const claims = spec?.volumeClaimTemplates ?? [];
    return [
      ...validateTemplated("statefulset", spec && withClaimVolumes(spec)),
      ...requiredOneOf("spec.podManagementPolicy", spec?.podManagementPolicy, ["OrderedReady", "Parallel"]),
      ...requiredOneOf("spec.updateStrategy.type", strategy?.type, ["RollingUpdate", "OnDelete"]),
      ...nonNegative("spec.updateStrategy.rollingUpdate.partition", strategy?.rollingUpdate?.partition),
      ...oneOf("spec.persistentVolumeClaimRetentionPolicy.whenDeleted", retention?.whenDeleted, ["Retain", "Delete"]),
      ...oneOf("spec.persistentVolumeClaimRetentionPolicy.whenScaled", retention?.whenScaled, ["Retain", "Delete"]),
      ...claims.flatMap((claim, index) => validateClaimSpec(`spec.volumeClaimTemplates[${index}].spec`, claim.spec)),
    ];
  },
  validateUpdate(now, before) {
    const fields = new Set([...Object.keys(now.spec ?? {}), ...Object.keys(before.spec ?? {})] as (keyof NonNullable<
      StatefulSet["spec"]
    >)[]);
    const changed = [...fields].some(
      (field) => !SET_MUTABLE.has(field) && !sameValue(now.spec?.[field], before.spec?.[field]),
    );
    return changed ? [forbiddenField("spec", SET_UPDATE_TEXT)] : [];
  },
});

export const replicationControllers = strategyOf<ReplicationController>({
  setDefaults(controller) {
    if (!controller.spec) return;
    const labels = controller.spec.template?.metadata?.labels;
    controller.spec = withDefaults(withTemplateDefaults(controller.spec), {
      replicas: 1,
      ...(labels ? { selector: labels } : {}),
    });
    if (labels && !controller.metadata.labels) controller.metadata.labels = labels;
  },
  validate({ spec }) {
    const labels = spec?.template?.metadata?.labels;
    const causes = [
      ...nonNegative("spec.replicas", spec?.replicas),
      ...nonNegative("spec.minReadySeconds", spec?.minReadySeconds),
    ];
    if (!spec?.selector || Object.keys(spec.selector).length === 0) causes.push(required("spec.selector"));
    else {
      causes.push(...validateLabels("spec.selector", spec.selector));
      if (spec.template && !matcherOfMap(spec.selector)(labels)) {
        causes.push(
          invalidValue("spec.template.metadata.labels", labels ?? {}, "`selector` does not match template `labels`"),
        );
      }
    }
    return [
      ...causes,
      ...validateTemplate("spec.template", spec?.template, {
        restartPolicies: ALWAYS,
        noDeadlineFor: "replicationcontroller",
      }),
    ];
  },
});

export const controllerRevisions = strategyOf<ControllerRevision>({
  validate: ({ revision }) => nonNegative("revision", revision),
  validateUpdate: (now, before) =>
    sameValue(now.data, before.data) ? [] : [invalidValue("data", now.data, IMMUTABLE)],
});
