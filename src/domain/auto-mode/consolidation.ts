/**
 * Consolidation: which nodes of EKS Auto Mode are given up because what runs on them fits elsewhere, or onto one node that costs less. Several are tried before
 * single ones, those with the fewest pods first. Source: Karpenter's documentation on disruption. Prices are not known here: smaller stands for cheaper. Spot
 * nodes are deleted when others have room, and never replaced by other Spot nodes, which is Karpenter's default.
 */
import { allowedDisruptions, type Budget } from "./budgets.js";
import { karpenterDurationMs } from "./life.js";
import {
  type Amounts,
  costOf,
  type PlannedNode,
  type PlanView,
  planNodes,
  tolerates,
  type WaitingPod,
} from "./plan.js";
import { meets, type Requirement } from "./requirements.js";

/** Nodes that are tried together at most. */
const TOGETHER = 10;
/** A replacement has to be smaller by this much at least: what only differs in its generation is no reason to move anything. */
const SAVING = 0.1;

/** A node with what runs on it, whoever made it. */
export interface LoadedNode {
  name: string;
  zone: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly { key: string; value?: string; effect: string }[];
  /** It takes pods. */
  open: boolean;
  free: Amounts & { pods: number };
  pods: readonly WaitingPod[];
  /** It may be given up: the instance behind it. */
  candidate?: { instanceId: string; pool: string; instanceType: string; capacityType: string };
}

export interface ConsolidationView extends Omit<PlanView, "pods"> {
  /** Pods that wait for room: what fits them is not free. */
  waiting: readonly WaitingPod[];
  loads: readonly LoadedNode[];
  /** Budgets of pools that are active now. */
  budgets: ReadonlyMap<string, readonly Budget[] | undefined>;
  counts: ReadonlyMap<string, { total: number; disrupted: number }>;
}

/** What packing looks at. */
type PackingView = Omit<ConsolidationView, "budgets" | "counts">;

export interface Consolidation {
  instanceIds: string[];
  /** To be launched first; absent: others have room for everything. */
  replacement?: PlannedNode;
}

/** The first set of nodes that is not needed; undefined when all are. */
export function decideConsolidation(view: ConsolidationView): Consolidation | undefined {
  const candidates = withinBudgets(
    view,
    view.loads
      .filter(({ candidate, pods }) => candidate !== undefined && pods.length > 0)
      .sort((a, b) => a.pods.length - b.pods.length || (a.name < b.name ? -1 : 1)),
  );
  for (let count = Math.min(TOGETHER, candidates.length); count > 1; count--) {
    const found = withoutNodes(view, candidates.slice(0, count));
    if (found) return found;
  }
  for (const single of candidates) {
    const found = withoutNodes(view, [single]);
    if (found) return found;
  }
  return undefined;
}

function withinBudgets(view: ConsolidationView, candidates: readonly LoadedNode[]): LoadedNode[] {
  const taken = new Map<string, number>();
  return candidates.filter(({ candidate }) => {
    const pool = candidate?.pool ?? "";
    const { total, disrupted } = view.counts.get(pool) ?? { total: 0, disrupted: 0 };
    const used = taken.get(pool) ?? 0;
    taken.set(pool, used + 1);
    return allowedDisruptions(view.budgets.get(pool), "Underutilized", { total, disrupted }) > used;
  });
}

const ZONE = "topology.kubernetes.io/zone";

/** What becomes of the pods when these nodes go; undefined when they would need more than one node, or one that costs as much. */
function withoutNodes(view: ConsolidationView, gone: readonly LoadedNode[]): Consolidation | undefined {
  const homeless = homelessWithout(view, gone);
  const instanceIds = gone.flatMap(({ candidate }) => candidate?.instanceId ?? []);
  if (homeless.length === 0) return { instanceIds };
  if (gone.some(({ candidate }) => candidate?.capacityType === "spot")) return undefined;
  const planned = planFor(view, homeless, instanceIds);
  const [replacement] = planned ?? [];
  if (!planned || !replacement || planned.length > 1) return undefined;
  const cost = gone.reduce((total, { candidate }) => total + costOf(candidate?.instanceType ?? ""), 0);
  return costOf(replacement.instanceType) <= cost * (1 - SAVING) ? { instanceIds, replacement } : undefined;
}

