/**
 * Which nodes EKS Auto Mode launches for pods that no node takes: pods are packed, the largest first, onto as few nodes as their requirements allow, and
 * each node is the smallest instance that holds its pods. Sources: the user guide on Auto Mode and Karpenter's documentation on scheduling. Prices are not
 * known here: smaller stands for cheaper.
 */
import { type InstanceType, instanceType } from "../catalogue/index.js";
import { meets, type Offering, offerings, type Requirement } from "./requirements.js";

export interface Amounts {
  milliCpu: number;
  /** Bytes. */
  memory: number;
  /** Extended resources by name. */
  scalars?: Readonly<Record<string, number>>;
}

export interface WaitingPod {
  uid: string;
  requests: Amounts;
  /** Of node selector, required node affinity and bound volumes; all of them hold. */
  requirements: readonly Requirement[];
  tolerations: readonly { key?: string; operator?: string; value?: string; effect?: string }[];
  /** Its pods have to be spread over zones: how many of them each zone has. */
  spread?: { group: string; zones: Readonly<Record<string, number>> };
  /** Pods of one such group never share a node. */
  apart?: string;
}

export interface NodePool {
  name: string;
  /** The heavier one is preferred. */
  weight: number;
  requirements: readonly Requirement[];
  labels: Readonly<Record<string, string>>;
  taints: readonly { key: string; value?: string; effect: string }[];
  limits?: { milliCpu?: number; memory?: number };
}

export interface PlannedNode {
  pool: NodePool;
  zone: string;
  instanceType: string;
  capacityType: string;
  /** uids of the pods it is launched for. */
  pods: string[];
}

export interface PlanView {
  region: string;
  /** Zones of the cluster's subnets. */
  zones: readonly string[];
  pods: readonly WaitingPod[];
  pools: readonly NodePool[];
  /** What DaemonSets take of every node. */
  overhead: Amounts;
  /** Nodes that the pools have: they count against limits and for the spread. */
  nodes: readonly { pool: string; zone: string; instanceType: string; instanceId?: string }[];
  /** Whether EC2 can launch the type in the zone now. */
  hasCapacity: (zone: string, instanceType: string) => boolean;
}

/** A node in the making: what it could still be, and what is on it. */
interface Draft {
  pool: NodePool;
  capacityType: string;
  candidates: Offering[];
  used: Amounts;
  pods: WaitingPod[];
}

export function planNodes(view: PlanView): PlannedNode[] {
  const drafts: Draft[] = [];
  const placed = new Map<string, Map<string, number>>();
  const order = [...view.pods].sort(
    (a, b) =>
      b.requests.milliCpu - a.requests.milliCpu || b.requests.memory - a.requests.memory || (a.uid < b.uid ? -1 : 1),
  );
  for (const pod of order) {
    const narrowed = withZone(view, pod, placed);
    const draft = drafts.find((open) => take(open, narrowed, view)) ?? openDraft(view, narrowed, drafts);
    if (draft && pod.spread) note(placed, pod.spread, draft);
  }
  const counts = new Map<string, number>();
  for (const { zone } of view.nodes) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  return drafts.map((draft) => finish(draft, counts));
}

const ZONE = "topology.kubernetes.io/zone";

/** A pod that has to be spread is held to the zone that has the fewest of its group, among those it may be in. */
function withZone(view: PlanView, pod: WaitingPod, placed: ReadonlyMap<string, Map<string, number>>): WaitingPod {
  const { spread } = pod;
  if (!spread) return pod;
  const zoneRules = pod.requirements.filter(({ key }) => key === ZONE);
  const count = (zone: string): number => (spread.zones[zone] ?? 0) + (placed.get(spread.group)?.get(zone) ?? 0);
  const zone = view.zones
    .filter((name) => meets({ [ZONE]: name }, zoneRules))
    .reduce<string | undefined>(
      (best, name) => (best === undefined || count(name) < count(best) ? name : best),
      undefined,
    );
  if (zone === undefined) return pod;
  return { ...pod, requirements: [...pod.requirements, { key: ZONE, operator: "In", values: [zone] }] };
}

function note(placed: Map<string, Map<string, number>>, { group }: { group: string }, draft: Draft): void {
  const zone = draft.candidates[0]?.zone ?? "";
  const zones = placed.get(group) ?? new Map<string, number>();
  zones.set(zone, (zones.get(zone) ?? 0) + 1);
  placed.set(group, zones);
}

/** Puts the pod onto the node if it fits there. */
function take(draft: Draft, pod: WaitingPod, { overhead }: PlanView): boolean {
  if (!tolerates(pod, draft.pool)) return false;
  if (pod.apart !== undefined && draft.pods.some(({ apart }) => apart === pod.apart)) return false;
  const used = sum(draft.used, pod.requests);
  const candidates = draft.candidates.filter(
    (offering) =>
      meets({ ...draft.pool.labels, ...offering.labels }, pod.requirements) &&
      holds(offering, sum(used, overhead), draft.pods.length + 1),
  );
  if (candidates.length === 0) return false;
  draft.candidates = candidates;
  draft.used = used;
  draft.pods.push(pod);
  return true;
}

