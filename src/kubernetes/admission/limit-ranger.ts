/** Applies and enforces LimitRanges (upstream: plugin/pkg/admission/limitranger). */
import { forbidden } from "../errors.js";
import { addQuantities, compareQuantities, parseQuantity } from "../registry/quantity.js";
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
} from "../schema/generated/types.js";
import type { AdmissionPlugin } from "./plugin.js";
import { allContainers, mapContainers, podOf } from "./pod-object.js";

type Amounts = Record<string, string>;
interface Asked {
  requests: Amounts;
  limits: Amounts;
}

const itemsOf = (ranges: readonly LimitRange[], type: string): LimitRangeItem[] =>
  ranges.flatMap((range) => (range.spec?.limits ?? []).filter((item) => item.type === type));

/** What was set for one container: `cpu, memory request for container web`. */
type Told = (resources: string[], kind: "request" | "limit", container: Container) => void;

function complete(container: Container, item: LimitRangeItem, tell: Told): Container {
  const { limits = {}, requests = {} } = container.resources ?? {};
  const newLimits = { ...item.default, ...limits };
  // A limit that the container chose itself is also its request, before the range's own default request is looked at.
  const own = { ...limits, ...requests };
  const newRequests = { ...item.defaultRequest, ...own };
  const added = (all: object, present: object): string[] =>
    Object.keys(all)
      .filter((resource) => !Object.hasOwn(present, resource))
      .sort();
  const setRequests = added(newRequests, own);
  const setLimits = added(newLimits, limits);
  if (setRequests.length > 0) tell(setRequests, "request", container);
  if (setLimits.length > 0) tell(setLimits, "limit", container);
  const unchanged = setLimits.length === 0 && Object.keys(newRequests).length === Object.keys(requests).length;
  return unchanged
    ? container
    : { ...container, resources: { ...container.resources, limits: newLimits, requests: newRequests } };
}

/** What is wrong with one container, pod or claim under one item. */
function complaints(item: LimitRangeItem, { requests, limits }: Asked): string[] {
  const found: string[] = [];
  const per = `per ${item.type}`;
  for (const [resource, min] of Object.entries(item.min ?? {})) {
    const [request, limit] = [requests[resource], limits[resource]];
    if (request === undefined) found.push(`minimum ${resource} usage ${per} is ${min}.  No request is specified`);
    else if (compareQuantities(request, min) < 0)
      found.push(`minimum ${resource} usage ${per} is ${min}, but request is ${request}`);
    else if (limit !== undefined && compareQuantities(limit, min) < 0)
      found.push(`minimum ${resource} usage ${per} is ${min}, but limit is ${limit}`);
  }
  for (const [resource, max] of Object.entries(item.max ?? {})) {
    const [request, limit] = [requests[resource], limits[resource]];
    if (item.type === "PersistentVolumeClaim") {
      if (request !== undefined && compareQuantities(request, max) > 0)
        found.push(`maximum ${resource} usage ${per} is ${max}, but request is ${request}`);
      continue;
    }
    if (limit === undefined) found.push(`maximum ${resource} usage ${per} is ${max}.  No limit is specified`);
    else if (compareQuantities(limit, max) > 0)
      found.push(`maximum ${resource} usage ${per} is ${max}, but limit is ${limit}`);
    else if (request !== undefined && compareQuantities(request, max) > 0)
      found.push(`maximum ${resource} usage ${per} is ${max}, but request is ${request}`);
  }
  for (const [resource, ratio] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const [request, limit] = [requests[resource], limits[resource]];
    if (request === undefined || limit === undefined || parseQuantity(request).value === 0n) {
      found.push(
        `${resource} max limit to request ratio ${per} is ${ratio}, but no request is specified or request is 0`,
      );
      continue;
    }
    const actual = Number(parseQuantity(limit).value) / Number(parseQuantity(request).value);
    if (actual > Number(parseQuantity(ratio).value) / 1e9) {
      found.push(
        `${resource} max limit to request ratio ${per} is ${ratio}, but provided ratio is ${actual.toFixed(6)}`,
      );
    }
  }
  return found;
}

function summed(containers: readonly Container[], kind: "requests" | "limits"): Amounts {
  const sum: Amounts = {};
  for (const container of containers) {
    for (const [resource, amount] of Object.entries(container.resources?.[kind] ?? {})) {
      sum[resource] = sum[resource] === undefined ? amount : addQuantities(sum[resource], amount);
    }
  }
  return sum;
}

const podComplaints = (spec: PodSpec, ranges: readonly LimitRange[]): string[] => [
  ...itemsOf(ranges, "Container").flatMap((item) =>
    allContainers(spec).flatMap(({ resources }) =>
      complaints(item, { requests: resources?.requests ?? {}, limits: resources?.limits ?? {} }),
    ),
  ),
  ...itemsOf(ranges, "Pod").flatMap((item) =>
    complaints(item, { requests: summed(spec.containers, "requests"), limits: summed(spec.containers, "limits") }),
  ),
];

const refusal = (resource: string, name: string, found: readonly string[]) =>
  forbidden("", resource, name, found.length === 1 ? (found[0] as string) : `[${found.join(", ")}]`);

const ANNOTATION = "kubernetes.io/limit-ranger";

function completePod(pod: Pod & { spec: PodSpec }, range: LimitRange): void {
  const said: { main: string[]; init: string[] } = { main: [], init: [] };
  const inits = new Set(pod.spec.initContainers?.map(({ name }) => name));
  const tell: Told = (resources, kind, { name }) => {
    const text = (what: string): string => `${resources.join(", ")} ${kind} for ${what} ${name}`;
    if (inits.has(name)) said.init.push(text("init container"));
    else said.main.push(text("container"));
  };
  for (const item of itemsOf([range], "Container"))
    pod.spec = mapContainers(pod.spec, (container) => complete(container, item, tell));
  const all = [...said.main, ...said.init];
  if (all.length === 0) return;
  // The last range that sets something has the word.
  const told = { [ANNOTATION]: `LimitRanger plugin set: ${all.join("; ")}` };
  pod.metadata.annotations = { ...pod.metadata.annotations, ...told };
}

export const limitRanger: AdmissionPlugin = {
  name: "LimitRanger",
  admit(request, reader) {
    const pod = podOf(request);
    if (!pod) return;
    for (const range of reader.list("limitranges", request.namespace) as LimitRange[]) completePod(pod, range);
  },
  validate(request, reader) {
    const { info, operation, object, name, namespace, subresource } = request;
    const pod = podOf(request);
    if (pod) {
      const found = podComplaints(pod.spec, reader.list("limitranges", namespace) as LimitRange[]);
      if (found.length > 0) throw refusal("pods", name, found);
    }
    if (info.resource === "persistentvolumeclaims" && operation !== "DELETE" && !subresource) {
      const requests = (object as PersistentVolumeClaim).spec?.resources?.requests ?? {};
      const items = itemsOf(reader.list("limitranges", namespace) as LimitRange[], "PersistentVolumeClaim");
      const found = items.flatMap((item) => complaints(item, { requests, limits: {} }));
      if (found.length > 0) throw refusal("persistentvolumeclaims", name, found);
    }
  },
};