/** What has to serve before a node can go that has to: nothing, where others have room. Undefined: not all of its pods would find a place. */
export function decideReplacement(
  view: PackingView,
  { node, instanceId }: { node: LoadedNode; instanceId: string },
): PlannedNode[] | undefined {
  const homeless = homelessWithout(view, [node]);
  return homeless.length === 0 ? [] : planFor(view, homeless, [instanceId]);
}

/** Pods of these nodes that no other node has room for. */
function homelessWithout(view: PackingView, gone: readonly LoadedNode[]): WaitingPod[] {
  const others = view.loads
    .filter((load) => load.open && !gone.includes(load))
    .map((load) => ({ ...load, free: { ...load.free, scalars: { ...load.free.scalars } }, pods: [...load.pods] }));
  for (const pod of view.waiting) others.some((other) => takePod(other, pod));
  const pods = gone.flatMap((load) => load.pods.map((pod) => heldToZone(pod, load.zone)));
  return [...pods]
    .sort((a, b) => b.requests.milliCpu - a.requests.milliCpu || (a.uid < b.uid ? -1 : 1))
    .filter((pod) => !others.some((other) => takePod(other, pod)));
}

/** New nodes for the pods when these instances are gone; undefined when there could be none for some of them. */
function planFor(
  view: PackingView,
  homeless: readonly WaitingPod[],
  gone: readonly string[],
): PlannedNode[] | undefined {
  const nodes = view.nodes.filter(({ instanceId }) => instanceId === undefined || !gone.includes(instanceId));
  const planned = planNodes({ ...view, nodes, pods: homeless });
  const placed = planned.reduce((sum, { pods }) => sum + pods.length, 0);
  return placed < homeless.length ? undefined : planned;
}

/** Pods that are spread over zones stay in theirs. */
function heldToZone(pod: WaitingPod, zone: string): WaitingPod {
  if (!pod.spread) return pod;
  const { spread: _, ...rest } = pod;
  const here: Requirement = { key: ZONE, operator: "In", values: [zone] };
  return { ...rest, requirements: [...pod.requirements, here] };
}

/** Puts the pod onto the node if it fits there. */
function takePod(node: LoadedNode, pod: WaitingPod): boolean {
  const { free } = node;
  const { milliCpu, memory, scalars = {} } = pod.requests;
  const fits =
    free.pods >= 1 &&
    free.milliCpu >= milliCpu &&
    free.memory >= memory &&
    Object.entries(scalars).every(([name, wanted]) => (free.scalars?.[name] ?? 0) >= wanted) &&
    meets(node.labels, pod.requirements) &&
    tolerates(pod, node) &&
    (pod.apart === undefined || !node.pods.some(({ apart }) => apart === pod.apart));
  if (!fits) return false;
  const left: Record<string, number> = { ...free.scalars };
  for (const [name, wanted] of Object.entries(scalars)) left[name] = (left[name] ?? 0) - wanted;
  node.free = { milliCpu: free.milliCpu - milliCpu, memory: free.memory - memory, pods: free.pods - 1, scalars: left };
  node.pods = [...node.pods, pod];
  return true;
}

/** From when on a node may be consolidated: a while after its pods last changed; undefined when its pool only gives up empty nodes, or never. */
export function consolidatableAtMs(
  pool: { consolidateAfter?: string; consolidationPolicy?: string },
  podsChangedAtMs: number,
): number | undefined {
  // Without a policy it is Karpenter's default, WhenEmptyOrUnderutilized.
  if (pool.consolidationPolicy === "WhenEmpty") return undefined;
  const waitMs = karpenterDurationMs(pool.consolidateAfter) ?? 0;
  return Number.isFinite(waitMs) ? podsChangedAtMs + waitMs : undefined;
}
