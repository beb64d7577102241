import { quantityToMilli } from "../../registry/quantity.js";
import { isConditionTrue } from "../../runtime/conditions.js";
import type { Endpoint, Node, Service } from "../../schema/generated/types.js";

/**
 * For whom an endpoint is meant: `spec.trafficDistribution`, which simply keeps traffic near, and the older annotation `topology-mode: Auto`, which shares
 * endpoints out among the zones in the proportion of their CPUs. Upstream: staging/src/k8s.io/endpointslice/{trafficdist,topologycache}.
 */
const TOPOLOGY_MODE = "service.kubernetes.io/topology-mode";
const OLD_TOPOLOGY_MODE = "service.kubernetes.io/topology-aware-hints";
const ZONE = "topology.kubernetes.io/zone";
/** A zone may get so much more than its share of the traffic for each of its endpoints. */
const OVERLOAD_THRESHOLD = 0.2;
const CONTROL_PLANE = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/** Hints, or why there are none. */
export type Hints =
  | { endpoints: readonly Endpoint[]; refused?: undefined }
  | { endpoints?: undefined; refused: string };

export function isAuto({ metadata: { annotations } }: Service): boolean {
  const mode = annotations?.[OLD_TOPOLOGY_MODE] ?? annotations?.[TOPOLOGY_MODE];
  return mode !== undefined && mode !== "Disabled" && mode !== "disabled";
}

const isReady = ({ conditions }: Endpoint): boolean => conditions?.ready !== false;

/** Hints of `trafficDistribution`; endpoints as they are where it asks for nothing. */
export function hintsByDistance(distribution: string | undefined, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const toNode = distribution === "PreferSameNode";
  if (!toNode && distribution !== "PreferClose" && distribution !== "PreferSameZone") return endpoints;
  return endpoints.map((endpoint) => {
    if (!isReady(endpoint)) return endpoint;
    const { zone, nodeName } = endpoint;
    const hints = {
      ...(zone ? { forZones: [{ name: zone }] } : {}),
      ...(toNode && nodeName ? { forNodes: [{ name: nodeName }] } : {}),
    };
    return Object.keys(hints).length > 0 ? { ...endpoint, hints } : endpoint;
  });
}

/** The part of all CPUs that each zone has, counted over ready nodes that are no control plane; undefined when a node does not tell. */
export function cpuShares(nodes: readonly Node[]): Map<string, number> | undefined {
  const milli = new Map<string, number>();
  let total = 0;
  for (const { metadata, status } of nodes) {
    if (CONTROL_PLANE.some((label) => metadata.labels?.[label] !== undefined)) continue;
    if (!isConditionTrue(status?.conditions, "Ready")) continue;
    const zone = metadata.labels?.[ZONE];
    const cpu = status?.allocatable?.cpu;
    if (!zone || !cpu) return undefined;
    milli.set(zone, (milli.get(zone) ?? 0) + quantityToMilli(cpu));
    total += quantityToMilli(cpu);
  }
  return new Map([...milli].map(([zone, cpus]) => [zone, cpus / total]));
}

/** Hints of `topology-mode: Auto`: every zone gets as many endpoints as its CPUs are worth, its own ones first. */
export function hintsByCpu(shares: ReadonlyMap<string, number> | undefined, endpoints: readonly Endpoint[]): Hints {
  const ready = endpoints.filter(isReady);
  if (!shares) {
    const refused = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
    return { refused };
  }
  if (shares.size < 2) return { refused: "Nodes only ready in one zone" };
  const counts = `${ready.length} endpoints, ${shares.size} zones`;
  if (shares.size > ready.length) return { refused: `Insufficient number of endpoints (${counts})` };
  const zones = [...shares].map(([zone, share]) => {
    const desired = share * ready.length;
    return { zone, desired, least: Math.ceil(desired / (1 + OVERLOAD_THRESHOLD)) };
  });
  if (zones.reduce((sum, { least }) => sum + least, 0) > ready.length) {
    return {
      refused: `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (${counts})`,
    };
  }
  const own = new Map<string, Endpoint[]>();
  for (const endpoint of ready) {
    if (!endpoint.zone) return { refused: "One or more endpoints do not have a zone specified" };
    own.set(endpoint.zone, [...(own.get(endpoint.zone) ?? []), endpoint]);
  }
  const hinted = new Map<Endpoint, string>();
  const spare: Endpoint[] = [];
  for (const [zone, present] of own) {
    const desired = zones.find((candidate) => candidate.zone === zone)?.desired ?? 0;
    const gives = Math.max(0, Math.floor(present.length - desired));
    spare.push(...present.slice(0, gives));
    for (const endpoint of present.slice(gives)) hinted.set(endpoint, zone);
  }
  for (const { zone, least } of zones) {
    for (let missing = least - (own.get(zone)?.length ?? 0); missing > 0 && spare.length > 0; missing--)
      hinted.set(spare.shift() as Endpoint, zone);
  }
  // What nobody needed stays where it is.
  for (const endpoint of spare) hinted.set(endpoint, endpoint.zone as string);
  return {
    endpoints: endpoints.map((endpoint) => {
      const zone = hinted.get(endpoint);
      return zone ? { ...endpoint, hints: { forZones: [{ name: zone }] } } : endpoint;
    }),
  };
}
