/** Probes that looks answer: exact to the moment, and without asking anybody. */
import type { EventRecord } from "../../../domain/model.js";
import { matchesStars } from "../../../domain/star-pattern.js";
import type { EventPattern, Probe, ProbeName } from "../drill.js";
import { type Stage, workloadKey } from "../stage.js";
import { resolveAmount } from "../workloads.js";
import { bounded, type ProbeVerdict, verdict } from "./verdict.js";

type See<P extends ProbeName> = (probe: Extract<Probe, { probe: P }>, stage: Stage) => ProbeVerdict;

const zonesOf = (stage: Stage, cluster: string, zone: string | undefined) => {
  const { zones } = stage.view(cluster);
  return Object.entries(zones).filter(([name]) => zone === undefined || name === zone);
};

const inZone = (zone: string | undefined): string => (zone === undefined ? "" : ` in ${zone}`);

export const SEEN = {
  readyReplicas: ({ cluster, namespace, workload, atLeast, atMost }, stage) => {
    const name = `${workload.kind.toLowerCase()}/${workload.name}`;
    const { ready = 0 } = stage.view(cluster).workloads.get(workloadKey(namespace, workload.kind, workload.name)) ?? {};
    const wanted = stage.wantedOf(cluster, namespace, workload);
    const shares = [atLeast, atMost].some((amount) => amount !== undefined && "percent" in amount);
    if (shares && wanted === undefined)
      return verdict(false, `${name} is not among the watched workloads: a share of it cannot be told`);
    return bounded(ready, `ready replicas of ${name}`, {
      atLeast: atLeast && resolveAmount(atLeast, wanted ?? 0),
      atMost: atMost && resolveAmount(atMost, wanted ?? 0),
    });
  },
  masters: ({ cluster, zone, atLeast }, stage) => {
    const up = zonesOf(stage, cluster, zone).reduce((sum, [, { membersUp }]) => sum + membersUp, 0);
    return bounded(up, `masters up${inZone(zone)}`, { atLeast });
  },
  pendingPods: ({ cluster, atLeast, atMost }, stage) =>
    bounded(stage.view(cluster).pendingPods, "pending pods", { atLeast, atMost }),
  events: ({ events }, stage) => inOrder(stage.events, events),
} satisfies { [P in ProbeName]?: See<P> };

/** Nodes of a whole cluster; those of one node group have to be asked for. */
export const seeNodes: See<"nodes"> = ({ cluster, zone, atLeast, atMost, spread }, stage) =>
  judgeNodes(new Map(zonesOf(stage, cluster, zone).map(([name, { readyNodes }]) => [name, readyNodes])), {
    zone,
    atLeast,
    atMost,
    spread,
  });

/** Ready nodes by zone against what is wanted of them. */
export function judgeNodes(
  readyByZone: ReadonlyMap<string, number>,
  wanted: {
    zone?: string | undefined;
    atLeast?: number | undefined;
    atMost?: number | undefined;
    spread?: number | undefined;
  },
): ProbeVerdict {
  const counts = [...readyByZone].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const judged = bounded(total, `ready nodes${inZone(wanted.zone)}`, wanted);
  if (!judged.ok || wanted.spread === undefined) return judged;
  const numbers = counts.map(([, count]) => count);
  const difference = numbers.length === 0 ? 0 : Math.max(...numbers) - Math.min(...numbers);
  const places = counts.map(([name, count]) => `${name} ${count}`).join(", ") || "none";
  return verdict(
    difference <= wanted.spread,
    difference <= wanted.spread
      ? `ready nodes: ${places}`
      : `ready nodes: ${places}; they differ by ${difference}, at most ${wanted.spread} wanted`,
  );
}

/** Whether all of the patterns have been met by events, one after the other. */
function inOrder(events: readonly EventRecord[], patterns: readonly EventPattern[]): ProbeVerdict {
  let next = 0;
  for (const event of events) {
    const pattern = patterns[next];
    if (!pattern) break;
    if (isMet(pattern, event)) next++;
  }
  const missing = patterns[next];
  if (!missing) return verdict(true, `${patterns.map(({ type }) => type).join(", ")} happened in this order`);
  const after = next === 0 ? "" : ` after ${patterns[next - 1]?.type}`;
  const { type, ...rest } = missing;
  const narrowed = Object.entries(rest)
    .map(([name, value]) => ` ${name} ${value}`)
    .join(",");
  return verdict(false, `no event ${type}${narrowed ? ` with${narrowed}` : ""}${after}`);
}

const isMet = (pattern: EventPattern, event: EventRecord): boolean =>
  (Object.entries(pattern) as [keyof EventPattern, string][]).every(([member, wanted]) =>
    matchesStars(wanted, event[member] ?? ""),
  );
