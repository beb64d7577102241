/**
 * Enforces ResourceQuotas. What is used is counted from the objects themselves at every create (the quota's status is only for showing), so two creates can
 * never both take the last place. Upstream: plugin/pkg/admission/resourcequota and pkg/quota.
 */
import { forbidden } from "../errors.js";
import type { KubeObject } from "../object.js";
import { addQuantities, compareQuantities, parseQuantity, subtractQuantities } from "../registry/quantity.js";
import type {
  Container,
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  ResourceQuota,
  Service,
} from "../schema/generated/types.js";
import { resourceName } from "../schema/resource-info.js";
import type { AdmissionPlugin, AdmissionReader } from "./plugin.js";

type Usage = Record<string, string>;

interface DeviceRequest {
  deviceClassName: string;
  allocationMode?: string;
  count?: number;
}

/** The part of a resource.k8s.io/v1 ResourceClaim that weighs on a quota. */
interface ResourceClaim extends KubeObject {
  spec?: { devices?: { requests?: { exactly?: DeviceRequest; firstAvailable?: DeviceRequest[] }[] } };
}

const COMPUTE = ["cpu", "memory", "ephemeral-storage"] as const;
/** Old names of quota entries that mean the same as `count/<resource>`. */
const COUNTED = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
]);

const DEVICES_OF_CLASS = ".deviceclass.resource.k8s.io/devices";

/** Usage of objects by quota entry. Kinds without an entry here are only ever counted. */
const EVALUATORS: Readonly<Record<string, (object: KubeObject) => Usage>> = {
  pods: (object) => podUsage(object as Pod),
  services: (object) => serviceUsage(object as Service),
  persistentvolumeclaims: (object) => claimUsage(object as PersistentVolumeClaim),
  "resourceclaims.resource.k8s.io": (object) => deviceUsage(object as ResourceClaim),
};

export const isTerminal = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** The larger of the containers' sum and the greediest init container (sidecars count with the containers), plus overhead. */
function podAmount(pod: Pod, kind: "requests" | "limits", resource: string): string | undefined {
  const amountOf = (container: Container): string | undefined => container.resources?.[kind]?.[resource];
  const inits = pod.spec?.initContainers ?? [];
  const beside = [
    ...(pod.spec?.containers ?? []),
    ...inits.filter((container) => container.restartPolicy === "Always"),
  ];
  const running = beside.map(amountOf).filter((amount) => amount !== undefined);
  let total = running.length > 0 ? running.reduce(addQuantities) : undefined;
  for (const amount of inits.filter((container) => container.restartPolicy !== "Always").map(amountOf)) {
    if (amount !== undefined && (total === undefined || compareQuantities(amount, total) > 0)) total = amount;
  }
  const overhead = kind === "requests" ? pod.spec?.overhead?.[resource] : undefined;
  return total !== undefined && overhead !== undefined ? addQuantities(total, overhead) : total;
}

function podUsage(pod: Pod): Usage {
  if (isTerminal(pod)) return { "count/pods": "1" };
  const usage: Usage = { pods: "1", "count/pods": "1" };
  const names = new Set<string>(COMPUTE);
  for (const { resources } of pod.spec?.containers ?? [])
    for (const name of Object.keys(resources?.requests ?? {})) names.add(name);
  for (const name of names) {
    const request = podAmount(pod, "requests", name);
    const limit = podAmount(pod, "limits", name);
    if (request !== undefined) usage[`requests.${name}`] = request;
    if (request !== undefined && (name.startsWith("hugepages-") || (COMPUTE as readonly string[]).includes(name)))
      usage[name] = request;
    if (limit !== undefined) usage[`limits.${name}`] = limit;
  }
  return usage;
}

