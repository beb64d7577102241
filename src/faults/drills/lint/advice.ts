/** What would help a workload that a lost zone hurts, in sentences: the cause decides, and only what is in its owner's hands is said. */
import { listed } from "../report/wording.js";
import { type LintFacts, type PodFacts, zonesOf } from "./facts.js";
import { isTaintedFor, isWantedBy } from "./match.js";
import type { Placement } from "./place.js";
import type { WorkloadLoss } from "./zone-loss.js";

const NAMES: Readonly<Record<string, string>> = { cpu: "CPU", pods: "room for more pods" };
const resourceText = (name: string): string => NAMES[name] ?? name.replace(/^volumes:/, "attachments of ");

/** Zones in which some node would take the pod, as far as its labels and taints are concerned. */
function zonesOpenTo(pod: PodFacts, { nodes, nodegroups }: LintFacts): string[] {
  const suitable = nodes.filter((node) => isWantedBy(pod, node) && !isTaintedFor(pod, node));
  const groups = nodegroups.filter(({ name }) => suitable.some(({ nodegroup }) => nodegroup === name));
  const isBoundToZone = suitable.length > 0 && pinsZone(pod);
  const zones = suitable.map(({ zone }) => zone).concat(isBoundToZone ? [] : groups.flatMap((group) => group.zones));
  return [...new Set(zones)].sort();
}

/** Its own labels name zones or machines, so that a node of the same group elsewhere would not do. */
const pinsZone = ({ nodeSelector, nodeTerms = [] }: PodFacts): boolean =>
  [...Object.keys(nodeSelector), ...nodeTerms.flatMap((term) => term.map(({ key }) => key))].some((key) =>
    /(^|\/)(zone|hostname)$|^metadata\.name$/.test(key),
  );

/** How many replicas are needed so that, spread evenly over the zones, the minimum is left without any one of them. */
export function replicasFor(minimum: number, zones: number): number | undefined {
  if (zones < 2) return undefined;
  let replicas = minimum + 1;
  while (replicas - Math.ceil(replicas / zones) < minimum) replicas++;
  return replicas;
}

/** Sentences for a workload that would not keep what it needs; the most useful first. */
export function adviceFor(loss: WorkloadLoss, facts: LintFacts, zone: string): string[] {
  const { workload, lost, stuck, left, homeless } = loss;
  const sample = lost[0];
  if (!sample) return [];
  if (workload.kind === "Pod") return ["Nobody makes a single pod anew: let a Deployment own it."];
  const advice: string[] = [];
  if (stuck.length > 0 && left < workload.minimum) {
    advice.push("Replicate its data to volumes in other zones, or keep it where all zones reach it, such as on EFS.");
  }
  const open = zonesOpenTo(sample, facts);
  if (workload.kind !== "DaemonSet" && open.every((one) => one === zone) && stuck.length === 0) {
    advice.push(
      pinsZone(sample)
        ? `Its node selector or affinity admits ${zone} alone: let it admit other zones.`
        : `The nodes that its selector, affinity and tolerations admit are in ${zone} alone: add a node group with such nodes in other zones.`,
    );
  } else if (workload.kind !== "DaemonSet" && left < workload.minimum) {
    advice.push(...spreadAdvice(loss, open.length > 1 ? open : zonesOf(facts)));
  }
  advice.push(...roomAdvice(homeless, facts));
  return [...new Set(advice)];
}

function spreadAdvice({ workload }: WorkloadLoss, zones: readonly string[]): string[] {
  const { wanted, minimum, spreadsOverZones } = workload;
  const needed = replicasFor(minimum, zones.length);
  if (needed === undefined) return ["Give the cluster nodes in another zone."];
  const constraint = spreadsOverZones
    ? "see to it that its spread over zones holds: a wish (ScheduleAnyway) gives way when nodes are short, DoNotSchedule does not"
    : "spread it with topologySpreadConstraints on topology.kubernetes.io/zone, maxSkew 1";
  if (wanted >= needed) return [`Its ${wanted} replicas would do if they were spread evenly: ${constraint}.`];
  const how = spreadsOverZones ? "" : " with topologySpreadConstraints";
  const more = `Run ${needed} replicas spread over ${zones.length} zones${how}, of which it needs ${minimum}`;
  const evenly = wanted - Math.ceil(wanted / zones.length);
  return evenly > 0 ? [`${more}; or let it do with ${evenly} of ${wanted}.`] : [`${more}.`];
}

/** Why replicas that could move find no place, and what would make one. */
export function roomAdvice(homeless: readonly Placement[], { nodegroups }: LintFacts): string[] {
  if (homeless.length === 0) return [];
  const obstacles = homeless.flatMap((one) => one.obstacles);
  const resources = [...new Set(obstacles.flatMap((one) => (one.why === "room" ? one.of : [])))].sort();
  const has = (why: string): boolean => obstacles.some((one) => one.why === why);
  const full = nodegroups.filter(({ desired, max, zones }) => desired >= max && zones.length > 1);
  return [
    ...(resources.length > 0
      ? [
          `The zones that are left are short of ${listed(resources.map(resourceText))}: keep more nodes, larger ones, or ask for less.`,
          ...(full.length > 0
            ? [
                `${listed(full.map(({ name }) => `Node group ${name}`))} cannot grow beyond maxSize ${listed(full.map(({ max }) => String(max)))}.`,
              ]
            : []),
        ]
      : []),
    ...(has("spread")
      ? [
          "Its spread is demanded (DoNotSchedule) and leaves no place: allow a greater maxSkew, or wish for it with ScheduleAnyway.",
        ]
      : []),
    ...(has("apart") ? ["Its required anti-affinity finds no free place: prefer it instead, or keep more nodes."] : []),
    ...(has("together") ? ["Its required pod affinity has nobody left to be with: prefer it instead."] : []),
    ...(has("ports")
      ? ["Its host ports are taken on every node that is left: use a Service instead, or keep more nodes."]
      : []),
    ...(has("claim")
      ? [
          "Its volume takes one node at a time and is in use on another: give each replica its own, or one that several nodes can mount.",
        ]
      : []),
  ];
}
