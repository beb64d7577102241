import { canonicalJson, isEqual } from "../../runtime/hash.js";
import { memoPair } from "../../runtime/memo-pair.js";
import { isPodReady } from "../../runtime/pods.js";
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Pod, Service } from "../../schema/generated/types.js";
import { hostnameOf, portsOf } from "./service-pods.js";

/**
 * Which EndpointSlices a Service needs: pure. Existing slices keep their endpoints where they are, so that a change of one pod rewrites one slice; what is
 * new fills slices that have room.
 */
const ENDPOINTS_PER_SLICE = 100;

export interface SlicePlan {
  create: { ports: DiscoveryEndpointPort[] | undefined; endpoints: Endpoint[] }[];
  update: EndpointSlice[];
  remove: EndpointSlice[];
}

/** A pod as an endpoint: `terminating` while it is on its way out, `serving` as long as it is ready, `ready` only while both are fine. */
export function endpointOf(service: Service, pod: Pod, address: string, zone: string | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameOf(service, pod);
  const { namespace, name, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: { ready, serving: serving || service.spec?.publishNotReadyAddresses === true, terminating },
    ...(hostname ? { hostname } : {}),
    targetRef: { kind: "Pod", namespace, name, uid },
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone ? { zone } : {}),
  };
}

const lastEndpoints = memoPair((_service: Service, _pod: Pod): { endpoint?: Endpoint } => ({}));

/** The same object as last time for a pod that has not changed. */
function knownEndpoint(service: Service, pod: Pod, address: string, zone: string | undefined): Endpoint {
  const last = lastEndpoints(service, pod);
  if (last.endpoint?.zone !== zone || last.endpoint?.addresses[0] !== address) last.endpoint = undefined;
  last.endpoint ??= endpointOf(service, pod, address, zone);
  return last.endpoint;
}

/** Endpoints of slices that were found equal to wanted ones, so that this is found out once. */
const equals = new WeakMap<Endpoint, Endpoint>();

function isSame(present: Endpoint, wanted: Endpoint): boolean {
  if (equals.get(present) === wanted) return true;
  if (!isEqual(present, wanted)) return false;
  equals.set(present, wanted);
  return true;
}

/** Slices with the same ports; `ports` undefined stands for "all ports" (a Service without ports). */
export interface EndpointGroup {
  ports: DiscoveryEndpointPort[] | undefined;
  endpoints: Map<string, Endpoint>;
}

/** What tells one endpoint from the others of its group. */
export const identity = (endpoint: Endpoint): string => endpoint.targetRef?.uid ?? endpoint.addresses.join(",");

/** Equal for slices with equal ports. */
export const portsKey = (ports: readonly DiscoveryEndpointPort[] | undefined): string => canonicalJson(ports ?? []);

export interface SliceInput {
  service: Service;
  /** Slices of this Service and address type that are ours. */
  present: readonly EndpointSlice[];
  pods: readonly Pod[];
  addressOf(pod: Pod): string | undefined;
  zoneOf(nodeName: string | undefined): string | undefined;
  /** Says for whom each endpoint is meant; endpoints that are for everybody stay as they are. */
  hint?(endpoints: readonly Endpoint[]): readonly Endpoint[];
}

export function planSlices({ service, present, pods, addressOf, zoneOf, hint }: SliceInput): SlicePlan {
  const groups = new Map<string, EndpointGroup>();
  for (const pod of pods) {
    const address = addressOf(pod);
    if (address === undefined) continue;
    const { ports, key } = portsOf(service, pod);
    const group = groups.get(key) ?? { ports: [...ports], endpoints: new Map() };
    groups.set(key, group);
    const endpoint = knownEndpoint(service, pod, address, zoneOf(pod.spec?.nodeName));
    group.endpoints.set(identity(endpoint), endpoint);
  }
  if (hint) {
    for (const group of groups.values())
      group.endpoints = new Map(
        hint([...group.endpoints.values()]).map((endpoint) => [identity(endpoint), endpoint] as const),
      );
  }
  const plan = planGroups(groups, present, ENDPOINTS_PER_SLICE);
  keepPlaceholder(plan, present);
  return plan;
}

/** `groups` by the key of their ports; slices with other ports go. */
export function planGroups(
  groups: ReadonlyMap<string, EndpointGroup>,
  present: readonly EndpointSlice[],
  perSlice: number,
): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], remove: [] };
  const byPorts = new Map<string, EndpointSlice[]>();
  for (const slice of present) {
    const key = portsKey(slice.ports);
    byPorts.set(key, [...(byPorts.get(key) ?? []), slice]);
  }
  for (const [key, group] of groups) planGroup(plan, group, byPorts.get(key) ?? [], perSlice);
  for (const [key, slices] of byPorts) if (!groups.has(key)) plan.remove.push(...slices);
  return plan;
}

function planGroup(
  plan: SlicePlan,
  { ports, endpoints }: EndpointGroup,
  slices: readonly EndpointSlice[],
  perSlice: number,
): void {
  const left = new Map(endpoints);
  const kept = slices.map((slice) => {
    const still = (slice.endpoints ?? []).flatMap((endpoint) => {
      const wanted = left.get(identity(endpoint));
      left.delete(identity(endpoint));
      return wanted ? [isSame(endpoint, wanted) ? endpoint : wanted] : [];
    });
    return { slice, endpoints: still };
  });
  const fresh = [...left.values()];
  // Fill the fullest first: fewer slices change, and nearly empty ones may yet empty.
  for (const slice of kept.toSorted((a, b) => b.endpoints.length - a.endpoints.length)) {
    const room = perSlice - slice.endpoints.length;
    if (room > 0 && fresh.length > 0) slice.endpoints = [...slice.endpoints, ...fresh.splice(0, room)];
  }
  for (const { slice, endpoints } of kept) {
    const before = slice.endpoints ?? [];
    const same = before.length === endpoints.length && endpoints.every((endpoint, i) => endpoint === before[i]);
    if (endpoints.length === 0) plan.remove.push(slice);
    else if (!same) plan.update.push({ ...slice, endpoints });
  }
  while (fresh.length > 0) plan.create.push({ ports, endpoints: fresh.splice(0, perSlice) });
}

/** A Service without endpoints keeps one empty slice, so that clients see that it was looked at. */
function keepPlaceholder(plan: SlicePlan, present: readonly EndpointSlice[]): void {
  const stays = plan.create.length + plan.update.length > 0 || present.some((slice) => !plan.remove.includes(slice));
  if (stays) return;
  const [kept] = plan.remove;
  if (!kept) {
    plan.create.push({ ports: undefined, endpoints: [] });
    return;
  }
  plan.remove.shift();
  if ((kept.endpoints ?? []).length > 0 || (kept.ports ?? []).length > 0) {
    const { ports: _, ...rest } = kept;
    plan.update.push({ ...rest, endpoints: [] });
  }
}