function serviceUsage({ spec }: Service): Usage {
  const ports = String(spec?.ports?.length ?? 0);
  const usesNodePorts =
    spec?.type === "NodePort" || (spec?.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
  return {
    services: "1",
    "count/services": "1",
    ...(usesNodePorts ? { "services.nodeports": ports } : {}),
    ...(spec?.type === "LoadBalancer" ? { "services.loadbalancers": "1" } : {}),
  };
}

function claimUsage({ spec }: PersistentVolumeClaim): Usage {
  const storage = spec?.resources?.requests?.storage ?? "0";
  const prefix = spec?.storageClassName ? `${spec.storageClassName}.storageclass.storage.k8s.io/` : undefined;
  return {
    persistentvolumeclaims: "1",
    "count/persistentvolumeclaims": "1",
    "requests.storage": storage,
    ...(prefix ? { [`${prefix}requests.storage`]: storage, [`${prefix}persistentvolumeclaims`]: "1" } : {}),
  };
}

/** The most that one request for devices of a claim may be given, when it asks for all there are. */
const ALL_DEVICES = 32;

/** Devices by class. Of alternatives, any may be chosen in the end: each counts with its class's largest amount. */
function deviceUsage({ spec }: ResourceClaim): Usage {
  const usage: Usage = { "count/resourceclaims.resource.k8s.io": "1" };
  const amount = ({ allocationMode, count }: DeviceRequest): number =>
    allocationMode === "All" ? ALL_DEVICES : (count ?? 1);
  for (const { exactly, firstAvailable } of spec?.devices?.requests ?? []) {
    const byClass = new Map<string, number>();
    for (const wanted of exactly ? [exactly] : (firstAvailable ?? []))
      byClass.set(wanted.deviceClassName, Math.max(byClass.get(wanted.deviceClassName) ?? 0, amount(wanted)));
    for (const [name, count] of byClass) {
      const entry = name + DEVICES_OF_CLASS;
      usage[entry] = addQuantities(usage[entry] ?? "0", String(count));
    }
  }
  return usage;
}

function usageOf(resource: string, object: KubeObject): Usage {
  const evaluate = EVALUATORS[resource];
  if (evaluate) return evaluate(object);
  return { [`count/${resource}`]: "1", ...(COUNTED.has(resource) ? { [resource]: "1" } : {}) };
}

/** Usage of stored objects, which never change. */
const known = new WeakMap<KubeObject, Usage>();

function storedUsage(resource: string, object: KubeObject): Usage {
  let usage = known.get(object);
  if (!usage) {
    usage = usageOf(resource, object);
    known.set(object, usage);
  }
  return usage;
}

const isBestEffort = (pod: Pod): boolean =>
  [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].every(
    ({ resources }) =>
      Object.keys(resources?.requests ?? {}).length === 0 && Object.keys(resources?.limits ?? {}).length === 0,
  );

const SCOPES: Readonly<Record<string, (pod: Pod) => boolean>> = {
  BestEffort: isBestEffort,
  NotBestEffort: (pod) => !isBestEffort(pod),
  Terminating: (pod) => pod.spec?.activeDeadlineSeconds !== undefined,
  NotTerminating: (pod) => pod.spec?.activeDeadlineSeconds === undefined,
  PriorityClass: (pod) => Boolean(pod.spec?.priorityClassName),
  CrossNamespacePodAffinity: (pod) =>
    affinityTermsOf(pod).some((term) => term.namespaces?.length || term.namespaceSelector),
};

function affinityTermsOf({ spec }: Pod): PodAffinityTerm[] {
  return [spec?.affinity?.podAffinity, spec?.affinity?.podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ]);
}

/** Every class of attributes that a claim's volume has, or is on its way to. */
const attributesClassesOf = ({ spec, status }: PersistentVolumeClaim): string[] =>
  [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].flatMap((name) => (name ? [name] : []));

