/** Namespaces, Nodes, LimitRanges, ResourceQuotas, Leases, Events and RuntimeClasses. */
import type { StatusCause } from "../../errors.js";
import type {
  CoreEvent,
  Lease,
  LimitRange,
  LimitRangeItem,
  Namespace,
  Node,
  ResourceQuota,
  RuntimeClass,
} from "../../schema/generated/types.js";
import { compareQuantities } from "../quantity.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { duplicate, forbiddenField, invalidValue, named, required, requiredOneOf, unsupported } from "./field.js";
import { dnsLabel, labelValue, qualifiedName } from "./names.js";
import { canonicalAmounts } from "./pod-defaults.js";
import { validateAmounts } from "./resource-validation.js";
import { immutableFields, strategyOf } from "./rules.js";
import { TAINT_EFFECTS } from "./scheduling-validation.js";

/** The label by which selectors find a namespace by name; the server keeps it. */
const NAMESPACE_NAME = "kubernetes.io/metadata.name";

export const namespaces = strategyOf<Namespace>({
  setDefaults(namespace) {
    const { name, labels } = namespace.metadata;
    if (name && labels?.[NAMESPACE_NAME] !== name) namespace.metadata.labels = { ...labels, [NAMESPACE_NAME]: name };
  },
  prepareForCreate(namespace) {
    const finalizers = namespace.spec?.finalizers ?? [];
    namespace.spec = {
      ...namespace.spec,
      finalizers: finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"],
    };
    namespace.status = { phase: "Active" };
  },
  prepareForUpdate(namespace, previous) {
    // Finalizers of the spec leave through the finalize subresource only.
    namespace.spec = previous.spec;
    namespace.status = previous.status;
  },
  validate: ({ metadata }) => named("metadata.name", metadata.name, dnsLabel(metadata.name)),
});

