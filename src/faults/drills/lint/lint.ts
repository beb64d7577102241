/**
 * Says, before anything is broken, how each workload would fare without each zone: it survives, falls below what it needs, loses every replica, or loses the
 * volume that it cannot do without. Pure: the same facts give the same predictions.
 */
import { counted, listed } from "../report/wording.js";
import type { Prediction } from "../result.js";
import { adviceFor, roomAdvice } from "./advice.js";
import { type LintFacts, zonesOf } from "./facts.js";
import { loseZone, type WorkloadLoss, type ZoneLoss } from "./zone-loss.js";

/** One prediction for each zone with nodes and each workload that wants replicas, ordered by zone, namespace, kind and name. */
export function lintCluster(facts: LintFacts): Prediction[] {
  const order = (a: Prediction, b: Prediction): number => (keyOf(a) < keyOf(b) ? -1 : 1);
  return zonesOf(facts)
    .flatMap((zone) => {
      const loss = loseZone(facts, zone);
      return loss.workloads.map((workload) => predict(workload, loss, facts));
    })
    .sort(order);
}

const keyOf = ({ zone, namespace, kind, name }: Prediction): string => [zone, namespace, kind, name].join("\u0000");

function predict(loss: WorkloadLoss, zoneLoss: ZoneLoss, facts: LintFacts): Prediction {
  const { kind, namespace, name } = loss.workload;
  const says = verdictOf(loss);
  const help = says === "survives" ? roomAdvice(loss.homeless, facts) : adviceFor(loss, facts, zoneLoss.zone);
  return {
    cluster: facts.cluster,
    zone: zoneLoss.zone,
    namespace,
    kind,
    name,
    says,
    message: messageOf(loss, zoneLoss),
    ...(loss.stuck.length > 0 ? { volumes: loss.stuck.map(({ claim }) => claim).sort() } : {}),
    ...(help.length > 0 ? { help } : {}),
  };
}

function verdictOf({ workload, left, lost, stuck, pushedOut }: WorkloadLoss): Prediction["says"] {
  if (lost.length === 0 && pushedOut === 0) return "survives";
  const enough = left >= workload.minimum && left > 0;
  if (enough) return "survives";
  // Without the replicas that are held by their volumes it does not come back before the zone does.
  if (stuck.length > 0 && workload.wanted - stuck.length < Math.max(1, workload.minimum)) return "loses-its-volume";
  return left === 0 ? "loses-every-replica" : "below-minimum";
}

/** The reason: what stays, what is lost, and what becomes of it. */
function messageOf(loss: WorkloadLoss, { zone, launched }: ZoneLoss): string {
  const { workload, left, lost, readyBefore, pushedOut } = loss;
  const { wanted, minimum } = workload;
  const needs = `it needs ${minimum}`;
  if (lost.length === 0 && pushedOut === 0) {
    const whole = readyBefore < wanted ? `, though only ${readyBefore} of ${wanted} replicas are ready as it is` : "";
    return `Nothing of it is in ${zone}${whole}.`;
  }
  const all = left === 0;
  const first = all
    ? `${allOf(loss)} in ${zone}`
    : `${left} of ${counted(wanted, "replica")} ${left === 1 ? "stays" : "stay"} ready, ${needs}`;
  return [`${first}.`, ...afterwards(loss, launched)].join(" ");
}

function allOf({ workload: { wanted }, lost }: WorkloadLoss): string {
  if (wanted === 1) return "Its only replica is";
  return lost.length === 2 ? "Both of its replicas are" : `All of its ${lost.length} replicas are`;
}

function afterwards(loss: WorkloadLoss, launched: ZoneLoss["launched"]): string[] {
  const { workload, atOnce, later, stuck, homeless, pushedOut } = loss;
  if (workload.kind === "DaemonSet") return ["Each belongs to its node and comes back with one."];
  if (workload.kind === "Pod") return ["It has no owner that would make another."];
  const sentences: string[] = [];
  if (atOnce > 0) sentences.push(`${others(atOnce, loss)} a place on nodes that are left.`);
  if (later > 0) {
    const groups = [...new Set(launched.flatMap(({ nodegroup }) => (nodegroup ? [nodegroup] : [])))].sort();
    const when = groups.length > 0 ? `node group ${listed(groups)} has launched others` : "machines have been launched";
    sentences.push(`${others(later, loss)} a place once ${when} elsewhere.`);
  }
  if (stuck.length > 0) {
    const claims = stuck.map(({ claim }) => claim);
    const shown = claims.length > 3 ? [...claims.slice(0, 3), `${claims.length - 3} more`] : claims;
    sentences.push(
      `${listed(shown)} can be reached from there alone: ${stuck.length === 1 ? "its pod waits" : "their pods wait"} until the zone is back.`,
    );
  }
  if (homeless.length > 0) sentences.push(`${others(homeless.length, loss)} no place${reason(homeless)}.`);
  if (pushedOut > 0)
    sentences.push(`${counted(pushedOut, "replica")} elsewhere must make room for pods of higher priority.`);
  return sentences;
}

function others(count: number, { lost }: WorkloadLoss): string {
  if (count < lost.length) return `${count} of those lost ${count === 1 ? "finds" : "find"}`;
  return count === 1 ? "The one lost finds" : `The ${count} lost find`;
}

const REASONS: Readonly<Record<string, string>> = {
  nodes: "no node is left that its selector or affinity admits",
  taints: "it does not tolerate the taints of nodes that are left",
  volume: "its volume is out of reach",
  claim: "its volume is in use on another node",
  ports: "its host ports are taken",
  apart: "its anti-affinity keeps it away",
  together: "its affinity has nobody to be with",
  spread: "its spread over zones forbids it",
};

function reason(homeless: WorkloadLoss["homeless"]): string {
  const obstacles = homeless.flatMap((one) => one.obstacles);
  const short = [...new Set(obstacles.flatMap((one) => (one.why === "room" ? one.of : [])))].sort();
  // What keeps a pod off every node it could not be on anyway is no news beside what keeps it off the others.
  const rest = [...new Set(obstacles.map(({ why }) => why))].filter((why) => why !== "room");
  const telling = rest.filter((why) => why !== "nodes" && why !== "taints");
  const said = [
    ...(short.length > 0 ? [`too little ${listed(short)} is free`] : []),
    ...(telling.length > 0 || short.length > 0 ? telling : rest).map((why) => REASONS[why] ?? why),
  ];
  return said.length > 0 ? `: ${listed(said)}` : "";
}
