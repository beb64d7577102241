/**
 * What the loss of one zone would do: its machines are gone, the pods on them with them, and what is left has to do. Which replicas stay, where the others
 * find a place, at once and after node groups have launched other machines, and what is held back by its volume.
 */
import { ZONE_LABEL } from "../../../domain/kubernetes-objects.js";
import { placeInstances } from "../../../domain/zones.js";
import { type LintFacts, type NodeFacts, type PodFacts, type WorkloadFacts, workloadKeyOf, zonesOf } from "./facts.js";
import { reaches } from "./match.js";
import { type Placement, place } from "./place.js";

export interface WorkloadLoss {
  workload: WorkloadFacts;
  /** Replicas that were there and ready, and those of them that the loss leaves alone. */
  readyBefore: number;
  left: number;
  /** Replicas that are gone with the zone. */
  lost: readonly PodFacts[];
  /** Of the lost: with a place on machines that stay; with one once others have been launched; held by a volume; with none at all. */
  atOnce: number;
  later: number;
  stuck: readonly { pod: PodFacts; claim: string }[];
  homeless: readonly Placement[];
  /** Replicas in other zones that would have to make room for something more important. */
  pushedOut: number;
}

export interface ZoneLoss {
  zone: string;
  workloads: readonly WorkloadLoss[];
  /** Machines that node groups would launch elsewhere, one a machine. */
  launched: readonly { nodegroup?: string; zone: string }[];
}

const HOSTNAME_LABEL = "kubernetes.io/hostname";
/** The EBS CSI driver's own label of the zone. */
const EBS_ZONE_LABEL = "topology.ebs.csi.aws.com/zone";

export function loseZone(facts: LintFacts, zone: string): ZoneLoss {
  const { nodes, pods, claims } = facts;
  const gone = new Map(nodes.filter((node) => node.zone === zone).map((node) => [node.name, node]));
  const left = nodes.filter((node) => node.zone !== zone);
  const lost = pods.filter((pod) => gone.has(pod.node ?? "") && !pod.terminating);
  const running = pods.filter((pod) => pod.node !== undefined && !gone.has(pod.node));
  const movers = lost.filter((pod) => looksElsewhere(pod) && gone.get(pod.node ?? "")?.replacedBy !== "fargate");
  const launched = replacements(facts, [...gone.values()], left, zone);
  const before = place(movers, left, running, claims);
  const after = place(movers, [...left, ...launched], [...running, ...daemonPods(launched, pods)], claims);
  const early = new Set(before.placed.filter(({ node }) => node).map(({ pod }) => pod));
  const late = new Set(after.placed.filter(({ node }) => node).map(({ pod }) => pod));
  // Fargate makes a machine for each pod, wherever there is a zone left.
  if (left.length > 0) for (const pod of lost) if (gone.get(pod.node ?? "")?.replacedBy === "fargate") late.add(pod);

  const podsByWorkload = groupBy(pods, ({ workload }) => (workload ? workloadKeyOf(workload) : ""));
  const victims = new Set(after.pushedOut);
  const outcome = (workload: WorkloadFacts): WorkloadLoss => {
    const key = workloadKeyOf(workload);
    const all = podsByWorkload.get(key) ?? [];
    const mine = all.filter((pod) => gone.has(pod.node ?? "") && !pod.terminating);
    const ready = all.filter((pod) => pod.ready && !pod.terminating);
    const pushedOut = all.filter((pod) => victims.has(pod)).length;
    const stuck = mine.flatMap((pod) => {
      const claim = heldBy(pod, facts, [...left, ...launched]);
      return claim === undefined ? [] : [{ pod, claim }];
    });
    const free = mine.filter((pod) => !stuck.some((held) => held.pod === pod));
    return {
      workload,
      readyBefore: ready.length,
      left: Math.max(0, ready.filter((pod) => !gone.has(pod.node ?? "")).length - pushedOut),
      lost: mine,
      atOnce: free.filter((pod) => early.has(pod)).length,
      later: free.filter((pod) => !early.has(pod) && late.has(pod)).length,
      stuck,
      homeless: after.placed.filter(({ pod, node }) => !node && free.length > 0 && free.includes(pod)),
      pushedOut,
    };
  };
  return {
    zone,
    workloads: facts.workloads.filter(({ wanted }) => wanted > 0).map(outcome),
    launched: launched.map(({ nodegroup, zone: at }) => ({ ...(nodegroup ? { nodegroup } : {}), zone: at })),
  };
}

/** Somebody makes another in its place: not for a pod of its own, and a DaemonSet's belongs to its node. */
const looksElsewhere = ({ workload }: PodFacts): boolean =>
  workload !== undefined && workload.kind !== "DaemonSet" && workload.kind !== "Pod";

/** The claim that keeps a pod from running anywhere but in what is lost. */
function heldBy(pod: PodFacts, { claims }: LintFacts, nodes: readonly NodeFacts[]): string | undefined {
  return claims.find(
    (claim) =>
      claim.namespace === pod.namespace &&
      pod.claims.includes(claim.name) &&
      claim.reachableFrom !== undefined &&
      !nodes.some((node) => reaches(claim, node)),
  )?.name;
}

/** A node that comes in the place of a lost one: like it, but in another zone. */
interface Replacement extends NodeFacts {
  of: string;
}

/** The poorest of the zones that are left to the group come first, as EC2 Auto Scaling has it. */
function replacements(
  { nodegroups, nodes }: LintFacts,
  gone: readonly NodeFacts[],
  left: readonly NodeFacts[],
  zone: string,
): Replacement[] {
  const owner = ({ replacedBy, nodegroup = "" }: NodeFacts): string => `${replacedBy}/${nodegroup}`;
  return [...groupBy(gone, owner)].flatMap(([name, lost]) => {
    const group = nodegroups.find((one) => name === `nodegroup/${one.name}`);
    if (!group && !name.startsWith("scaler/")) return [];
    const mine = left.filter((node) => owner(node) === name);
    const zones = (group?.zones ?? zonesOf({ nodes })).filter((one) => one !== zone);
    const counts = new Map([...groupBy(mine, (node) => node.zone)].map(([at, there]) => [at, there.length]));
    const count = Math.min(lost.length, group ? Math.max(0, group.max - mine.length) : lost.length);
    const targets = placeInstances({ zones, counts, healthy: () => true, count });
    return lost.slice(0, targets.length).map((node, index) => replacement(node, targets[index] ?? ""));
  });
}

function replacement(node: NodeFacts, zone: string): Replacement {
  const name = `replacement of ${node.name}`;
  const labels = {
    ...node.labels,
    "metadata.name": name,
    [HOSTNAME_LABEL]: name,
    [ZONE_LABEL]: zone,
    ...(EBS_ZONE_LABEL in node.labels ? { [EBS_ZONE_LABEL]: zone } : {}),
  };
  return { ...node, name, zone, labels, ready: true, unschedulable: false, of: node.name };
}

/** DaemonSets take of a new node what they took of the one that it replaces. */
const daemonPods = (launched: readonly Replacement[], pods: readonly PodFacts[]): PodFacts[] =>
  launched.flatMap(({ name, of }) =>
    pods
      .filter(({ node, workload }) => node === of && workload?.kind === "DaemonSet")
      .map((pod) => ({ ...pod, node: name })),
  );

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