export const nodes = strategyOf<Node>({
  keepsStatusOnCreate: true,
  setDefaults(node) {
    const { capacity, allocatable } = node.status ?? {};
    node.spec ??= {};
    if (!node.status) return;
    node.status = withField(node.status, "capacity", canonicalAmounts(capacity));
    // A kubelet that tells no allocatable has everything to give.
    node.status = withDefaults(node.status, { allocatable: node.status.capacity });
    node.status = withField(node.status, "allocatable", canonicalAmounts(allocatable ?? node.status.allocatable));
  },
  validate({ spec }) {
    const seen = new Set<string>();
    return (spec?.taints ?? []).flatMap((taint, index) => {
      const at = `spec.taints[${index}]`;
      const identity = `${taint.key}:${taint.effect}`;
      const causes = [
        ...named(`${at}.key`, taint.key, qualifiedName(taint.key)),
        ...named(`${at}.value`, taint.value ?? "", labelValue(taint.value ?? "")),
        ...requiredOneOf(`${at}.effect`, taint.effect, TAINT_EFFECTS),
      ];
      if (seen.has(identity))
        causes.push({
          ...duplicate(at, taint),
          message: `Duplicate value: ${JSON.stringify(taint)}: taints must be unique by key and effect pair`,
        });
      seen.add(identity);
      return causes;
    });
  },
  validateUpdate({ spec }, { spec: before }) {
    const causes: StatusCause[] = [];
    if (before?.providerID && spec?.providerID !== before.providerID) {
      causes.push(forbiddenField("spec.providerID", 'node updates may not change providerID except from "" to valid'));
    }
    if (before?.podCIDR && spec?.podCIDR !== before.podCIDR) {
      causes.push(forbiddenField("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
    }
    return causes;
  },
});

const LIMIT_MEMBERS = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

function defaultLimit(item: LimitRangeItem): LimitRangeItem {
  let result = item;
  for (const member of LIMIT_MEMBERS)
    if (result[member]) result = withField(result, member, canonicalAmounts(result[member]));
  if (result.type !== "Container") return result;
  // Missing defaults follow from the bounds: default <- max, defaultRequest <- default, then min.
  result = withDefaults(result, { default: {}, defaultRequest: {} });
  result = withField(result, "default", withDefaults(result.default ?? {}, result.max ?? {}));
  result = withField(result, "defaultRequest", withDefaults(result.defaultRequest ?? {}, result.default ?? {}));
  return withField(result, "defaultRequest", withDefaults(result.defaultRequest ?? {}, result.min ?? {}));
}

export const limitRanges = strategyOf<LimitRange>({
  setDefaults(range) {
    if (range.spec) range.spec = withField(range.spec, "limits", mapItems(range.spec.limits, defaultLimit));
  },
  validate({ spec }) {
    const types = new Set<string>();
    return (spec?.limits ?? []).flatMap((item, index) => {
      const at = `spec.limits[${index}]`;
      const causes = LIMIT_MEMBERS.flatMap((member) => validateAmounts(`${at}.${member}`, item[member]));
      if (types.has(item.type)) causes.push(duplicate(`${at}.type`, item.type));
      types.add(item.type);
      if (causes.length > 0) return causes;
      const orders: readonly (readonly ["min" | "default" | "defaultRequest", "max" | "default", string])[] = [
        ["min", "max", "min value {a} is greater than max value {b}"],
        ["default", "max", "default value {a} is greater than max value {b}"],
        ["defaultRequest", "max", "default request value {a} is greater than max value {b}"],
        ["defaultRequest", "default", "default request value {a} is greater than default limit value {b}"],
      ];
      for (const [less, more, text] of orders) {
        for (const resource in item[less]) {
          const [a, b] = [item[less]?.[resource], item[more]?.[resource]];
          if (a === undefined || b === undefined || compareQuantities(a, b) <= 0) continue;
          causes.push(invalidValue(`${at}.${less}[${resource}]`, a, text.replace("{a}", a).replace("{b}", b)));
        }
      }
      return causes;
    });
  },
});

const QUOTA_SCOPES = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];

const POD_COMPUTE = ["pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
/** What a scope can be about; entries of other kinds beside it are refused, as long as they are Kubernetes' own. */
const LIMITED_BY_SCOPE: Readonly<Record<string, readonly string[]>> = {
  BestEffort: ["pods"],
  CrossNamespacePodAffinity: POD_COMPUTE,
  NotBestEffort: POD_COMPUTE,
  NotTerminating: POD_COMPUTE,
  PriorityClass: POD_COMPUTE,
  Terminating: POD_COMPUTE,
  VolumeAttributesClass: ["persistentvolumeclaims", "requests.storage"],
};
const STANDARD_ENTRIES = new Set([
  ...POD_COMPUTE,
  "ephemeral-storage",
  "requests.ephemeral-storage",
  "limits.ephemeral-storage",
  "requests.storage",
  "resourcequotas",
  "services",
  "services.nodeports",
  "services.loadbalancers",
  "replicationcontrollers",
  "secrets",
  "persistentvolumeclaims",
  "configmaps",
]);

function validateScopes({ scopes = [], hard = {} }: NonNullable<ResourceQuota["spec"]>): StatusCause[] {
  const at = "spec.scopes";
  return [
    ...scopes.flatMap((scope) => {
      const limited = LIMITED_BY_SCOPE[scope];
      if (!limited) return [unsupported(at, scope, QUOTA_SCOPES)];
      return Object.keys(hard)
        .filter((entry) => STANDARD_ENTRIES.has(entry) && !limited.includes(entry))
        .map(() => invalidValue(at, scopes, "unsupported scope applied to resource"));
    }),
    ...[
      ["BestEffort", "NotBestEffort"],
      ["Terminating", "NotTerminating"],
    ].flatMap((pair) =>
      pair.every((scope) => scopes.includes(scope)) ? [invalidValue(at, scopes, "conflicting scopes")] : [],
    ),
  ];
}

export const resourceQuotas = strategyOf<ResourceQuota>({
  setDefaults(quota) {
    if (quota.spec) quota.spec = withField(quota.spec, "hard", canonicalAmounts(quota.spec.hard));
  },
  validate({ spec }) {
    return [...validateAmounts("spec.hard", spec?.hard), ...(spec ? validateScopes(spec) : [])];
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.scopes"]),
});

export const leases = strategyOf<Lease>({
  validate({ spec }) {
    return (["leaseDurationSeconds", "leaseTransitions"] as const).flatMap((field) => {
      const value = spec?.[field];
      const least = field === "leaseDurationSeconds" ? 1 : 0;
      if (value === undefined || value >= least) return [];
      return [
        invalidValue(
          `spec.${field}`,
          value,
          least === 1 ? "must be greater than 0" : "must be greater than or equal to 0",
        ),
      ];
    });
  },
});

const LONGEST_EVENT_FIELD = 128;
const LONGEST_EVENT_MESSAGE = 1024;

/** Events with an eventTime follow the newer rules; those of before events.k8s.io have none, and may leave everything out. */
function validateNewEvent(event: CoreEvent): StatusCause[] {
  if (!event.eventTime) return [];
  const causes: StatusCause[] = [];
  const { reportingComponent = "", message = "" } = event;
  if (!reportingComponent) causes.push(required("reportingController"));
  else causes.push(...named("reportingController", reportingComponent, qualifiedName(reportingComponent)));
  for (const field of ["reportingInstance", "action", "reason"] as const) {
    const value = event[field] ?? "";
    if (!value) causes.push(required(field));
    else if (value.length > LONGEST_EVENT_FIELD)
      causes.push(invalidValue(field, "", `can have at most ${LONGEST_EVENT_FIELD} characters`));
  }
  if (message.length > LONGEST_EVENT_MESSAGE)
    causes.push(invalidValue("message", "", `can have at most ${LONGEST_EVENT_MESSAGE} characters`));
  return causes;
}

export const events = strategyOf<CoreEvent>({
  setDefaults(event) {
    event.reportingComponent ??= "";
    event.reportingInstance ??= "";
    event.source ??= {};
  },
  validate(event) {
    const { metadata, involvedObject } = event;
    const expected = involvedObject?.namespace || "default";
    // Events about cluster-scoped objects live in `default` (or kube-system).
    if (metadata.namespace === expected || (!involvedObject?.namespace && metadata.namespace === "kube-system"))
      return validateNewEvent(event);
    return [
      invalidValue("involvedObject.namespace", involvedObject?.namespace ?? "", "does not match event.namespace"),
    ];
  },
});

export const runtimeClasses = strategyOf<RuntimeClass>({
  validate: ({ handler }) => (handler ? named("handler", handler, dnsLabel(handler)) : [required("handler")]),
  validateUpdate: (now, before) => immutableFields(now, before, ["handler"]),
});