/** Whether a quota speaks about this object. Scopes choose pods, and claims by the class of their volumes' attributes. */
function concerns(quota: ResourceQuota, resource: string, object: KubeObject): boolean {
  const expressions = [
    ...(quota.spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists", values: [] as string[] })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (expressions.length === 0) return true;
  if (resource === "persistentvolumeclaims") {
    const classes = attributesClassesOf(object as PersistentVolumeClaim);
    return expressions.every(({ scopeName, operator, values = [] }) => {
      if (scopeName !== "VolumeAttributesClass") return false;
      if (operator === "Exists" || operator === "DoesNotExist") return classes.length > 0 === (operator === "Exists");
      return classes.some((name) => values.includes(name)) === (operator === "In");
    });
  }
  if (resource !== "pods") return false;
  const pod = object as Pod;
  return expressions.every(({ scopeName, operator, values = [] }) => {
    if (scopeName !== "PriorityClass" || operator === "Exists" || operator === "DoesNotExist") {
      return (SCOPES[scopeName]?.(pod) ?? false) === (operator !== "DoesNotExist");
    }
    return values.includes(pod.spec?.priorityClassName ?? "") === (operator === "In");
  });
}

function add(into: Usage, usage: Usage, only: (entry: string) => boolean): void {
  for (const [entry, amount] of Object.entries(usage)) {
    if (only(entry)) into[entry] = into[entry] === undefined ? amount : addQuantities(into[entry], amount);
  }
}

/** Resources whose objects may weigh on a quota entry. */
function resourcesOf(entry: string): string {
  if (entry.startsWith("count/")) return entry.slice("count/".length);
  if (entry.startsWith("services.")) return "services";
  if (
    entry.endsWith("storageclass.storage.k8s.io/requests.storage") ||
    entry.endsWith("/persistentvolumeclaims") ||
    entry === "requests.storage"
  ) {
    return "persistentvolumeclaims";
  }
  if (entry.endsWith(DEVICES_OF_CLASS)) return "resourceclaims.resource.k8s.io";
  return COUNTED.has(entry) ? entry : "pods";
}

/** Present use of every entry that a quota limits; zeros included. Also what the quota's status shows. */
export function quotaUsage(quota: ResourceQuota, reader: Pick<AdmissionReader, "list">): Usage {
  const entries = Object.keys(quota.spec?.hard ?? {});
  const used: Usage = Object.fromEntries(entries.map((entry) => [entry, "0"]));
  for (const resource of new Set(entries.map(resourcesOf))) {
    for (const object of reader.list(resource, quota.metadata.namespace)) {
      if (concerns(quota, resource, object)) add(used, storedUsage(resource, object), (entry) => entry in used);
    }
  }
  return used;
}

const shown = (usage: Usage, entries: readonly string[]): string =>
  entries.map((entry) => `${entry}=${usage[entry] ?? "0"}`).join(",");

/** Entries that make every pod say what it wants of them: processor and memory only, as upstream. */
const MUST_BE_SAID = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"] as const;

/** What a pod does not say although a quota limits it, with the containers that leave it out. */
function missing(quota: ResourceQuota, pod: Pod): string | undefined {
  const hard = quota.spec?.hard ?? {};
  const texts = MUST_BE_SAID.flatMap((entry) => {
    if (!(entry in hard)) return [];
    const kind = entry.startsWith("limits.") ? "limits" : "requests";
    const resource = entry.replace(/^.*\./, "");
    if (pod.spec?.resources?.[kind]?.[resource] !== undefined) return [];
    const silent = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].filter(
      ({ resources }) => resources?.[kind]?.[resource] === undefined,
    );
    const names = silent.map(({ name }) => name).sort();
    return names.length > 0 ? [`${entry} for: ${names.join(",")}`] : [];
  });
  return texts.length > 0 ? texts.join("; ") : undefined;
}

export const resourceQuota: AdmissionPlugin = {
  name: "ResourceQuota",
  validate(request, reader) {
    const { operation, info, subresource, namespace, object, previous, name } = request;
    if (!object || !namespace || subresource || (operation !== "CREATE" && operation !== "UPDATE")) return;
    const quotas = reader.list("resourcequotas", namespace) as ResourceQuota[];
    if (quotas.length === 0) return;
    const resource = resourceName(info);
    const before: Usage = previous ? usageOf(resource, previous) : {};
    for (const quota of quotas) {
      const hard = quota.spec?.hard ?? {};
      if (!concerns(quota, resource, object)) continue;
      if (resource === "pods" && operation === "CREATE") {
        const absent = missing(quota, object as Pod);
        if (absent)
          throw forbidden(
            info.group,
            info.resource,
            name,
            `failed quota: ${quota.metadata.name}: must specify ${absent}`,
          );
      }
      const delta: Usage = {};
      for (const [entry, amount] of Object.entries(usageOf(resource, object))) {
        if (!(entry in hard)) continue;
        const more = subtractQuantities(amount, before[entry] ?? "0");
        // Giving back is always allowed, even while over the limit.
        if (parseQuantity(more).value > 0n) delta[entry] = more;
      }
      if (Object.keys(delta).length === 0) continue;
      const used = quotaUsage(quota, reader);
      const exceeded = Object.keys(delta)
        .filter(
          (entry) =>
            compareQuantities(addQuantities(used[entry] ?? "0", delta[entry] as string), hard[entry] as string) > 0,
        )
        .sort();
      if (exceeded.length === 0) continue;
      throw forbidden(
        info.group,
        info.resource,
        name,
        `exceeded quota: ${quota.metadata.name}, requested: ${shown(delta, exceeded)}, used: ${shown(used, exceeded)}, limited: ${shown(hard, exceeded)}`,
      );
    }
  },
};