/** A node of the heaviest pool that can take the pod at all. */
function openDraft(view: PlanView, pod: WaitingPod, drafts: Draft[]): Draft | undefined {
  const pools = [...view.pools].sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1));
  for (const pool of pools) {
    for (const capacityType of capacityTypes(pool)) {
      const room = roomLeft(pool, view, drafts);
      const candidates = offerings(view.region, view.zones, capacityType).filter(
        ({ labels, type, zone }) =>
          meets({ ...pool.labels, ...labels, "karpenter.sh/nodepool": pool.name }, pool.requirements) &&
          type.vcpu * 1000 <= room.milliCpu &&
          type.memoryMiB * 1024 ** 2 <= room.memory &&
          view.hasCapacity(zone, type.name),
      );
      const labelled = { ...pool, labels: { ...pool.labels, "karpenter.sh/nodepool": pool.name } };
      const draft: Draft = { pool: labelled, capacityType, candidates, used: { milliCpu: 0, memory: 0 }, pods: [] };
      if (!take(draft, pod, view)) continue;
      drafts.push(draft);
      return draft;
    }
  }
  return undefined;
}

/** Spot where the pool allows it: Karpenter takes it first, as it costs less. */
function capacityTypes({ requirements }: NodePool): string[] {
  const rules = requirements.filter(({ key }) => key === "karpenter.sh/capacity-type");
  const allowed = ["spot", "on-demand"].filter((type) => meets({ "karpenter.sh/capacity-type": type }, rules));
  return rules.length === 0 ? ["on-demand"] : allowed;
}

function roomLeft({ name, limits }: NodePool, { nodes }: PlanView, drafts: readonly Draft[]): Amounts {
  const types = [
    ...nodes.filter(({ pool }) => pool === name).map((node) => instanceType(node.instanceType)),
    ...drafts.filter(({ pool }) => pool.name === name).map((draft) => cheapest(draft)?.type),
  ];
  const cores = types.reduce((total, type) => total + (type?.vcpu ?? 0), 0);
  const memory = types.reduce((total, type) => total + (type?.memoryMiB ?? 0), 0);
  return {
    milliCpu: (limits?.milliCpu ?? Number.POSITIVE_INFINITY) - cores * 1000,
    memory: (limits?.memory ?? Number.POSITIVE_INFINITY) - memory * 1024 ** 2,
  };
}

/** The smallest type that will do, in the zone that has the fewest nodes. */
function finish(draft: Draft, counts: Map<string, number>): PlannedNode {
  const best = cheapest(draft);
  const zones = draft.candidates.filter(({ type }) => type === best?.type).map(({ zone }) => zone);
  const zone = zones.reduce((a, b) => ((counts.get(b) ?? 0) < (counts.get(a) ?? 0) ? b : a), zones[0] ?? "");
  counts.set(zone, (counts.get(zone) ?? 0) + 1);
  return {
    pool: draft.pool,
    zone,
    instanceType: best?.type.name ?? "",
    capacityType: draft.capacityType,
    pods: draft.pods.map(({ uid }) => uid),
  };
}

/** Nothing here knows prices: a core costs about what eight GiB do, accelerators much more, and newer generations a little less. */
function cost({ vcpu, memoryMiB, accelerator, name }: InstanceType): number {
  const generation = Number(/^[a-z]+(\d+)/.exec(name)?.[1] ?? 0);
  return vcpu + memoryMiB / 8192 + (accelerator?.count ?? 0) * 100 - generation / 100;
}

/** Cost of an instance type in a unit of its own; infinite for types that nobody knows. */
export function costOf(name: string): number {
  const type = instanceType(name);
  return type ? cost(type) : Number.POSITIVE_INFINITY;
}

const cheapest = ({ candidates }: Draft): Offering | undefined =>
  candidates.reduce<Offering | undefined>(
    (best, next) => (best && cost(best.type) <= cost(next.type) ? best : next),
    undefined,
  );

function holds({ type, room }: Offering, { milliCpu, memory, scalars = {} }: Amounts, pods: number): boolean {
  return (
    milliCpu <= room.milliCpu &&
    memory <= room.memory &&
    pods <= room.pods &&
    Object.entries(scalars).every(
      ([name, wanted]) => wanted === 0 || (type.accelerator?.resource === name && wanted <= type.accelerator.count),
    )
  );
}

function sum(a: Amounts, b: Amounts): Amounts {
  const scalars: Record<string, number> = { ...a.scalars };
  for (const [name, amount] of Object.entries(b.scalars ?? {})) scalars[name] = (scalars[name] ?? 0) + amount;
  return { milliCpu: a.milliCpu + b.milliCpu, memory: a.memory + b.memory, scalars };
}

/** Soft taints keep nobody away. */
export const tolerates = (
  { tolerations }: WaitingPod,
  { taints }: { taints: readonly { key: string; value?: string; effect: string }[] },
): boolean =>
  taints.every(
    (taint) =>
      taint.effect === "PreferNoSchedule" ||
      tolerations.some(
        ({ key, operator = "Equal", value = "", effect }) =>
          (effect === undefined || effect === "" || effect === taint.effect) &&
          (key === undefined || key === "" ? operator === "Exists" : key === taint.key) &&
          (operator === "Exists" || value === (taint.value ?? "")),
      ),
  );
