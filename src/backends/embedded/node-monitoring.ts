/**
 * Plays the node monitoring agent in a simulated cluster: it reports of every node where it runs, and of every node with which something is found wrong.
 * What it has reported of a node stays when the agent goes, as on EKS; findings go with their cause. Findings stand in the Node, which outlives this process:
 * which they are is noted before they are made, so that whoever comes next can unsay them.
 */
import type { Clock } from "../../clock/clock.js";
import { isReady } from "../../domain/kubernetes-objects.js";
import { MONITORING_AGENT, type MonitoringFinding, monitoringReports } from "../../domain/node-monitoring.js";
import type { SimulatedCluster } from "../../kubernetes/cluster.js";
import { conditionOf } from "../../kubernetes/runtime/conditions.js";
import type { Node, Pod } from "../../kubernetes/schema/generated/types.js";

export interface NodeMonitoring {
  /** Exactly this is found wrong from now on, by node name, on nodes that are there or not yet. */
  setFindings(findings: Readonly<Record<string, readonly MonitoringFinding[]>>): void;
  stop(): void;
}

export interface NodeMonitoringOptions {
  cluster: Pick<SimulatedCluster, "api" | "setNodeReports">;
  clock: Pick<Clock, "defer">;
  /** Kept for whoever comes after this process. */
  note: { get(): string | undefined; put(text: string): void };
}

const SYSTEM = "kube-system";
const DAEMON_SETS = "daemonsets.apps";
const COMPUTE_TYPE = "eks.amazonaws.com/compute-type";

const isAgent = ({ metadata: { namespace, ownerReferences } }: Pod): boolean =>
  namespace === SYSTEM &&
  ownerReferences?.some(({ kind, name }) => kind === "DaemonSet" && name === MONITORING_AGENT) === true;

export function startNodeMonitoring({ cluster, clock, note }: NodeMonitoringOptions): NodeMonitoring {
  const { api } = cluster;
  const monitored = new Set<string>();
  let findings: Readonly<Record<string, readonly MonitoringFinding[]>> = {};
  /** Types of what is or was found, by node name. */
  let found = JSON.parse(note.get() ?? "{}") as Readonly<Record<string, readonly string[]>>;
  let stopPods: (() => void) | undefined;

  const report = (name: string): void => {
    const isMonitored = monitored.has(name);
    const capacity = api.get<Node>("nodes", { name })?.status?.capacity ?? {};
    const reports = monitoringReports({ isMonitored, capacity, findings: findings[name] ?? [] });
    const unsaid = (found[name] ?? []).map((type) => [type, undefined] as const);
    cluster.setNodeReports(name, { ...Object.fromEntries(unsaid), ...reports });
  };

  /** Watchers must not write. */
  const monitor = (name: string): void => {
    if (monitored.has(name)) return;
    monitored.add(name);
    clock.defer(() => report(name));
  };

  const watchAgents = (): (() => void) =>
    api.watch<Pod>("pods", ({ type, object }) => {
      const nodeName = object.spec?.nodeName;
      if (type !== "DELETED" && nodeName && isAgent(object) && isReady(object)) monitor(nodeName);
    });

  const stops = [
    api.watch<Node>("nodes", ({ type, object }) => {
      const { name, labels } = object.metadata;
      if (type !== "DELETED") {
        if (labels?.[COMPUTE_TYPE] === "auto") monitor(name);
      } else if (monitored.delete(name)) cluster.setNodeReports(name, {});
    }),
    api.watch(DAEMON_SETS, ({ type, object }) => {
      if (object.metadata.namespace !== SYSTEM || object.metadata.name !== MONITORING_AGENT) return;
      if (type !== "DELETED") stopPods ??= watchAgents();
      else {
        stopPods?.();
        stopPods = undefined;
      }
    }),
  ];
  for (const name in found) report(name);

  /** A node that is silent still shows what was found: it has to be unsaid once it speaks, maybe by another process. */
  const isShown = (name: string, type: string): boolean =>
    conditionOf(api.get<Node>("nodes", { name })?.status?.conditions, type)?.status === "False";

  return {
    setFindings(next) {
      const names = new Set([...Object.keys(findings), ...Object.keys(next), ...Object.keys(found)]);
      const types: Record<string, readonly string[]> = {};
      for (const name of names) {
        const shown = (found[name] ?? []).filter((type) => isShown(name, type));
        const all = new Set([...shown, ...(next[name] ?? []).map(({ type }) => type)]);
        if (all.size > 0) types[name] = [...all];
      }
      const text = JSON.stringify(types);
      if (text !== (note.get() ?? "{}")) note.put(text);
      findings = next;
      found = types;
      for (const name of names) report(name);
    },
    stop() {
      for (const stop of stops) stop();
      stopPods?.();
    },
  };
}
